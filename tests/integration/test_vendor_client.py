"""The vendor's own client, unmodified, from the package index, uses the emulator as its service."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageDraw

from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Mapping

CLIENT = "ximilar-client==1.39.0"
DRIVER = Path(__file__).with_name("vendor_driver.py")

pytestmark = [pytest.mark.peer, pytest.mark.timeout(600)]


@pytest.fixture(scope="session")
def python(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment with the vendor's client, once for all runs; return its Python."""
    kept = getattr(pytestconfig, "cache", None)
    home = kept.mkdir(CLIENT.replace("==", "-")) if kept else tmp_path_factory.mktemp("client")
    folder = Path(home) / str(sys.implementation.cache_tag)
    python = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--retries", "2", CLIENT]
        installed = subprocess.run(install, capture_output=True, text=True, check=False)
        if installed.returncode:
            reason = installed.stderr.strip().splitlines()[-1:] or ["no reason given"]
            pytest.skip(f"{CLIENT} could not be had from the package index: {reason[0]}")
        complete.touch()
    return python


def lay_out(folder: Path) -> None:
    """Write ten images that differ, and one that is nearly the sixth."""
    for number in range(11):
        image = Image.new("RGB", (320, 240), (240, 235, 225))
        draw = ImageDraw.Draw(image)
        edge = 10 + 22 * (number % 10)
        draw.rectangle((edge, 20, edge + 60, 220 - edge // 2), fill=(25 * number % 255, 90, edge))
        draw.ellipse((200 - edge // 2, edge // 2, 300, 30 + edge), fill=(edge, 40, 200 - edge))
        image.save(folder / f"{number}.jpg", quality=92)
    image = Image.open(folder / "6.jpg").resize((300, 225))
    image.save(folder / "query.jpg", quality=70)


@pytest.fixture(scope="module", params=[False, True], ids=["always 200", "mirrored"])
def results(
    request: pytest.FixtureRequest, python: Path, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Any]:
    """What the client got, whether codes of answers are HTTP statuses too or not."""
    folder = tmp_path_factory.mktemp("images")
    lay_out(folder)

    async def drive() -> bytes:
        async with Emulator(mirror_status=request.param) as emulator:
            # On 127.0.0.1 the client's constructor would call the real service.
            base = emulator.url.replace("127.0.0.1", "localhost")
            process = await asyncio.create_subprocess_exec(
                python, DRIVER, base, folder, stdout=asyncio.subprocess.PIPE
            )
            output, _ = await process.communicate()
            assert process.returncode == 0
            return output

    answers: dict[str, Any] = json.loads(asyncio.run(drive()))
    return answers


def code(answer: Mapping[str, Any]) -> int:
    value: int = answer["status"]["code"]
    return value


def ids(answer: Mapping[str, Any]) -> list[str]:
    return [record["_id"] for record in answer["answer_records"]]


def test_ping(results: Mapping[str, Any]) -> None:
    """The client POSTs ping without a body, and is told that this is the emulator."""
    assert code(results["photos"]["ping"]) == 200
    assert "emulator" in results["photos"]["ping"]["info"]


def test_insert(results: Mapping[str, Any]) -> None:
    """Image files travel as base64 beside their path; a second insert is a duplicate."""
    assert code(results["photos"]["insert"]) == 210
    assert ids(results["photos"]["insert"]) == [str(number) for number in range(10)]
    again = results["photos"]["insert again"]
    assert (code(again), again["skipped_records"][0]["_id"]) == (411, "0")


def test_get(results: Mapping[str, Any]) -> None:
    """A stored record comes back whole but for its pixels; an unknown one is skipped."""
    answer = results["photos"]["get"]
    assert code(answer) == 213
    (record,) = answer["answer_records"]
    assert sorted(record) == ["_file", "_id", "price"]
    assert (record["_id"], record["price"]) == ("3", 3)
    assert answer["skipped_records"][0]["_id"] == "gone"


def test_search(results: Mapping[str, Any]) -> None:
    """A smaller copy of an image finds it first, whichever way it is sent; filters hold."""
    photos = results["photos"]
    by_image = photos["search by image"]
    assert by_image["answer_records"][0] == {"_id": "6", "price": 6}
    assert by_image["answer_distances"] == sorted(by_image["answer_distances"])
    assert len(by_image["answer_records"]) == 3
    assert photos["search by base64"]["answer_distances"] == by_image["answer_distances"]
    assert len(ids(photos["search by id"])) == 2
    assert all(int(id_) >= 5 for id_ in ids(photos["search by id"]))


def test_random(results: Mapping[str, Any]) -> None:
    """All three records that match are drawn, in some order."""
    assert sorted(ids(results["photos"]["random"])) == ["0", "1", "2"]


def test_update(results: Mapping[str, Any]) -> None:
    """A field is set, another removed by null."""
    answer = results["photos"]["update"]
    assert code(answer) == 205
    (record,) = answer["answer_records"]
    assert record["colour"] == "red"
    assert "price" not in record


def test_all_records(results: Mapping[str, Any]) -> None:
    """Without a size all matching records come at once, with one in pages; the last has no next."""
    photos = results["photos"]
    assert photos["all records"]["answer_records"] == [
        {"_id": str(number), "price": number} for number in (7, 8, 9)
    ]
    assert photos["all records"]["answer_count"] == 10
    first, second, last = photos["pages"]
    assert [ids(page) for page in photos["pages"]] == [list("0123"), list("4567"), list("89")]
    assert "/v2/allRecords?page=2&size=4" in first["next"]
    assert "/v2/allRecords?page=1&size=4" in second["previous"]
    assert "next" not in last
    assert photos["iterated"] == list("0123456789")


def test_search_and_rank(results: Mapping[str, Any]) -> None:
    """Records by id and by image are ranked; the unknown one is skipped."""
    answer = results["photos"]["rank"]
    assert code(answer) == 213
    assert answer["answer_distances"][0] == 0.0
    assert answer["answer_records"] == [{}, {"_id": "1"}]
    assert answer["skipped_records"][0]["_id"] == "gone"


def test_remove(results: Mapping[str, Any]) -> None:
    """Removed records are gone."""
    assert code(results["photos"]["remove"]) == 220
    assert ids(results["photos"]["left"]) == list("23456789")


def test_in_parallel(results: Mapping[str, Any]) -> None:
    """The client's own threads insert 105 records in eleven requests, through the old prefix."""
    many = results["many"]
    assert [code(answer) for answer in many["results"]] == [210] * 11
    assert sum(answer["answer_count"] for answer in many["results"]) == 105
    assert many["all"] == 105


def test_fashion(results: Mapping[str, Any]) -> None:
    """Fashion's options are taken, null too; its search goes by `_tags_simple` as well."""
    assert code(results["fashion"]["insert"]) == 210
    assert ids(results["fashion"]["search"]) == ["boot", "dress"]
