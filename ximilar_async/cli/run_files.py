"""The files of a run: seen to before it begins, and its reports written however it ends."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from typer import Exit

from ximilar_async.bulk import ExitCode, Report, Stop, SyncReport
from ximilar_async.bulk._report_file import ENDINGS, write_report
from ximilar_async.bulk._sync.page import plan_page
from ximilar_async.errors import XimilarError

from . import failures
from .again import own_command, replay_command
from .screen import complain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from ximilar_async.bulk import Mode, SyncPlan

    from .again import Again
    from .options import Access, Place
    from .run_options import Run

_STOPS: Final[Mapping[int, Stop]] = {
    ExitCode.AUTH: Stop.AUTH,
    ExitCode.CAPACITY: Stop.CAPACITY,
    ExitCode.OUTAGE: Stop.OUTAGE,
}
"""Why a run did not begin, by what the command line exits with; anything else has to be mended."""


@contextmanager
def run_files(
    run_: Run, inputs: Mapping[str, Path | None], operation: str, *, mode: Mode | None = None
) -> Iterator[None]:
    """See to the files of a run, and write its report too if it does not begin at all.

    Whoever looks for the report in the morning else finds none, or one of another night.

    Args:
        run_: The run's options.
        inputs: What is read, by how the command line calls it.
        operation: What is to be done: "insert" and the like, or "sync".
        mode: How it is to be done, of a sync.

    Raises:
        UsageError: a folder is not there, the report's file ends in neither .html nor .json, or a
            file that is written is also something else.
    """
    _check_files(run_, inputs)
    forget_reports(run_)
    try:
        yield
    except (failures.UsageError, XimilarError, OSError) as error:
        stop = _STOPS.get(failures.exit_code(error), Stop.CONFIGURATION)
        _tell_unbegun(run_, _nothing_done(operation, mode, stop, failures.message(error)))
        raise
    except Exit:
        words = "interrupted before it began"
        _tell_unbegun(run_, _nothing_done(operation, mode, Stop.ASKED, words))
        raise


def _nothing_done(
    operation: str, mode: Mode | None, stop: Stop, reason: str
) -> Report | SyncReport:
    if mode is not None:
        return SyncReport(mode=mode, stop=stop, stop_reason=reason)
    return Report(operation=operation, read=0, counts={}, stop=stop, stop_reason=reason)


def _tell_unbegun(run_: Run, report: Report | SyncReport) -> None:
    """Write the report of a run that did nothing, unless it has written one."""
    files = [path for path in run_.reports if path.is_file() or not path.exists()]
    if not files or any(path.exists() for path in files):
        return
    command = own_command()
    _wrote(run_, lambda path: report.write(path, command=command))


def forget_reports(run_: Run) -> None:
    """Remove an earlier run's reports: they would pass for this one's."""
    for path in run_.reports:
        if path.is_file():
            path.resolve().unlink()  # a link keeps leading to where reports are kept


def _check_files(run_: Run, inputs: Mapping[str, Path | None]) -> None:
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
