"""Rows of the fault matrix: a service that is away, refuses, or has no room.

Each row asserts the exact outcomes, that what the service holds agrees with them (`Row.agree`), and
by the fixture `row` what holds in every row (`conftest`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from fakes import TOKEN
from matrix_row import QUICK
from matrix_runs import insert, on_insert, one_at_a_time, outcomes, records, stored_in
from scripted import ScriptedService, answer, lost

from ximilar_async import Limits, Retry, Ximilar, bulk
from ximilar_async.bulk import Outcome, Stop
from ximilar_async.emulator import Emulator, Faults, faults
from ximilar_async.errors import ConnectError

if TYPE_CHECKING:
    from matrix_row import Row
    from scripted import Fault

    from ximilar_async.bulk import Result

IMPATIENT = Retry(attempts=5, base=0.01, cap=0.05, deadline=0.3)
"""Retries that give an outage up soon."""


def refused() -> ConnectError:
    return ConnectError("localhost:1: cannot connect (Connection refused)")


async def resumed(row: Row, count: int = 200, stored: Any = ()) -> None:
    """See that the same run, started again with a service that is well, brings in all the rest."""
    service = ScriptedService()
    service.stored.update(stored)
    report = await insert(row, service, records(count))
    assert outcomes(report) == {"inserted": count}
    assert row.rejects.read_bytes() == b""
    row.agree(service.stored)


# --- away ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "doubtful"),
    [(refused(), False), (answer(503, "down", http=503), True), (lost(), True)],
    ids=["refused", "503", "time-out"],
)
async def test_total_outage(row: Row, fault: Fault, *, doubtful: bool) -> None:
    """A service that never answers ends the run resumably; only what left is in doubt."""
    service = ScriptedService(lambda _, __: fault)
    report = await insert(row, service, records(200), retry=IMPATIENT)
    left = {record["_id"] for body in service.sent("insert") for record in body["records"]}
    failed = len(left) if doubtful else 0
    assert (report.stop, report.exit_code) == (Stop.OUTAGE, 5)
    assert (report.failed, report.not_attempted) == (failed, report.read - failed)
    assert 40 <= len(left) < 200
    await resumed(row)


async def test_an_outage_that_ends(row: Row) -> None:
    """Records wait for the end of an outage; then every one of them is inserted, none twice."""
    service = ScriptedService(
        on_insert(lambda number, _: answer(503, "down", http=503) if 3 <= number <= 15 else None)
    )
    report = await insert(row, service, records(200))
    assert outcomes(report) == {"inserted": 200}
    assert report.outage_seconds > 0
    row.agree(service.stored)


async def test_a_service_that_hangs(row: Row) -> None:
    """`Retry.deadline` bounds the wait for an answer, whatever the time-outs are."""
    service = ScriptedService(delay=3600)
    report = await insert(row, service, records(100), retry=IMPATIENT)
    assert report.stop is Stop.OUTAGE
    assert (report.failed, report.not_attempted) == (40, report.read - 40)
    row.agree(service.stored)
    await resumed(row, 100)


# --- refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [401, 403])
async def test_unauthorized_at_start(row: Row, code: int) -> None:
    """A wrong token ends the run with what was in flight; nothing is stored, nothing failed."""
    service = ScriptedService(lambda _, __: answer(code, "no", http=code), delay=0.001)
    report = await insert(row, service, records(200))
    assert (report.stop, report.exit_code) == (Stop.AUTH, 3)
    assert outcomes(report) == {"not_attempted": report.read}
    assert report.requests == len(service.requests) <= 4
    row.agree(service.stored)


@pytest.mark.parametrize("code", [401, 403])
async def test_unauthorized_mid_run(row: Row, code: int) -> None:
    """A token that is revoked midway ends the run; what is stored is told, nothing failed."""
    service = ScriptedService(
        lambda _, __: answer(code, "no", http=code) if len(service.stored) >= 50 else None,
        delay=0.001,
    )
    report = await insert(row, service, records(400))
    assert (report.stop, report.exit_code) == (Stop.AUTH, 3)
    assert outcomes(report) == {
        "inserted": len(service.stored),
        "not_attempted": report.read - len(service.stored),
    }
    assert 50 <= report.inserted < 100
    row.agree(service.stored)
    await resumed(row, 400, service.stored)


class _Revoking(ScriptedService):
    """Takes the token that is right at the time, and counts the requests with another one."""

    def __init__(self, right: str) -> None:
        super().__init__(delay=0.002)
        self.right = right
        self.refused = 0

    async def send(self, request: Any) -> Any:
        if request.headers["authorization"] != f"Token {self.right}":
            self.refused += 1
            await asyncio.sleep(0.002)
            return answer(401, "Invalid token.", http=401)
        return await super().send(request)


async def test_token_rotation(row: Row) -> None:
    """A token that expires midway is replaced once for all requests in flight; none is lost."""
    asked = []

    async def provider() -> str:
        asked.append(len(asked))
        await asyncio.sleep(0.002)
        return service.right

    def rotate(result: Result) -> None:
        row.results.append(result)
        if len(row.results) in (50, 120):
            service.right = f"{TOKEN}-{len(row.results)}"

    service = _Revoking(f"{TOKEN}-0")
    async with Ximilar(provider, transport=service, retry=QUICK, limits=Limits(concurrency=4)) as x:
        options = row.options(on_result=rotate)
        report = await row.run(bulk.insert(x.collection("c"), records(200), options=options))
    assert outcomes(report) == {"inserted": 200}
    assert len(asked) == 3
    assert 2 <= service.refused <= 2 * 4
    row.agree(service.stored)


@pytest.mark.parametrize("same", [True, False], ids=["the same", "another wrong one"])
async def test_a_token_provider_that_cannot_help(row: Row, *, same: bool) -> None:
    """A provider that gives no right token is asked once more, then the run ends."""
    asked = []

    def provider() -> str:
        asked.append(len(asked))
        return TOKEN if same else f"{TOKEN}-{len(asked)}"

    service = _Revoking("another")
    async with Ximilar(provider, transport=service, retry=QUICK, limits=Limits(concurrency=4)) as x:
        job = bulk.insert(x.collection("c"), records(200), options=row.options())
        report = await row.run(job)
    assert (report.stop, report.exit_code) == (Stop.AUTH, 3)
    assert outcomes(report) == {"not_attempted": report.read}
    assert len(asked) == 2
    row.agree(service.stored)


async def test_a_wrong_request(row: Row) -> None:
    """A 400 for each and every record is about the request: the run ends instead of going on."""
    service = ScriptedService(lambda _, __: answer(400, "wrong field", http=400))
    report = await insert(row, service, records(2000))
    assert (report.stop, report.exit_code) == (Stop.CONFIGURATION, 2)
    assert "wrong field" in report.stop_reason
    assert outcomes(report) == {
        "rejected": report.rejected,
        "not_attempted": report.read - report.rejected,
    }
    assert 50 <= report.rejected < 100
    row.agree(service.stored)


@pytest.mark.parametrize(
    "fault",
    [answer(404, "Not found", http=404), answer(200, http=302), answer(200, http=307)],
    ids=["404", "302", "307"],
)
async def test_a_wrong_address(row: Row, fault: Fault) -> None:
    """What no repetition can mend ends the run at the first answer."""
    service = ScriptedService(lambda _, __: fault, delay=0.001)
    report = await insert(row, service, records(200))
    assert (report.stop, report.exit_code) == (Stop.CONFIGURATION, 2)
    assert outcomes(report) == {"not_attempted": report.read}
    assert len(service.requests) <= 4
    row.agree(service.stored)


# --- no room ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mirror", [True, False], ids=["as HTTP", "as body code"])
@pytest.mark.parametrize(("room", "refused"), [(25, 5), (20, 10)], ids=["partial", "whole"])
async def test_no_room_with_lists(row: Row, room: int, refused: int, *, mirror: bool) -> None:
    """412 that lists records: the lists count, then the run ends; nothing further is sent."""
    async with Emulator(capacity=room, mirror_status=mirror) as emulator:
        report = await insert(
            row, emulator.transport(), records(80), client=one_at_a_time(), workers=1
        )
        row.agree(await stored_in(emulator))
    assert (report.stop, report.exit_code) == (Stop.CAPACITY, 4)
    assert outcomes(report) == {
        "inserted": room,
        "rejected": refused,
        "not_attempted": report.read - room - refused,
    }
    assert report.requests == 3
    again = [result for result in row.results if result.outcome is Outcome.REJECTED]
    assert {result.code for result in again} == {412}


@pytest.mark.parametrize(
    "fault",
    [answer(412, "full", http=412), answer(412, "full"), answer(402, "no credits", http=402)],
    ids=["412 as HTTP", "412 as body code", "402"],
)
async def test_no_room_without_lists(row: Row, fault: Fault) -> None:
    """412 that lists nothing refuses its whole request; what it brought can be sent again."""
    service = ScriptedService(on_insert(lambda number, _: fault if number > 2 else None))
    report = await insert(row, service, records(80), client=one_at_a_time(), workers=1)
    assert (report.stop, report.exit_code) == (Stop.CAPACITY, 4)
    assert outcomes(report) == {
        "inserted": 20,
        "rejected": 10,
        "not_attempted": report.read - 30,
    }
    assert len(service.sent("insert")) == 3
    row.agree(service.stored)
    async with row.client(transport=ScriptedService()) as client:
        replay = await row.run(bulk.replay(client.collection("c"), row.rejects))
    assert outcomes(replay) == {"inserted": 10}


async def test_no_room_after_a_doubtful_attempt(row: Row) -> None:
    """412 for a batch whose first attempt was applied: what is stored is not told as rejected."""
    plan = Faults(faults.lost_answer(first=2, last=2), faults.full(after=2, status=412))
    async with Emulator(faults=plan) as emulator:
        report = await insert(
            row, emulator.transport(), records(40), client=one_at_a_time(), workers=1
        )
        row.agree(await stored_in(emulator))
    assert report.stop is Stop.CAPACITY
    assert report.inserted == 20
    assert report.rejected + report.not_attempted == report.read - 20
