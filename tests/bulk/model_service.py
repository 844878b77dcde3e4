"""The service of the run model: it keeps what is true, and fails in every way that it can."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import define, field

from ximilar_async._protocol import Response
from ximilar_async.errors import ConnectError, DisconnectedError, TimedOutError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random

    from ximilar_async._protocol import Request

FAULTS: Final[Mapping[str, str]] = {
    "lost": "applied, and the answer never comes",
    "dropped": "not applied, and no answer comes",
    "late": "no answer comes, and it is applied seconds later",
    "half": "applied to some of its records, then 500",
    "wrong": "applied, then 500 or 503",
    "busy": "not applied, 500, 502 or 503",
    "throttled": "429, with a hint or without, or 503 with a hint",
    "refused": "it never leaves",
    "garbled": "applied, and the answer is no JSON of the documents",
    "silent": "applied, and the answer leaves records out",
    "hanging": "applied, and nothing ever comes, no time-out either",
    "patient": "503 with a hint of minutes",
}

LATENCIES: Final = (0.0, 0.01, 0.05, 0.05, 0.1, 0.4)
LATEST: Final = 3.0
"""Longest time, in seconds, after which a request is applied that nobody waits for any more."""


@define(eq=False)
class Truth:
    """What the collection holds, and who brought it there."""

    stored: dict[str, dict[str, Any]]
    capacity: int | None = None
    inserted: set[str] = field(factory=set, init=False)
    """Ids of records that a request of ours stored."""
    strays: set[str] = field(factory=set, init=False)
    """Ids of requests that may be applied when nobody waits for them any more."""

    def apply(self, method: str, records: Sequence[dict[str, Any]]) -> dict[str, int]:
        """Treat a request; return the code for each `_id`: 210 is what was wanted."""
        change = {
            "insert": self._insert,
            "nearDupsInsert": self._insert_unless_near,
            "update": self._update,
            "delete": self._delete,
        }[method]
        return {record["_id"]: change(record["_id"], record) for record in records}

    def near(self, record: Mapping[str, Any]) -> list[str]:
        """Return the ids of stored records with the same image."""
        return [id_ for id_, other in self.stored.items() if other["_url"] == record["_url"]]

    def _insert(self, id_: str, record: dict[str, Any]) -> int:
        if id_ in self.stored:
            return 211
        if self.capacity is not None and len(self.stored) >= self.capacity:
            return 412
        self.stored[id_] = record
        self.inserted.add(id_)
        return 210

    def _insert_unless_near(self, id_: str, record: dict[str, Any]) -> int:
        return 211 if self.near(record) else self._insert(id_, record)

    def _update(self, id_: str, record: dict[str, Any]) -> int:
        if id_ not in self.stored:
            return 404
        self.stored[id_] = {**self.stored[id_], **record}
        return 210

    def _delete(self, id_: str, record: dict[str, Any]) -> int:
        if self.stored.pop(id_, None) is None:
            return 404
        return 210


@define(eq=False)
class Line:
    """The transport of one process, over which it speaks to the collection.

    Args:
        truth: The collection.
        dice: Source of chance.
        weather: How often a request meets each of the faults, in parts of one.
        poison: For whose sake a whole request is refused, and with which status.
        locked_from: Number of the request from which on all are answered 401.
        on_request: Called with each request's number as it arrives.
    """

    truth: Truth
    dice: Random
    weather: Mapping[str, float]
    poison: Mapping[str, int]
    locked_from: int | None
    on_request: Callable[[int], object]
    requests: int = field(default=0, init=False)
    sent: list[dict[str, Any]] = field(factory=list, init=False)
    """Every record that arrived in a request to write."""
    cut: bool = field(default=False, init=False)
    """Whether the process is no more: nothing it does arrives."""

    async def send(self, request: Request) -> Response:
        if self.cut:
            await asyncio.Event().wait()
        self.requests += 1
        self.on_request(self.requests)
        method = request.url.rsplit("/", 1)[1]
        records = orjson.loads(request.body)["records"] if request.body else []
        fault = self._fault()
        if fault == "refused":
            raise ConnectError("localhost: connection refused")
        writes = method not in ("get", "ping")
        self.sent += records if writes else []
        fate = self._fate()  # drawn here, for tasks are not cancelled in an order of their own
        try:
            await self._travel()
        except asyncio.CancelledError:
            if writes and fate is not None:
                self._apply_in(fate, method, records)
            raise
        try:
            return self._respond(method, records, fault)
        finally:
            if fault == "hanging" and writes:
                await asyncio.Event().wait()
            await self._travel()

    async def _travel(self) -> None:
        await asyncio.sleep(self.dice.choice(LATENCIES))

    async def aclose(self) -> None:
        """Hold nothing."""

    def _fault(self) -> str:
        roll = self.dice.random()
        for name, chance in self.weather.items():
            roll -= chance
            if roll < 0:
                return name
        return ""

    def _fate(self) -> float | None:
        """Draw when the request is applied if nobody waits for it: at once, later or never."""
        at_once = self.requests * 1e-7
        return self.dice.choice([at_once, self.dice.uniform(0.01, LATEST), None])

    def _apply_in(self, seconds: float, method: str, records: Sequence[dict[str, Any]]) -> None:
        if seconds >= 0.01:
            self.truth.strays.update(record["_id"] for record in records)
        asyncio.get_running_loop().call_later(seconds, self.truth.apply, method, records)

    # --- answers --------------------------------------------------------------------------------

    def _respond(self, method: str, records: list[dict[str, Any]], fault: str) -> Response:
        if self.locked_from is not None and self.requests >= self.locked_from:
            return Response(401, {}, b'{"detail": "Invalid token."}')
        if fault in ("throttled", "patient"):
            return self._throttled(fault)
        if method == "get":
            return self._get(records, fault)
        if method == "ping":
            return self._answer({}, {}, fault)
        return self._write(method, records, fault)

    def _write(self, method: str, records: list[dict[str, Any]], fault: str) -> Response:
        status = next((self.poison[r["_id"]] for r in records if r["_id"] in self.poison), None)
        if status is not None:
            return Response(status, {}, orjson.dumps({"status": {"code": status, "text": "no"}}))
        if fault == "late":
            self._apply_in(self.dice.uniform(0.01, LATEST), method, records)
        elif fault == "half":
            part = self.dice.sample(records, self.dice.randint(0, len(records)))
            self.truth.apply(method, part)
        if fault in ("late", "half", "busy", "dropped"):
            return self._failure(fault)
        codes = self.truth.apply(method, records)
        near = {r["_id"]: self.truth.near(r) for r in records if method == "nearDupsInsert"}
        return self._answer(codes, {}, fault, near)

    def _get(self, records: list[dict[str, Any]], fault: str) -> Response:
        there = {r["_id"]: self.truth.stored.get(r["_id"]) for r in records}
        codes = {id_: 404 if record is None else 210 for id_, record in there.items()}
        return self._answer(codes, there, fault)

    def _answer(
        self,
        codes: dict[str, int],
        full: Mapping[str, Any],
        fault: str,
        near: Mapping[str, list[str]] | None = None,
    ) -> Response:
        """Return the answer by the documents, or what the fault makes of it."""
        if fault in ("lost", "dropped", "late", "half", "wrong", "busy"):
            return self._failure(fault)
        ids = self.dice.sample(list(codes), len(codes))
        done = [full.get(id_) or {"_id": id_} for id_ in ids if codes[id_] == 210]
        skipped = [self._skip(id_, codes[id_], near or {}) for id_ in ids if codes[id_] != 210]
        code = _code(set(codes.values()))
        if code == 411 and near and not near.keys() <= self.truth.stored.keys():
            code = 211  # 411 is about ids
        if fault == "silent":
            done = self.dice.sample(done, self.dice.randint(0, len(done)))
            skipped = self.dice.sample(skipped, self.dice.randint(0, len(skipped)))
        answer: dict[str, Any] = {"status": {"code": code, "text": "words"}}
        of_all = len(set(codes.values())) == 1 and code in (404, 411, 412) and not near
        brief = (of_all and self.dice.random() < 0.5) or (
            fault == "silent" and self.dice.random() < 0.2
        )
        if not brief:
            answer |= {"answer_records": done, "skipped_records": skipped}
            answer["answer_count"] = len(done)
        body = orjson.dumps(answer)
        if fault == "garbled":
            body = self.dice.choice([b"", body[: len(body) // 2], b"<html>502</html>", b"[]", b"7"])
        told_by_http = code >= 400 and fault != "garbled" and self.dice.random() < 0.5
        return Response(code if told_by_http else 200, {}, body)

    def _skip(self, id_: str, code: int, near: Mapping[str, list[str]]) -> dict[str, Any]:
        reason: dict[str, Any] = {"status": {"code": code, "text": "why"}}
        plain = id_ in near.get(id_, []) and self.dice.random() < 0.5
        if code == 211 and near.get(id_) and not plain:
            reason["answer_records"] = [{"_id": other} for other in near[id_]]
            reason["answer_distances"] = [0.0] * len(near[id_])
        return {"_id": id_, "_reason": reason}

    def _failure(self, fault: str) -> Response:
        if fault in ("wrong", "half", "busy"):
            return Response(self.dice.choice([500, 502, 503]), {}, b'{"status": 503}')
        raise self.dice.choice([TimedOutError, DisconnectedError])("localhost: no answer")

    def _throttled(self, fault: str) -> Response:
        if fault == "patient":
            return Response(503, {"retry-after": self.dice.choice(["100", "700"])})
        hint = {"retry-after": str(self.dice.randint(1, 3))}
        status, headers = self.dice.choice([(429, hint), (429, {}), (503, hint)])
        return Response(status, headers, b'{"detail": "slow down"}')


def _code(codes: set[int]) -> int:
    """Return the code of an answer whose records have these."""
    for one in (412, 404):
        if one in codes:
            return one if len(codes) == 1 or one == 412 else 213
    return {frozenset({210}): 210, frozenset({211}): 411}.get(frozenset(codes), 211)
