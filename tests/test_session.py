"""One call, politely: retries, holds, deadlines, budget and tokens, in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import traceback
from math import inf
from typing import TYPE_CHECKING, Any

import backoff
import orjson
import pytest
from attrs import frozen
from fakes import (
    CLOSE,
    PONG,
    TOKEN,
    RawServer,
    ScriptedTransport,
    answer,
    chain,
    clock,
    in_virtual_time,
    refusal,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from ximilar_async._config import Config, Limits, Retry, Timeout, make_target
from ximilar_async._endpoints import ACCOUNT, FIND, GET_RECORD_COUNT, INSERT
from ximilar_async._protocol import Response
from ximilar_async._retry import Trace
from ximilar_async._session import Session
from ximilar_async._transport import AiohttpTransport
from ximilar_async.errors import (
    AnswerError,
    AnswerTooLargeError,
    AuthError,
    BadRequestError,
    CapacityError,
    ConfigError,
    ConnectError,
    DisconnectedError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    RecordError,
    ServerError,
    TimedOutError,
    TLSError,
    TransportError,
    XimilarError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from fakes import (
        Step,
    )

    from ximilar_async._config import TokenProvider
    from ximilar_async._protocol import Request
    from ximilar_async._transport import Transport

SHOES = make_target("shoes-id", "fashion")
BUSY = refusal(503)
COUNT = answer(answer_count=5)
LIMIT = refusal(429)


def whole(ceiling: float) -> float:
    return ceiling


def nothing(_: float) -> float:
    return 0.0


def make_session(
    transport: Transport,
    token: str | TokenProvider = TOKEN,
    *,
    retry: Retry = Retry(),  # noqa: B008 - frozen
    limits: Limits = Limits(),  # noqa: B008 - frozen
    jitter: Callable[[float], float] = whole,
) -> Session:
    config = Config(token=token, retry=retry, limits=limits)
    return Session(config, transport, clock=clock, jitter=jitter)


async def count(session: Session, **options: Any) -> int | None:
    return (await session.call(GET_RECORD_COUNT, SHOES, **options)).count


@frozen
class Run:
    """What one call did."""

    result: Any
    """Its answer's count, or its error."""
    requests: int
    took: float
    """Seconds."""
    trace: Trace


def run_call(*script: Step, then: Step | None = None, **settings: Any) -> Run:
    """Make one call against a script, in virtual time."""

    async def main() -> Run:
        transport = ScriptedTransport([*script], then)
        session, trace, start = make_session(transport, **settings), Trace(), clock()
        try:
            result: Any = await count(session, trace=trace)
        except XimilarError as error:
            result = error
        return Run(result, len(transport.requests), clock() - start, trace)

    return in_virtual_time(main())


def after(seconds: float, step: Response | XimilarError = COUNT) -> Step:
    """Return a step that takes its time."""

    async def slowly(_: Request) -> Response:
        await asyncio.sleep(seconds)
        if isinstance(step, XimilarError):
            raise step
        return step

    return slowly


DOUBT = "it may have been applied: look up what is stored before you send it again"


def about(seconds: float) -> Any:
    return pytest.approx(seconds, abs=0.01)


# --- what is sent again -------------------------------------------------------------------------


def test_a_good_answer_takes_one_request_and_no_time() -> None:
    """Nothing stands between a call and its answer."""
    run = run_call(COUNT)
    assert (run.result, run.requests, run.took) == (5, 1, about(0))
    assert (run.trace.requests, run.trace.retries, run.trace.doubtful) == (1, 0, False)


PASSING: dict[str, Step] = {
    "refused": ConnectError("refused"),
    "closed": DisconnectedError("closed"),
    "cut": ProtocolError("cut"),
    "timed out": TimedOutError("no answer"),
    "other": TransportError("other"),
    "500": refusal(500),
    "502 with a page": refusal(502, b"<html>Bad Gateway</html>"),
    "503": BUSY,
    "503 in the body": answer(503),
    "408": refusal(408),
    "425 in the body": answer(425),
    "429": LIMIT,
    "page with 200": refusal(200, b"<html>Log in</html>"),
    "nothing with 200": refusal(200),
    "reset by a transport of one's own": ConnectionResetError(104, "reset"),
    "timeout of a transport of one's own": TimeoutError(),
    "refusal of a transport of one's own": ConnectionRefusedError(111, "refused"),
}


@pytest.mark.parametrize("step", PASSING.values(), ids=list(PASSING))
def test_what_may_pass_is_sent_again(step: Step) -> None:
    """Each failure that may pass is repeated until an answer comes."""
    run = run_call(step, step, COUNT)
    assert (run.result, run.requests, run.trace.retries) == (5, 3, 2)
    assert run.took >= 1.5  # two waits, of 0.5 and 1 s at most


