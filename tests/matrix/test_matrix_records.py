"""Rows of the fault matrix: records that break their request, or that are none.

As in `test_matrix_engine`, each row asserts exact outcomes and that they agree with the store.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes import refusal
from matrix_runs import insert, on_insert, outcomes, records, stored_in
from scripted import ScriptedService, answer, lost

from ximilar_async import bulk
from ximilar_async.bulk import Outcome
from ximilar_async.emulator import Emulator, Faults, faults

if TYPE_CHECKING:
    from matrix_row import Row

    from ximilar_async._protocol import Request, Response

ONE, TWO, NEIGHBOURS = ["r3"], ["r1", "r8"], ["r4", "r5"]


# --- poison -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [ONE, TWO, NEIGHBOURS], ids=["one", "two", "neighbours"])
@pytest.mark.parametrize("count", [10, 60], ids=["the only batch", "among others"])
@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_record_that_is_refused(row: Row, status: int, count: int, bad: list[str]) -> None:
    """A request refused as a whole is bisected: the bad record is rejected, the others go in."""
    plan = Faults(faults.poison(bad, status=status))
    async with Emulator(faults=plan) as emulator:
        report = await insert(row, emulator.transport(), records(count))
        row.agree(await stored_in(emulator))
    assert outcomes(report) == {"inserted": count - len(bad), "rejected": len(bad)}
    rejected = {result.id: result.code for result in row.results if result.code == status}
    assert rejected == dict.fromkeys(bad, status)
    assert report.requests <= count // 10 + 10 * len(bad)


@pytest.mark.parametrize("bad", [ONE, TWO, NEIGHBOURS], ids=["one", "two", "neighbours"])
@pytest.mark.parametrize("count", [10, 60], ids=["the only batch", "among others"])
@pytest.mark.parametrize("kind", ["500", "time-out"])
async def test_a_record_that_breaks_its_request(
    row: Row, kind: str, count: int, bad: list[str]
) -> None:
    """A request that fails each time is bisected: the bad record failed, the others go in."""
    fault = answer(500, "oops", http=500) if kind == "500" else lost()
    service = ScriptedService(on_insert(lambda _, ids: None if ids.isdisjoint(bad) else fault))
    report = await insert(row, service, records(count))
    assert outcomes(report) == {"inserted": count - len(bad), "failed": len(bad)}
    assert {result.id for result in row.results if result.outcome is Outcome.FAILED} == set(bad)
    row.agree(service.stored)


async def test_a_poisoned_record_that_is_stored_all_the_same(row: Row) -> None:
    """A record whose every request is applied and then fails is told as inserted, not as failed."""
    service = ScriptedService(
        on_insert(lambda _, ids: answer(500, "oops", http=500) if "r3" in ids else None),
        apply_first=True,
    )
    report = await insert(row, service, records(60))
    assert outcomes(report) == {"inserted": 60}
    row.agree(service.stored)


class _Bounded(ScriptedService):
    """Refuses requests above a size."""

    async def send(self, request: Request) -> Response:
        if len(request.body) > 600:
            self.requests.append(("insert", {}))
            return refusal(413, b"<html>Request Entity Too Large</html>", content_type="text/html")
        return await super().send(request)


async def test_requests_that_are_too_large(row: Row) -> None:
    """413 for the size of a request: smaller ones go in; one record above it is rejected."""
    source = [*records(50), {"_id": "heavy", "_url": "https://example.com/x.jpg", "t": "x" * 900}]
    service = _Bounded()
    report = await insert(row, service, source)
    assert outcomes(report) == {"inserted": 50, "rejected": 1}
    (sample,) = report.samples[Outcome.REJECTED]
    assert (sample.id, sample.code) == ("heavy", 413)
    row.agree(service.stored)


# --- records that are none ----------------------------------------------------------------------

BAD_LINES = [
    b"no JSON",
    b'{"_id": "cut", "_url": "https://exa',
    b"[1, 2]",
    b'"text"',
    b"null",
    b"17",
    b'{"_id": "\xff\xfe", "_url": "u"}',
    b'{"_id": "nan", "_url": "https://example.com/1.jpg", "price": NaN}',
    b'{"_id": "infinite", "_url": "https://example.com/1.jpg", "price": -Infinity}',
    b'{"_id": "long", "_url": "https://example.com/1.jpg", "ean": 123456789012345678901}',
    b'{"_id": "surrogate", "_url": "https://example.com/1.jpg", "name": "\\ud800"}',
    b'{"_url": "https://example.com/1.jpg"}',
    b'{"_id": 7, "_url": "https://example.com/1.jpg"}',
    b'{"_id": "", "_url": "https://example.com/1.jpg"}',
    b'{"_id": "no image"}',
    b'{"_id": "a\\u0000b"' + b" " * 10,
    b"\x00" * 50,
]


async def test_bad_lines(row: Row) -> None:
    """Each bad line costs that line alone, and is told by its number."""
    good = [orjson.dumps(record) for record in records(60)]
    lines = list(good)
    for number, bad in enumerate(BAD_LINES):
        lines.insert(number * 3 + 1, bad)
    path = row.folder / "catalog.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines) + b"\n\n \n")
    service = ScriptedService()
    report = await insert(row, service, path)
    assert outcomes(report) == {"inserted": 60, "rejected": len(BAD_LINES)}
    rejected = sorted(r.seq for r in row.results if r.outcome is Outcome.REJECTED)
    assert rejected == [number * 3 + 2 for number in range(len(BAD_LINES))]
    assert len(row.rejects.read_bytes().splitlines()) == len(BAD_LINES)
    row.agree(service.stored)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["field", "list", "below"])
async def test_nan(row: Row, value: float, where: str) -> None:
    """NaN and infinities are refused by name: as null they would remove a field."""
    holder: Any = {"field": value, "list": [1, value], "below": {"a": [{"b": value}]}}[where]
    source = records(20)
    source[7]["price"] = holder
    service = ScriptedService()
    report = await insert(row, service, source)
    assert outcomes(report) == {"inserted": 19, "rejected": 1}
    (sample,) = report.samples[Outcome.REJECTED]
    assert sample.id == "r7"
    assert "price" in sample.reason
    row.agree(service.stored)


async def test_nan_in_an_update(row: Row) -> None:
    """What an update cannot say is not turned into the removal of a field."""
    service = ScriptedService()
    service.stored.update({record["_id"]: record for record in records(10)})
    source = [{"_id": "r1", "n": math.nan}, {"_id": "r2", "n": 5}, {"_id": "r3", "n": None}]
    async with row.client(transport=service) as client:
        job = bulk.update(client.collection("c"), source, options=row.options())
        report = await row.run(job)
    assert outcomes(report) == {"updated": 2, "rejected": 1}
    assert [service.stored[f"r{n}"]["n"] for n in (1, 2, 3)] == [1, 5, None]


class _Watching(ScriptedService):
    """Sees that no id is under way twice, nor twice in a request."""

    def __init__(self) -> None:
        super().__init__(delay=0.001)
        self.ids: set[str] = set()

    async def send(self, request: Request) -> Response:
        body = orjson.loads(request.body)
        ids = Counter(record["_id"] for record in body.get("records", ()))
        assert not ids or max(ids.values()) == 1
        assert self.ids.isdisjoint(ids)
        self.ids |= ids.keys()
        try:
            return await super().send(request)
        finally:
            self.ids -= ids.keys()


async def test_duplicate_ids(row: Row) -> None:
    """The first record of an id is inserted, the others are there already; none vanishes."""
    source = [{**record, "copy": copy} for copy in range(3) for record in records(40)]
    source[5:5] = [{**records(1)[0], "copy": -1}] * 20
    service = _Watching()
    report = await insert(row, service, source)
    assert outcomes(report) == {"inserted": 40, "already_present": 100}
    assert {record["copy"] for record in service.stored.values()} == {0}
    row.agree(service.stored)


async def test_duplicate_ids_of_rejected_and_failed_records(row: Row) -> None:
    """A repeated id waits for the first record's outcome, whatever that is, and is then sent."""
    good, bad = records(1)[0], {"_id": "r0", "_url": "https://example.com/0.jpg", "bad": True}

    def script(method: str, body: dict[str, Any]) -> Response | None:
        refuse = method == "insert" and any("bad" in record for record in body["records"])
        return answer(400, "bad", http=400) if refuse else None

    service = ScriptedService(script)
    report = await insert(row, service, [bad, bad, *records(9, start=1), good, good])
    assert outcomes(report) == {"inserted": 10, "rejected": 2, "already_present": 1}
    assert "bad" not in service.stored["r0"]


async def test_a_file_that_ends_in_the_middle_of_a_record(row: Row) -> None:
    """A torn last line is rejected; the whole ones before it go in."""
    path = row.folder / "catalog.jsonl"
    path.write_text("\n".join(map(json.dumps, records(25)))[:-9], encoding="utf-8")
    service = ScriptedService()
    report = await insert(row, service, path)
    assert outcomes(report) == {"inserted": 24, "rejected": 1}
    row.agree(service.stored)


async def test_a_source_that_breaks_off(row: Row) -> None:
    """What came before a source's error is decided; the error ends the run with its report."""

    def broken() -> Any:
        yield from records(25)
        raise LookupError("the database went away")

    service = ScriptedService()
    report = await insert(row, service, broken())
    assert report.stop is bulk.Stop.SOURCE
    assert "the database went away" in report.stop_reason
    assert outcomes(report) == {"inserted": 25}
    row.agree(service.stored)
