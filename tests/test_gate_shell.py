"""The gate's line and ledger, in virtual time: changing limits, cancellation, what is told."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from fakes import TOKEN, ScriptedTransport, answer, clock, in_virtual_time, refusal

from ximilar_async._concurrency import Signal
from ximilar_async._config import Config, Limits, Retry, make_target
from ximilar_async._endpoints import PING
from ximilar_async._gate import Gate
from ximilar_async._protocol import Response
from ximilar_async._session import Session
from ximilar_async.errors import (
    AnswerError,
    ConnectError,
    DisconnectedError,
    ProtocolError,
    TimedOutError,
    TLSError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ximilar_async._protocol import Request

ONE = Limits(concurrency=1)
PONG = answer()


def make_gate(limits: Limits) -> Gate:
    return Gate(limits, clock=asyncio.get_running_loop().time, sleep=asyncio.sleep)


async def request(gate: Gate, seconds: float = 0.0, signal: Signal = Signal.ANSWERED) -> float:
    """Pass the gate, stay for so long, and return when it opened."""
    await gate.enter()
    started = clock()
    try:
        await asyncio.sleep(seconds)
    finally:
        gate.leave(started, clock(), signal)
    return started


async def settle() -> None:
    """Give every task its turn, without time passing to speak of."""
    for _ in range(5):
        await asyncio.sleep(0)


def tasks(count: int, gate: Gate, seconds: float = 0.0) -> list[asyncio.Task[float]]:
    return [asyncio.create_task(request(gate, seconds)) for _ in range(count)]


# --- a limit that changes -----------------------------------------------------------------------


def test_a_cut_lets_nobody_in_until_there_is_room() -> None:
    """When the limit falls, nobody is called back, and those who wait do so until others left."""

    async def main() -> list[tuple[int, int, int]]:
        gate = make_gate(Limits())
        for _ in range(4):
            assert gate.enter_now()
        waiting = tasks(3, gate, 60.0)
        seen = []
        for signal in (Signal.PUSHED_BACK, Signal.NEUTRAL, Signal.NEUTRAL):
            await settle()
            gate.leave(clock() - 1, clock(), signal)
            await settle()
            now = gate.statistics()
            seen.append((now.limit, now.under_way, now.waiting))
        for task in waiting:
            task.cancel()
        return seen

    assert in_virtual_time(main()) == [(3, 3, 3), (3, 3, 2), (3, 3, 1)]


def test_growth_lets_in_who_waits() -> None:
    """When the limit rises, those who wait fill it at once: room never stays unused."""

    async def main() -> None:
        gate = make_gate(Limits())
        waiting = tasks(200, gate, 1.0)
        seen = set()
        while not all(task.done() for task in waiting):
            await asyncio.sleep(0.25)
            now = gate.statistics()
            assert now.under_way == min(now.limit, now.under_way + now.waiting)
            seen.add(now.limit)
        assert min(seen) == 4
        assert max(seen) > 12

    in_virtual_time(main())


def test_a_fixed_limit_stays_as_told() -> None:
    """Whatever the service says, a number given by the user is the number that is used."""

    async def main() -> tuple[int, int]:
        gate = make_gate(Limits(concurrency=7))
        signals = [Signal.PUSHED_BACK, Signal.ANSWERED] * 100
        requests = [asyncio.create_task(request(gate, 1.0, signal)) for signal in signals]
        await asyncio.sleep(20.5)
        now = gate.statistics()
        await asyncio.gather(*requests)
        return now.limit, now.under_way

    assert in_virtual_time(main()) == (7, 7)


def test_a_limit_cut_during_a_hold_counts_when_the_gate_opens() -> None:
    """Those who wait out a hold have no slot yet: only as many pass as may by then, and none
    before, though slots get free.
    """

    async def main() -> tuple[int, int]:
        gate = make_gate(Limits())
        assert gate.enter_now()
        gate.hold(10)
        waiting = tasks(8, gate, 5.0)
        await asyncio.sleep(1)
        gate.leave(clock() - 1, clock(), Signal.PUSHED_BACK)
        await asyncio.sleep(8.5)
        before = gate.statistics().under_way
        await asyncio.sleep(1)
        after_it = gate.statistics().under_way
        await asyncio.gather(*waiting)
        return before, after_it

    assert in_virtual_time(main()) == (0, 3)


def test_waiting_for_the_rate_is_not_being_under_way() -> None:
    """With few requests a second the limit is never reached, so nothing is learned about it."""

    async def main() -> tuple[int, int]:
        gate = make_gate(Limits(rate=2))
        requests = tasks(40, gate, 0.9)
        await asyncio.sleep(10.25)
        most = gate.statistics().under_way
        await asyncio.gather(*requests)
        return gate.statistics().limit, most

    assert in_virtual_time(main()) == (4, 2)


# --- the line -----------------------------------------------------------------------------------


def test_nobody_overtakes() -> None:
    """Requests pass in the order they came, over holds too; who comes as it opens is the last."""

    async def main() -> list[int]:
        gate = make_gate(Limits(concurrency=2))
        order: list[int] = []

        async def numbered(number: int, delay: float) -> None:
            await asyncio.sleep(delay)
            await gate.enter()
            order.append(number)
            await asyncio.sleep(0.5)
            gate.leave(0.0, 0.5, Signal.ANSWERED)

        requests = [asyncio.create_task(numbered(n, 0.001 * n)) for n in range(20)]
        late = asyncio.create_task(numbered(20, 11.0))
        await asyncio.sleep(1)
        gate.hold(10)
        await asyncio.gather(*requests, late)
        return order

    assert in_virtual_time(main()) == list(range(21))


def test_a_slot_given_to_a_cancelled_request_goes_to_the_next() -> None:
    """Let in and cancelled in one turn of the loop: the slot is passed on, not lost."""

    async def main() -> bool:
        gate = make_gate(ONE)
        assert gate.enter_now()
        first, second = tasks(2, gate)
        await settle()
        gate.leave(0.0, 1.0, Signal.ANSWERED)
        first.cancel()
        await asyncio.wait_for(second, 1)
        return first.cancelled() and gate.enter_now()

    assert in_virtual_time(main())


def test_a_request_cancelled_just_before_is_passed_over() -> None:
    """Cancelled, its task not yet told, and the slot given in that same turn: the next has it."""

    async def main() -> bool:
        gate = make_gate(ONE)
        assert gate.enter_now()
        first, second = tasks(2, gate)
        await settle()
        first.cancel()
        gate.leave(0.0, 1.0, Signal.ANSWERED)
        await asyncio.wait_for(second, 1)
        return first.cancelled() and gate.enter_now()

    assert in_virtual_time(main())


def test_a_request_cancelled_while_it_waits_for_the_rate_keeps_nothing() -> None:
    """It has a slot by then; others get it."""

    async def main() -> int:
        gate = make_gate(Limits(concurrency=2, rate=0.1))
        first, second, third = tasks(3, gate, 1.0)
        await asyncio.sleep(5)
        second.cancel()
        await settle()
        now = gate.statistics()
        await asyncio.gather(first, third)
        return now.waiting

    assert in_virtual_time(main()) == 1


def test_a_coroutine_that_is_closed_leaves_the_line() -> None:
    """Also who is thrown away without being cancelled keeps neither place nor slot."""

    async def main() -> int:
        gate = make_gate(ONE)
        assert gate.enter_now()
        entering = gate.enter()
        entering.send(None)
        entering.close()
        gate.leave(0.0, 1.0, Signal.ANSWERED)
        assert gate.enter_now()
        return gate.statistics().waiting

    assert in_virtual_time(main()) == 0


@pytest.mark.parametrize("limits", [Limits(), Limits(concurrency=3), Limits(rate=5)], ids=str)
@pytest.mark.parametrize("seed", range(8))
def test_no_chaos_loses_a_slot_or_a_request(limits: Limits, seed: int) -> None:
    """With cancellations, holds and failures at any moment everybody gets through or is cancelled;
    in the end nothing is taken, nobody waits, no task is left and all slots can be had.
    """

    async def main() -> None:
        chance = Random(seed)
        gate = make_gate(limits)
        requests = [
            asyncio.create_task(request(gate, chance.random(), chance.choice(list(Signal))))
            for _ in range(300)
        ]
        while not all(task.done() for task in requests):
            await asyncio.sleep(chance.choice([0.0, 0.01, 0.3]))
            chance.choice(requests).cancel()
            if chance.random() < 0.1:
                gate.hold(chance.random() * 3)
            now = gate.statistics()
            assert 0 <= now.under_way <= 32
        await settle()
        assert len(asyncio.all_tasks()) == 1
        now = gate.statistics()
        assert (now.under_way, now.waiting) == (0, 0)
        await asyncio.sleep(now.held_for)
        await asyncio.wait_for(asyncio.gather(*(gate.enter() for _ in range(now.limit))), 5)

    in_virtual_time(main())


def test_a_hold_leaves_nothing_behind_when_nobody_waits_any_more() -> None:
    """What would have let them in after the hold ends with the last of them."""

    async def main() -> int:
        gate = make_gate(ONE)
        gate.hold(3600)
        waiting = tasks(3, gate)
        await asyncio.sleep(1)
        for task in waiting:
            task.cancel()
        await settle()
        return len(asyncio.all_tasks())

    assert in_virtual_time(main()) == 1


# --- what has been waited for -------------------------------------------------------------------


def test_waiting_is_told_apart_by_what_for() -> None:
    """Seconds for slots, for the rate and for holds add up, those of who still waits included."""

    async def main() -> list[tuple[float, float, float]]:
        gate = make_gate(ONE)
        paced = make_gate(Limits(concurrency=9, rate=1))
        told = []

        def tell(told_by: Gate) -> None:
            now = told_by.statistics()
            told.append((now.waited_for_slot, now.waited_for_rate, now.waited_for_hold))

        requests = tasks(3, gate, 2.0)
        await asyncio.sleep(1)
        tell(gate)  # two have waited for one second
        await asyncio.gather(*requests)
        tell(gate)  # 2 and 4 s
        gate.hold(5)
        requests = tasks(2, gate, 2.0)
        await asyncio.gather(*requests)
        tell(gate)  # 5 s each, and 2 more for the second
        await asyncio.gather(*tasks(4, paced))
        tell(paced)  # 0, 1, 2 and 3 s
        return told

    told = in_virtual_time(main())
    expected = [(2, 0, 0), (6, 0, 0), (8, 0, 10), (0, 6, 0)]
    assert [seconds for row in told for seconds in row] == pytest.approx(
        [seconds for row in expected for seconds in row], abs=0.01
    )


def test_a_hold_in_the_midst_of_waiting_is_told_as_such() -> None:
    """While the gate is held, who waits for a slot or the rate waits for the hold's end."""

    async def main() -> Any:
        gate = make_gate(ONE)
        requests = tasks(2, gate, 10.0)
        await asyncio.sleep(2)
        gate.hold(3)
        assert gate.statistics().held_for == pytest.approx(3, abs=0.01)
        await asyncio.sleep(4)
        now = gate.statistics()
        assert now.held_for == 0
        for task in requests:
            task.cancel()
        return now.held, now.waited_for_slot, now.waited_for_hold

    assert in_virtual_time(main()) == pytest.approx((3, 3, 3), abs=0.01)


