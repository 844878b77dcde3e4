"""The records that the report of a sync shows, by what it counts them as. Blocking."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Final

from ximilar_async.bulk._outcomes import Outcome
from ximilar_async.bulk._report_records import (
    Group,
    catalog_of,
    shown_of,
    shown_records,
    where_rest_is,
)
from ximilar_async.bulk._report_samples import MOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ximilar_async.bulk._origin import Origin
    from ximilar_async.bulk._report_records import Shown

    from .report import SyncReport

_ORDER: Final = (
    "not_restored",
    "rejected",
    "failed",
    "deletions_failed",
    "not_attempted",
    "near_duplicate",
    "already_present",
    "not_found",
)
"""What becomes of records and is shown; what leaves most to do comes first."""

ALONE: Final = {
    "reject": {outcome: outcome.value for outcome in (Outcome.REJECTED, Outcome.NOT_ATTEMPTED)},
    "look-up": {Outcome.FAILED: "failed", Outcome.REJECTED: "failed"},
}
"""What stages tell of records that nothing was sent for; all others are counted as they are."""


def groups_of(report: SyncReport, origin: Origin) -> list[Group]:
    """Return the records that a report of a sync shows, at most 500 of each outcome.

    Args:
        report: What it did.
        origin: What it read, and which files it kept.
    """
    found: dict[str, dict[str, Shown]] = {}
    for name, shown in _told(report, origin):
        # A record that was decided once more counts by what became of it last.
        of_outcome = found.setdefault(name, {})
        if len(of_outcome) < MOST:
            of_outcome[shown.id or shown.where] = shown
    totals = {**report.counts, **report.gone_counts, "not_restored": report.not_restored}
    return [
        Group(
            name=name,
            total=totals[name],
            records=records,
            reasons=_reasons(report, name),
            rest=_rest(name, origin),
            catalog=catalog_of(origin),
        )
        for name in _ORDER
        if (records := list(islice(found.get(name, {}).values(), totals[name])))
    ]


def _told(report: SyncReport, origin: Origin) -> Iterator[tuple[str, Shown]]:
    """Yield what became of single records."""
    for stage, names in ALONE.items():
        if (phase := report.phases.get(stage)) is not None:
            for outcome, records in shown_records(phase).items():
                if name := names.get(outcome):
                    yield from ((name, shown) for shown in records)
    for name, results in report.kept.items():
        yield from ((name, shown_of(result, origin)) for result in results)


def _reasons(report: SyncReport, name: str) -> dict[str, int]:
    """Return how often each reason was met for what a sync calls so."""
    counts = Counter(report.reasons.get(name, {}))
    for stage, names in ALONE.items():
        if (phase := report.phases.get(stage)) is not None:
            for outcome, called in names.items():
                if called == name:
                    counts.update(phase.reasons.get(outcome, {}))
    return dict(counts)


def _rest(name: str, origin: Origin) -> str:
    if name == "near_duplicate":
        return (
            "further ones of this sync are told to Options.on_result, and those that earlier "
            "syncs turned away stay so while what they are like is stored."
        )
    known = {outcome.value: outcome for outcome in Outcome}
    return where_rest_is(known.get(name, Outcome.NOT_ATTEMPTED), origin)
