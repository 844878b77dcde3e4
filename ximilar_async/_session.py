"""One call, politely: slots, rate, retries, token refresh."""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
import time
from math import inf
from threading import get_ident
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import backoff
from attrs import define, evolve, field

from ._answers import parse_response
from ._concurrency import Signal, signal_of
from ._config import Secret, check_token, conceal
from ._gate import Gate, slots
from ._logging import CLIENT, GIVE_UP, HOLD, RETRY, TOKEN, tell_call, tell_request
from ._models import Account, Answer
from ._protocol import authorization, build_head, with_body, with_query
from ._retry import FailureClass, RetryBudget, Trace, classify, waits
from ._transport import translate
from .errors import AuthError, ConfigError, XimilarError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ._concurrency import GateStatistics
    from ._config import Config, Retry, Target, TokenProvider
    from ._encoding import Encoded
    from ._endpoints import Endpoint
    from ._observer import Observer
    from ._protocol import Request, Response
    from ._transport import Transport

A = TypeVar("A", bound=Answer | Account)

_UNAUTHORIZED = 401
_MOST_HEADS = 1000
_SCHEME = len("Token ")
_SURELY_SECRET = 16
"""Characters from which a token is hidden wherever it is quoted."""
_MAYBE_SECRET = 8
"""The same where it stands as a word of its own; shorter ones are hidden after "Token "."""
_DEBUG = logging.DEBUG


@define
class _Call(Generic[A]):
    """What one call needs while it is under way."""

    endpoint: Endpoint[A]
    target: Target | None
    request: Request
    trace: Trace
    retry: Retry
    asked: int
    """How often the token provider had been asked when this call took its token."""
    refreshed: bool = False
    paid: bool = False
    """Whether its last repetition was taken from the budget."""
    give_up_at: float = inf
    """When the last request may start, by the session's clock."""


