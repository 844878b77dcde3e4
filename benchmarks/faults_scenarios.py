"""What goes wrong in the fault runs, and the records that are sent while it does.

Whether a batch meets a fault is drawn from the seed, its first id and how often it came; and what
begins in the middle begins when so many different ids were seen: so every client meets the same.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import field, frozen
from sink_answers import response
from sink_faults import BUSY, CUT, throttled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@frozen
class Met:
    """A request as a plan sees it."""

    ids: tuple[str, ...]
    """Its records' ids."""
    drawn: float
    """From 0 to 1."""
    seen: int
    """How many different ids inserts have brought so far."""
    now: float
    """Monotonic seconds."""


@frozen
class Fault:
    """What a request gets instead of its answer."""

    reply: bytes
    """The response, or `CUT` for none."""
    apply: bool = False
    """Whether it is carried out all the same."""


Plan: TypeAlias = "Callable[[Met], Fault | None]"


@frozen
class Scenario:
    """One row of the comparison."""

    title: str
    plan: Callable[[], Plan]
    """Makes a plan; a plan may remember when things began."""
    repeated: float = 0.0
    """Share of ids that come a second time, half of them soon after the first."""
    poison: int = 0
    """How many records spoil the request that they are in."""
    before: float = 0.0
    """Share of ids that are stored by somebody else before, with other fields."""

    def records(self, count: int, seed: int) -> list[dict[str, Any]]:
        """Return the records to send."""
        dice = random.Random(seed)
        ids = [str(number) for number in range(count)]
        for place in dice.sample(range(100, count), int(self.repeated * count)):
            ids[place] = str(place - (1 if place % 2 else 100))
        for place in dice.sample(range(count), self.poison):
            ids[place] = f"poison-{place}"
        return [
            {"_id": id_, "_url": f"https://shop.example/{id_}.jpg", "price": number}
            for number, id_ in enumerate(ids)
        ]

    def stored_before(self, count: int, seed: int) -> set[str]:
        """Return the ids that are there before: some here and there, and 50 in a row."""
        dice = random.Random(seed)
        some = {str(number) for number in range(count) if dice.random() < self.before}
        row = {str(number) for number in range(count // 2, count // 2 + 50)}
        return some | row if self.before else set()


def _clean() -> Plan:
    return lambda _: None


def _by_shares(shares: Mapping[Fault, float]) -> Callable[[], Plan]:
    def plan(met: Met) -> Fault | None:
        left = met.drawn
        for fault, share in shares.items():
            left -= share
            if left < 0:
                return fault
        return None

    return lambda: plan


@frozen
class _Windows:
    """A fault that holds for some seconds each time so many ids were seen."""

    fault: Fault
    seconds: float
    starts: tuple[int, ...]
    _begun: dict[int, float] = field(factory=dict, init=False)

    def __call__(self, met: Met) -> Fault | None:
        for start in self.starts:
            if met.seen > start and met.now < self._begun.setdefault(start, met.now) + self.seconds:
                return self.fault
        return None


def _poison(met: Met) -> Fault | None:
    return _REFUSED if any(id_.startswith("poison") for id_ in met.ids) else None


def _expired(met: Met) -> Fault | None:
    return _DENIED if met.seen > 2500 else None


_UNAVAILABLE = Fault(BUSY)
_RESET = Fault(CUT)
_LOST = Fault(CUT, apply=True)
_REFUSED = Fault(
    response(
        b'{"status": {"code": 400, "text": "cannot read the image"}}',
        status=400,
        reason=b"Bad Request",
    )
)
_DENIED = Fault(response(b'{"detail": "Invalid token."}', status=401, reason=b"Unauthorized"))

SCENARIOS: Mapping[str, Scenario] = {
    "clean": Scenario("nothing goes wrong", _clean),
    "busy": Scenario("5 % of requests answered 503", _by_shares({_UNAVAILABLE: 0.05})),
    "lost": Scenario("10 % carried out, answer lost", _by_shares({_LOST: 0.10})),
    "throttled": Scenario(
        "429 with Retry-After: 2, three times for 2 s",
        lambda: _Windows(Fault(throttled(2)), 2.0, (1000, 2500, 4000)),
    ),
    "reset": Scenario("5 % of connections cut before", _by_shares({_RESET: 0.05})),
    "outage": Scenario("3 s without any answer", lambda: _Windows(_RESET, 3.0, (1500,))),
    "poison": Scenario("5 records that spoil their request (400)", lambda: _poison, poison=5),
    "denied": Scenario("401 from the middle on", lambda: _expired),
    "repeated": Scenario("10 % of ids twice in the input", _clean, repeated=0.10),
    "before": Scenario("5 % there before, some in whole batches", _clean, before=0.05),
    "all": Scenario(
        "5 % there before, 5 % 503, 10 % answers lost",
        _by_shares({_UNAVAILABLE: 0.05, _LOST: 0.10}),
        before=0.05,
    ),
}