def test_what_happens_now_is_told() -> None:
    """Limit, requests under way and requests that wait, whether for a slot or for the rate."""

    async def main() -> tuple[int, int, int]:
        gate = make_gate(Limits(concurrency=5, rate=1))
        requests = tasks(9, gate, 60.0)
        await asyncio.sleep(2.5)
        now = gate.statistics()
        for task in requests:
            task.cancel()
        return now.limit, now.under_way, now.waiting

    assert in_virtual_time(main()) == (5, 3, 6)


# --- what a session tells its gate --------------------------------------------------------------

ONCE = Retry(attempts=1)


def call(session: Session, retry: Retry = ONCE) -> Awaitable[Any]:
    return session.call(PING, make_target("c", "photos"), retry=retry)


def make_session(transport: ScriptedTransport, limits: Limits) -> Session:
    config = Config(token=TOKEN, limits=limits)
    return Session(config, transport, asyncio.get_running_loop().time, asyncio.sleep)


def after(seconds: float, step: Response) -> Callable[[Request], Awaitable[Response]]:
    async def wait(_: Request) -> Response:
        await asyncio.sleep(seconds)
        return step

    return wait


def limit_after(step: Any) -> int:
    """Return the limit after an attempt that met this, of four at first."""

    async def main() -> int:
        session = make_session(ScriptedTransport([step]), Limits())
        await asyncio.gather(call(session), return_exceptions=True)
        return session.statistics().limit

    return in_virtual_time(main())