@pytest.mark.parametrize("step", PASSING.values(), ids=list(PASSING))
def test_in_the_end_the_last_failure_is_raised(step: Step) -> None:
    """After four requests the call fails with what the last of them met, and says so."""
    run = run_call(then=step)
    assert isinstance(run.result, XimilarError)
    assert run.result.retryable
    assert (run.requests, run.trace.requests) == (4, 4)
    assert run.result.__notes__ == ["gave up after 4 attempts"]


FINAL: dict[str, tuple[Step, type[XimilarError]]] = {
    "400": (refusal(400), BadRequestError),
    "413": (refusal(413), BadRequestError),
    "422 in the body": (answer(422), BadRequestError),
    "404": (refusal(404), NotFoundError),
    "405": (refusal(405), BadRequestError),
    "407": (refusal(407), BadRequestError),
    "402": (refusal(402), CapacityError),
    "412": (refusal(412), CapacityError),
    "403": (refusal(403), AuthError),
    "401": (refusal(401), AuthError),
    "redirect": (refusal(302, location="https://evil.example/"), ConfigError),
    "certificate": (TLSError("self-signed"), TLSError),
    "address": (ConfigError("cannot be an address"), ConfigError),
    "too large": (AnswerTooLargeError("larger than 32 MiB"), AnswerTooLargeError),
}


@pytest.mark.parametrize(("step", "kind"), FINAL.values(), ids=list(FINAL))
def test_what_cannot_pass_is_not_sent_again(step: Step, kind: type[XimilarError]) -> None:
    """No repetition is spent on what would only fail again."""
    run = run_call(step)
    assert type(run.result) is kind
    assert (run.requests, run.took) == (1, about(0))
    assert not hasattr(run.result, "__notes__")


async def test_a_write_whose_answer_is_too_large_is_in_doubt_and_not_sent_again() -> None:
    """The next answer would be as large, and call its own work a duplicate: the caller decides."""
    transport = ScriptedTransport([AnswerTooLargeError("larger than 32 MiB")])
    trace = Trace()
    records = [{"_id": "1", "_url": "https://example.com/1.jpg"}]
    with pytest.raises(AnswerTooLargeError) as caught:
        await make_session(transport).call(INSERT, SHOES, fields={"records": records}, trace=trace)
    assert caught.value.doubtful
    assert (trace.requests, trace.doubtful) == (1, True)
    assert caught.value.__notes__ == [DOUBT]


@pytest.mark.parametrize(
    ("error", "notes"),
    [
        (TimedOutError("no answer in time"), ["gave up after 4 attempts", DOUBT]),
        (ConnectError("cannot connect"), ["gave up after 4 attempts"]),
    ],
)
def test_a_write_that_was_given_up_says_whether_it_may_have_been_applied(
    error: XimilarError, notes: list[str]
) -> None:
    """That is said where the error is shown; what never left leaves nothing to look up."""

    async def main() -> list[str]:
        session = make_session(ScriptedTransport([], error))
        records = [{"_id": "1", "_url": "https://example.com/1.jpg"}]
        with pytest.raises(type(error)) as caught:
            await session.call(INSERT, SHOES, fields={"records": records})
        return caught.value.__notes__

    assert in_virtual_time(main()) == notes


async def test_what_is_wrong_with_a_record_is_said_before_anything_is_sent() -> None:
    """A request that cannot be built costs no request."""
    transport = ScriptedTransport()
    with pytest.raises(RecordError, match="records is empty"):
        await make_session(transport).call(INSERT, SHOES, fields={"records": []})
    assert transport.requests == []


def test_each_repetition_is_the_same_request() -> None:
    """A repeated request does not differ in a byte."""

    async def main() -> list[Request]:
        transport = ScriptedTransport([BUSY, BUSY, answer(answer_records=[])])
        await make_session(transport).call(FIND, SHOES, fields={"filter": {"a": 1}})
        return transport.requests

    first, *others = in_virtual_time(main())
    assert others == [first, first]


@pytest.mark.parametrize("attempts", [1, 2, 7])
def test_attempts_count_the_first_request(attempts: int) -> None:
    """`attempts` is the number of requests; 1 turns retries off."""
    assert run_call(then=BUSY, retry=Retry(attempts=attempts)).requests == attempts


def test_a_call_may_have_settings_of_its_own() -> None:
    """Settings given for one call hold for it alone."""

    async def main() -> int:
        transport = ScriptedTransport(then=BUSY)
        with pytest.raises(ServerError):
            await count(make_session(transport), retry=Retry(attempts=2))
        return len(transport.requests)

    assert in_virtual_time(main()) == 2


# --- waits --------------------------------------------------------------------------------------


def test_waits_grow_with_each_failure() -> None:
    """0.5, 1 and 2 s at most; jitter may make each of them nothing."""
    assert run_call(then=BUSY).took == about(3.5)
    assert run_call(then=BUSY, jitter=nothing).took == about(0)


