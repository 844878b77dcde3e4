"""Answers in the documents' shape: verdicts, envelopes, skipped records, projections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Dialect: TypeAlias = Literal["examples", "tables"]
"""Which of the documents' two voices the emulator speaks where they disagree."""

Answer: TypeAlias = dict[str, Any]


@frozen
class Verdict:
    """A code, "aligned with HTTP status codes", and its text."""

    code: int
    text: str

    def as_json(self) -> dict[str, Any]:
        """Return the wire form of a `status`."""
        return {"code": self.code, "text": self.text}


OK: Final = Verdict(200, "OK")
FOUND: Final = Verdict(205, "records found")
INSERTED: Final = Verdict(210, "records inserted")
DELETED: Final = Verdict(220, "records deleted")
DUPLICATE: Final = Verdict(211, "record(s) duplicate")
"""Of one record: its `_id` is taken, or its image is a near-duplicate."""
NOT_FOUND: Final = Verdict(404, "records not found")
ALL_DUPLICATE: Final = Verdict(411, "record duplicate")
ALL_REFUSED: Final = Verdict(411, "records refused")
"""Nothing was inserted, and not for duplicates alone: the documents know no code of its own for
unreadable images; 411 is the one headed "All records refused", and the lists say why."""
FULL: Final = Verdict(412, "hard capacity exceeded")

_SOME_INSERTED: Final = Verdict(211, "some records inserted")


@frozen
class Words:
    """The verdicts about a part of the records, in one of the two dialects."""

    some_inserted: Verdict
    """When all that was skipped was a duplicate (Insert: its example and its table give two
    texts)."""
    some_found: Verdict
    """213 in every example, 206 in every table."""


WORDS: Final[Mapping[Dialect, Words]] = {
    "examples": Words(DUPLICATE, Verdict(213, "some of the records not found")),
    "tables": Words(_SOME_INSERTED, Verdict(206, "some of the records not found")),
}


def skipped(record: Mapping[str, Any], verdict: Verdict, **more: Any) -> Answer:
    """Return the entry of a record that was not processed.

    Args:
        record: The record as it was sent; only what names it goes into the answer.
        verdict: The reason.
        more: Further fields of `_reason`: `answer_records` and `answer_distances` of
            near-duplicates.

    Example:
        >>> skipped({"_id": "3", "price": 1}, NOT_FOUND)["_reason"]
        {'status': {'code': 404, 'text': 'records not found'}}
    """
    names = ("_id",) if record.get("_id") is not None else ("_url", "_file")
    name = {field: record[field] for field in names if field in record}
    return {**name, "_reason": {"status": verdict.as_json(), **more}}


def insert_verdict(inserted: int, reasons: Iterable[Verdict], words: Words) -> Verdict:
    """Return the verdict on a whole insert (Insert, "Possible status values").

    412 wins over all others: whoever sees it must stop feeding. The documents have 211 and 411 for
    duplicates; they also stand for images that could not be read, with a text that does not speak
    of duplicates.

    Args:
        inserted: How many records were stored.
        reasons: Why the others were not.
        words: The dialect.

    Example:
        >>> insert_verdict(9, [DUPLICATE], WORDS["examples"])
        Verdict(code=211, text='record(s) duplicate')
    """
    found = set(reasons)
    if FULL in found:
        return FULL
    if not found:
        return INSERTED
    if inserted:
        return words.some_inserted if found == {DUPLICATE} else _SOME_INSERTED
    return ALL_DUPLICATE if found == {DUPLICATE} else ALL_REFUSED


def look_up_verdict(done: int, missed: int, words: Words, *, all_done: Verdict = FOUND) -> Verdict:
    """Return the verdict on a look-up by `_id`: all, some or none (Get, Update, Delete).

    Args:
        done: How many records were processed.
        missed: How many were skipped.
        words: The dialect.
        all_done: The verdict when none was skipped.

    Example:
        >>> look_up_verdict(2, 1, WORDS["tables"]).code
        206
    """
    if not missed:
        return all_done
    return words.some_found if done else NOT_FOUND


def envelope(verdict: Verdict, **fields: Any) -> Answer:
    """Return an answer; the service fills in the processing time.

    Example:
        >>> envelope(OK, answer_count=5)["status"]
        {'code': 200, 'text': 'OK'}
    """
    return {"status": verdict.as_json(), "statistics": {"OperationTime": 0}, **fields}


def records_answer(
    verdict: Verdict, records: Sequence[Answer], skips: Sequence[Answer] | None = None
) -> Answer:
    """Return an answer about records: those processed, those skipped, the number processed.

    Args:
        verdict: The verdict on the call.
        records: `answer_records`.
        skips: `skipped_records`; None where the method has no such list.
    """
    lists: dict[str, Any] = {"answer_records": records}
    if skips is not None:
        lists["skipped_records"] = skips
    return envelope(verdict, **lists, answer_count=len(records))


def project(document: Mapping[str, Any], fields: Sequence[str]) -> Answer:
    """Return the fields that were asked for, of those the document has; `["*"]` stands for all.

    Example:
        >>> project({"_id": "1", "price": 3}, ["price", "colour"])
        {'price': 3}
    """
    if "*" in fields:
        return dict(document)
    return {field: document[field] for field in fields if field in document}
