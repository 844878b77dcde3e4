"""The page of a sync. Blocking: images and the rejects file are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ximilar_async.bulk._origin import Origin
from ximilar_async.bulk._report import Stop
from ximilar_async.bulk._report_frame import (
    effort_facts,
    ended_early,
    framed,
    has_begun,
    most_often,
    outcome_facts,
    spoken,
    stop_step,
)
from ximilar_async.bulk._report_parts import (
    most_waited_for,
    outcome_bars,
    periods_table,
    short,
    time_charts,
    waits_bars,
)
from ximilar_async.bulk._report_tables import record_parts
from ximilar_async.pages import Fact, Step, Table, Verdict, counted, seconds

from .page_records import groups_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ximilar_async.bulk._report_records import Group
    from ximilar_async.pages import Part

    from .plan import SyncPlan
    from .report import SyncReport


def sync_page(report: SyncReport, *, command: str = "", replay: str = "") -> str:
    """Return the page of a sync.

    Args:
        report: What it did.
        command: The command line that it was started with.
        replay: The command line that sends again what failed; empty for the call that does.
    """
    origin = origin_of(report)
    groups = groups_of(report, origin)
    return framed(
        f"sync ({report.mode}): {origin.source or 'records'}",
        origin,
        verdict=_verdict(report, command),
        facts=_facts(report, groups) if has_begun(report) else (),
        steps=_steps(report, groups, command, replay),
        parts=_parts(report, groups) if has_begun(report) else (),
        nothing="Nothing: all is in line.",
        command=command,
    )


def origin_of(report: SyncReport) -> Origin:
    """Return what a sync read, where it went, and which files it kept, as its runs tell it.

    Args:
        report: What it did.
    """
    origins = [phase.origin for phase in report.phases.values()]
    # Some of its runs turn nothing away, and read no file but records.
    return max(
        origins, key=lambda origin: (bool(origin.rejects), bool(origin.root)), default=Origin()
    )


def _verdict(report: SyncReport, command: str) -> Verdict:
    if report.stop is not None:
        return ended_early(report.stop, report.stop_reason, _left(report), begun=has_begun(report))
    if report.withheld:
        return Verdict(f"Nothing was deleted: {spoken(report.withheld, command)}", "bad")
    if report.ok and report.notes:
        words = "The collection is in line with the source; look at what is noted below"
        return Verdict(words, "warn")
    if report.ok:
        return Verdict("The collection is in line with the source", "good")
    left = report.rejected + report.failed + report.not_attempted
    left += report.deletions_failed + report.deletions_not_attempted + report.not_restored
    return Verdict(f"Read to the end; {counted(left, 'record')} not brought in line", "bad")


def _left(report: SyncReport) -> str:
    """Return what a sync that ended early left, in words."""
    left = {
        "not sent": report.not_attempted,
        "not deleted": report.deletions_not_attempted + report.deletions_withheld,
        "deleted and not yet stored again": report.not_restored,
    }
    if not report.planned:
        return "Nothing was sent"
    return "; ".join(f"{counted(n, 'record')} {words}" for words, n in left.items() if n)


def _facts(report: SyncReport, groups: Sequence[Group]) -> list[Fact]:
    counts = {**report.counts, **report.gone_counts}
    if report.not_restored:
        counts["not_restored"] = report.not_restored
    return [
        Fact("read", report.read),
        *outcome_facts(counts, groups),
        *effort_facts(report.elapsed, report.requests, report.retries),
    ]


def _parts(report: SyncReport, groups: Sequence[Group]) -> Iterator[Part]:
    yield outcome_bars("Records of the source", report.counts, report.read, intro=_notes(report))
    if report.gone:
        yield outcome_bars(
            "Stored records that the source does not have", report.gone_counts, report.gone
        )
    yield _plan(report)
    yield from record_parts(groups)
    yield _stages(report)
    for name, phase in report.phases.items():
        if len(phase.timeline.points) >= _WORTH_A_CHART:
            yield time_charts(phase, f"Over time: {name}")
            yield waits_bars(phase, f"Where the time went: {name}")
        table = periods_table(phase, f"Retries and pauses: {name}")
        if table is not None:
            yield table


_WORTH_A_CHART: Final = 4
"""Points from which on a chart of a stage tells something: a second."""


def _stages(report: SyncReport) -> Table:
    """Return what each bulk run of the sync did."""
    rows = [
        (
            name,
            sum(phase.counts.values()),
            phase.requests,
            phase.retries,
            seconds(phase.elapsed),
            most_waited_for(phase),
        )
        for name, phase in report.phases.items()
    ]
    return Table(
        "What each stage did",
        ("stage", "records", "requests", "repeated", "took", "waited most for"),
        tuple(rows),
        empty="Nothing was to be sent.",
        stacked=True,
    )


_DONE_AS: Final = {
    "restore": ("restored",),
    "insert": ("inserted",),
    "update": ("updated",),
    "replace": ("replaced",),
    "delete": ("deleted", "not_found"),
}
"""What tasks of a plan are counted as when they are done, in the order in which they are."""


def _plan(report: SyncReport) -> Table:
    """Return what was to be done, and how far it was."""
    rows = [
        (name, number, sum(getattr(report, done) for done in _DONE_AS[name]))
        for name in _DONE_AS
        if (number := report.planned.get(name, 0))
    ]
    return Table(
        "The plan, and what was done of it",
        ("to", "records", "done"),
        tuple(rows),
        f"{report.unchanged:,} of {counted(report.read, 'record')} needed nothing.",
        "Nothing was to be sent.",
    )


def _notes(report: SyncReport) -> str:
    notes = []
    if report.seeded:
        notes.append(f"The state was made of {counted(report.seeded, 'stored record')} first.")
    if report.images_unknown:
        notes.append(
            f"{report.images_unknown:,} were left as they are because nobody knows which image "
            "is stored for them."
        )
    if report.restored:
        notes.append(f"{report.restored:,} that an earlier run had deleted were stored again.")
    return " ".join(notes)


def _steps(
    report: SyncReport, groups: Sequence[Group], command: str, replay: str
) -> Iterator[Step]:
    origin = origin_of(report)
    again = "The next sync goes on from there."
    yield from stop_step(report.stop, command, again, begun=has_begun(report))
    failed = report.failed + report.deletions_failed + report.not_restored
    if failed:
        # The command is there already where it ended early.
        same = "" if report.stop is not None else command
        yield Step(f"{counted(failed, 'record')} failed: the next sync tries them again.", same)
    if report.withheld:
        words = f"Nothing was deleted: {spoken(report.withheld, command)}. Sync again with the "
        words += "whole source."
        yield Step(words, "" if failed or report.stop is not None else command)
    if report.rejected:
        words = f"{counted(report.rejected, 'record')} rejected: mend them in the source; the next "
        if report.stop is Stop.CAPACITY:
            words = "What found no room counts as rejected: with more room, the next "
        words += f"sync takes them up. {most_often(groups, 'rejected')}"
        yield Step(words + (f" They are in {origin.rejects}." if origin.rejects else ""))
    if replay and failed and origin.rejects:
        yield Step("To send only those again that failed:", replay)
    yield from _noted(report.notes)


def _noted(notes: Sequence[str]) -> Iterator[Step]:
    """Yield what else is to be known: nobody else will ask whether it was meant."""
    for note in notes:
        yield Step(f"See whether this was meant: {note}.")


# --- plans --------------------------------------------------------------------------------------


def plan_page(plan: SyncPlan, *, command: str = "", apply: str = "") -> str:
    """Return the page of a sync that was planned and not carried out.

    Args:
        plan: What it would do.
        command: The command line that it was planned with.
        apply: The command line that carries it out.
    """
    return framed(
        f"sync, planned: {plan.source}",
        Origin(collection=plan.collection, service=plan.service),
        verdict=_plan_verdict(plan, command),
        facts=[
            Fact("read", plan.read),
            Fact("stored", plan.stored),
            Fact("would change", plan.changes, "warn" if plan.changes else "good"),
            Fact("of them deleted", plan.delete, "warn" if plan.delete else ""),
            Fact("unchanged", plan.unchanged),
            Fact("rejected", plan.rejected, "bad" if plan.rejected else "", _rejected(plan)),
            Fact("requests", sum(plan.requests.values())),
        ],
        steps=_plan_steps(plan, command, apply),
        parts=_plan_parts(plan),
        nothing="Nothing: all is in line." if not plan.changes else _CARRY_OUT,
        command=command,
    )


def _plan_verdict(plan: SyncPlan, command: str) -> Verdict:
    if plan.withheld:
        return Verdict(f"Nothing would be deleted: {spoken(plan.withheld, command)}", "bad")
    if plan.notes and not (plan.rejected or plan.undecided):
        return Verdict("Nothing was sent; look at what is noted below", "warn")
    if plan.rejected or plan.undecided:
        left = counted(plan.rejected + plan.undecided, "record")
        return Verdict(f"Nothing was sent; {left} could not be brought in line", "bad")
    return Verdict("Nothing was sent; this is what a sync would do", "good")


_CARRY_OUT: Final = "If this is what you want, sync without a dry run."


def _rejected(plan: SyncPlan) -> str:
    """Return the heading of what cannot be sent; empty where there is nothing."""
    return f"Rejected: {plan.rejected:,}" if plan.rejects else ""


def _plan_steps(plan: SyncPlan, command: str, apply: str) -> Iterator[Step]:
    yield from _noted(plan.notes)
    if plan.withheld:
        yield Step(f"Nothing would be deleted: {spoken(plan.withheld, command)}.")
    if plan.changes:
        yield Step("Carry out this plan as it stands:" if apply else _CARRY_OUT, apply)
    if plan.rejected:
        words = (
            f"{counted(plan.rejected, 'record')} rejected: mend in the source what is said below"
        )
        yield Step(f"{words}, and plan again.")


def _plan_parts(plan: SyncPlan) -> Iterator[Part]:
    names = ("insert", "update", "replace", "delete", "restore")
    counts = {name: getattr(plan, name) for name in (*names, "unchanged", "rejected")}
    yield outcome_bars("What would be done", counts, plan.read)
    if title := _rejected(plan):
        rows = tuple((short(place), short(words)) for place, words in plan.rejects)
        few = f"The first {len(rows)}." if len(rows) < plan.rejected else ""
        yield Table(title, ("where", "why"), rows, few, stacked=True)
    some = tuple((name, ", ".join(map(short, ids))) for name, ids in plan.samples.items() if ids)
    yield Table("Some of the records", ("to", "ids"), some, stacked=True)
    sent = tuple(plan.requests.items())
    yield Table("Requests", ("method", "requests"), sent, empty="None would be sent.")