def test_a_throttled_call_waits_twice_as_long() -> None:
    """After a 429 without a hint the backoff starts at 1 s."""
    assert run_call(then=LIMIT).took == about(7)


@pytest.mark.parametrize("status", [429, 503, 500])
def test_a_hint_is_waited_in_full(status: int) -> None:
    """Whatever asks to wait is obeyed: no repetition comes before the time it named."""
    run = run_call(refusal(status, retry_after="9"), COUNT, jitter=nothing)
    assert (run.result, run.took) == (5, about(9))
    assert run.trace.waited == about(9)


def test_jitter_adds_to_a_hint() -> None:
    """Callers who were told the same time do not all come back at once."""
    run = run_call(refusal(429, retry_after="9"), COUNT)
    assert run.took == about(10)


@pytest.mark.parametrize(("hint", "deadline"), [("121", 1000.0), ("1e9", inf), ("61", 60.0)])
def test_a_long_hint_raises_at_once(hint: str, deadline: float) -> None:
    """A hint of more than two minutes, or beyond the deadline, is the caller's to deal with."""
    hint = hint.replace("1e9", "1000000000")
    run = run_call(refusal(429, retry_after=hint), retry=Retry(deadline=deadline))
    assert isinstance(run.result, RateLimitError)
    assert run.result.retry_after == float(hint)
    assert (run.requests, run.took) == (1, about(0))


def test_a_hint_of_two_minutes_is_still_waited() -> None:
    """The bound itself is obeyed, where the deadline allows it."""
    step = refusal(429, retry_after="120")
    run = run_call(step, COUNT, retry=Retry(deadline=130), jitter=nothing)
    assert (run.result, run.took) == (5, about(120))


@pytest.mark.parametrize("hint", ["soon", "-5", "inf", "Fri, 29 Sep 2023 16:26:57 GMT"])
def test_a_junk_hint_changes_nothing(hint: str) -> None:
    """What is no time to come is no hint."""
    assert run_call(refusal(503, retry_after=hint), COUNT).took <= 1.01


def test_a_hint_holds_all_calls() -> None:
    """What one call was told keeps the others back as well."""

    async def main() -> list[float]:
        start, sent = clock(), list[float]()

        def step(_: Request) -> Response:
            sent.append(clock() - start)
            return refusal(429, retry_after="20") if len(sent) == 1 else COUNT

        session = make_session(ScriptedTransport(then=step), limits=Limits(concurrency=2))
        first = asyncio.create_task(count(session))
        await asyncio.sleep(1)
        await asyncio.gather(first, *(count(session) for _ in range(4)))
        return sent

    first, *others = in_virtual_time(main())
    assert first == about(0)
    assert len(others) == 5
    assert min(others) >= 20


def test_a_waiting_call_takes_no_slot() -> None:
    """While one call waits to be repeated, others use its slot."""

    async def main() -> float:
        transport = ScriptedTransport([refusal(500)], then=COUNT)
        session = make_session(transport, limits=Limits(concurrency=1), retry=Retry(base=20))
        failing = asyncio.create_task(count(session))
        await asyncio.sleep(0.1)
        start = clock()
        await count(session)
        took = clock() - start
        await failing
        return took

    assert in_virtual_time(main()) == about(0)


# --- deadlines ----------------------------------------------------------------------------------


def test_the_deadline_counts_from_the_first_request() -> None:
    """An attempt that took longer than the whole call may is not followed by another."""
    run = run_call(after(61, TimedOutError("no answer")), retry=Retry(deadline=60))
    assert isinstance(run.result, TimedOutError)
    assert (run.requests, run.took) == (1, about(61))


def test_no_time_is_spent_on_a_wait_that_is_too_long() -> None:
    """A wait that would end after the deadline is not begun."""
    run = run_call(then=BUSY, retry=Retry(attempts=100, base=8, cap=64, deadline=30))
    assert (run.requests, run.took) == (3, about(24))  # 8 + 16, but not 32 more


def test_time_in_the_queue_is_not_counted() -> None:
    """A call that had to queue for its first request has its whole deadline all the same."""

    async def main() -> list[int | None]:
        transport = ScriptedTransport([after(100), BUSY], then=COUNT)
        session = make_session(transport, limits=Limits(concurrency=1))
        return [*await asyncio.gather(count(session), count(session))]

    assert in_virtual_time(main()) == [5, 5]


