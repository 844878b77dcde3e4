"""What the sink does to a share of the requests instead of answering them well."""

from __future__ import annotations

import random
import time
from collections import Counter, deque
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias

from attrs import frozen
from sink_answers import response

if TYPE_CHECKING:
    from sink_answers import Answers

Reply: TypeAlias = tuple[bytes, float]
"""The bytes to send, or `CUT`; and seconds to wait before."""

CUT = b""
BUSY = response(b'{"status": 503}', status=503, reason=b"Service Unavailable")


class Fault(StrEnum):
    """What can become of a request."""

    THROTTLED = "throttled"
    """429 with a hint when to come again; nothing is done."""
    UNAVAILABLE = "unavailable"
    """503; nothing is done."""
    RESET = "reset"
    """The connection is cut; nothing is done."""
    LOST = "lost"
    """The request is carried out, and the connection cut instead of an answer."""


@frozen(kw_only=True)
class Behaviour:
    """How the sink behaves; times are in seconds, shares from 0 to 1 of all requests."""

    latency: float = 0.0
    """Time until each answer."""
    slow: float = 0.0
    """Share of answers that take `slow_latency` instead."""
    slow_latency: float = 0.5
    """Time until a slow answer."""
    throttled: float = 0.0
    """Share of requests answered 429."""
    retry_after: float = 1.0
    """What a 429 asks for: whole seconds as `Retry-After`, others as `retry-after-ms`."""
    unavailable: float = 0.0
    """Share of requests answered 503."""
    reset: float = 0.0
    """Share of requests that are not treated and whose connection is cut."""
    lost: float = 0.0
    """Share of requests that are carried out and whose connection is cut."""
    seed: int = 0
    """What the shares are drawn with."""
    remember: bool = False
    """Whether records are kept, so that repeated ids are refused and `get` gives them back."""
    count: bool = False
    """Whether to count ids that come again, without keeping their records."""
    busiest: bool = False
    """Whether to tell the most requests that came within a second since this was last asked."""


class Service(Protocol):
    """What stands behind the sink's connections."""

    def reply(self, method: bytes, body: bytes) -> Reply:
        """Treat a request."""
        ...

    def statistics(self) -> dict[str, object]:
        """Return what was seen, as JSON values."""
        ...


class Window:
    """Counts the most requests that came within any second."""

    def __init__(self) -> None:
        self._came: deque[float] = deque()
        self._most = 0

    def add(self, now: float) -> None:
        """Note that a request came, by a clock in seconds."""
        came = self._came
        came.append(now)
        while came[0] <= now - 1.0:
            came.popleft()
        self._most = max(self._most, len(came))

    def take(self) -> int:
        """Return the most so far and begin anew."""
        most, self._most = self._most, 0
        self._came.clear()
        return most


class Shares:
    """A service that treats requests by shares, drawn in the order in which they arrive.

    Args:
        answers: What good requests get.
        behaviour: The shares.
    """

    def __init__(self, answers: Answers, behaviour: Behaviour) -> None:
        self._answers = answers
        self._behaviour = behaviour
        self._random = random.Random(behaviour.seed)
        self._shares = {fault: getattr(behaviour, fault.value) for fault in Fault}
        self._bad = sum(self._shares.values())
        self._requests = 0
        self._faults: Counter[Fault] = Counter()
        self._window = Window() if behaviour.busiest else None

    def reply(self, method: bytes, body: bytes) -> Reply:
        """Treat a request."""
        self._requests += 1
        if self._window is not None:
            self._window.add(time.monotonic())
        if self._bad and self._random.random() < self._bad:
            return self._fail(method, body), self._delay()
        return self._answers(method, body), self._delay()

    def _fail(self, method: bytes, body: bytes) -> bytes:
        (fault,) = self._random.choices(list(self._shares), list(self._shares.values()))
        self._faults[fault] += 1
        if fault is Fault.THROTTLED:
            return throttled(self._behaviour.retry_after)
        if fault is Fault.UNAVAILABLE:
            return BUSY
        if fault is Fault.LOST:
            self._answers(method, body)
        return CUT

    def _delay(self) -> float:
        behaviour = self._behaviour
        slow = behaviour.slow and self._random.random() < behaviour.slow
        return behaviour.slow_latency if slow else behaviour.latency

    def statistics(self) -> dict[str, object]:
        """Return what was seen, as JSON values."""
        faults = {fault.value: number for fault, number in self._faults.items()}
        told = {"requests": self._requests, "faults": faults, **self._answers.statistics()}
        return told if self._window is None else {**told, "busiest": self._window.take()}


def throttled(seconds: float) -> bytes:
    """Return a 429 that asks to wait for so many seconds."""
    whole = float(seconds).is_integer()
    hint = f"Retry-After: {seconds:.0f}" if whole else f"retry-after-ms: {seconds * 1000:.0f}"
    body = b'{"status": {"code": 429, "text": "too many requests"}}'
    head = f"{hint}\r\n".encode()
    return response(body, status=429, reason=b"Too Many Requests", head=head)
