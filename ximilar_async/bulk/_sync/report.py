"""What a sync did, to the record."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, frozen

from ximilar_async.bulk._report import ExitCode, Report
from ximilar_async.bulk._report_file import write_report
from ximilar_async.bulk._report_records import records_json
from ximilar_async.bulk._report_samples import joined, summed
from ximilar_async.bulk._timing import PERCENTILES
from ximilar_async.bulk._troubles import first_trouble
from ximilar_async.errors import BulkAborted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from ximilar_async.bulk._outcomes import Outcome, Result
    from ximilar_async.bulk._report import Stop
    from ximilar_async.bulk._series import Timeline

    from .difference import Mode

OF_SOURCE: Final = (
    "unchanged",
    "inserted",
    "updated",
    "replaced",
    "already_present",
    "near_duplicate",
    "rejected",
    "failed",
    "not_attempted",
)
"""What a record of the source can end as; these sum to the records read."""

OF_GONE: Final = (
    "deleted",
    "not_found",
    "deletions_failed",
    "deletions_not_attempted",
    "deletions_withheld",
)
"""What a stored record that the source does not have can end as; these sum to `gone`."""

_SUMS: Final = (
    "read",
    "resumed",
    "inferred",
    "left_out",
    "requests",
    "retries",
    "elapsed",
    "held",
    "outage_seconds",
)
"""What two runs of a stage have together."""

_SAMPLES: Final = 5

_AGAIN: Final = "mend what they met and sync again: what is right by now is left alone"


@frozen(kw_only=True)
class SyncReport:
    """What a sync did: one outcome for each record of the source, and for each that is gone.

    Args:
        mode: "insert", "upsert" or "mirror".
        read: Records of the source, lines that hold no record included.
        unchanged: Stored just so; nothing was sent.
        inserted: New, and stored now.
        updated: Stored with other metadata before.
        replaced: Stored with another image before: deleted and inserted again.
        already_present: An `_id` that came twice, or, with mode="insert", one that is stored.
        near_duplicate: Not stored: an image like it is there already.
        rejected: Cannot be accepted as they are.
        failed: Tried in vain; the next sync tries again.
        not_attempted: The sync ended first.
        gone: Stored records that the source does not have, with mode="mirror".
        deleted: How many of them were deleted.
        not_found: How many were not there any more.
        deletions_failed: How many could not be deleted.
        deletions_not_attempted: How many are left because the sync ended first.
        deletions_withheld: How many are left because the source may be incomplete.
        withheld: Why.
        restored: Records that an earlier run had deleted and not inserted, and that only its
            state still had.
        not_restored: How many of these could not be, and how many this sync deleted whose new image
            was refused and whose old one could not be put back; the next sync tries again.
        images_unknown: Records whose stored image nobody knows, and that were left as they are.
        seeded: Records that were read from the collection first, page by page.
        notes: What else is to be known, such as a collection that has not what the state knows.
        planned: How many records were to be sent, by what for: "insert", "update", "replace",
            "delete", "restore"; empty until the plan is made.
        requests: Requests that were sent, look-ups and pages included.
        retries: Requests that repeated an earlier one.
        elapsed: Seconds from start to end.
        stage: What is done now, or was last.
        phases: What the bulk runs did, by what they were for.
        kept: The first 500 results of the bulk runs by each of these counts that is not the wanted
            one, as far as a page shows them.
        reasons: How often each reason was met for one of these.
        stop: Why it ended before its end, if it did.
        stop_reason: The same in words.
    """

    mode: Mode
    read: int = 0
    unchanged: int = 0
    inserted: int = 0
    updated: int = 0
    replaced: int = 0
    already_present: int = 0
    near_duplicate: int = 0
    rejected: int = 0
    failed: int = 0
    not_attempted: int = 0
    gone: int = 0
    deleted: int = 0
    not_found: int = 0
    deletions_failed: int = 0
    deletions_not_attempted: int = 0
    deletions_withheld: int = 0
    withheld: str = ""
    restored: int = 0
    not_restored: int = 0
    images_unknown: int = 0
    seeded: int = 0
    notes: tuple[str, ...] = ()
    planned: Mapping[str, int] = field(factory=dict)
    requests: int = 0
    retries: int = 0
    elapsed: float = 0.0
    stage: str = ""
    phases: Mapping[str, Report] = field(factory=dict, repr=False)
    kept: Mapping[str, tuple[Result, ...]] = field(factory=dict, repr=False)
    reasons: Mapping[str, Mapping[str, int]] = field(factory=dict, repr=False)
    stop: Stop | None = None
    stop_reason: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """Return the outcomes of the source's records; at the end they sum to `read`."""
        return {name: getattr(self, name) for name in OF_SOURCE}

    @property
    def gone_counts(self) -> dict[str, int]:
        """Return the outcomes of what is gone; at the end they sum to `gone`."""
        return {name: getattr(self, name) for name in OF_GONE}

    @property
    def changed(self) -> int:
        """Return how many records of the collection are others than before."""
        return self.inserted + self.updated + self.replaced + self.deleted + self.restored

    @property
    def ok(self) -> bool:
        """Tell whether nothing is left to do: nothing turned away, failed, left or withheld."""
        troubles = self.rejected + self.failed + self.not_attempted + self.not_restored + self.gone
        return self.stop is None and troubles == self.deleted + self.not_found and not self.withheld

    @property
    def exit_code(self) -> int:
        """Return what the command line exits with, as for a `Report`."""
        if self.stop is not None:
            return Report(operation="sync", read=self.read, counts={}, stop=self.stop).exit_code
        return ExitCode.DECIDED if self.ok else ExitCode.TROUBLE

    def raise_for_failures(self) -> None:
        """Raise if anything is left to do: a record turned away, failed, or not deleted.

        Raises:
            BulkAborted: it says how many, why the first was not brought in, and where all are; it
                carries this report.

        Example:
            report = await bulk.sync(shoes, "catalog.jsonl", state=None, allow_new_catalog=True)
            report.raise_for_failures()
        """
        if not self.ok:
            files = (phase.origin.rejects for phase in self.phases.values())
            rejects = next(filter(None, files), "")
            lost = self.rejected or self.failed or self.deletions_failed
            where = f"; {_AGAIN}{f'; {rejects} has all of them' if rejects else ''}" if lost else ""
            raise BulkAborted(f"{self.summary()}{where}", self)

    def summary(self) -> str:
        """Return the report in one line, with the reason of the first rejected or failed record.

        Example:
            >>> SyncReport(mode="mirror", read=2, unchanged=2, gone=1, deleted=1).summary()
            'mirror: 2 records read: 2 unchanged; 1 gone: 1 deleted'
        """
        parts = [f"{n} {name.replace('_', ' ')}" for name, n in self.counts.items() if n]
        nothing = "nothing done" if self.stop else "nothing to do"
        line = f"{self.mode}: {self.read} records read: {', '.join(parts) or nothing}"
        if self.gone:
            names = {n: c for n, c in self.gone_counts.items() if c}
            line += f"; {self.gone} gone: " + ", ".join(
                f"{n} {name.removeprefix('deletions_').replace('_', ' ')}"
                for name, n in names.items()
            )
        if self.restored:
            line += f"; {self.restored} restored"
        if self.not_restored:
            line += f"; {self.not_restored} not restored"
        if self.withheld:
            line += f"; nothing deleted: {self.withheld}"
        if self.images_unknown:
            line += f"; {self.images_unknown} stored images could not be compared, and were left"
        troubles = (first_trouble(phase.samples) for phase in self.phases.values())
        line = "; ".join([line, *self.notes, *[one for one in troubles if one][:1]])
        return f"{line}; {self.stop.value}: {self.stop_reason}" if self.stop else line

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values.

        Example:
            >>> SyncReport(mode="upsert").to_dict()["read"]
            0
        """
        plain = {
            name: getattr(self, name)
            for name in ("mode", "read", *OF_SOURCE, "gone", *OF_GONE, "withheld")
        }
        return plain | {
            "restored": self.restored,
            "not_restored": self.not_restored,
            "images_unknown": self.images_unknown,
            "seeded": self.seeded,
            "notes": list(self.notes),
            "planned": dict(self.planned),
            "ok": self.ok,
            "exit_code": int(self.exit_code),
            "requests": self.requests,
            "retries": self.retries,
            "elapsed": round(self.elapsed, 3),
            "stage": self.stage,
            "stop": None if self.stop is None else self.stop.value,
            "stop_reason": self.stop_reason,
            "phases": {name: report.to_dict() for name, report in self.phases.items()},
        }

    def write(self, path: str | PathLike[str], *, command: str = "", replay: str = "") -> None:
        """Write the report as JSON, or as a page to look at; blocking.

        The page is one file that needs nothing else; docs/report.md says what the JSON holds.

        Args:
            path: A file that ends in `.json` or `.html`; one that is there is replaced.
            command: The command line that the sync was started with; the report shows it.
            replay: The command line that sends again what failed; the report shows it.

        Raises:
            ConfigError: another ending.

        Example:
            report = await bulk.sync(shoes, "catalog.jsonl", state=None, allow_new_catalog=True)
            report.write("report.json")
            report.write("report.html")
        """
        from .page import origin_of, sync_page  # noqa: PLC0415 - it knows reports
        from .page_records import groups_of  # noqa: PLC0415 - it knows them too

        write_report(
            path,
            lambda: {
                **self.to_dict(),
                "records": records_json(groups_of(self, origin_of(self))),
                "command": command or None,
                "replay": replay or None,
            },
            lambda: sync_page(self, command=command, replay=replay),
        )


def merged(one: Report | None, other: Report) -> Report:
    """Return two reports of runs for the same as one.

    Args:
        one: The earlier one; None for none.
        other: The later one.
    """
    if one is None:
        return other
    samples: dict[Outcome, tuple[Result, ...]] = dict(one.samples)
    for outcome, results in other.samples.items():
        samples[outcome] = (samples.get(outcome, ()) + results)[:_SAMPLES]
    timeline = one.timeline.then(other.timeline, one.elapsed)
    return evolve(
        other,
        **{name: getattr(one, name) + getattr(other, name) for name in _SUMS},
        counts=Counter(one.counts) + Counter(other.counts),
        anomalies=Counter(one.anomalies) + Counter(other.anomalies),
        concurrency=max(one.concurrency, other.concurrency),
        latency=_latency(one, other, timeline),
        bottleneck=_bottleneck(one, other),
        samples=samples,
        kept=joined(one.kept, other.kept),
        reasons=summed(one.reasons, other.reasons),
        # Several runs of a phase: all that was rejected since the first began is the phase's.
        origin=evolve(other.origin, rejects_from=one.origin.rejects_from, run=""),
        timeline=timeline,
    )


def _latency(one: Report, other: Report, timeline: Timeline) -> dict[str, float]:
    """Return the percentiles of both runs' requests, none of them above the longest."""
    if not (one.latency and other.latency):
        return dict(one.latency or other.latency)
    longest = max(one.latency["max"], other.latency["max"])
    shares = {name: timeline.latency(share) for name, share in PERCENTILES.items()}
    both = {name: min(found, longest) for name, found in shares.items() if found is not None}
    return {**both, "max": longest}


def _bottleneck(one: Report, other: Report) -> dict[str, float]:
    """Return what was waited for in both runs, each counting by its time and its workers."""
    weights = [report.elapsed * max(1, report.concurrency) for report in (one, other)]
    if not (one.bottleneck and other.bottleneck and sum(weights)):
        return dict(one.bottleneck or other.bottleneck)
    first, second = (weight / sum(weights) for weight in weights)
    return {
        what: first * one.bottleneck.get(what, 0.0) + second * other.bottleneck.get(what, 0.0)
        for what in {**one.bottleneck, **other.bottleneck}
    }
