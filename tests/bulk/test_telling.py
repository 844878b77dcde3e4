"""What a run tells beyond its counts, and what it refuses before it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from scripted import ScriptedService, lost

from ximilar_async import Retry, Ximilar, bulk
from ximilar_async.errors import ConfigError, JournalError

if TYPE_CHECKING:
    from pathlib import Path

    from scripted import Fault

QUICK = Retry(base=0.001, throttled_base=0.001, cap=0.01)


def collection_of(service: ScriptedService) -> Any:
    return Ximilar("token", transport=service, retry=QUICK).collection("c")


def records(count: int) -> list[dict[str, Any]]:
    return [{"_id": str(n), "_url": f"https://example.com/{n}.jpg", "n": n} for n in range(count)]


def losing(method: str, stored: int = 0) -> ScriptedService:
    """Return a service that carries out the second request of a method and does not answer it."""

    def script(name: str, _: dict[str, Any]) -> Fault | None:
        return lost() if name == method and len(service.sent(method)) == 2 else None

    service = ScriptedService(script, apply_first=True)
    service.stored |= {record["_id"]: record for record in records(stored)}
    return service


def options(**more: Any) -> bulk.Options:
    return bulk.Options(retry=QUICK, workers=1, flush_after=0.01, **more)


async def test_what_cannot_be_attributed_is_told_openly() -> None:
    """Records that were there before, just the same: after a lost answer nobody can tell."""
    report = await bulk.insert(collection_of(losing("insert", 30)), records(30), options=options())
    assert (report.inserted, report.already_present, report.inferred) == (10, 20, 10)
    assert "10 of them inferred after lost answers" in report.summary()
    assert report.to_dict()["inferred"] == 10


async def test_exact_attribution_infers_nothing() -> None:
    """With a mark in each record the same run knows whose they are."""
    service = losing("insert", 30)
    report = await bulk.insert(
        collection_of(service), records(30), options=options(attribution="exact")
    )
    assert (report.already_present, report.inferred) == (30, 0)


async def test_a_delete_tells_how_many_may_have_been_gone_before() -> None:
    """After a lost answer what is gone counts as deleted, and the report says so."""
    service = losing("delete", 30)
    ids = [str(n) for n in range(30)]
    report = await bulk.delete(collection_of(service), ids, options=options())
    assert (report.deleted, report.inferred) == (30, 10)


async def test_a_field_that_no_record_has_is_told() -> None:
    """A misspelt name in `fields` sends nothing, silently: the report names it."""
    service = ScriptedService()
    chosen = options(fields=["n", "prise"])
    report = await bulk.insert(collection_of(service), records(12), options=chosen)
    assert report.anomalies == {"a field that no record has: 'prise' (fields)": 1}
    assert service.stored["3"] == {"_id": "3", "_url": "https://example.com/3.jpg", "n": 3}


async def test_a_replay_tells_what_it_leaves_out(tmp_path: Path) -> None:
    """Records that cannot end otherwise are counted, not passed over in silence."""
    rejects = tmp_path / "rejects.jsonl"
    batch = [*records(5), {"_id": "no image"}, {"_id": "nor this"}]
    shoes = collection_of(ScriptedService())
    await bulk.insert(shoes, batch, options=options(rejects=rejects))
    report = await bulk.replay(shoes, rejects)
    assert (report.read, report.left_out) == (0, 2)
    assert "2 left out (everything=True sends them too)" in report.summary()
    report = await bulk.replay(shoes, rejects, everything=True)
    assert (report.read, report.left_out, report.rejected) == (2, 0, 2)


@pytest.mark.parametrize("first", [b'{"_id": "1"}\n', b"id,price\n", b"[1, 2]\n"])
async def test_nothing_is_appended_to_a_file_that_is_something_else(
    tmp_path: Path, first: bytes
) -> None:
    """A catalog that is named as the rejects file stays as it is."""
    path = tmp_path / "catalog.jsonl"
    path.write_bytes(first)
    job = bulk.insert(collection_of(ScriptedService()), [{}], options=options(rejects=path))
    with pytest.raises(JournalError, match="is no rejects file"):
        await job
    assert path.read_bytes() == first


def test_wrong_collections_and_options_are_named() -> None:
    """The usual slips end as one clear line."""
    client = Ximilar("token", transport=ScriptedService())
    wrong: Any = {"workers": 2}
    for thing in (client, "shoes", None):
        thing_: Any = thing
        with pytest.raises(ConfigError, match="takes a collection"):
            bulk.insert(thing_, [])
        with pytest.raises(ConfigError, match="takes a collection"):
            bulk.Writer(thing_)
    with pytest.raises(ConfigError, match=r"options takes bulk\.Options"):
        bulk.get(client.collection("c"), [], options=wrong)
    with pytest.raises(ConfigError, match=r"options takes bulk\.Options"):
        bulk.Writer(client.collection("c"), options=wrong)
    with pytest.raises(ConfigError, match="remember_ids must be"):
        bulk.Options(remember_ids="yes")
