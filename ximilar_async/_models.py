"""What the service answers, as frozen values; wire names stand beside the fields.

Records themselves stay plain dicts, untouched: they carry any field. The one cattrs converter lives
here and is strict: left alone, cattrs would turn 210.7 into 210 and null into "None".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeGuard, TypeVar, cast

from attrs import field, frozen
from cattrs import Converter, override

from .errors import AnswerError

if TYPE_CHECKING:
    from collections.abc import Callable

Record: TypeAlias = dict[str, Any]
"""One image and its metadata, exactly as it goes over the wire."""

T = TypeVar("T")
A = TypeVar("A", bound="Answer | Account")


@frozen
class Status:
    """The service's own verdict on a call or on one record."""

    code: int
    """Numeric code, "aligned with HTTP status codes" (Visual Search, Ping)."""
    text: str = ""
    """Descriptive message; the documents give several texts for one code, so never branch on it."""


@frozen
class Statistics:
    """Figures about the processing of one call."""

    operation_time: Annotated[float | None, override(rename="OperationTime")] = None


@frozen
class Match:
    """One stored record that was found, with its distance from the query."""

    id: str | None
    """The record's `_id`; None when `fields_to_return` left it out."""
    distance: float
    """Smaller is more alike; 0 is the same image."""
    record: Record = field(factory=dict)
    """The fields that were asked for."""


@frozen
class Skipped:
    """A record that the service did not process, and why."""

    id: str | None
    """The record's `_id`, as far as the service told it."""
    code: int | None
    """Code of the reason: 211 or 411 duplicate, 404 not found, 412 full."""
    text: str = ""
    """The reason in the service's words."""
    near_duplicates: tuple[Match, ...] = ()
    """Stored records that were too alike (near_dups_insert); empty for a plain duplicate `_id`."""


@frozen
class Answer:
    """The envelope common to all methods."""

    status: Status
    """The verdict on the call as a whole."""
    statistics: Statistics = Statistics()
    """Figures about the processing."""
    raw: Any = field(factory=dict, repr=False, eq=False)
    """The answer as it came, decoded from JSON."""

    @property
    def operation_time(self) -> float | None:
        """Return the processing time on the service, in milliseconds, where it was told."""
        return self.statistics.operation_time


@frozen
class PingAnswer(Answer):
    """What `ping` returns."""

    info: str = ""
    """A description of the index."""


@frozen
class CountAnswer(Answer):
    """What `get_record_count` returns."""

    count: Annotated[int | None, override(rename="answer_count")] = None
    """Number of records; for `all_records` of the whole collection, else of this answer."""


@frozen
class RecordsAnswer(CountAnswer):
    """Records processed and records skipped."""

    records: Annotated[tuple[Record, ...], override(rename="answer_records")] = ()
    """Records that were inserted, found, updated or deleted, with the fields asked for."""
    skipped: Annotated[tuple[Skipped, ...], override(rename="skipped_records")] = ()
    """Records that were not processed, each with its reason."""


@frozen
class SearchAnswer(RecordsAnswer):
    """Records with their distances from the query, nearest first."""

    distances: Annotated[tuple[float, ...], override(rename="answer_distances")] = ()
    """Distances between the query and `records`, in the same order."""
    query_records: tuple[Record, ...] = ()
    """The query record(s), copied from the request."""

    @property
    def matches(self) -> list[Match]:
        """Return the records found, each with its `_id` and distance, nearest first.

        Raises:
            AnswerError: the service gave more or fewer distances than records.
        """
        return _matches(self.records, self.distances)


@frozen
class PageAnswer(RecordsAnswer):
    """One page of a listing of the whole collection."""

    next: str | None = None
    """Link to the next page; it lacks the service's prefix, so use it only as "there is more"."""
    previous: str | None = None
    """Link to the previous page, likewise."""
    output_file_name: str | None = None
    """Name of the file that the service wrote, on its side."""

    @property
    def has_next(self) -> bool:
        """Tell whether a further page exists."""
        return bool(self.next)


@frozen
class Account:
    """The account that the token belongs to (Quickstart, "Making Your First API Request")."""

    id: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    organization: str | None = None
    verified: bool | None = None
    credits_counter: int | None = None
    """Credits used so far."""
    credits_limit: int | None = None
    """Credits of the plan."""
    default_workspace: str | None = None
    raw: Any = field(factory=dict, repr=False, eq=False)
    """Everything the service told, known here or not."""


