"""The records that a report shows one by one: what it kept, or the rejects file has. Blocking."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import field, frozen

from ._outcomes import Outcome
from ._rejects import decode_envelope
from ._report_samples import MOST, why

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ._origin import Origin
    from ._outcomes import Result
    from ._report import Report

ORDER: Final = (
    Outcome.REJECTED,
    Outcome.FAILED,
    Outcome.NOT_ATTEMPTED,
    Outcome.NEAR_DUPLICATE,
    Outcome.NOT_FOUND,
    Outcome.ALREADY_PRESENT,
)
"""Outcomes whose records are shown; what leaves most to do comes first."""

IN_FILE: Final = (Outcome.REJECTED, Outcome.FAILED)
"""What is written to a rejects file."""


READY: Final = "ready_to_be_sent"
"""What a dry run would have sent."""


@frozen
class Shown:
    """A record that was not brought in, as a report shows it."""

    id: str | None
    where: str
    reason: str
    code: int | None
    near_duplicates: tuple[tuple[str, float, Mapping[str, Any]], ...] = ()
    """Id, distance and record of each stored one that it is too like, the nearest first."""
    record: Mapping[str, Any] = field(factory=dict)
    root: str | None = None
    """Folder that its `_file` is below."""

    @property
    def why(self) -> str:
        """Return the reason without the place and id that it may begin with."""
        return why(self.reason, self.where, self.id, self.code)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {
            "id": self.id,
            "where": self.where,
            "reason": self.reason,
            "code": self.code,
            "near_duplicates": [
                {"id": id_, "distance": distance} for id_, distance, _ in self.near_duplicates
            ],
        }


@frozen(kw_only=True)
class Group:
    """The records of one outcome."""

    name: str
    """The outcome, as the page counts it."""
    total: int
    """How many there are."""
    records: Sequence[Shown]
    """The first of them."""
    reasons: Mapping[str, int] = field(factory=dict)
    """How often each reason was met."""
    rest: str = ""
    """Where those are that are not shown."""
    catalog: Path | None = None
    """The file of JSON lines that they were read from, which may know the images of stored ones."""


def groups_of(report: Report) -> list[Group]:
    """Return the records that a report of a run shows, at most 500 of each outcome.

    Args:
        report: The run's.
    """
    shown = shown_records(report)
    return [
        Group(
            name=name_in(report, outcome),
            total=report.counts.get(outcome, 0),
            records=records,
            reasons=report.reasons.get(outcome, {}),
            rest=where_rest_is(outcome, report.origin),
            catalog=catalog_of(report.origin),
        )
        for outcome in ORDER
        if (records := shown.get(outcome, ()))
    ]


def name_in(report: Report, outcome: Outcome) -> str:
    """Return how a page of a run calls an outcome: in a dry run, what was not sent is ready.

    Args:
        report: The run's.
        outcome: What became of records.
    """
    is_ready = report.dry_run and outcome is Outcome.NOT_ATTEMPTED
    return READY if is_ready else outcome.value


def where_rest_is(outcome: Outcome, origin: Origin) -> str:
    """Return where the records of an outcome are that are not shown.

    Args:
        outcome: What became of them.
        origin: Which files the run kept.
    """
    if outcome not in IN_FILE:
        return "no file keeps them; a program is told of each (Options.on_result)."
    if origin.rejects:
        return f"all of them are in {origin.rejects}."
    return "a rejects file (--rejects, Options.rejects) would have kept all of them."


def catalog_of(origin: Origin) -> Path | None:
    """Return the file of JSON lines that a run read; None where it was anything else.

    Args:
        origin: What it read.
    """
    if origin.root is None or not origin.source.endswith((".jsonl", ".ndjson")):
        return None
    path = Path(origin.root) / origin.source
    return path if path.is_file() else None


def records_json(groups: Iterable[Group]) -> dict[str, list[dict[str, Any]]]:
    """Return the records of a report as plain JSON values, by their outcomes.

    Args:
        groups: The records.
    """
    names = {READY: Outcome.NOT_ATTEMPTED.value}
    return {
        names.get(group.name, group.name): [record.to_dict() for record in group.records]
        for group in groups
    }


def shown_records(report: Report) -> dict[Outcome, list[Shown]]:
    """Return the records that a report of a run shows, by their outcomes.

    Args:
        report: The run's.
    """
    results = {**report.samples, **report.kept}
    found = {
        outcome: [shown_of(result, report.origin) for result in some[:MOST]]
        for outcome, some in results.items()
    }
    # What earlier runs of a journal turned away is in the file alone.
    wanted = {outcome: min(MOST, report.counts.get(outcome, 0)) for outcome in IN_FILE}
    lacking = {o: number for o, number in wanted.items() if number > len(found.get(o, ()))}
    for outcome, records in _of_file(report.origin, lacking).items():
        if len(records) > len(found.get(outcome, ())):
            found[outcome] = records
    return found


def shown_of(result: Result, origin: Origin) -> Shown:
    """Return a result as a report shows it.

    Args:
        result: What became of a record.
        origin: What it was read from.
    """
    near = sorted(result.near_duplicates, key=lambda match: match.distance)
    record = result.record if isinstance(result.record, dict) else {"_id": result.id}
    id_ = record.get("_id") if result.id is None else result.id
    return Shown(
        id_ if isinstance(id_, str) else None,
        result.where,
        result.reason,
        result.code,
        tuple((match.id or "", match.distance, match.record) for match in near),
        record,
        origin.root,
    )


# --- the rejects file ---------------------------------------------------------------------------


def _of_file(origin: Origin, wanted: Mapping[Outcome, int]) -> dict[Outcome, list[Shown]]:
    found: dict[Outcome, list[Shown]] = {outcome: [] for outcome in wanted}
    marks = {outcome: f'"outcome":"{outcome.value}"'.encode() for outcome in wanted}
    for line in _lines(origin) if wanted else ():
        open_ = [outcome for outcome in wanted if len(found[outcome]) < wanted[outcome]]
        if not open_:
            break
        if any(marks[outcome] in line for outcome in open_):
            _take(line, origin, open_, found)
    return found


def _lines(origin: Origin) -> Iterator[bytes]:
    """Yield what a run wrote to its rejects file; nothing where that cannot be read."""
    path = Path(origin.rejects)
    if not origin.rejects or not path.is_file():
        return
    try:
        with path.open("rb") as lines:
            lines.seek(origin.rejects_from)
            yield from lines
    except OSError:
        return


_LOOKED_THROUGH: Final = 64 * 2**20
"""Bytes of a rejects file that are looked through for records that it has not."""


def has_omitted(origin: Origin) -> bool:
    """Tell whether the rejects file lacks a record, as far as it is looked through.

    Args:
        origin: Which file a run kept.
    """
    read = 0
    for line in _lines(origin):
        read += len(line)
        if b'"omitted":"' in line:
            return True
        if read > _LOOKED_THROUGH:
            break
    return False


def _take(
    line: bytes, origin: Origin, wanted: Sequence[Outcome], found: dict[Outcome, list[Shown]]
) -> None:
    try:
        envelope = decode_envelope(orjson.loads(line))
    except ValueError:  # a line that was cut off, or is none of ours
        return
    if envelope.outcome not in wanted or (origin.run and envelope.run != origin.run):
        return
    record = envelope.record if isinstance(envelope.record, dict) else {"_id": envelope.id}
    shown = Shown(
        envelope.id, envelope.where, envelope.reason, envelope.code, (), record, envelope.root
    )
    found[envelope.outcome].append(shown)