def test_a_retry_does_not_queue_beyond_its_deadline() -> None:
    """When others keep the slot, a call gives up at its deadline instead of being late."""

    async def main() -> tuple[BaseException | None, float, int]:
        transport = ScriptedTransport([BUSY, after(500)])
        session = make_session(transport, limits=Limits(concurrency=1))
        start = clock()
        waiting = asyncio.create_task(count(session))
        await asyncio.sleep(0.1)
        other = asyncio.create_task(count(session))
        await asyncio.wait({waiting})
        took = clock() - start
        await other
        return waiting.exception(), took, len(transport.requests)

    error, took, requests = in_virtual_time(main())
    assert isinstance(error, ServerError)
    assert (took, requests) == (about(60), 2)


def test_a_retry_does_not_wait_for_a_hold_beyond_its_deadline() -> None:
    """A call that may not be sent in time because others were told to wait fails at once."""

    async def main() -> tuple[BaseException | None, float]:
        script: list[Step] = [after(2, refusal(500)), refusal(429, retry_after="100")]
        session = make_session(ScriptedTransport(script, COUNT))
        start = clock()
        failing = asyncio.create_task(count(session))
        patient = asyncio.create_task(count(session, retry=Retry(deadline=200)))
        await asyncio.wait({failing})
        took = clock() - start
        await patient
        return failing.exception(), took

    error, took = in_virtual_time(main())
    assert isinstance(error, ServerError)
    assert took == about(2)


