"""update, delete, deleteByFilter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ximilar_async._endpoints import METHODS
from ximilar_async.emulator import params
from ximilar_async.emulator.answers import (
    DELETED,
    NOT_FOUND,
    OK,
    Verdict,
    look_up_verdict,
    project,
    records_answer,
    skipped,
)
from ximilar_async.emulator.images import IMAGE_FIELDS

from .call import BAD_RECORD, content_verdict, id_verdict

if TYPE_CHECKING:
    from ximilar_async.emulator.answers import Answer
    from ximilar_async.emulator.index import Collection

    from .call import Call

_IMAGE_FIXED: Final = Verdict(
    BAD_RECORD, "the image cannot be changed by update: delete the record and insert it again"
)


def update(call: Call) -> Answer:
    """Change and remove (null) fields of stored records, not their images (Update).

    A record that would change `_url`, `_file` or `_base64` is skipped with reason 400; an image
    field that says what is stored is no change. Two changes of one record in one request are made
    one after the other.
    """
    records = params.records(call.body, most=METHODS["update"].max_records)
    fields = params.fields(call.body, "*")
    changed: dict[str, Answer] = {}
    done: list[Answer] = []
    skips: list[Answer] = []
    reasons: list[Verdict] = []
    for record in records:
        result = _changed(call.collection, record, changed)
        if isinstance(result, Verdict):
            skips.append(skipped(record, result))
            reasons.append(result)
        else:
            changed[record["_id"]] = result
            done.append(project(result, fields))
    call.collection.replace(list(changed.values()))
    verdict = look_up_verdict(len(done), len(skips), call.context.words)
    wrong = next((reason for reason in reasons if reason != NOT_FOUND), None)
    return records_answer(wrong if wrong and not done else verdict, done, skips)


def _changed(
    collection: Collection, record: Answer, changed: dict[str, Answer]
) -> Answer | Verdict:
    """Return a record as it will be stored, or why it cannot be changed."""
    wrong = id_verdict(record) or content_verdict(record)
    if wrong is not None:
        return wrong
    row = collection.row(record["_id"])
    if row is None:
        return NOT_FOUND
    document = changed.get(record["_id"]) or collection.document(row)
    if any(name in record and record[name] != document.get(name) for name in IMAGE_FIELDS):
        return _IMAGE_FIXED
    both = {**document, **record}
    return {name: value for name, value in both.items() if name not in record or value is not None}


def delete(call: Call) -> Answer:
    """Delete records by their `_id` (Delete)."""
    records = params.records(call.body, most=METHODS["delete"].max_records)
    rows: dict[int, Answer] = {}
    skips = []
    for record in records:
        row = call.collection.row(record.get("_id"))
        if row is None or row in rows:
            skips.append(skipped(record, id_verdict(record) or NOT_FOUND))
        else:
            rows[row] = {"_id": record["_id"]}
    call.collection.delete(list(rows))
    verdict = look_up_verdict(len(rows), len(skips), call.context.words, all_done=DELETED)
    return records_answer(verdict, list(rows.values()), skips)


def delete_by_filter(call: Call) -> Answer:
    """Delete the records that a filter lets through (Delete By Filter); `{}` lets all through."""
    condition = params.filter(call.body, required=True)
    fields = params.fields(call.body, "_id")
    rows = call.collection.matching(condition).tolist()
    gone = call.collection.project(rows, fields)
    call.collection.delete(rows)
    return records_answer(OK, gone)
