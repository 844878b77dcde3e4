"""The page of a sync. Blocking: images and the rejects file are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ximilar_async.bulk._origin import Origin
from ximilar_async.bulk._report_page import footer_of, where_to
from ximilar_async.bulk._report_parts import (
    most_waited_for,
    outcome_bars,
    periods_table,
    short,
    stop_step,
    time_charts,
    waits_bars,
    written_now,
)
from ximilar_async.bulk._report_tables import record_parts
from ximilar_async.pages import Fact, Step, Steps, Table, Verdict, counted, render_page, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    origin = next((phase.origin for phase in report.phases.values()), Origin())
    return render_page(
        f"sync: {report.mode}",
        subtitle=f"{where_to(origin)} {written_now()}".strip(),
        verdict=_verdict(report),
        facts=_facts(report),
        parts=list(_parts(report, origin, command, replay)),
        footer=footer_of(command),
    )


def _verdict(report: SyncReport) -> Verdict:
    if report.stop is not None:
        return Verdict(f"Ended early: {report.stop.value}: {report.stop_reason}", "bad")
    if report.withheld:
        return Verdict(f"Nothing was deleted: {report.withheld}", "bad")
    if report.ok:
        return Verdict("The collection is in line with the source", "good")
    left = report.rejected + report.failed + report.not_attempted
    left += report.deletions_failed + report.deletions_not_attempted + report.not_restored
    return Verdict(f"Read to the end; {counted(left, 'record')} not brought in line", "bad")


def _facts(report: SyncReport) -> list[Fact]:
    facts = [Fact("read", report.read), Fact("changed", report.changed, "good")]
    bad = report.rejected + report.failed + report.not_attempted
    facts.append(Fact("not brought in", bad, "bad" if bad else ""))
    if report.gone:
        facts.append(Fact("gone from the source", report.gone, "warn"))
    facts += [
        Fact("took", seconds(report.elapsed)),
        Fact("requests", report.requests),
    ]
    if report.retries:
        facts.append(Fact("repeated", report.retries, "warn"))
    return facts


def _parts(report: SyncReport, origin: Origin, command: str, replay: str) -> Iterator[Part]:
    steps = tuple(_steps(report, origin, command, replay))
    yield Steps("What to do", steps, empty="Nothing: all is in line.")
    yield outcome_bars("Records of the source", report.counts, report.read, intro=_notes(report))
    if report.gone:
        yield outcome_bars(
            "Stored records that the source does not have", report.gone_counts, report.gone
        )
    yield _plan(report)
    yield _stages(report)
    for name, phase in report.phases.items():
        if len(phase.timeline.points) >= _WORTH_A_CHART:
            yield time_charts(phase, f"Over time: {name}")
            yield waits_bars(phase, f"Where the time went: {name}")
        table = periods_table(phase, f"Retries and pauses: {name}")
        if table is not None:
            yield table
    yield from record_parts(report.phases)


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
    notes += [f"{note[0].upper()}{note[1:]}." for note in report.notes]
    return " ".join(notes)


def _steps(report: SyncReport, origin: Origin, command: str, replay: str) -> Iterator[Step]:
    again = "The next sync goes on from there."
    yield from stop_step(report.stop, report.stop_reason, command, again)
    failed = report.failed + report.deletions_failed + report.not_restored
    if failed:
        yield Step(f"{counted(failed, 'record')} failed: the next sync tries them again.", command)
    if report.rejected:
        words = f"{counted(report.rejected, 'record')} rejected: mend them in the source."
        yield Step(words + (f" They are in {origin.rejects}." if origin.rejects else ""))
    if report.withheld:
        yield Step(f"Nothing was deleted: {report.withheld}. Sync again with the whole source.")
    if replay and failed and origin.rejects:
        yield Step("To send only those again that failed:", replay)


# --- plans --------------------------------------------------------------------------------------


def plan_page(plan: SyncPlan, *, command: str = "", apply: str = "") -> str:
    """Return the page of a sync that was planned and not carried out.

    Args:
        plan: What it would do.
        command: The command line that it was planned with.
        apply: The command line that carries it out.
    """
    return render_page(
        f"sync, planned: {plan.source}",
        subtitle=f"Collection {plan.collection} of {plan.service}. {written_now()}",
        verdict=_plan_verdict(plan),
        facts=[
            Fact("read", plan.read),
            Fact("stored", plan.stored),
            Fact("would change", plan.changes, "warn" if plan.changes else "good"),
            Fact("unchanged", plan.unchanged),
            Fact("rejected", plan.rejected, "bad" if plan.rejected else ""),
            Fact("requests", sum(plan.requests.values())),
        ],
        parts=list(_plan_parts(plan, apply)),
        footer=footer_of(command),
    )


def _plan_verdict(plan: SyncPlan) -> Verdict:
    if plan.withheld:
        return Verdict(f"Nothing would be deleted: {plan.withheld}", "bad")
    if plan.rejected or plan.undecided:
        left = counted(plan.rejected + plan.undecided, "record")
        return Verdict(f"Nothing was sent; {left} could not be brought in line", "bad")
    return Verdict("Nothing was sent; this is what a sync would do", "good")


def _plan_parts(plan: SyncPlan, apply: str) -> Iterator[Part]:
    if apply:
        yield Steps("What to do", (Step("Carry out this plan as it stands:", apply),))
    names = ("insert", "update", "replace", "delete", "restore")
    counts = {name: getattr(plan, name) for name in (*names, "unchanged", "rejected")}
    yield outcome_bars("What would be done", counts, plan.read, intro=" ".join(plan.notes))
    sent = tuple(plan.requests.items())
    yield Table("Requests", ("method", "requests"), sent, empty="None would be sent.")
    some = tuple((name, ", ".join(map(short, ids))) for name, ids in plan.samples.items() if ids)
    yield Table("Some of the records", ("to", "ids"), some, stacked=True)