SCRIPTED = st.lists(
    st.tuples(
        st.sampled_from(["ok", "500", "429", "503", "lost", "refused"]),
        st.floats(0, 40),
        st.none() | st.integers(0, 150),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(SCRIPTED, st.integers(1, 3), st.sampled_from([None, 0.2, 5.0]), st.floats(1, 100))
def test_no_request_starts_after_its_calls_deadline(
    script: list[tuple[str, float, int | None]],
    concurrency: int,
    rate: float | None,
    deadline: float,
) -> None:
    """Whatever happens, with holds, queues and slow answers: no call ever sends late."""

    async def main() -> None:
        steps = iter(script)

        async def step(_: Request) -> Response:
            kind, seconds, hint = next(steps, ("ok", 0.0, None))
            await asyncio.sleep(seconds)
            if kind == "lost":
                raise TimedOutError("lost")
            if kind == "refused":
                raise ConnectError("refused")
            if kind == "ok":
                return COUNT
            return Response(int(kind), {} if hint is None else {"retry-after": str(hint)})

        transport = ScriptedTransport(then=step)
        retry = Retry(attempts=6, deadline=deadline)
        limits = Limits(concurrency=concurrency, rate=rate)
        session = make_session(transport, retry=retry, limits=limits, jitter=backoff.full_jitter)
        await asyncio.gather(*(_check_deadline(session, deadline) for _ in range(5)))

    in_virtual_time(main())


async def _check_deadline(session: Session, deadline: float) -> None:
    """Make a call and check by its trace when its requests started."""
    starts: list[float] = []

    class Watched(Trace):
        """Notes when a request is counted."""

        def __setattr__(self, name: str, value: Any) -> None:
            if name == "requests" and value:
                starts.append(clock())
            super().__setattr__(name, value)

    with contextlib.suppress(XimilarError):
        await count(session, trace=Watched())
    assert starts[-1] - starts[0] <= deadline + 0.01


# --- the budget ---------------------------------------------------------------------------------


def outage(step: Step, calls: int, **options: Any) -> tuple[int, list[BaseException | int | None]]:
    """Make many calls; return how many requests they took, and what came of them."""

    async def main() -> tuple[int, list[BaseException | int | None]]:
        transport = ScriptedTransport(then=step)
        session = make_session(transport, limits=Limits(concurrency=20), **options)
        results = await asyncio.gather(
            *(count(session) for _ in range(calls)), return_exceptions=True
        )
        return len(transport.requests), [*results]

    return in_virtual_time(main())


@pytest.mark.parametrize("step", [BUSY, LIMIT, TimedOutError("no answer"), refusal(200)])
def test_a_total_outage_is_not_multiplied_by_retries(step: Step) -> None:
    """When nothing succeeds, 1,000 calls make at most 1,100 requests instead of 4,000."""
    requests, results = outage(step, 1000)
    assert all(isinstance(result, XimilarError) for result in results)
    assert requests <= 1.1 * 1000


def test_a_request_that_never_left_is_free_of_the_budget() -> None:
    """Refused connections cost the service nothing, so every call has all its attempts."""
    requests, _ = outage(ConnectError("refused"), 300)
    assert requests == 4 * 300


def test_at_thirty_percent_failures_calls_succeed_and_cost_little() -> None:
    """Retries that help are refunded: nearly all calls succeed, for at most 1.5 requests each."""
    chance = random.Random(1)

    async def main() -> tuple[int, int]:
        transport = ScriptedTransport(then=lambda _: BUSY if chance.random() < 0.3 else COUNT)
        session = make_session(transport)

        async def worker() -> int:
            results = [await _result(session) for _ in range(250)]
            return results.count(5)

        succeeded = sum(await asyncio.gather(*(worker() for _ in range(8))))
        return succeeded, len(transport.requests)

    succeeded, requests = in_virtual_time(main())
    assert succeeded >= 0.98 * 2000
    assert requests <= 1.5 * 2000


async def _result(session: Session) -> Any:
    try:
        return await count(session)
    except XimilarError as error:
        return error


def test_after_an_outage_successes_bring_retries_back() -> None:
    """An empty budget fills again, so that the next single failure is repeated."""

    async def main() -> list[int]:
        transport = ScriptedTransport(then=BUSY)
        session = make_session(transport)
        await asyncio.gather(*(count(session) for _ in range(200)), return_exceptions=True)
        used = [len(transport.requests)]
        transport.then = COUNT
        for _ in range(10):
            await count(session)
        transport.script = [BUSY]
        assert await count(session) == 5
        return [*used, len(transport.requests)]

    assert in_virtual_time(main()) == [300, 312]


# --- slots and rate -----------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 5, "auto"])
def test_never_more_requests_than_slots(concurrency: Any) -> None:
    """Failing, waiting and repeated calls share the slots with all others."""
    chance = random.Random(1)

    async def step(_: Request) -> Response:
        await asyncio.sleep(chance.random())
        return BUSY if chance.random() < 0.3 else COUNT

    async def main() -> tuple[int, int]:
        transport = ScriptedTransport(then=step)
        session = make_session(transport, limits=Limits(concurrency=concurrency))
        await asyncio.gather(*(count(session) for _ in range(200)), return_exceptions=True)
        return transport.most_under_way, session.slots

    most, slots = in_virtual_time(main())
    assert most <= slots
    if concurrency != "auto":
        assert most == slots == concurrency


def test_retries_keep_the_rate_too() -> None:
    """The rate counts requests, not calls."""

    async def main() -> list[float]:
        start, sent = clock(), list[float]()

        def step(_: Request) -> Response:
            sent.append(clock() - start)
            return BUSY if len(sent) % 2 else COUNT

        limits = Limits(concurrency=100, rate=10)
        session = make_session(ScriptedTransport(then=step), limits=limits)
        await asyncio.gather(*(count(session) for _ in range(30)), return_exceptions=True)
        return sent

    sent = in_virtual_time(main())
    assert len(sent) > 50
    assert all(b - a >= 1.0 for a, b in zip(sent, sent[11:], strict=False))


# --- doubt --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "doubtful"),
    [
        ([COUNT], False),
        ([LIMIT, COUNT], False),
        ([ConnectError("refused"), COUNT], False),
        ([BUSY, COUNT], True),
        ([refusal(503, retry_after="1"), COUNT], True),
        ([TimedOutError("lost"), ConnectError("refused"), COUNT], True),
        ([refusal(200, b"<html>"), COUNT], True),
        ([LIMIT, refusal(400)], False),
        ([BUSY, refusal(400)], True),
    ],
)
def test_a_lost_answer_stays_in_the_trace(script: list[Step], doubtful: bool) -> None:  # noqa: FBT001 - a table
    """Once a request may have been applied without an answer, the call remembers it."""
    assert run_call(*script).trace.doubtful is doubtful


def test_a_cancelled_request_is_doubtful_and_frees_its_slot() -> None:
    """Taking a request back does not stop the service: the trace says so, and the slot is free."""

    async def main() -> tuple[Trace, int | None]:
        trace = Trace()
        session = make_session(ScriptedTransport([after(60), COUNT]), limits=Limits(concurrency=1))
        call = asyncio.create_task(count(session, trace=trace))
        await asyncio.sleep(1)
        call.cancel()
        await asyncio.wait({call})
        assert call.cancelled()
        return trace, await count(session)

    trace, result = in_virtual_time(main())
    assert (trace.doubtful, trace.requests, trace.network) == (True, 1, about(1))
    assert result == 5


def test_a_call_cancelled_before_it_was_sent_is_not_doubtful() -> None:
    """What never left cannot have been applied, and is not sent later."""

    async def main() -> tuple[Trace, int]:
        trace, transport = Trace(), ScriptedTransport([after(60)], COUNT)
        session = make_session(transport, limits=Limits(concurrency=1))
        busy = asyncio.create_task(count(session))
        await asyncio.sleep(1)
        call = asyncio.create_task(count(session, trace=trace))
        await asyncio.sleep(1)
        call.cancel()
        await asyncio.wait({call, busy})
        return trace, len(transport.requests)

    trace, requests = in_virtual_time(main())
    assert (trace.doubtful, trace.requests, requests) == (False, 0, 1)


def test_a_wait_ends_at_once_when_cancelled() -> None:
    """A call that waits to be repeated holds nobody up."""

    async def main() -> tuple[float, int]:
        transport = ScriptedTransport([BUSY])
        call = asyncio.create_task(count(make_session(transport, retry=Retry(base=20))))
        await asyncio.sleep(1)
        call.cancel()
        await asyncio.wait({call})
        return clock(), len(transport.requests)

    assert in_virtual_time(main()) == (about(1001), 1)


def test_the_trace_tells_where_time_went() -> None:
    """Seconds on the wire and seconds between attempts are kept apart."""
    run = run_call(after(3, refusal(500)), after(2), retry=Retry(base=4))
    assert (run.trace.network, run.trace.waited, run.took) == (about(5), about(4), about(9))


# --- tokens -------------------------------------------------------------------------------------


class Tokens:
    """Gives out tokens, each after a pause, and the last one for ever."""

    def __init__(self, *tokens: Any, pause: float = 0.1) -> None:
        self.left = [*tokens]
        self.pause = pause
        self.asked = 0

    async def __call__(self) -> str:
        self.asked += 1
        await asyncio.sleep(self.pause)
        token = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        if isinstance(token, Exception):
            raise token
        return str(token)


def accepting(*good: str, seconds: float = 1.0) -> Callable[[Request], Awaitable[Response]]:
    """Return a step that takes only these tokens."""

    async def step(request: Request) -> Response:
        await asyncio.sleep(seconds)
        token = request.headers["authorization"].removeprefix("Token ")
        return COUNT if token in good else refusal(401, b'{"detail": "Invalid token."}')

    return step


def many_calls(tokens: Any, step: Step, calls: int = 50) -> tuple[list[Any], ScriptedTransport]:
    """Make many calls at once."""

    async def main() -> tuple[list[Any], ScriptedTransport]:
        transport = ScriptedTransport(then=step)
        session = make_session(transport, tokens, limits=Limits(concurrency=20))
        results = await asyncio.gather(
            *(count(session) for _ in range(calls)), return_exceptions=True
        )
        return [*results], transport

    return in_virtual_time(main())


def test_a_provider_is_asked_once_for_many_first_calls() -> None:
    """However many calls start at once, the first token is asked for once."""
    tokens = Tokens("a")
    results, transport = many_calls(tokens, COUNT)
    assert results == [5] * 50
    assert (tokens.asked, set(transport.tokens)) == (1, {"a"})


def test_a_refused_token_is_replaced_once_for_many_calls() -> None:
    """Many calls refused with 401 at once make one question to the provider; all then succeed."""
    tokens = Tokens("old", "new")
    results, transport = many_calls(tokens, accepting("new"))
    assert results == [5] * 50
    assert tokens.asked == 2
    assert transport.tokens.count("old") <= 50


def test_a_provider_without_a_newer_token_is_asked_once_for_many_calls() -> None:
    """Calls that were under way together share the answer "no other token"."""
    tokens = Tokens("old")
    results, transport = many_calls(tokens, accepting("new"), calls=20)
    assert all(isinstance(result, AuthError) for result in results)
    assert (tokens.asked, len(transport.requests)) == (2, 20)


def test_tokens_may_rotate_again_and_again() -> None:
    """Each call that meets an expired token goes on with the next one."""

    async def main() -> tuple[list[int | None], int]:
        tokens = Tokens("t0", "t1", "t2", "t3", pause=0)
        transport = ScriptedTransport()
        session = make_session(transport, tokens)
        results = []
        for number in range(8):
            transport.then = accepting(f"t{number // 2}", seconds=0)
            results.append(await count(session))
        return results, tokens.asked

    assert in_virtual_time(main()) == ([5] * 8, 4)


def test_a_second_refusal_is_final() -> None:
    """A call asks for a fresh token once; when that is refused too, it fails."""
    tokens = Tokens("a", "b", "c")
    results, transport = many_calls(tokens, accepting(), calls=1)
    assert isinstance(results[0], AuthError)
    assert (transport.tokens, tokens.asked) == (["a", "b"], 2)


@pytest.mark.parametrize("attempts", [1, 2])
def test_a_fresh_token_costs_no_attempt(attempts: int) -> None:
    """Even a call without retries is sent again with a fresh token, and then retried as often."""

    async def main() -> tuple[Any, list[str]]:
        transport = ScriptedTransport([refusal(401)], COUNT)
        session = make_session(transport, Tokens("a", "b"), retry=Retry(attempts=attempts))
        return await count(session), transport.tokens

    assert in_virtual_time(main()) == (5, ["a", "b"])


def test_403_asks_nobody() -> None:
    """A token that may not use a collection is not replaced: another one would not help."""
    tokens = Tokens("a", "b")
    results, _ = many_calls(tokens, refusal(403), calls=3)
    assert {type(result) for result in results} == {AuthError}
    assert tokens.asked == 1


def test_a_401_in_the_body_counts_too() -> None:
    """The code decides, wherever it stands."""
    results, transport = many_calls(Tokens("a", "b"), lambda r: answer(401), calls=1)
    assert isinstance(results[0], AuthError)
    assert transport.tokens == ["a", "b"]


@pytest.mark.parametrize("kind", ["function", "coroutine function", "object"])
async def test_any_callable_gives_tokens(kind: str) -> None:
    """A function, a coroutine function and a callable object will do; a token is trimmed."""

    def plain() -> str:
        return " given \n"

    async def coroutine() -> str:
        return "given"

    provider: Any = {
        "function": plain,
        "coroutine function": coroutine,
        "object": Tokens("given", pause=0),
    }[kind]
    transport = ScriptedTransport([COUNT])
    await count(make_session(transport, provider))
    assert transport.tokens == ["given"]


@pytest.mark.parametrize("bad", [f"{TOKEN}\r\nx-evil: 1", "", None, 5])
async def test_a_bad_token_from_a_provider_is_not_sent(bad: Any) -> None:
    """What a provider returns is checked like what a user gives, and is not shown either."""
    transport = ScriptedTransport()
    with pytest.raises(ConfigError) as caught:
        await count(make_session(transport, lambda: bad))
    assert transport.requests == []
    assert TOKEN not in str(caught.value)


def test_a_failing_provider_is_asked_again_by_the_next_call() -> None:
    """The provider's own error reaches the caller, and breaks nothing for good."""

    async def main() -> tuple[list[Any], int]:
        tokens = Tokens(LookupError("vault is down"), "a")
        session = make_session(ScriptedTransport(then=COUNT), tokens)
        with pytest.raises(LookupError, match="vault is down"):
            await count(session)
        return [await count(session), await count(session)], tokens.asked

    assert in_virtual_time(main()) == ([5, 5], 2)


def test_a_call_cancelled_while_asking_blocks_nobody() -> None:
    """The next call asks for itself."""

    async def main() -> int | None:
        session = make_session(ScriptedTransport(then=COUNT), Tokens("a", pause=10))
        call = asyncio.create_task(count(session))
        await asyncio.sleep(1)
        call.cancel()
        return await count(session)

    assert in_virtual_time(main()) == 5


# --- the token is nowhere -----------------------------------------------------------------------

LEAKS: dict[str, list[Step]] = {
    "refused": [refusal(401)],
    "quoted back": [refusal(401, f'{{"detail": "Invalid token {TOKEN}"}}'.encode())],
    "quoted in a page": [refusal(500, f"<pre>authorization: Token {TOKEN}</pre>".encode())] * 4,
    "quoted in a status": [answer(400, f"bad header {TOKEN}")],
    "quoted in no answer": [refusal(200, f"Token {TOKEN}".encode())] * 4,
    "quoted in a wrong answer": [answer(200, answer_count=TOKEN)] * 4,
    "redirected": [refusal(302, location=f"https://evil.example/?token={TOKEN}")],
    "lost": [TimedOutError("no answer")] * 4,
    "refused in the end": [BUSY, LIMIT, ConnectError("refused"), refusal(400)],
}


@pytest.mark.parametrize("script", LEAKS.values(), ids=list(LEAKS))
@pytest.mark.parametrize("provided", [False, True])
def test_no_error_holds_the_token(
    script: list[Step], *, provided: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither message, attributes, chain, log nor any frame's variables show it, quoted or not."""
    caplog.set_level(logging.DEBUG)

    async def main() -> tuple[XimilarError, str]:
        session = make_session(ScriptedTransport([*script]), (lambda: TOKEN) if provided else TOKEN)
        with pytest.raises(XimilarError) as caught:
            await count(session)
        return caught.value, repr(session)

    error, shown = in_virtual_time(main())
    for one in chain(error):
        assert TOKEN not in f"{one!r} {one.args} {vars(one)}"
    printed = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert TOKEN not in "".join(printed.format())
    assert TOKEN not in shown
    assert TOKEN not in caplog.text


def test_a_quoted_token_does_not_change_what_an_answer_means() -> None:
    """The service's words stay, but for the token in them."""
    run = run_call(refusal(401, f'{{"detail": "Invalid token {TOKEN}."}}'.encode()))
    assert run.result.text == "Invalid token ***."
    assert run.result.raw == {"detail": "Invalid token ***."}


def test_a_short_token_does_not_garble_what_the_service_says() -> None:
    """A token such as "token" is no secret, but a word of many messages."""
    run = run_call(refusal(401, b'{"detail": "Invalid token."}'), token="token")
    assert run.result.text == "Invalid token."


SECRETS = ["7f3a9c41", "7f3a9c41d0b852e", "a+b/(c)d", "7f3a9c41-d0b852e6-77"]


@pytest.mark.parametrize("token", SECRETS)
@pytest.mark.parametrize("words", ["no {}.", "{}", "Authorization: Token {}", "({})", "x={};"])
def test_a_token_of_eight_characters_is_secret_enough(token: str, words: str) -> None:
    """From eight characters on a token is hidden wherever the service quotes it."""
    run = run_call(refusal(401, orjson.dumps({"detail": words.format(token)})), token=token)
    assert run.result.text == words.format("***")


@pytest.mark.parametrize("token", ["t", "token", "abc1234"])
def test_a_shorter_token_is_hidden_where_it_is_quoted_as_one(token: str) -> None:
    """What follows "Token " is the header that was sent, however short."""
    run = run_call(refusal(400, f"<pre>Authorization: Token {token}</pre>".encode()), token=token)
    assert run.result.text == "Authorization: Token ***"


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("anything", "anythingelse-is-fine"),
        ("shoes-id", "no collection my-shoes-id"),
        ("7f3a9c41", "request 7f3a9c41d0b852e6"),
        ("is", "Token issued long ago"),
    ],
)
def test_a_token_within_a_longer_word_is_no_quotation(token: str, words: str) -> None:
    """A token like a word does not garble the words that it is a part of."""
    run = run_call(refusal(400, orjson.dumps({"detail": words})), token=token)
    assert run.result.text == words


