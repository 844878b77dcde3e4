"""What a user opens: settings, opening, closing, and what is kept."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from emulated import PlaneExtractor, ask, at, ids, request

from ximilar_async.emulator import Emulator, EmulatorError
from ximilar_async.emulator.faults import throttled

if TYPE_CHECKING:
    from pathlib import Path


def plane(path: Path | None = None, **settings: Any) -> Emulator:
    return Emulator(path, extractor=PlaneExtractor(), **settings)


def records(*xs: int) -> dict[str, Any]:
    return {"records": [{"_id": str(x), "_url": at(x), "n": x} for x in xs]}


async def test_a_folder_keeps_everything(tmp_path: Path) -> None:
    """After closing and opening the same searches get the same answers, in each collection."""

    async def answers(emulator: Emulator) -> list[Any]:
        given = [
            (await ask(emulator, method, body, collection_id=id_))[1]
            for id_ in ("first", "Second", "third/../x")
            for method, body in [
                ("visualKNN", {"query_record": {"_url": at(2)}, "filter": {"n": {"$gt": 1}}}),
                ("allRecords", {"fields_to_return": ["*"]}),
                ("getRecordCount", None),
            ]
        ]
        return [{**answer, "statistics": None} for answer in given]

    async with plane(tmp_path) as emulator:
        await ask(emulator, "insert", records(1, 2, 3, 4), collection_id="first")
        await ask(emulator, "insert", records(5, 6), collection_id="Second")
        await ask(emulator, "delete", records(3), collection_id="first")
        await ask(emulator, "update", {"records": [{"_id": "4", "n": 9}]}, collection_id="first")
        before = await answers(emulator)
    async with plane(tmp_path) as emulator:
        assert await answers(emulator) == before
    assert ids(before[0]) == ["2", "4"]
    assert before[-1]["answer_count"] == 0


async def spent(emulator: Emulator) -> int:
    """Return the credits that the account tells."""
    details = request("http://h/account/v2/details/", verb="GET", base="", collection_id="")
    response = await emulator.transport().send(details)
    credits: int = orjson.loads(response.body)["credits_counter"]
    return credits


async def test_a_folder_keeps_the_credits_that_were_spent(tmp_path: Path) -> None:
    """The account goes on where it was, as the collections do."""
    for total in (3, 13):
        async with plane(tmp_path) as emulator:
            await ask(emulator, "insert", records(1, 2, 3))
            if total > 3:
                await ask(emulator, "visualKNN", {"query_record": {"_url": at(2)}})
            assert await spent(emulator) == total
    async with plane(tmp_path) as emulator:
        assert await spent(emulator) == 13


async def test_asking_makes_no_files(tmp_path: Path) -> None:
    """Only an insert brings a collection into being on disk."""
    async with plane(tmp_path) as emulator:
        await ask(emulator, "getRecordCount")
        await ask(emulator, "delete", records(1))
        assert list((tmp_path / "collections").iterdir()) == []


async def test_memory_keeps_nothing() -> None:
    """Without a folder an emulator is empty each time it is opened."""
    emulator = plane()
    for _ in range(2):
        async with emulator:
            assert (await ask(emulator, "insert", records(1)))[1]["status"]["code"] == 210


async def test_a_folder_in_use(tmp_path: Path) -> None:
    """A second emulator on one folder is refused; the first one goes on."""
    async with plane(tmp_path) as emulator:
        with pytest.raises(EmulatorError, match="in use by another emulator"):
            await plane(tmp_path).start()
        assert (await ask(emulator, "ping"))[0] == 200


async def test_a_failed_start_leaves_nothing_behind(tmp_path: Path) -> None:
    """When the port is taken, the folder is free again for the next try."""
    async with plane() as other:
        port = int(other.url.rsplit(":", 1)[1])
        with pytest.raises(EmulatorError, match="in use by another program"):
            await plane(tmp_path, port=port).start()
    async with plane(tmp_path) as emulator:
        assert (await ask(emulator, "ping"))[0] == 200


async def test_a_strange_file_is_named_at_the_start(tmp_path: Path) -> None:
    """What cannot be used is said when the emulator opens, not at some later request."""
    (tmp_path / "collections").mkdir()
    (tmp_path / "collections" / "a.sqlite").write_bytes(b"garbage" * 200)
    with pytest.raises(EmulatorError, match=r"a\.sqlite"):
        await plane(tmp_path).start()


async def test_closing_twice(tmp_path: Path) -> None:
    """Closing again, or before opening, does nothing."""
    emulator = plane(tmp_path)
    await emulator.aclose()
    async with emulator:
        await emulator.aclose()
    await emulator.aclose()


async def test_a_closed_emulator_says_so() -> None:
    """Address and transport need an open emulator; a transport outlives it with a clear error."""
    emulator = plane()
    with pytest.raises(EmulatorError, match="async with Emulator"):
        _ = emulator.url
    with pytest.raises(EmulatorError, match="async with Emulator"):
        emulator.transport()
    async with emulator:
        door = emulator.transport()
        await door.aclose()
        assert (await door.send(request("ping"))).status == 200
        with pytest.raises(EmulatorError, match="open already"):
            await emulator.start()
    with pytest.raises(ConnectionRefusedError, match="closed"):
        await door.send(request("ping"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dialect": "prose"}, "dialect must be 'examples' or 'tables', not 'prose'"),
        ({"url_images": "guess"}, "url_images must be 'derive' or 'fetch' or 'refuse'"),
        ({"url_images": "fetch"}, "url_images='fetch' and url_allow belong together"),
        ({"url_allow": ["https://a.example"]}, "url_images='fetch' and url_allow belong together"),
        ({"url_images": "fetch", "url_allow": "https://a.example"}, "must be a list of origins"),
        ({"url_images": "fetch", "url_allow": ["a.example"]}, "'a.example' is not an http"),
        ({"tokens": "secret"}, "tokens must be a list of tokens"),
        ({"latency": -1}, "latency must be at least 0, not -1"),
        ({"latency": float("nan")}, "latency must be a finite number, not nan"),
        ({"rate_limit": 0}, "rate_limit must be above 0, not 0"),
        ({"rate_limit": "5"}, "rate_limit must be a finite number, not '5'"),
        ({"capacity": -1}, "capacity must be a whole number of at least 0, not -1"),
        ({"capacity": 2.5}, "capacity must be a whole number of at least 0, not 2.5"),
        ({"port": -1}, "port must be a whole number of at least 0, not -1"),
        ({"faults": throttled()}, r"a single rule goes into Faults\(rule\)"),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], words: str) -> None:
    """A wrong setting is refused at once, by name, and a token is not shown."""
    with pytest.raises(ValueError, match=words) as error:
        plane(**settings)
    assert "secret" not in str(error.value)


def test_a_missing_extra_is_named() -> None:
    """Without numpy or Pillow the import fails with the line that helps."""
    for missing in ("numpy", "PIL"):
        script = f"import sys; sys.modules[{missing!r}] = None; import ximilar_async.emulator"
        run = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        last = run.stderr.strip().splitlines()[-1]
        assert last.startswith("ImportError: the emulator needs")
        assert "pip install 'ximilar-async[emulator]'" in last