@define(eq=False)
class Session:
    """Carries calls to the service under one quota; belongs to one event loop.

    Args:
        config: The settings.
        transport: What carries the requests.
        clock: Returns monotonic seconds.
        sleep: Waits for seconds.
        jitter: Draws a wait between 0 and its argument, in seconds.
    """

    config: Config
    transport: Transport
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    jitter: Callable[[float], float] = backoff.full_jitter
    _budget: RetryBudget = field(factory=RetryBudget, init=False)
    _gate: Gate | None = field(default=None, init=False)
    _token: Secret | None = field(default=None, init=False, repr=False)
    _asked: int = field(default=0, init=False)
    _heads: dict[tuple[str, ...], Request] = field(factory=dict, init=False, repr=False)
    """Requests without a body, for the present token."""
    _refreshing: asyncio.Lock = field(factory=asyncio.Lock, init=False, repr=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False, repr=False)
    _thread: int = field(default=0, init=False)
    _closed: bool = field(default=False, init=False)

    async def call(
        self,
        endpoint: Endpoint[A],
        target: Target | None = None,
        *,
        fields: Mapping[str, Any] | Encoded | None = None,
        query: Mapping[str, Any] | None = None,
        retry: Retry | None = None,
        trace: Trace | None = None,
    ) -> A:
        """Call a method and return its answer, sending again what may pass.

        Args:
            endpoint: The method.
            target: Service and collection; None for the account.
            fields: Fields of the JSON body; those that are None are not sent. Or the whole body.
            query: Parameters of the address, likewise.
            retry: Settings for this call instead of the client's.
            trace: Filled with what the call took.

        Raises:
            XimilarError: what the last attempt met.
        """
        self._enter_loop()
        token = self._token or await self._first_token()
        head = self._head(token, endpoint, target)
        request = with_body(with_query(head, query) if query else head, endpoint, fields)
        call = _Call(
            endpoint, target, request, trace or Trace(), retry or self.config.retry, self._asked
        )
        gate = self._gate or self._open_gate()
        try:
            if not gate.enter_now():
                await gate.enter()
            return await self._exchange(call, gate)
        except XimilarError as error:
            return await self._repeat(call, error)

    @property
    def observer(self) -> Observer | None:
        """Return who watches the calls: nobody; `ObservedSession` is watched."""
        return None

    @property
    def slots(self) -> int:
        """Return how many requests may be under way at once, at most."""
        return slots(self.config.limits)

    def statistics(self) -> GateStatistics:
        """Return what the gate does now and what requests have waited for so far."""
        return (self._gate or self._open_gate()).statistics()

    async def aclose(self) -> None:
        """Close the transport; calls made later fail with a clear error."""
        self._closed = True
        await self.transport.aclose()

    def _head(self, token: Secret, endpoint: Endpoint[Any], target: Target | None) -> Request:
        """Return a method's request without its body: made once, and known by its identity."""
        place = ("", "") if target is None else (target.prefix, target.collection_id)
        key = (endpoint.path, *place)
        head = self._heads.get(key)
        if head is None:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            head = self._heads[key] = build_head(self.config.base_url, token, endpoint, target)
        return head

    async def _exchange(self, call: _Call[A], gate: Gate) -> A:
        """Send the request that the gate let through, and tell the gate how it went."""
        sent, ended, signal, response = self.clock(), None, Signal.NEUTRAL, None
        if not call.trace.requests:
            call.give_up_at = sent + call.retry.deadline
        try:
            self._check_open()
            response = await self._send(call, sent)
            ended = self.clock()
            answer = _read(call, response)
            signal = Signal.ANSWERED
        except XimilarError as error:
            signal = signal_of(error)
            hint = error.retry_after or 0.0
            if error.retryable and 0 < hint <= call.retry.longest_hint:
                if not gate.held:
                    tell_call(HOLD, call.endpoint, call.target, error, seconds=hint)
                gate.hold(hint)  # before leaving, lest the next one in line be let through
            raise
        finally:
            ended = self.clock() if ended is None else ended
            call.trace.network += ended - sent
            gate.leave(sent, ended, signal)
            if CLIENT.isEnabledFor(_DEBUG):
                status = None if response is None else response.status
                good, number = signal is Signal.ANSWERED, call.trace.requests
                tell_request(call.endpoint, call.target, status, number, ended - sent, good=good)
        self._budget.succeed(retried=call.paid)
        return answer

    async def _send(self, call: _Call[A], sent: float) -> Response:
        call.trace.requests += 1
        call.trace.sent_at = sent
        try:
            return await self.transport.send(call.request)
        except OSError as error:
            failure = translate(error, call.request)
        except asyncio.CancelledError:
            call.trace.doubtful = True  # taking back our request does not stop the service
            raise
        raise failure

    # --- the retry path, entered only after a first failure -------------------------------------

    async def _repeat(self, call: _Call[A], error: XimilarError) -> A:
        """Send again until an answer comes or nothing more may be tried."""
        series = waits(call.retry, self.jitter)
        while True:
            call.trace.doubtful = call.trace.doubtful or error.doubtful
            failure = classify(error)
            if failure is FailureClass.AUTH:
                await self._refresh(call, error)
            else:
                wait = series.after(error.retry_after, throttled=failure is FailureClass.THROTTLED)
                if not self._may_repeat(call, error, failure, wait):
                    raise _given_up(call, error)
                call.trace.waited += wait
                sent = call.trace.requests
                tell_call(RETRY, call.endpoint, call.target, error, attempt=sent, wait=wait)
                await self.sleep(wait)
            try:
                return await self._attempt_in_time(call)
            except TimeoutError:
                raise _given_up(call, error) from None
            except XimilarError as again:
                error = again

    async def _attempt_in_time(self, call: _Call[A]) -> A:
        """Attempt once more; TimeoutError if the gate opens after the call's deadline only."""
        gate = self._gate or self._open_gate()
        async with asyncio.timeout(call.give_up_at - self.clock()):
            await gate.enter()
        return await self._exchange(call, gate)

    def _may_repeat(
        self, call: _Call[A], error: XimilarError, failure: FailureClass, wait: float
    ) -> bool:
        held = self._gate.held if self._gate is not None else 0.0
        if (
            not error.retryable
            or self.clock() + max(wait, held) > call.give_up_at
            or call.trace.requests >= call.retry.attempts
            or (error.retry_after or 0.0) > call.retry.longest_hint
        ):
            return False
        # A request that never left costs the service nothing, so it is free of the budget.
        if failure is FailureClass.NOT_SENT:
            return True
        call.paid = self._budget.take()
        return call.paid

    def _open_gate(self) -> Gate:
        self._gate = Gate(self.config.limits, clock=self.clock, sleep=self.sleep)
        return self._gate

    def _enter_loop(self) -> None:
        loop = self._loop
        # A thread runs one loop at a time, so ours is the running one if it runs in this thread;
        # `get_running_loop` asks the system for the process's number each time.
        if loop is None or not loop.is_running() or get_ident() != self._thread:
            self._check_loop(asyncio.get_running_loop())
        self._check_open()

    def _check_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is None:
            self._loop, self._thread = loop, get_ident()
        if self._loop is not loop:
            raise ConfigError(
                "this client belongs to another event loop; open one Ximilar client per loop"
            )

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigError("this client is closed; open a new Ximilar client")

    # --- token ----------------------------------------------------------------------------------

    async def _first_token(self) -> Secret:
        async with self._refreshing:
            return self._token or await self._ask_token()

    async def _ask_token(self) -> Secret:
        self._token = check_token(await _given(self.config.token))
        self._asked += 1
        self._heads.clear()
        return self._token

    async def _another_token(self, refusal: XimilarError) -> Secret:
        """Ask the provider again; if it fails, the call fails as refused, and that is why."""
        try:
            return await self._ask_token()
        except Exception as error:
            refusal.add_note(f"the token provider raised {error!r}")
            raise refusal from error

    async def _refresh(self, call: _Call[A], error: XimilarError) -> None:
        """Give the call a fresh token, or raise the error if there is no other one.

        Many calls may be refused at once; the provider is asked by the first of them only.
        """
        refused = isinstance(error, AuthError) and error.code == _UNAUTHORIZED
        if call.refreshed or not refused or not callable(self.config.token):
            raise error
        call.refreshed = True
        async with self._refreshing:
            known = self._token if call.asked != self._asked else None
            token = known or await self._another_token(error)
        headers = {**call.request.headers, "authorization": authorization(token)}
        if headers == call.request.headers:
            raise error
        call.request = evolve(call.request, headers=headers)
        tell_call(TOKEN, call.endpoint, call.target)


