"""The page of a bulk run. Blocking: images and the rejects file are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ximilar_async.pages import Fact, Step, Verdict, counted

from ._outcomes import Outcome
from ._report import Stop
from ._report_frame import (
    effort_facts,
    ended_early,
    framed,
    has_begun,
    most_often,
    outcome_facts,
    stop_step,
    title_for,
)
from ._report_parts import (
    anomalies_table,
    outcome_bars,
    periods_table,
    time_charts,
    waits_bars,
)
from ._report_records import groups_of, has_omitted, name_in
from ._report_tables import record_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ximilar_async.pages import Part

    from ._report import Report
    from ._report_records import Group


def run_page(report: Report, *, command: str = "", replay: str = "") -> str:
    """Return the page of a bulk run.

    Args:
        report: What it did.
        command: The command line that it was started with.
        replay: The command line that sends again what failed; empty for the call that does.
    """
    groups = groups_of(report)
    return framed(
        f"{title_for(report.operation)}: {report.origin.source or 'records'}",
        report.origin,
        verdict=verdict_of(report),
        facts=_facts(report, groups) if has_begun(report) else (),
        steps=steps_of(report, groups, command, replay),
        parts=_parts(report, groups) if has_begun(report) else (),
        nothing="Nothing: every record is decided.",
        command=command,
    )


def verdict_of(report: Report) -> Verdict:
    """Return what became of a run in one line."""
    if report.stop is not None:
        return ended_early(report.stop, report.stop_reason, _left(report), begun=has_begun(report))
    if report.dry_run:
        turned = f", {report.rejected:,} would be rejected" if report.rejected else ""
        words = f"Dry run: {counted(report.read, 'record')} read, nothing sent{turned}"
        return Verdict(words, "warn" if report.rejected else "good")
    left = report.rejected + report.failed + report.not_attempted
    if left or _missing(report):
        parts = [f"{counted(left, 'record')} not brought in"] if left else []
        parts += [f"{_missing(report):,} not found"] if _missing(report) else []
        words = f"Read to the end; {', '.join(parts)}"
        return Verdict(words, "bad" if report.failed or report.rejected else "warn")
    if report.pending:
        return Verdict(f"Under way: {counted(report.pending, 'record')} pending")
    return Verdict("Read to the end; every record is decided", "good")


def _missing(report: Report) -> int:
    """Return how many records are not there that should be: what is to be deleted need not be."""
    return 0 if report.operation == "delete" else report.not_found


def _left(report: Report) -> str:
    """Return what a run that ended early left, in words."""
    parts = []
    if report.not_attempted:
        parts.append(f"{counted(report.not_attempted, 'record')} read and not sent")
    if unconfirmed := _unconfirmed(report):
        parts.append(f"{unconfirmed:,} sent and not answered")
    read = counted(report.read, "record")
    parts.append(f"what the source has after its first {read} was not looked at")
    return "; ".join(parts)


def _unconfirmed(report: Report) -> int:
    reasons = report.reasons.get(Outcome.FAILED, {})
    return sum(number for words, number in reasons.items() if words.startswith("unconfirmed"))


def _facts(report: Report, groups: Sequence[Group]) -> list[Fact]:
    return [
        Fact("read", report.read),
        *outcome_facts(_counts(report), groups),
        *effort_facts(report.elapsed, report.requests, report.retries),
        Fact("records/s", round(report.records_per_second)),
    ]


def _counts(report: Report) -> dict[str, int]:
    """Return outcomes by name, the wanted ones first."""
    return {name_in(report, outcome): report.counts.get(outcome, 0) for outcome in Outcome}


def _parts(report: Report, groups: Sequence[Group]) -> Iterator[Part]:
    yield outcome_bars("Outcomes", _counts(report), report.read, intro=_notes(report))
    yield from record_parts(groups)
    yield time_charts(report)
    yield waits_bars(report)
    for part in (periods_table(report), anomalies_table(report)):
        if part is not None:
            yield part


def _notes(report: Report) -> str:
    notes = []
    if report.resumed:
        notes.append(f"{report.resumed:,} of them were decided by earlier runs of the journal.")
    if report.inferred:
        notes.append(
            f"{report.inferred:,} of them are inferred: an answer was lost, and what is stored "
            "does not tell whose work it is."
        )
    if report.left_out:
        notes.append(
            f"{report.left_out:,} records of the rejects file were left out, because sending them "
            "again can hardly help."
        )
    return " ".join(notes)


# --- what to do ---------------------------------------------------------------------------------


def steps_of(
    report: Report, groups: Sequence[Group], command: str = "", replay: str = ""
) -> Iterator[Step]:
    """Yield what is left to do after a run, the most urgent first.

    Args:
        report: What it did.
        groups: The records that the page shows.
        command: The command line that it was started with; empty for the call that does.
        replay: The command line that sends again what failed; empty for the call that does.
    """
    again = command or again_call(report)
    yield from stop_step(report.stop, again, _goes_on(report), begun=has_begun(report))
    if report.stop is None and report.not_attempted and not report.dry_run:
        words = f"{counted(report.not_attempted, 'record')} not sent: run it again."
        yield Step(f"{words} {_goes_on(report)}", again)
    no_room = report.stop is Stop.CAPACITY and report.rejected
    if no_room:
        yield _no_room_step(report, again, replay)
    elif report.failed:
        yield _failed_step(report, again, command, replay)
    if report.rejected:
        words = (
            f"{counted(report.rejected, 'record')} rejected: mend what is said below in the "
            "source, and bring them in again."
        )
        if no_room:
            words = "Mend in the source what was rejected for another reason; it is said below."
        yield Step(f"{words} {most_often(groups, 'rejected')}".strip())
    if number := _missing(report):
        yield Step(f"{counted(number, 'record')} not found: nothing is stored by that _id.")


def _goes_on(report: Report) -> str:
    """Return what running the same again does."""
    if report.origin.journal:
        return "With its journal it goes on where it ended."
    found = {
        "update": "What was changed by then is changed once more, which does no harm.",
        "delete": "What is deleted by then counts as not found.",
    }
    usual = "What is stored by then counts as already present."
    said = found.get(report.operation, usual if report.operation in _WRITING else "")
    return f"It begins anew, for it kept no journal (--journal, Options.journal). {said}".strip()


def _no_room_step(report: Report, again: str, replay: str) -> Step:
    """Return what to do where the collection was full: what found no room counts as rejected."""
    if report.origin.rejects:
        return Step(
            "When there is room, send again what found none"
            + (
                f" and the {counted(report.failed, 'record')} that failed."
                if report.failed
                else "."
            ),
            replay or replay_call(report),
        )
    return Step("When there is room, bring in the whole source again.", again)


def _failed_step(report: Report, again: str, command: str, replay: str) -> Step:
    failed = counted(report.failed, "record")
    if report.origin.rejects:
        words = f"{failed} failed: send again what did."
        if report.origin.journal and _unconfirmed(report):
            words += " Do it after the same run, which takes up what was not answered."
        if has_omitted(report.origin):
            words += " Some are too large for the file: they are read from the source once more"
            words += " (--origin, origin)."
        return Step(words, replay or replay_call(report))
    if command.split()[1:2] == ["replay"]:
        words = f"{failed} failed once more, and are still in {report.origin.source}: try it again."
        return Step(words, command)
    kept = "bring in the whole source again, with a rejects file (--rejects, Options.rejects)"
    if report.origin.journal:
        return Step(f"{failed} failed: the same run tries them again.", again)
    return Step(f"{failed} failed, and no rejects file kept them: {kept}.", again)


_WRITING = frozenset({"insert", "near_dups_insert", "update", "delete"})


def again_call(report: Report) -> str:
    """Return the Python call that makes a run once more; empty for one that only reads.

    Args:
        report: The run's.

    Example:
        >>> from ximilar_async.bulk import Origin, Report
        >>> again_call(Report(operation="update", read=0, counts={}))
        'report = await bulk.update(collection, source)  # with the same options'
        >>> origin = Origin(journal="run.journal")
        >>> again_call(Report(operation="insert", read=0, counts={}, origin=origin))
        "report = await bulk.insert(collection, source, options=Options(journal='run.journal', …))"
    """
    if report.operation not in _WRITING:
        return ""
    call = f"report = await bulk.{report.operation}(collection, source"
    origin = report.origin
    files = {"journal": origin.journal, "rejects": origin.rejects}
    named = ", ".join(f"{name}={path!r}" for name, path in files.items() if path)
    return f"{call}, options=Options({named}, …))" if named else f"{call})  # with the same options"


def replay_call(report: Report) -> str:
    """Return the Python call that sends again what a run could not bring in.

    Args:
        report: The run's.

    Example:
        >>> from ximilar_async.bulk import Report
        >>> from ximilar_async.bulk import Origin
        >>> origin = Origin(rejects="rejects.jsonl")
        >>> replay_call(Report(operation="insert", read=0, counts={}, origin=origin))
        "report = await bulk.replay(collection, 'rejects.jsonl')"
    """
    operation = report.operation if report.operation in _WRITING else "insert"
    named = "" if operation == "insert" else f", operation={operation!r}"
    if has_omitted(report.origin):
        named += ", origin=source"
    return f"report = await bulk.replay(collection, {report.origin.rejects!r}{named})"
