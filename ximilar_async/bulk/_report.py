"""What a bulk run did, to the record."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ximilar_async.errors import BulkAborted

from ._origin import Origin
from ._outcomes import GOOD, TROUBLE, Outcome
from ._report_file import write_report
from ._series import Timeline
from ._troubles import first_trouble, where_all_are

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from ._outcomes import Result


class Stop(StrEnum):
    """Why a run ended before its source did."""

    ASKED = "stopped"
    """`Job.stop()`, a signal, or cancellation."""
    SOURCE = "source failed"
    """The source broke off."""
    JOURNAL = "journal failed"
    """The journal or the rejects file cannot be written."""
    CALLBACK = "callback failed"
    """`on_result` or `progress` raised."""
    AUTH = "authorization refused"
    """The token is wrong or may not use the collection."""
    CONFIGURATION = "wrong configuration"
    """No repetition could help: address, TLS, service prefix."""
    CAPACITY = "capacity exceeded"
    """The collection is full or the credits are spent."""
    OUTAGE = "service unreachable"
    """One request after the other failed."""
    DEFECT = "unexpected error"
    """Something raised what it should not: this package, a transport or token provider of yours."""
    ERRORS = "too many errors"
    """More records were rejected or failed than `Options.error_budget` allows."""
    DEADLINE = "out of time"
    """`Options.deadline` passed."""


class ExitCode(IntEnum):
    """Exit codes of the command line."""

    DECIDED = 0
    TROUBLE = 1
    USAGE = 2
    AUTH = 3
    CAPACITY = 4
    OUTAGE = 5
    ACCOUNTING = 70
    INTERRUPTED = 130


_EXIT_CODES: Mapping[Stop, ExitCode] = {
    Stop.AUTH: ExitCode.AUTH,
    Stop.CONFIGURATION: ExitCode.USAGE,
    Stop.CAPACITY: ExitCode.CAPACITY,
    Stop.OUTAGE: ExitCode.OUTAGE,
    Stop.ASKED: ExitCode.INTERRUPTED,
    Stop.DEFECT: ExitCode.ACCOUNTING,
}


@frozen(kw_only=True)
class Report:
    """What a bulk run did: a count for every outcome, summing to the records read.

    While the run goes on, `pending` records are read and not yet decided; at its end none is.

    Args:
        operation: What was done: "insert", "near_dups_insert".
        read: Records that were read from the source, lines that hold no record included.
        counts: How many records ended in each outcome.
        resumed: How many of them earlier runs of the same journal decided.
        inferred: How many of them count as this run's work although the answer that would say so
            was lost: they are stored just as they were sent, or gone, as they would be if they had
            been so before. `attribution="exact"` leaves none among inserts.
        left_out: Records of a rejects file that `replay` left out because sending them again can
            hardly help.
        requests: Requests that were sent, repetitions and look-ups included.
        retries: Requests that repeated an earlier one.
        elapsed: Seconds from start to end.
        latency: Seconds from sending a request to its answer: "p50", "p90", "p99" (right to 2
            %), "max".
        bottleneck: Which share of the waiting was for what: "source", "images", "retry", "rate",
            "gate", "network". "retry" is for the time to send again what failed, when nothing else
            is left; "gate" is for a free slot, for the end of a pause that the service asked
            for, or of an outage; shares sum to 1, and there are none while nobody has waited.
        held: Seconds that nothing was sent because the service asked for a pause (Retry-After,
            429).
        concurrency: Requests that may be under way at once by now.
        outage_seconds: Seconds that only probes were sent because the service did not answer.
        anomalies: What answers said that they should not: unknown ids, ids twice, wrong counts.
        samples: A few results of each outcome that is not the wanted one.
        kept: The first 500 results of each of these, as far as a page shows them.
        reasons: How often this run met each reason for one of these; what differs from record to
            record is left out of the words.
        outage: While the service does not answer: since when, and what it said last; else
            empty.
        paused: While the service wants a pause: for how long; else empty.
        stop: Why the run ended before its source, if it did.
        stop_reason: The same in words.
        dry_run: Whether nothing was to be sent.
        origin: What was read, where it went, and which files were kept.
        timeline: How the run went over time, and when nothing was sent.
    """

    operation: str
    read: int
    counts: Mapping[Outcome, int]
    resumed: int = 0
    inferred: int = 0
    left_out: int = 0
    requests: int = 0
    retries: int = 0
    elapsed: float = 0.0
    latency: Mapping[str, float] = field(factory=dict)
    bottleneck: Mapping[str, float] = field(factory=dict)
    held: float = 0.0
    concurrency: int = 0
    outage_seconds: float = 0.0
    anomalies: Mapping[str, int] = field(factory=dict)
    samples: Mapping[Outcome, tuple[Result, ...]] = field(factory=dict, repr=False)
    kept: Mapping[Outcome, tuple[Result, ...]] = field(factory=dict, repr=False)
    reasons: Mapping[Outcome, Mapping[str, int]] = field(factory=dict, repr=False)
    outage: str = ""
    paused: str = ""
    stop: Stop | None = None
    stop_reason: str = ""
    dry_run: bool = False
    origin: Origin = field(factory=Origin, repr=False)
    timeline: Timeline = field(factory=Timeline, repr=False)

    @property
    def pending(self) -> int:
        """Return how many records are read and not yet decided."""
        return self.read - sum(self.counts.values())

    @property
    def closed(self) -> str:
        """Return why nothing is sent at the moment; empty while requests leave."""
        return self.outage or self.paused

    @property
    def inserted(self) -> int:
        """Return how many records this run stored."""
        return self.counts.get(Outcome.INSERTED, 0)

    @property
    def updated(self) -> int:
        """Return how many records this run changed."""
        return self.counts.get(Outcome.UPDATED, 0)

    @property
    def deleted(self) -> int:
        """Return how many records this run deleted."""
        return self.counts.get(Outcome.DELETED, 0)

    @property
    def found(self) -> int:
        """Return how many records this run fetched."""
        return self.counts.get(Outcome.FOUND, 0)

    @property
    def already_present(self) -> int:
        """Return how many records were stored before."""
        return self.counts.get(Outcome.ALREADY_PRESENT, 0)

    @property
    def near_duplicate(self) -> int:
        """Return how many records were left out as near-duplicates."""
        return self.counts.get(Outcome.NEAR_DUPLICATE, 0)

    @property
    def not_found(self) -> int:
        """Return how many ids are not stored."""
        return self.counts.get(Outcome.NOT_FOUND, 0)

    @property
    def rejected(self) -> int:
        """Return how many records cannot be accepted as they are."""
        return self.counts.get(Outcome.REJECTED, 0)

    @property
    def failed(self) -> int:
        """Return how many records were tried in vain."""
        return self.counts.get(Outcome.FAILED, 0)

    @property
    def not_attempted(self) -> int:
        """Return how many records were read and not sent."""
        return self.counts.get(Outcome.NOT_ATTEMPTED, 0)

    @property
    def ok(self) -> bool:
        """Tell whether the source was read to its end and every record is decided for good."""
        troubles = sum(self.counts.get(outcome, 0) for outcome in TROUBLE)
        return self.stop is None and not troubles and not self.pending

    @property
    def records_per_second(self) -> float:
        """Return the decided records a second, without those of earlier runs or never sent."""
        decided = sum(self.counts.values()) - self.resumed - self.not_attempted
        return decided / self.elapsed if self.elapsed else 0.0

    @property
    def exit_code(self) -> int:
        """Return what the command line exits with: 0 all decided, 1 some rejected or failed, ….

        A source of which nothing can be read (no such column, another encoding) is a usage error.
        """
        if self.stop is Stop.SOURCE and not self.read:
            return ExitCode.USAGE
        if self.stop is not None:
            return _EXIT_CODES.get(self.stop, ExitCode.TROUBLE)
        good = self.ok or (self.dry_run and not self.rejected)
        return ExitCode.DECIDED if good else ExitCode.TROUBLE

    def raise_for_failures(self) -> None:
        """Raise if anything is left to do: a record rejected, failed or not attempted.

        Raises:
            BulkAborted: it says how many, why the first was not brought in, and where all are; it
                carries this report.

        Example:
            report = await bulk.insert(shoes, [{"_id": "9", "_url": "https://example.com/9.jpg"}])
            report.raise_for_failures()
        """
        if not self.ok:
            lost = self.rejected or self.failed
            where = f"; {where_all_are(self.origin.rejects)}" if lost else ""
            raise BulkAborted(f"{self.summary()}{where}", self)

    def summary(self) -> str:
        """Return the report in one line, with the reason of the first rejected or failed record.

        Example:
            >>> Report(operation="insert", read=2, counts={Outcome.INSERTED: 2}).summary()
            'insert: 2 records read: 2 inserted'
        """
        wanted_first = sorted(self.counts.items(), key=lambda pair: (pair[0] not in GOOD, pair[0]))
        parts = [f"{n} {outcome.replace('_', ' ')}" for outcome, n in wanted_first if n]
        if self.inferred:
            parts.append(f"{self.inferred} of them inferred after lost answers")
        if self.pending:
            parts.append(f"{self.pending} pending")
        if self.left_out:
            parts.append(f"{self.left_out} left out (everything=True sends them too)")
        nothing = "nothing done" if self.stop else "nothing to do"
        line = f"{self.operation}: {self.read} records read: {', '.join(parts) or nothing}"
        if trouble := first_trouble(self.samples):
            line += f"; {trouble}"
        return f"{line}; {self.stop.value}: {self.stop_reason}" if self.stop else line

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values.

        Example:
            >>> Report(operation="insert", read=0, counts={}).to_dict()["read"]
            0
        """
        return {
            "operation": self.operation,
            "source": self.origin.source,
            "collection": self.origin.collection,
            "service": self.origin.service,
            "journal": self.origin.journal or None,
            "rejects": self.origin.rejects or None,
            "read": self.read,
            "counts": {outcome.value: self.counts.get(outcome, 0) for outcome in Outcome},
            "resumed": self.resumed,
            "inferred": self.inferred,
            "left_out": self.left_out,
            "ok": self.ok,
            "requests": self.requests,
            "retries": self.retries,
            "elapsed": round(self.elapsed, 3),
            "records_per_second": round(self.records_per_second, 1),
            "latency": {name: round(value, 6) for name, value in self.latency.items()},
            "bottleneck": {name: round(share, 4) for name, share in self.bottleneck.items()},
            "held": round(self.held, 3),
            "concurrency": self.concurrency,
            "outage_seconds": round(self.outage_seconds, 3),
            "anomalies": dict(self.anomalies),
            "stop": None if self.stop is None else self.stop.value,
            "stop_reason": self.stop_reason,
            "dry_run": self.dry_run,
            "exit_code": int(self.exit_code),
            "samples": {
                outcome.value: [_sample(result) for result in results]
                for outcome, results in self.samples.items()
            },
            "reasons": {outcome.value: dict(counts) for outcome, counts in self.reasons.items()},
            "timeline": self.timeline.to_dict(),
        }

    def write(self, path: str | PathLike[str], *, command: str = "", replay: str = "") -> None:
        """Write the report as JSON, or as a page to look at; blocking.

        The page is one file that needs nothing else: it loads nothing and runs nothing. Both show
        the first 500 records of each outcome that is not the wanted one. docs/report.md says what
        the JSON holds.

        Args:
            path: A file that ends in `.json` or `.html`; one that is there is replaced.
            command: The command line that the run was started with; the report shows it.
            replay: The command line that sends again what failed; the page shows it. Where it is
                empty, it shows the call of `bulk.replay`.

        Raises:
            ConfigError: another ending.

        Example:
            report = await bulk.insert(shoes, [])
            report.write("report.json")
            report.write("report.html")
        """
        from ._report_page import run_page  # noqa: PLC0415 - it knows reports
        from ._report_records import groups_of, records_json  # noqa: PLC0415 - so do they

        write_report(
            path,
            lambda: {
                **self.to_dict(),
                "records": records_json(groups_of(self)),
                "command": command or None,
                "replay": replay or None,
            },
            lambda: run_page(self, command=command, replay=replay),
        )


def _sample(result: Result) -> dict[str, Any]:
    return {
        "seq": result.seq,
        "where": result.where,
        "id": result.id,
        "reason": result.reason,
        "code": result.code,
        "near_duplicates": [
            {"id": match.id, "distance": match.distance} for match in result.near_duplicates
        ],
    }
