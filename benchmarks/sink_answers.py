"""What the sink answers: canned answers, or those of a service that keeps what it is sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_ids = re.compile(rb'"_id": ?"([^"]*)"').findall
"""Quicker than decoding; ids must be strings without escapes, which those of benchmarks are."""

_HEAD = (
    b"HTTP/1.1 %d %s\r\nServer: sink\r\nContent-Type: application/json;charset=UTF-8\r\n"
    b"%sContent-Length: %d\r\n\r\n%s"
)
_DONE = (
    b'{"status": {"code": 210, "text": "records inserted"}, "statistics": {"OperationTime": 4}, '
    b'"answer_records": [{"_id": "%s"}], "skipped_records": [], "answer_count": %d}'
)
_READS = frozenset({b"get", b"update"})


class Answers(Protocol):
    """Turns a method and a request's body into the bytes of an answer."""

    def __call__(self, method: bytes, body: bytes) -> bytes:
        """Return the whole response, head and body."""
        ...

    def statistics(self) -> dict[str, Any]:
        """Return what was seen, as JSON values."""
        ...


def response(body: bytes, *, status: int = 200, reason: bytes = b"OK", head: bytes = b"") -> bytes:
    """Return the bytes of a whole response.

    Args:
        body: JSON.
        status: The HTTP status.
        reason: Its text.
        head: Further header lines, each with its line end.
    """
    return _HEAD % (status, reason, head, len(body), body)


def answer(code: int, text: str = "OK", **fields: Any) -> bytes:
    """Return an answer by the documents: code, text and fields, always as HTTP 200."""
    envelope = {"status": {"code": code, "text": text}, "statistics": {"OperationTime": 1}}
    return response(orjson.dumps({**envelope, **fields}))


class Canned:
    """Says yes to everything, with the ids that came; remembers nothing, or only which ids came.

    Args:
        count: Whether to count ids that come again in an insert.
    """

    def __init__(self, *, count: bool = False) -> None:
        self._seen: set[bytes] | None = set() if count else None
        self._records = 0
        near = [{"_id": str(number)} for number in range(5)]
        self._found = answer(
            200,
            answer_records=near,
            answer_distances=[12.5 * number for number in range(5)],
            answer_count=5,
            query_records=[],
        )
        self._ping = answer(200, info="benchmarks/sink.py")

    def __call__(self, method: bytes, body: bytes) -> bytes:
        """Return the whole response, head and body."""
        if method == b"insert" or method == b"nearDupsInsert":  # noqa: PLR1714 - quicker than a set
            ids = _ids(body)
            self._records += len(ids)
            if self._seen is not None:
                self._seen.update(ids)
            return response(_DONE % (b'"}, {"_id": "'.join(ids), len(ids)))
        if method in _READS or method == b"delete":
            ids = [id_.decode() for id_ in _ids(body)]
            code = 220 if method == b"delete" else 205
            records = [{"_id": id_} for id_ in ids]
            return answer(code, answer_records=records, skipped_records=[], answer_count=len(ids))
        return self._ping if method == b"ping" else self._found

    def statistics(self) -> dict[str, Any]:
        """Return how many records came, and how many of them more than once."""
        told: dict[str, Any] = {"records": self._records}
        if self._seen is not None:
            told |= {"ids": len(self._seen), "repeated": self._records - len(self._seen)}
        return told


class Remembering:
    """Keeps every record by its `_id`, refuses ids that are there, and gives records back.

    Args:
        before: Ids that were stored by somebody else before; their records have no other field.
    """

    def __init__(self, before: Iterable[str] = ()) -> None:
        self.stored: dict[str, bytes] = {id_: orjson.dumps({"_id": id_}) for id_ in before}
        self._records = 0
        self._repeated = 0
        self._treatments: dict[bytes, Callable[[list[dict[str, Any]]], bytes]] = {
            b"insert": self._insert,
            b"nearDupsInsert": self._insert,
            b"get": self._get,
        }
        self._other = Canned()

    def __call__(self, method: bytes, body: bytes) -> bytes:
        """Return the whole response, head and body."""
        treat = self._treatments.get(method)
        return self._other(method, body) if treat is None else treat(orjson.loads(body)["records"])

    def _insert(self, records: list[dict[str, Any]]) -> bytes:
        self._records += len(records)
        new, old = [], []
        for record in records:
            id_ = record["_id"]
            if id_ in self.stored:
                old.append(_skipped(id_, 211, "record(s) duplicate"))
            else:
                self.stored[id_] = orjson.dumps({k: v for k, v in record.items() if k != "_base64"})
                new.append({"_id": id_})
        self._repeated += len(old)
        code, text = (210, "records inserted") if not old else (211 if new else 411, "duplicates")
        return answer(code, text, answer_records=new, skipped_records=old, answer_count=len(new))

    def _get(self, records: list[dict[str, Any]]) -> bytes:
        there = [id_ for record in records if (id_ := record["_id"]) in self.stored]
        missing = [record["_id"] for record in records if record["_id"] not in self.stored]
        return answer(
            205 if not missing else 213 if there else 404,
            answer_records=[orjson.Fragment(self.stored[id_]) for id_ in there],
            skipped_records=[_skipped(id_, 404, "record not found") for id_ in missing],
            answer_count=len(there),
        )

    def statistics(self) -> dict[str, Any]:
        """Return how many records came, are stored, and came although they were stored."""
        return {"records": self._records, "ids": len(self.stored), "repeated": self._repeated}


def _skipped(id_: str, code: int, text: str) -> Mapping[str, Any]:
    return {"_id": id_, "_reason": {"status": {"code": code, "text": text}}}
