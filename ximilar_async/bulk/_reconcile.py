"""From an answer to one verdict for each record that was sent: a pure, total function.

Any JSON goes in; out comes exactly one verdict for each id sent, and never an invented success.
Nothing promises that answers keep the order of the request, so everything is joined by `_id`, never
by position or count.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from attrs import evolve, field, frozen

from ximilar_async._models import Skipped, read_skipped

from ._outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from ximilar_async._models import Match

_ALL_DUPLICATE = 411
_DUPLICATE_CODES = frozenset({211, _ALL_DUPLICATE})
_NOT_FOUND = 404


@frozen
class Verdict:
    """What an answer says of one record."""

    outcome: Outcome | None
    """What became of it; None when only a look into the collection can tell."""
    reason: str = ""
    code: int | None = None
    near_duplicates: tuple[Match, ...] = ()
    answer: Any = None
    """What was returned for it, such as a fetched record."""
    inferred: bool = False
    """Whether an answer was lost and what is stored cannot tell whose work it is."""
    final: bool = True
    """False where only the end of the run decides: a resumed run takes the record up again."""


@frozen
class Reconciled:
    """What an answer says of all records of its request."""

    verdicts: Mapping[str, Verdict]
    """One verdict for each id that was sent."""
    anomalies: Counter[str] = field(factory=Counter)
    """What the answer should not have said: counted, never believed."""


def reconcile(
    ids: Sequence[str], raw: object, success: Outcome, *, doubtful: Container[str | None] = ()
) -> Reconciled:
    """Return one verdict for each id that was sent.

    Args:
        ids: The ids of the request, each once.
        raw: The decoded answer, whatever it is.
        success: What being in `answer_records` means.
        doubtful: Ids whose earlier attempt may have been applied; then "duplicate" may mean the
            record's own first attempt.

    Example:
        >>> answer = {"status": {"code": 211}, "answer_records": [{"_id": "1"}]}
        >>> reconcile(["1"], answer, Outcome.INSERTED).verdicts["1"].outcome
        <Outcome.INSERTED: 'inserted'>
    """
    anomalies: Counter[str] = Counter()
    answer = raw if isinstance(raw, dict) else {}
    if not isinstance(raw, dict):
        anomalies["the answer is no object"] += 1
    known = dict.fromkeys(ids)
    done = _by_id(answer, "answer_records", known, anomalies)
    skipped = _by_id(answer, "skipped_records", known, anomalies)
    _check_count(answer, anomalies)
    code = _code(answer)
    nothing = not done and not skipped
    verdicts: dict[str, Verdict] = {}
    for id_ in ids:
        if id_ in done and id_ in skipped:
            anomalies["id both done and skipped"] += 1
            verdicts[id_] = Verdict(None, "the answer has it both as done and as skipped")
        elif id_ in done:
            verdicts[id_] = Verdict(success, answer=done[id_])
        elif id_ in skipped:
            skip = evolve(read_skipped(skipped[id_]), id=id_)
            verdicts[id_] = _skip_verdict(skip, success, doubtful=id_ in doubtful)
        elif nothing and (refusal := _refusal(code, success, doubtful=id_ in doubtful)) is not None:
            verdicts[id_] = refusal
        else:
            anomalies["id in neither list"] += 1
            verdicts[id_] = Verdict(None, "the answer does not mention it", code)
    return Reconciled(verdicts, anomalies)


def read_id(record: Mapping[str, Any]) -> str | None:
    """Return the id of a record in an answer; the service may tell numbers as such.

    Example:
        >>> read_id({"_id": 7}), read_id({"_id": True}), read_id({})
        ('7', None, None)
    """
    id_ = record.get("_id")
    return str(id_) if type(id_) in (str, int) else None


def is_all_done(ids: Sequence[str], raw: object) -> bool:
    """Tell whether an answer says, without any doubt, that just these records were processed.

    It is what nearly every answer says; `reconcile` costs ten times as much to say the same.

    Example:
        >>> is_all_done(["1"], {"answer_records": [{"_id": "1"}], "answer_count": 1})
        True
        >>> is_all_done(["1"], {"answer_records": [{"_id": "2"}]})
        False
    """
    if not isinstance(raw, dict) or raw.get("skipped_records"):
        return False
    done = raw.get("answer_records")
    if not isinstance(done, list) or raw.get("answer_count", len(done)) != len(done):
        return False
    try:
        return [record["_id"] for record in done] == ids
    except (TypeError, KeyError):
        return False


def _refusal(code: int | None, success: Outcome, *, doubtful: bool) -> Verdict | None:
    """Return what a code says of all records of a request whose answer lists none."""
    if code == _ALL_DUPLICATE:
        # 411: "all records refused because of _id duplicity"; 211 without lists does not tell which
        # of "some records" were inserted (Visual Search, Insert).
        return _duplicate(code, "record duplicate", doubtful=doubtful)
    if code == _NOT_FOUND:
        # 404: "none of the requested records were found" (Visual Search, Get).
        return _missing(Skipped(None, code, "records not found"), success, doubtful=doubtful)
    return None


def _by_id(
    answer: Mapping[str, Any], name: str, known: Mapping[str, None], anomalies: Counter[str]
) -> dict[str, dict[str, Any]]:
    records = answer.get(name)
    if not isinstance(records, list):
        if records is not None:
            anomalies[f"{name} is no list"] += 1
        return {}
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        id_ = read_id(record) if isinstance(record, dict) else None
        if id_ is None or id_ not in known:
            anomalies[f"an id in {name} that was not sent"] += 1
        elif id_ in found:
            anomalies[f"an id twice in {name}"] += 1
        else:
            found[id_] = record
    return found


def _check_count(answer: Mapping[str, Any], anomalies: Counter[str]) -> None:
    count, records = answer.get("answer_count"), answer.get("answer_records")
    if isinstance(records, list) and type(count) is int and count != len(records):
        anomalies["answer_count differs from answer_records"] += 1


def _code(answer: Mapping[str, Any]) -> int | None:
    status = answer.get("status")
    code = status.get("code") if isinstance(status, dict) else status
    return code if type(code) is int else None


def _skip_verdict(skip: Skipped, success: Outcome, *, doubtful: bool) -> Verdict:
    # Duplicate and near-duplicate share code 211; only the neighbours tell them apart.
    if skip.near_duplicates:
        return _near_duplicate(skip, doubtful=doubtful)
    if skip.code in _DUPLICATE_CODES:
        return _duplicate(skip.code, skip.text, doubtful=doubtful)
    # An insert looks for nothing: there a 404 is about the image.
    if skip.code == _NOT_FOUND and success is not Outcome.INSERTED:
        return _missing(skip, success, doubtful=doubtful)
    reason = skip.text or "skipped by the service without a reason"
    return Verdict(None if doubtful else Outcome.REJECTED, reason, skip.code)


def _near_duplicate(skip: Skipped, *, doubtful: bool) -> Verdict:
    ids = {read_id(match.record) for match in skip.near_duplicates}
    if doubtful and not ids.isdisjoint({skip.id, None}):
        reason = "near-duplicate, perhaps of its own earlier attempt"
        return Verdict(None, reason, skip.code, skip.near_duplicates)
    outcome = Outcome.ALREADY_PRESENT if skip.id in ids else Outcome.NEAR_DUPLICATE
    return Verdict(outcome, skip.text, skip.code, skip.near_duplicates)


def _missing(skip: Skipped, success: Outcome, *, doubtful: bool) -> Verdict:
    if doubtful and success is Outcome.DELETED:
        # What was gone before cannot be told from what the lost attempt deleted; as with inserts it
        # counts as this run's.
        reason = "it is gone; an earlier answer was lost"
        return Verdict(success, reason, skip.code, inferred=True)
    return Verdict(Outcome.NOT_FOUND, skip.text, skip.code)


def _duplicate(code: int | None, text: str, *, doubtful: bool) -> Verdict:
    if doubtful:
        return Verdict(None, "a duplicate, perhaps of its own earlier attempt", code)
    return Verdict(Outcome.ALREADY_PRESENT, text, code)
