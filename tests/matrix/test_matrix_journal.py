"""Rows of the fault matrix: the journal and the rejects file, torn, changed, shared or full.

As in `test_matrix_engine`, each row asserts exact outcomes and that they agree with the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from matrix_runs import catalog, insert, outcomes, records, sent, until_stored
from scripted import ScriptedService, answer

from ximilar_async import bulk
from ximilar_async.bulk import Stop
from ximilar_async.errors import JournalError

if TYPE_CHECKING:
    from matrix_row import Row
    from scripted import Fault

    from ximilar_async.bulk import Job, Report


async def _stopped(row: Row, service: ScriptedService, source: Any, at: int, **more: Any) -> Report:
    """Insert until so many records are stored, then stop."""
    async with row.client(transport=service) as client:
        job: Job = bulk.insert(client.collection("c"), source, options=row.options(**more))
        async with job:
            await until_stored(service, at)
            job.stop()
        return await row.run(job)


async def test_changed_input(row: Row) -> None:
    """A journal belongs to its input: with another one nothing is sent and nothing is changed."""
    service = ScriptedService(delay=0.001)
    path = catalog(row, 200)
    await _stopped(row, service, path, 50)
    before, requests = row.journal.read_bytes(), len(service.requests)
    data = path.read_bytes()
    for changed in (data[:-40], data.replace(b"r7", b"x7"), data + b'{"_id": "new"}\n', b""):
        path.write_bytes(changed)
        with pytest.raises(JournalError, match="input"):
            await insert(row, service, path)
    assert row.journal.read_bytes() == before
    assert len(service.requests) == requests
    row.reports = row.reports[:1]
    path.write_bytes(data)
    assert outcomes(await insert(row, service, path)) == {"inserted": 200}
    assert set(sent(service).values()) == {1}
    row.agree(service.stored)


@pytest.mark.parametrize("attribution", ["compare", "exact"])
@pytest.mark.parametrize("cut", [1, 17, 60, 400])
async def test_a_torn_journal(row: Row, cut: int, attribution: str) -> None:
    """A journal whose last lines are lost goes on; what they told is verified, not repeated."""
    service = ScriptedService(delay=0.001)
    path = catalog(row, 200)
    first = await _stopped(row, service, path, 100, attribution=attribution)
    data = row.journal.read_bytes()
    row.journal.write_bytes(data[:-cut])
    report = await insert(row, service, path, attribution=attribution)
    assert first.inserted >= 100
    assert (report.read, outcomes(report)) == (200, {"inserted": 200})
    row.agree(service.stored)


@pytest.mark.parametrize("tail", [b"\x00" * 4096, b"garbage", b"\n\n", b'00000000 {"done":'])
async def test_a_journal_with_a_damaged_tail(row: Row, tail: bytes) -> None:
    """What a crash leaves behind the last whole line is cut off."""
    service = ScriptedService(delay=0.001)
    path = catalog(row, 200)
    await _stopped(row, service, path, 100)
    with row.journal.open("ab") as file:
        file.write(tail)
    report = await insert(row, service, path)
    assert (report.read, outcomes(report)) == (200, {"inserted": 200})
    assert outcomes(await insert(row, service, path)) == {"inserted": 200}
    row.agree(service.stored)


async def test_a_file_that_is_no_journal(row: Row) -> None:
    """A file that somebody named by mistake is refused, and left as it is."""
    row.journal.write_text("dear diary\n" * 100)
    service = ScriptedService()
    with pytest.raises(JournalError, match="journal"):
        await insert(row, service, records(20))
    assert row.journal.read_text() == "dear diary\n" * 100
    assert not service.requests


async def test_two_runs_on_one_journal(row: Row) -> None:
    """The second one is refused with the name of who has it; the first goes on untouched."""
    service = ScriptedService(delay=0.002)
    path = catalog(row, 200)
    async with row.client(transport=service) as client:
        job = bulk.insert(client.collection("c"), path, options=row.options())
        async with job:
            await until_stored(service, 20)
            with pytest.raises(JournalError, match="in use by this very process"):
                await insert(row, service, path)
        report = await row.run(job)
    row.reports = [report]
    assert outcomes(report) == {"inserted": 200}
    assert set(sent(service).values()) == {1}
    row.agree(service.stored)


@pytest.mark.parametrize("name", ["journal", "rejects"])
async def test_a_file_that_cannot_be_opened(row: Row, name: str) -> None:
    """A run whose files cannot be opened does not begin."""
    service = ScriptedService()
    with pytest.raises(JournalError, match="no-such-folder"):
        await insert(row, service, records(20), **{name: row.folder / "no-such-folder" / "file"})
    assert not service.requests
    row.reports.clear()
    assert outcomes(await insert(row, service, records(20))) == {"inserted": 20}


async def test_a_full_disk_for_rejects(row: Row) -> None:
    """What cannot be written down is not sent: the run ends, and a journal goes on from there."""

    def script(method: str, body: dict[str, Any]) -> Fault | None:
        bad = method == "insert" and any(each["n"] % 50 == 49 for each in body["records"])
        return answer(400, "bad", http=400) if bad else None

    service = ScriptedService(script, delay=0.001)
    path = catalog(row, 400)
    report = await insert(row, service, path, rejects="/dev/full", workers=1)
    assert report.stop is Stop.JOURNAL
    assert "No space left" in report.stop_reason
    assert report.inserted == len(service.stored) < 390
    assert report.rejected == 1
    first = list(row.results)
    report = await insert(row, service, path)
    assert outcomes(report) == {"inserted": 392, "rejected": 8}
    assert len(row.rejects.read_bytes().splitlines()) == 8
    assert sent(service)[first[0].id or ""] == 1
    row.agree(service.stored)


async def test_a_device_as_journal(row: Row) -> None:
    """/dev/full is no journal, and nothing is sent on its word."""
    service = ScriptedService()
    with pytest.raises(JournalError, match="no regular file"):
        await insert(row, service, records(20), journal="/dev/full")
    assert not service.requests