def _id(record: Record) -> str | None:
    id_ = record.get("_id")
    return id_ if isinstance(id_, str) else None


def _matches(records: tuple[Record, ...], distances: tuple[float, ...]) -> list[Match]:
    if len(records) != len(distances):
        raise AnswerError(
            f"the answer has {len(distances)} answer_distances for {len(records)} answer_records"
        )
    return [
        Match(_id(record), distance, record)
        for record, distance in zip(records, distances, strict=True)
    ]


# --- the converter ------------------------------------------------------------------------------


def _exactly(kind: type[T]) -> Callable[[object, object], T]:
    """Make a hook that takes a value of just this JSON type, and nothing that could become it."""

    def hook(value: object, _: object) -> T:
        if isinstance(value, kind) and type(value) is kind:
            return value
        raise TypeError(f"{value!r:.60} is not {kind.__name__}")

    return hook


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _number(value: object, _: object) -> float:
    if _is_number(value):
        return value
    raise TypeError(f"{value!r:.60} is not a number")


def _records(value: object, _: object) -> tuple[Record, ...]:
    if isinstance(value, list) and all(type(record) is dict for record in value):
        return tuple(value)
    raise TypeError("not a list of records")


def _statistics(value: object, _: object) -> Statistics:
    """Take what is there: figures are never worth failing a call for."""
    time = value.get("OperationTime") if isinstance(value, dict) else None
    return Statistics(time if _is_number(time) else None)


def _status(value: Any, _: object) -> Status:
    """Read a status: by hand, for every answer has one, and generated code costs twice as much."""
    code, text = value["code"], value.get("text", "")
    if type(code) is not int or type(text) is not str:
        raise TypeError(f"code {code!r:.60}, text {text!r:.60}")
    return Status(code, text)


def _skipped(value: object, _: object) -> Skipped:
    if not isinstance(value, dict):
        raise TypeError("a skipped record is not an object")
    return read_skipped(value)


def read_skipped(value: dict[str, Any]) -> Skipped:
    """Flatten `{"_id", "_reason": {"status", "answer_records", "answer_distances"}}`.

    Takes any object: what is missing or of another type than documented is left out.

    Example:
        >>> read_skipped({"_id": "3", "_reason": {"status": {"code": 404}}}).code
        404
    """
    reason = value.get("_reason")
    reason = reason if isinstance(reason, dict) else {}
    status = reason.get("status")
    status = status if isinstance(status, dict) else {}
    code, text = status.get("code"), status.get("text")
    return Skipped(
        id=_id(value),
        code=code if type(code) is int else None,
        text=text if isinstance(text, str) else "",
        near_duplicates=_neighbours(reason),
    )


def _neighbours(reason: dict[str, Any]) -> tuple[Match, ...]:
    records, distances = reason.get("answer_records"), reason.get("answer_distances")
    if not isinstance(records, list) or not isinstance(distances, list):
        return ()
    pairs = zip(records, distances, strict=False)
    return tuple(
        Match(_id(record), distance, record)
        for record, distance in pairs
        if isinstance(record, dict) and _is_number(distance)
    )


def _make_converter() -> Converter:
    converter = Converter(detailed_validation=False)
    for kind in (int, str, bool):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook(float, _number)
    converter.register_structure_hook_func(lambda kind: kind == tuple[Record, ...], _records)
    converter.register_structure_hook(Statistics, _statistics)
    converter.register_structure_hook(Skipped, _skipped)
    converter.register_structure_hook(Status, _status)
    return converter


_converter = _make_converter()


def structure(envelope: dict[str, Any], kind: type[A], *, raw: Any = None) -> A:
    """Turn a decoded envelope into the method's answer, keeping what came as `raw`.

    Args:
        envelope: The decoded JSON object.
        kind: The answer's class.
        raw: What came, where it is not the envelope itself.

    Raises:
        TypeError, ValueError, KeyError, AttributeError: a field is not of its documented type.

    Example:
        >>> structure({"status": {"code": 200, "text": "OK"}, "answer_count": 5}, CountAnswer).count
        5
    """
    whole = envelope if raw is None else raw
    if kind is Answer:  # all that a bulk run wants: not worth the converter's 3 µs
        status = _status(envelope["status"], None)
        statistics = _statistics(envelope.get("statistics"), None)
        return cast("A", Answer(status, statistics, whole))
    return _converter.structure({**envelope, "raw": whole}, kind)
