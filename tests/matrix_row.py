"""What a row of the fault matrix runs with, and what came of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from attrs import define, field
from fakes import TOKEN

from ximilar_async import Limits, Retry, Timeout, Ximilar, bulk
from ximilar_async.bulk import Outcome
from ximilar_async.errors import BulkAborted

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ximilar_async.bulk import Job, Report, Result

QUICK = Retry(attempts=5, base=0.01, throttled_base=0.01, cap=0.05, deadline=20.0)
"""Retries that take no time worth mentioning."""

MUST_BE_THERE = {Outcome.INSERTED, Outcome.ALREADY_PRESENT}
MUST_NOT_BE_THERE = {Outcome.REJECTED, Outcome.NOT_ATTEMPTED, Outcome.NEAR_DUPLICATE}


@define(eq=False)
class Row:
    """One row of the matrix: makes what it runs with, and keeps what came of it."""

    folder: Path
    results: list[Result] = field(factory=list, init=False)
    """What became of each record, in the order in which it was decided."""
    reports: list[Report] = field(factory=list, init=False)
    errors: list[BaseException] = field(factory=list, init=False)
    """What runs raised."""

    @property
    def journal(self) -> Path:
        return self.folder / "run.journal"

    @property
    def rejects(self) -> Path:
        return self.folder / "rejects.jsonl"

    def options(self, **settings: Any) -> bulk.Options:
        """Return options with quick retries, journal, rejects file, and results kept here."""
        usual = {
            "retry": QUICK,
            "flush_after": 0.05,
            "journal": self.journal,
            "rejects": self.rejects,
            "on_result": self.results.append,
        }
        return bulk.Options(**{**usual, **settings})

    def client(self, url: str | None = None, **settings: Any) -> Ximilar:
        """Return a client with the token that must turn up nowhere, and short time-outs."""
        usual = {
            "base_url": url or "http://localhost",
            "retry": QUICK,
            "limits": Limits(concurrency=4),
            "timeout": Timeout(total=10, connect=5, sock_connect=5, sock_read=5),
        }
        return Ximilar(TOKEN, **{**usual, **settings})

    async def run(self, job: Job, *, within: float = 60.0) -> Report:
        """Await a run, within so many seconds, and return its report, also if it had to stop."""
        try:
            async with asyncio.timeout(within):
                report = await job
        except BulkAborted as stopped:
            self.errors.append(stopped)
            report = stopped.report
        except BaseException as error:
            self.errors.append(error)
            self.reports.append(job.stats)
            raise
        self.reports.append(report)
        return report

    def agree(self, stored: Iterable[str], *, before: Iterable[str] = ()) -> None:
        """Assert that what the runs told of each record is what the service holds.

        Args:
            stored: Ids in the collection now.
            before: Ids that were there before the first run.
        """
        there, old = set(stored), set(before)
        told: dict[str, set[Outcome]] = {}
        for result in self.results:
            told.setdefault(result.id or "", set()).add(result.outcome)
        for id_, outcomes in told.items():
            if outcomes & MUST_BE_THERE:
                assert id_ in there, f"{id_} is told to be {outcomes} and is not stored"
            elif outcomes <= MUST_NOT_BE_THERE and id_ not in old:
                assert id_ not in there, f"{id_} is told to be {outcomes} and is stored"
            assert not (id_ in old and Outcome.INSERTED in outcomes), f"{id_} was there before"
        assert there - old <= set(told), "something is stored that no run has told of"
