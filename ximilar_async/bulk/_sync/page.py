"""The page of a sync. Blocking: images and the rejects file are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ximilar_async.bulk._report import Origin
from ximilar_async.bulk._report_page import footer_of, where_to
from ximilar_async.bulk._report_parts import (
    outcome_bars,
    periods_table,
    stop_step,
    time_charts,
    waits_bars,
    written_now,
)
from ximilar_async.bulk._report_records import Pictures
from ximilar_async.bulk._report_tables import record_parts
from ximilar_async.pages import Fact, Step, Steps, Table, Verdict, counted, render_page, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ximilar_async.pages import Part

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
        facts.append(Fact("of them repeated", report.retries, "warn"))
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
    pictures = Pictures()
    for name, phase in report.phases.items():
        yield time_charts(phase, f"Over time: {name}")
        yield waits_bars(phase)
        table = periods_table(phase)
        if table is not None:
            yield table
    yield from record_parts(report.phases, pictures)


def _plan(report: SyncReport) -> Table:
    """Return what was to be done, and how far it was."""
    rows = [
        (name, phase.read, sum(phase.counts.values()), phase.requests, seconds(phase.elapsed))
        for name, phase in report.phases.items()
    ]
    return Table(
        "The plan, and what was done of it",
        ("step", "records", "decided", "requests", "took"),
        tuple(rows),
        f"{report.unchanged:,} records needed nothing.",
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
