"""The fault matrix, a service that is too busy: 429 and 503 with every kind of hint, and storms."""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
from brittle import Brittle, instead, to
from fakes import http

from ximilar_async import Retry, bulk
from ximilar_async.bulk import Stop

if TYPE_CHECKING:
    from matrix_row import Row

    from ximilar_async import Ximilar
    from ximilar_async.bulk import Job

COUNT = 60
IDS = {f"r{n}" for n in range(COUNT)}
SHORT = Retry(attempts=5, base=0.01, throttled_base=0.01, cap=0.05, deadline=0.4)
"""Quick retries, and no patience with an outage."""


def insertion(client: Ximilar, row: Row, **settings: Any) -> Job:
    records = [{"_id": id_, "_url": f"https://example.com/{id_}.jpg"} for id_ in sorted(IDS)]
    return bulk.insert(client.collection("c"), records, options=row.options(**settings))


HINTS: dict[str, dict[str, str]] = {
    "none": {},
    "seconds": {"retry_after": "0"},
    "a fraction": {"retry_after": "0.02"},
    "milliseconds": {"retry_after_ms": "20"},
    "both": {"retry_after_ms": "20", "retry_after": "500"},
    "a date": {"retry_after": formatdate(0, usegmt=True), "date": formatdate(0, usegmt=True)},
    "a date long ago": {"retry_after": formatdate(0, usegmt=True)},
    "a date in words": {"retry_after": "next Tuesday"},
    "negative": {"retry_after": "-5"},
    "infinite": {"retry_after": "inf"},
    "not a number": {"retry_after": "nan"},
    "exponent": {"retry_after": "1e9"},
    "empty": {"retry_after": ""},
    "junk": {"retry_after": "soon; or later"},
    "digits of elsewhere": {"retry_after": "\u0662"},
    "a long number": {"retry_after": "9" * 400},
}


@pytest.mark.parametrize("hint", HINTS)
@pytest.mark.parametrize("status", [429, 503])
async def test_429_and_503_with_every_kind_of_hint(row: Row, status: int, hint: str) -> None:
    """Whatever the hint, records are sent again and none is lost or doubted for long."""
    refusal = instead(http(status, b"slow down", **HINTS[hint]), apply=False)
    async with (
        Brittle(to("insert", {1, 2, 3, 5}, refusal)) as service,
        row.client(service.url) as client,
    ):
        report = await row.run(insertion(client, row))
        assert await service.stored() == IDS
    assert (report.inserted, report.stop) == (COUNT, None)
    row.agree(IDS)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_hint_beyond_all_patience(row: Row, status: int) -> None:
    """Asked to wait for an hour, the run ends instead, in a way that can be resumed."""
    refusal = instead(http(status, b"", retry_after="3600"), apply=False)
    async with (
        Brittle(to("insert", None, refusal)) as service,
        row.client(service.url) as client,
    ):
        report = await row.run(insertion(client, row))
        assert service.sent("insert") <= 4
        assert await service.stored() == set()
    assert (report.stop, report.exit_code) == (Stop.OUTAGE, 5)
    assert "3600" in report.stop_reason
    assert report.not_attempted + report.failed == report.read
    row.agree([])


@pytest.mark.parametrize("apply", [False, True], ids=["nothing applied", "all applied"])
@pytest.mark.parametrize("hint", ["none", "a fraction"])
async def test_503_storm(row: Row, hint: str, *, apply: bool) -> None:
    """Twenty 503 in a row, from the first request on: the run waits for the end of it."""
    refusal = instead(http(503, b"", **HINTS[hint]), apply=apply)
    async with (
        Brittle(to("insert", range(1, 21), refusal)) as service,
        row.client(service.url) as client,
    ):
        report = await row.run(insertion(client, row))
        assert service.spoilt == 20
        assert await service.stored() == IDS
    assert (report.inserted, report.stop) == (COUNT, None)
    row.agree(IDS)


async def test_503_storm_without_end(row: Row) -> None:
    """A service that never recovers ends the run; nothing is told to be stored."""
    refusal = instead(http(503, b""), apply=False)
    async with (
        Brittle(to("insert", None, refusal)) as service,
        row.client(service.url) as client,
    ):
        report = await row.run(insertion(client, row, retry=SHORT))
        assert await service.stored() == set()
    assert (report.stop, report.exit_code) == (Stop.OUTAGE, 5)
    assert (report.inserted, report.failed + report.not_attempted) == (0, report.read)
    row.agree([])
