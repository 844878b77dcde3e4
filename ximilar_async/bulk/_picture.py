"""From the parts of a run to its report, at any moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from ._origin import Origin
from ._outcomes import TROUBLE, Outcome
from ._report import Report
from ._series import Moment

if TYPE_CHECKING:
    from ximilar_async._collection import Collection
    from ximilar_async._concurrency import GateStatistics
    from ximilar_async.sources import Source

    from ._books import Books
    from ._dispatch import Ending
    from ._health import Health
    from ._ledger import Ledger
    from ._options import Options
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
        samples=ledger.samples.few,
        kept=ledger.samples.kept,
        reasons=ledger.samples.reasons,
        outage="" if over else health.outage(now),
        stop=ending.stop,
        stop_reason=ending.reason,
    )


def origin_of(options: Options, collection: Collection, source: Source, books: Books) -> Origin:
    """Return what a run reads, where it goes, and which files it keeps.

    Args:
        options: How it runs.
        collection: Where to.
        source: What it reads.
        books: Its files, opened or not.
    """
    root = options.files_root or collection.files_root or source.files_root
    kept = not options.dry_run
    rejects = books.rejects
    return Origin(
        source=source.name,
        collection=collection.id,
        service=str(collection.service),
        journal=str(options.journal) if kept and options.journal is not None else "",
        rejects=str(options.rejects) if kept and options.rejects is not None else "",
        # What earlier runs of the same journal turned away is counted too.
        rejects_from=0 if rejects is None or books.resumes else rejects.began,
        run=books.run,
        root=None if root is None else str(root),
    )


def moment_of(
    ledger: Ledger, health: Health, gate: GateStatistics, now: float, passed: float
) -> Moment:
    """Return the sums of a run as they are now.

    Args:
        ledger: What became of the records.
        health: What requests met.
        gate: What the client's gate tells.
        now: The time, in seconds of the run's clock.
        passed: Seconds since the run began.
    """
    counts = ledger.counts
    return Moment(
        at=passed,
        # What was never sent is not counted all at once when a run ends early.
        decided=sum(counts.values()) - counts[Outcome.NOT_ATTEMPTED],
        troubled=sum(counts[outcome] for outcome in TROUBLE - {Outcome.NOT_ATTEMPTED}),
        requests=health.requests,
        retries=health.retries,
        held=gate.held,
        outage=health.outage_seconds(now),
        latencies=health.timing.latency.buckets,
        concurrency=gate.limit,
        failure=health.last_failure,
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
