"""ping, getRecordCount, get, find, random, allRecords."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from ximilar_async._endpoints import METHODS
from ximilar_async.emulator import params
from ximilar_async.emulator.answers import (
    NOT_FOUND,
    OK,
    envelope,
    look_up_verdict,
    records_answer,
    skipped,
)

from .call import id_verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ximilar_async.emulator.answers import Answer

    from .call import Call


def ping(call: Call) -> Answer:
    """Say what answers here (Ping)."""
    return envelope(OK, info=call.context.info)


def get_record_count(call: Call) -> Answer:
    """Return the number of records (Get Record Count)."""
    return envelope(OK, answer_count=len(call.collection))


def get(call: Call) -> Answer:
    """Return records by their `_id` (Get)."""
    records = params.records(call.body, most=METHODS["get"].max_records)
    fields = params.fields(call.body, "*")
    rows, skips = [], []
    for record in records:
        row = call.collection.row(record.get("_id"))
        if row is None:
            skips.append(skipped(record, id_verdict(record) or NOT_FOUND))
        else:
            rows.append(row)
    found = call.collection.project(rows, fields)
    return records_answer(look_up_verdict(len(found), len(skips), call.context.words), found, skips)


def find(call: Call) -> Answer:
    """Return the first records that a filter lets through, in order of insertion (Find)."""
    condition = params.filter(call.body)
    limit = params.whole(call.body, "limit", 10)
    fields = params.fields(call.body, "*")
    rows = call.collection.matching(condition)[:limit]
    return records_answer(OK, call.collection.project(rows.tolist(), fields))


def random(call: Call) -> Answer:
    """Return some records drawn at random, none of them twice (Random)."""
    condition = params.filter(call.body)
    count = params.whole(call.body, "count", 1)
    fields = params.fields(call.body, "*")
    rows = call.collection.sample(call.collection.matching(condition), count)
    return records_answer(OK, call.collection.project(rows, fields))


def all_records(call: Call) -> Answer:
    """Return all records in order of insertion, or one page of them (All Records).

    `answer_count` is the "OVERALL number of records in the collection", filter or not. `next` and
    `previous` have the form of the documents' example, without the service's prefix, and are there
    only where such a page is. A file is written only with `delete_file_after: false` (the service
    deletes it otherwise), to the folder `output` of the emulator's folder; `output_file_name` is
    answered when it was asked for or a file was written.
    """
    condition = params.filter(call.body)
    fields = params.fields(call.body, "_id")
    size = _from_url(call, "size")
    page = _from_url(call, "page") or 1
    rows = call.collection.matching(condition)
    part = rows if size is None else rows[(page - 1) * size : page * size]
    records = call.collection.project(part.tolist(), fields)
    overall = len(call.collection)
    more = _output(call, records)
    if size is not None:
        more |= _links(call.base, page, size, len(rows))
    return envelope(OK, answer_records=records, **more, answer_count=overall)


def _from_url(call: Call, name: str) -> int | None:
    """Return a parameter of the address, a whole number from 1."""
    value = call.url.get(name)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit():
        raise params.bad(
            f"`{name}` in the address must be a whole number from 1, not {value!r:.60}"
        )
    return params.whole({name: int(value[:12])}, name, 1, least=1)


def _links(base: str, page: int, size: int, total: int) -> dict[str, Any]:
    def link(number: int) -> str:
        return f"{base}/v2/allRecords?{urlencode({'page': number, 'size': size})}"

    links = {}
    if page * size < total:
        links["next"] = link(page + 1)
    if page > 1:
        links["previous"] = link(page - 1)
    return links


def _output(call: Call, records: Sequence[Answer]) -> dict[str, Any]:
    """Write the answer into a file where that is asked for; return the answer's field about it."""
    name = params.text(call.body, "output_file_name")
    if params.flag(call.body, "delete_file_after", default=True):
        return {} if name is None else {"output_file_name": name}
    if call.context.folder is None:
        raise params.bad(
            "`delete_file_after` is false, but this emulator keeps nothing on disk: "
            "start it with a folder"
        )
    name = name or f"all-records-{int(time.time())}.json"
    try:
        path = call.context.folder.output(name)
    except ValueError as error:
        raise params.bad(f"`output_file_name`: {error}") from None
    with path.open("wb") as file:
        file.writelines(orjson.dumps(record) + b"\n" for record in records)
    return {"output_file_name": name}