async def _given(token: str | TokenProvider) -> Secret | TokenProvider | None:
    """Return the token, or what its provider gives, before any error can show it."""
    given = token() if callable(token) else token
    return conceal(await given if inspect.isawaitable(given) else given)


def _read(call: _Call[A], response: Response) -> A:
    """Read the response; neither an answer nor an error holds the token that it quotes."""
    sent = call.request.headers["authorization"]
    if _quotes(response.body, sent):
        response = _redacted(_token_in(sent), response)
    try:
        return parse_response(call.endpoint, response, call.target)
    except XimilarError:
        redacted = _redacted(_token_in(sent), response)
    return parse_response(call.endpoint, redacted, call.target)


def _quotes(body: bytes, sent: str) -> bool:
    """Tell whether a body holds the token; no variable of a caller may hold it as bytes."""
    wire = sent.encode()[_SCHEME:]
    return len(wire) >= _SURELY_SECRET and wire in body


def _token_in(sent: str) -> Secret:
    return Secret(sent[_SCHEME:])


def _redacted(token: Secret, response: Response) -> Response:
    """Return the response without the token, wherever it stands in it."""
    quoted = _quoted(token)
    headers = {
        name.lower(): quoted.sub(b"***", value.encode("utf-8", "surrogateescape")).decode(
            "utf-8", "surrogateescape"
        )
        for name, value in response.headers.items()
    }
    return evolve(response, headers=headers, body=quoted.sub(b"***", response.body))


def _quoted(token: Secret) -> re.Pattern[bytes]:
    """Return what a quotation of the token looks like; a short one may be a word of a message."""
    wire = re.escape(token.encode())
    if len(token) >= _SURELY_SECRET:
        return re.compile(wire)
    before = rb"(?<![\w-])" if len(token) >= _MAYBE_SECRET else rb"(?<=Token )"
    return re.compile(before + wire + rb"(?![\w-])")


def _given_up(call: _Call[A], error: XimilarError) -> XimilarError:
    if call.trace.retries:
        error.add_note(f"gave up after {call.trace.requests} attempts")
        tell_call(GIVE_UP, call.endpoint, call.target, error, attempts=call.trace.requests)
    if call.endpoint.writes and call.trace.doubtful:
        error.add_note("it may have been applied: look up what is stored before you send it again")
    return error
