"""A service in a few lines that keeps records by `_id` and misbehaves as it is told to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from ximilar_async._protocol import Response
from ximilar_async.errors import TimedOutError, XimilarError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ximilar_async._protocol import Request

Fault = Response | XimilarError
"""What a request gets instead of its answer."""


def answer(code: int, text: str = "OK", *, http: int = 200, **fields: Any) -> Response:
    """Return an answer by the documents."""
    envelope = {"status": {"code": code, "text": text}, "statistics": {"OperationTime": 1}}
    return Response(http, {}, orjson.dumps({**envelope, **fields}))


class ScriptedService:
    """A transport that stores inserted records, counts requests and applies a script of faults.

    Args:
        script: Called with each request's method and body before it is treated; what it returns
            takes the place of the answer.
        apply_first: Whether the request is treated all the same when the script returns a fault.
        delay: Seconds that each answer takes.
    """

    def __init__(
        self,
        script: Callable[[str, dict[str, Any]], Fault | None] | None = None,
        *,
        apply_first: bool = False,
        delay: float = 0.0,
    ) -> None:
        self.stored: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.under_way = 0
        self.most_under_way = 0
        self._treatments: dict[str, Callable[[dict[str, Any]], Response]] = {
            "ping": lambda _: answer(200),
            "insert": self._insert,
            "nearDupsInsert": self._insert,
            "get": self._get,
            "update": self._update,
            "delete": self._delete,
        }
        self._script = script
        self._apply_first = apply_first
        self._delay = delay

    def sent(self, method: str) -> list[dict[str, Any]]:
        """Return the bodies of the requests to a method."""
        return [body for name, body in self.requests if name == method]

    async def send(self, request: Request) -> Response:
        method = request.url.split("?")[0].rsplit("/", 1)[1]
        body = orjson.loads(request.body) if request.body else {}
        self.requests.append((method, body))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await asyncio.sleep(self._delay)
            return self._treat(method, body)
        finally:
            self.under_way -= 1

    async def aclose(self) -> None:
        """Hold nothing."""

    def _treat(self, method: str, body: dict[str, Any]) -> Response:
        fault = self._script(method, body) if self._script else None
        if fault is None or self._apply_first:
            good = self._treatments[method](body)
        if fault is None:
            return good
        if isinstance(fault, XimilarError):
            raise fault
        return fault

    def _insert(self, body: Mapping[str, Any]) -> Response:
        new = [record for record in body["records"] if record["_id"] not in self.stored]
        old = [record for record in body["records"] if record["_id"] in self.stored]
        self.stored |= {
            record["_id"]: {k: v for k, v in record.items() if k != "_base64"} for record in new
        }
        code = 210 if not old else 211 if new else 411
        reason = {"status": {"code": 211, "text": "record(s) duplicate"}}
        return answer(
            code,
            answer_records=[{"_id": record["_id"]} for record in new],
            skipped_records=[{"_id": record["_id"], "_reason": reason} for record in old],
            answer_count=len(new),
        )

    def _get(self, body: Mapping[str, Any]) -> Response:
        return self._by_id(body, lambda record: self.stored[record["_id"]])

    def _update(self, body: Mapping[str, Any]) -> Response:
        def change(record: dict[str, Any]) -> dict[str, Any]:
            self.stored[record["_id"]].update(record)
            return {"_id": record["_id"]}

        return self._by_id(body, change)

    def _delete(self, body: Mapping[str, Any]) -> Response:
        def remove(record: dict[str, Any]) -> dict[str, Any]:
            del self.stored[record["_id"]]
            return {"_id": record["_id"]}

        return self._by_id(body, remove)

    def _by_id(
        self, body: Mapping[str, Any], treat: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> Response:
        there = [record for record in body["records"] if record["_id"] in self.stored]
        missing = [record for record in body["records"] if record["_id"] not in self.stored]
        reason = {"status": {"code": 404, "text": "records not found"}}
        return answer(
            205 if not missing else 213 if there else 404,
            answer_records=[treat(record) for record in there],
            skipped_records=[{"_id": record["_id"], "_reason": reason} for record in missing],
            answer_count=len(there),
        )


def lost() -> XimilarError:
    """Return the error of a request whose answer never came."""
    return TimedOutError("localhost: no answer in time")
