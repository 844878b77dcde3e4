"""From the parts of a run to its report, at any moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from ._report import Report

if TYPE_CHECKING:
    from ximilar_async._concurrency import GateStatistics

    from ._dispatch import Ending
    from ._health import Health
    from ._ledger import Ledger
    from ._timing import Timing


def report_of(ledger: Ledger, health: Health, ending: Ending, now: float, *, over: bool) -> Report:
    """Return what the parts of a run tell.

    Args:
        ledger: What became of the records.
        health: What requests met.
        ending: Why the run ends early.
        now: The time, in seconds of the run's clock.
        over: Whether the run has ended, so that nothing is the matter at the moment.
    """
    return Report(
        operation="",
        read=ledger.read_in_all,
        counts=dict(ledger.counts),
        resumed=ledger.resumed,
        inferred=ledger.inferred,
        requests=health.requests,
        retries=health.retries,
        latency=health.timing.latency.to_dict(),
        outage_seconds=health.outage_seconds(now),
        anomalies=dict(ledger.anomalies),
        samples={outcome: tuple(kept) for outcome, kept in ledger.samples.items()},
        outage="" if over else health.outage(now),
        stop=ending.stop,
        stop_reason=ending.reason,
    )


def with_gate(
    report: Report, timing: Timing, before: GateStatistics, gate: GateStatistics, *, over: bool
) -> Report:
    """Return a report with what the client's gate tells of the time since the run began.

    Args:
        report: The report without.
        timing: What the workers waited for.
        before: What the gate told when the run began.
        gate: What it tells now.
        over: Whether the run has ended.
    """
    paused = f"paused for {gate.held_for:.0f} s: the service asked for it"
    return evolve(
        report,
        bottleneck=timing.shares(before, gate),
        held=gate.held - before.held,
        paused=paused if gate.held_for and not over else "",
        concurrency=gate.limit,
    )