@pytest.mark.parametrize(
    "step",
    [
        refusal(429),
        refusal(502),
        refusal(503),
        refusal(503, retry_after="1"),
        refusal(504),
        answer(429, "too many requests"),
        answer(503, "try again later"),
        ConnectError("refused"),
        TimedOutError("no answer in time"),
        DisconnectedError("reset"),
        TimeoutError("of a transport of the user's own"),
    ],
    ids=str,
)
def test_what_pushes_back_lowers_the_limit(step: Any) -> None:
    """429, 502, 503, 504, time-outs and connection failures say: less at once."""
    assert limit_after(step) == 3


@pytest.mark.parametrize(
    "step",
    [
        PONG,
        *(refusal(status) for status in (400, 401, 402, 403, 404, 412, 413, 422, 500, 501, 302)),
        Response(200, {}, b"<html>"),
        TLSError("certificate"),
        ProtocolError("garbage"),
        AnswerError("nonsense"),
        RuntimeError("a defect"),
    ],
    ids=str,
)
def test_what_says_nothing_about_load_changes_nothing(step: Any) -> None:
    """Answers, refusals for the content, and defects of a single request leave the limit alone."""
    assert limit_after(step) == 4


def test_a_cancelled_call_gives_its_slot_back_and_changes_nothing() -> None:
    """Whoever loses patience tells nothing about the service."""

    async def main() -> tuple[int, int]:
        session = make_session(ScriptedTransport(then=after(60, PONG)), Limits())
        calls = [asyncio.ensure_future(call(session)) for _ in range(9)]
        await asyncio.sleep(1)
        for one in calls:
            one.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        now = session.statistics()
        return now.limit, now.under_way

    assert in_virtual_time(main()) == (4, 0)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("attempts", [1, 4])