# --- loops and closing --------------------------------------------------------------------------


def test_a_session_belongs_to_one_loop() -> None:
    """Use from a second event loop is told in clear words, and nothing is sent."""
    transport = ScriptedTransport(then=COUNT)
    session = make_session(transport)
    assert asyncio.run(count(session)) == 5
    with pytest.raises(ConfigError, match="belongs to another event loop; open one Ximilar"):
        asyncio.run(count(session))
    assert len(transport.requests) == 1


async def test_a_closed_session_says_so() -> None:
    """After closing, calls fail in clear words; closing again is fine."""
    transport = ScriptedTransport([COUNT])
    session = make_session(transport)
    await count(session)
    await session.aclose()
    await session.aclose()
    with pytest.raises(ConfigError, match="this client is closed; open a new Ximilar client"):
        await count(session)
    assert len(transport.requests) == 1
    assert transport.closed >= 1


def _queued(session: Session) -> list[Coroutine[Any, Any, Any]]:
    return [count(session), count(session)]


@pytest.mark.parametrize(
    "script", [[after(5), COUNT], [after(1, refusal(500)), after(5)]], ids=["queued", "waiting"]
)
def test_nothing_is_sent_after_closing(script: list[Step]) -> None:
    """Calls that wait for a slot or for their repetition when the client closes are not sent."""

    async def main() -> tuple[list[Any], int]:
        transport = ScriptedTransport([*script])
        session = make_session(
            transport, limits=Limits(concurrency=1), retry=Retry(base=10, deadline=100)
        )
        calls = asyncio.gather(*_queued(session), return_exceptions=True)
        await asyncio.sleep(2)
        sent = len(transport.requests)
        await session.aclose()
        results = await calls
        assert len(transport.requests) == sent
        return [type(result) for result in results], sent

    kinds, _ = in_virtual_time(main())
    assert ConfigError in kinds


