"""Bulk runs as commands: what insert, update, delete and replay share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from ximilar_async.bulk import ExitCode, Stop
from ximilar_async.errors import BulkAborted
from ximilar_async.pages import counted

from .connect import find_collection, open_client
from .progress import watched
from .reach import reached
from .run_files import is_written
from .screen import complain, put, put_json, say
from .signals import run
from .spoken import in_options
from .tables import report_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from ximilar_async._collection import Collection
    from ximilar_async.bulk import Job, Report

    from .again import Again
    from .options import Access, Output, Place
    from .run_options import Run
    from .signals import Signals


@frozen
class Plan:
    """A bulk run that a command line asks for."""

    title: str
    """What to call it: "insert photos"."""
    start: Callable[[Collection], Job]
    """Returns the job for a collection."""
    run: Run
    place: Place
    access: Access
    output: Output
    again: Again | None = None
    """What sending again takes besides."""


def carry_out(plan: Plan) -> int:
    """Do what was planned, print and write its report, and return the exit code.

    Raises:
        UsageError: no token or collection was named.
        XimilarError: the service refuses or does not answer before anything is sent.
    """
    dry_run, output = plan.run.dry_run, plan.output

    async def work(signals: Signals) -> int:
        async with open_client(
            plan.access, needs_token=not dry_run, processes=plan.run.processes
        ) as client:
            collection = find_collection(client, plan.place)
            if not dry_run:
                await reached(collection, plan.run, output)
            _tell_plan(plan, collection)
            job = plan.start(collection)
            done = await follow(job, plan.title, output, signals, plan.run.max_records)
        # The file first: whoever reads what is printed may leave, as `head` does.
        written = is_written(
            done, plan.run, plan.place, plan.access, operation=done.operation, again=plan.again
        )
        code = conclude(done, output, signals, job.position)
        return code if written else code or ExitCode.TROUBLE

    return run(work)


async def follow(
    job: Job, title: str, output: Output, signals: Signals, max_records: int | None = None
) -> Report:
    """Run a bulk job to its end, show how it goes, and return its report however it ends."""

    def stop(reason: str) -> None:
        say(f"{reason}: finishing what is under way; once more ends at once", output)
        job.stop(reason)

    async with watched(job, title, output, max_records=max_records):
        with signals.stopping(stop):
            try:
                report = await job
            except BulkAborted as aborted:
                report = aborted.report
    return in_options(report)


def conclude(
    report: Report,
    output: Output,
    signals: Signals,
    position: tuple[int, int | None] = (0, None),
) -> int:
    """Print a report and return the exit code that goes with it.

    Args:
        report: What was done.
        output: How it is printed.
        signals: Those that came.
        position: How much of the source was read, and how much there is.
    """
    if output.json:
        put_json(report.to_dict())
    else:
        put(report_view(report))
    if report.not_attempted and not report.dry_run:
        number = counted(report.not_attempted, "record")
        say(f"{number} read and not sent: run the same command again for them", output)
    if words := unread_words(report, position):
        say(words, output)
    if report.stop is Stop.ASKED:
        complain("stopped", report.stop_reason)
    elif report.stop is not None:
        complain("error", f"{report.stop.value}: {report.stop_reason}")
    return signals.exit_code or int(report.exit_code)


def unread_words(report: Report, position: tuple[int, int | None]) -> str:
    """Return how far the source of a run that ended early was read; empty for any other.

    Args:
        report: What was done.
        position: How much of the source was read, and how much there is.

    Example:
        >>> from ximilar_async.bulk import Report, Stop
        >>> report = Report(operation="insert", read=1030, counts={}, stop=Stop.ASKED)
        >>> unread_words(report, (51_500, 400_000))
        'the source was not read to its end, but up to record 1,030 (13% of it)'
    """
    if report.stop is None or not report.read:
        return ""
    done, total = position
    if total is None or done >= total:  # what is read ahead is not looked at
        return f"what the source may have after record {report.read:,} was not looked at"
    share = f"{done / total:.0%} of it"
    return f"the source was not read to its end, but up to record {report.read:,} ({share})"


def _tell_plan(plan: Plan, collection: Collection) -> None:
    if plan.output.verbose:
        say(
            f"{plan.title}: collection {collection.id} of {collection.service}, "
            f"up to {collection.slots} requests at once",
            plan.output,
        )
