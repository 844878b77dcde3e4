"""The records that the report of a sync shows, put together from its bulk runs. Blocking."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from ximilar_async.bulk._outcomes import Outcome
from ximilar_async.bulk._report_records import (
    Group,
    catalog_of,
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

_OF_DELETION: Final = {
    Outcome.REJECTED: "deletions_failed",
    Outcome.FAILED: "deletions_failed",
    Outcome.NOT_FOUND: "not_found",
}

_TROUBLE_ALONE: Final = {
    Outcome.FAILED: "failed",
    Outcome.REJECTED: "failed",
}
"""What stages tell that are only steps of something else."""

_STEPS: Final = frozenset({"look-up", "replace: look-up", "replace: delete"})

_RESTORING: Final = frozenset({"restore", "replace: put back"})


def groups_of(report: SyncReport, origin: Origin) -> list[Group]:
    """Return the records that a report of a sync shows, at most 500 of each outcome.

    Args:
        report: What it did.
        origin: What it read, and which files it kept.
    """
    found: dict[str, dict[str, Shown]] = {}
    for name, shown in _told(report):
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


def _told(report: SyncReport) -> Iterator[tuple[str, Shown]]:
    """Yield what became of single records, as the bulk runs tell it."""
    for stage, phase in report.phases.items():
        for outcome, records in shown_records(phase).items():
            if name := _name(stage, outcome):
                yield from ((name, shown) for shown in records)


def _name(stage: str, outcome: Outcome) -> str:
    """Return what a sync calls an outcome of one of its bulk runs; empty for what is no end."""
    if stage == "delete":
        return _OF_DELETION.get(outcome, "")
    if stage in _STEPS:
        return _TROUBLE_ALONE.get(outcome, "")
    if stage in _RESTORING:
        return "not_restored"
    return "failed" if outcome is Outcome.NOT_FOUND else outcome.value


def _reasons(report: SyncReport, name: str) -> dict[str, int]:
    """Return how often the bulk runs met each reason for what a sync calls so."""
    counts: dict[str, int] = {}
    for stage, phase in report.phases.items():
        for outcome, reasons in phase.reasons.items():
            if _name(stage, outcome) == name:
                for words, number in reasons.items():
                    counts[words] = counts.get(words, 0) + number
    return counts


def _rest(name: str, origin: Origin) -> str:
    if name == "near_duplicate":
        return (
            "further ones of this sync are told to Options.on_result, and those that earlier "
            "syncs turned away stay so while what they are like is stored."
        )
    known = {outcome.value: outcome for outcome in Outcome}
    return where_rest_is(known.get(name, Outcome.NOT_ATTEMPTED), origin)