# --- over real sockets --------------------------------------------------------------------------


async def test_a_stale_connection_is_no_failure() -> None:
    """An idle connection that the service dropped costs a repetition, not the call: aiohttp itself
    repeats no POST, so the session does.
    """
    found = PONG.replace(b'"answer_count":5', b'"answer_count":1')
    async with RawServer(found, CLOSE, found) as server:
        config = Config(token=TOKEN, base_url=server.url)
        session = Session(config, AiohttpTransport(Timeout()), jitter=nothing)
        for _ in range(2):
            assert (await session.call(FIND, SHOES, fields={"filter": {}})).count == 1
        await session.aclose()
    assert [received.connection for received in server.requests] == [1, 1, 2]
    assert len({received.body for received in server.requests}) == 1


async def test_the_account_needs_no_collection() -> None:
    """A call without a target goes to the account's own address."""
    transport = ScriptedTransport([refusal(200, b'{"email": "a@b.c", "credits_limit": 5}')])
    account = await make_session(transport).call(ACCOUNT)
    assert (account.email, account.credits_limit) == ("a@b.c", 5)
    assert transport.requests[0].url == "https://api.ximilar.com/account/v2/details/"


async def test_an_answer_that_is_none_is_told_as_such() -> None:
    """A page in the place of an answer is an AnswerError in the end, never an empty answer."""
    session = make_session(ScriptedTransport(then=refusal(200, b"<html>")), retry=Retry(attempts=1))
    with pytest.raises(AnswerError, match="getRecordCount: HTTP 200 without the documented JSON"):
        await count(session)
