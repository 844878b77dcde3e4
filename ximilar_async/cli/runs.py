"""Bulk runs as commands: what insert, update, delete and replay share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import frozen

from ximilar_async.bulk import ExitCode, Stop
from ximilar_async.bulk._report_file import ENDINGS, write_report
from ximilar_async.bulk._sync.page import plan_page
from ximilar_async.errors import BulkAborted
from ximilar_async.pages import counted

from . import failures
from .again import own_command, replay_command
from .connect import find_collection, open_client
from .progress import watched
from .screen import complain, put, put_json, say
from .signals import run
from .tables import report_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from ximilar_async._collection import Collection
    from ximilar_async.bulk import Job, Report, SyncPlan, SyncReport

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
    forget_reports(plan.run)

    async def work(signals: Signals) -> int:
        async with open_client(
            plan.access, needs_token=not dry_run, processes=plan.run.processes
        ) as client:
            collection = find_collection(client, plan.place)
            if not dry_run:
                await collection.ping()  # before anything is read: is it there, is the token right?
            _tell_plan(plan, collection)
            job = plan.start(collection)
            done = await follow(job, plan.title, output, signals, plan.run.max_records)
        # The file first: whoever reads what is printed may leave, as `head` does.
        written = is_written(
            done, plan.run, plan.place, plan.access, operation=done.operation, again=plan.again
        )
        code = conclude(done, output, signals)
        return code if written else code or ExitCode.TROUBLE

    return run(work)


def forget_reports(run_: Run) -> None:
    """Remove an earlier run's reports: they would pass for this one's."""
    for path in run_.reports:
        if path.is_file():
            path.unlink()


def check_files(run_: Run, inputs: Mapping[str, Path | None]) -> None:
    """See before a long run whether its files can be written, and that no two are the same.

    Args:
        run_: The run's options.
        inputs: What is read, by how the command line calls it.

    Raises:
        UsageError: a folder is not there, the report's file ends in neither .html nor .json, or a
            file that is written is also something else.
    """
    reports = [("--report", path) for path in run_.reports]
    written = [("--journal", run_.journal), ("--rejects", run_.rejects), *reports]
    for name, path in written:
        if path is not None and path.is_dir():
            raise failures.UsageError(f"{name} {str(path)!r} is a folder: name a file")
        if path is not None and not path.parent.is_dir():
            raise failures.UsageError(f"{name}: there is no folder {str(path.parent)!r}")
    for _, path in reports:
        if path.suffix.lower() not in ENDINGS:
            raise failures.UsageError(
                "--report writes a page or JSON: name a file that ends in .html or .json, not "
                f"{path.name!r}"
            )
    _refuse_same([*inputs.items(), *written])


def _refuse_same(files: Iterable[tuple[str, Path | None]]) -> None:
    seen: dict[Path, str] = {}
    for name, path in files:
        # Several may go to one device, such as /dev/null.
        if path is None or (path.exists() and not path.is_file()):
            continue
        first = seen.setdefault(path.resolve(), name)
        if first != name:
            raise failures.UsageError(f"{first} and {name} are the same file: {str(path)!r}")


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
                return await job
            except BulkAborted as aborted:
                report: Report = aborted.report
                return report


def conclude(report: Report, output: Output, signals: Signals) -> int:
    """Print a report and return the exit code that goes with it."""
    if output.json:
        put_json(report.to_dict())
    else:
        put(report_view(report))
    if report.not_attempted and not report.dry_run:
        number = counted(report.not_attempted, "record")
        say(f"{number} read and not sent: run the same command again for them", output)
    if report.stop is Stop.ASKED:
        complain("stopped", report.stop_reason)
    elif report.stop is not None:
        complain("error", failures.message(BulkAborted(report.summary(), report)))
    return signals.exit_code or int(report.exit_code)


def is_written(
    report: Report | SyncReport,
    run_: Run,
    place: Place,
    access: Access,
    *,
    operation: str | None,
    again: Again | None = None,
) -> bool:
    """Write a report, if one is wanted; where that fails the run's own exit code still counts.

    Args:
        report: What was done.
        run_: The run's options.
        place: Where to.
        access: How.
        operation: What `replay` is to do with what failed; None where running the same command
            again is what helps.
        again: What `replay` takes besides.
    """
    command, replay = own_command(), ""
    if operation is not None and run_.reports and (report.failed or report.rejected):
        replay = replay_command(operation, place, access, run_, again)
    return _wrote(run_, lambda path: report.write(path, command=command, replay=replay))


def write_plan_report(plan: SyncPlan, run_: Run, apply: str) -> bool:
    """Write what a sync would do, if that is wanted, and tell whether nothing went wrong.

    Args:
        plan: What it would do.
        run_: The run's options.
        apply: The command line that carries the plan out.
    """
    command = own_command()
    return _wrote(
        run_,
        lambda path: write_report(
            path,
            lambda: {**plan.to_dict(), "command": command, "apply": apply or None},
            lambda: plan_page(plan, command=command, apply=apply),
        ),
    )


def _wrote(run_: Run, write: Callable[[Path], object]) -> bool:
    """Write each report that is wanted; tell whether all are there."""
    wrong = []
    for path in run_.reports:
        try:
            write(path)
        except OSError as error:
            wrong.append(failures.message(error))
        except Exception as error:  # noqa: BLE001 - a page that fails hides nothing of what was done
            defect = "the report cannot be written, which is a defect of ours"
            wrong.append(f"{path}: {defect}: {error!r}")
    for words in wrong:
        complain("error", words)
    return not wrong


def _tell_plan(plan: Plan, collection: Collection) -> None:
    if plan.output.verbose:
        say(
            f"{plan.title}: collection {collection.id} of {collection.service}, "
            f"up to {collection.slots} requests at once",
            plan.output,
        )