def test_a_hint_holds_the_next_in_line(status: int, attempts: int) -> None:
    """Who waits for the slot of a refused request waits for its Retry-After too, whether or not
    the refused one is sent again.
    """

    async def main() -> list[float]:
        sent: list[float] = []

        def step(_: Request) -> Response:
            sent.append(clock())
            return refusal(status, retry_after="30") if len(sent) == 1 else PONG

        session = make_session(ScriptedTransport(then=step), ONE)
        retry = Retry(attempts=attempts)
        calls = (call(session, retry) for _ in range(3))
        await asyncio.gather(*calls, return_exceptions=True)
        return [moment - sent[0] for moment in sent]

    sent = in_virtual_time(main())
    assert len(sent) == (3 if attempts == 1 else 4)
    assert sent[1] == pytest.approx(30, abs=0.01)


def test_a_hint_too_long_to_wait_for_holds_nobody() -> None:
    """A hint beyond the call's `longest_hint` ends that call and leaves the others alone."""

    async def main() -> tuple[float, float]:
        session = make_session(ScriptedTransport([refusal(429, retry_after="121")], PONG), ONE)
        start = clock()
        await asyncio.gather(call(session), call(session), return_exceptions=True)
        return clock() - start, session.statistics().held_for

    assert in_virtual_time(main()) == (pytest.approx(0, abs=0.01), 0)
