"""Reports that speak of options, as whoever typed the command knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from attrs import evolve

from ximilar_async.bulk import Report, SyncReport

from .failures import reason_in_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ximilar_async.bulk import Result

K = TypeVar("K", bound=str)
R = TypeVar("R", Report, SyncReport)


def in_options(report: R) -> R:
    """Return a report whose reasons name options where they name settings.

    Args:
        report: What was done.

    Example:
        >>> report = Report(operation="get", read=0, counts={}, stop_reason="2 s (deadline)")
        >>> in_options(report).stop_reason
        '2 s (--deadline)'
    """
    if isinstance(report, SyncReport):
        phases = {name: in_options(phase) for name, phase in report.phases.items()}
        return evolve(
            report,
            stop_reason=reason_in_options(report.stop_reason),
            kept=_results(report.kept),
            reasons=_counts(report.reasons),
            phases=phases,
        )
    return evolve(
        report,
        stop_reason=reason_in_options(report.stop_reason),
        kept=_results(report.kept),
        reasons=_counts(report.reasons),
        samples=_results(report.samples),
    )


def _results(found: Mapping[K, tuple[Result, ...]]) -> dict[K, tuple[Result, ...]]:
    return {
        name: tuple(evolve(one, reason=reason_in_options(one.reason)) for one in results)
        for name, results in found.items()
    }


def _counts(found: Mapping[K, Mapping[str, int]]) -> dict[K, dict[str, int]]:
    return {
        name: {reason_in_options(words): count for words, count in reasons.items()}
        for name, reasons in found.items()
    }
