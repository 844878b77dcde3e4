"""What goes wrong with services like this one, each a function that makes a rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypedDict

import orjson

from ximilar_async._protocol import Response

from .fault import Fault
from .rules import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Unpack

_JSON: Final = "application/json"
_WORDS: Final = {
    400: "bad request",
    401: "Invalid token.",
    402: "credits are spent",
    403: "forbidden",
    412: "hard capacity exceeded",
    413: "payload too large",
    422: "unprocessable",
    429: "too many requests",
    500: "internal server error",
    502: "Bad Gateway",
    503: "service unavailable",
    504: "Gateway Timeout",
}
_INSERTS: Final = ("insert", "nearDupsInsert")
_GATEWAYS_OWN: Final = frozenset({401, 403})
"""Statuses whose body is `{"detail"}`, the shape of the gateway before the service."""


class Shared(TypedDict, total=False):
    """What every scenario can be told; `Rule` explains each."""

    chance: float
    methods: str | Iterable[str]
    every: int
    times_each: int | None


class Among(Shared, total=False):
    """The same for scenarios that have their own first request."""

    ids: str | Iterable[str]


class Span(Shared, total=False):
    """The same for scenarios that have their own ids."""

    first: int
    last: int | None


class When(Among, Span, total=False):
    """Which requests fail; with nothing given all of them do."""


def _refusal(status: int, retry_after: float | str | None = None) -> Response:
    if type(status) is not int or not 400 <= status <= 599:  # noqa: PLR2004 - what HTTP calls errors
        raise ValueError(f"status must be one of a refusal, from 400 to 599, not {status!r}")
    if type(retry_after) not in (int, float, str, type(None)):
        raise ValueError(f"retry_after must be seconds or a text, not {retry_after!r}")
    text = _WORDS.get(status, "refused")
    body: dict[str, Any] = {"detail": text}
    if status not in _GATEWAYS_OWN:
        body = {"status": {"code": status, "text": text}, "statistics": {"OperationTime": 0}}
    hint = {} if retry_after is None else {"retry-after": f"{retry_after}"}
    return Response(status, {"content-type": _JSON, **hint}, orjson.dumps(body))


def unavailable(
    *,
    status: int = 503,
    retry_after: float | str | None = None,
    apply: bool = False,
    **when: Unpack[When],
) -> Rule:
    """Answer with a failure of the service.

    Args:
        status: 500 to 599.
        retry_after: Value of Retry-After, in seconds; None for no such header.
        apply: Whether the work is done all the same.
        when: Which requests (`Rule`).

    Example:
        >>> unavailable(chance=0.05, retry_after=1).fault.answer.headers["retry-after"]
        '1'
    """
    fault = Fault(apply=apply, answer=_refusal(status, retry_after))
    return Rule(name="unavailable", fault=fault, **when)


def outage(
    first: int, last: int | None = None, *, status: int = 503, **when: Unpack[Among]
) -> Rule:
    """Do and answer nothing useful from one request to another.

    Args:
        first: Number of the first request that fails.
        last: Number of the last one; None for all that follow.
        status: What they are answered.
        when: Which requests count (`Rule`).

    Example:
        >>> [number for number in range(1, 9) if outage(4, 6).is_due(number)]
        [4, 5, 6]
    """
    fault = Fault(apply=False, answer=_refusal(status))
    return Rule(name="outage", fault=fault, first=first, last=last, **when)


def throttled(
    *, status: int = 429, retry_after: float | str | None = None, **when: Unpack[When]
) -> Rule:
    """Refuse as too fast, whatever the speed; `Emulator(rate_limit=…)` goes by the speed.

    Args:
        status: 429, or 503.
        retry_after: Value of Retry-After, in seconds; None for no such header.
        when: Which requests (`Rule`).

    Example:
        >>> throttled(every=10, retry_after=0.5).is_due(20)
        True
    """
    fault = Fault(apply=False, answer=_refusal(status, retry_after))
    return Rule(name="throttled", fault=fault, **when)


def unauthorized(*, after: int = 0, status: int = 401, **when: Unpack[Among]) -> Rule:
    """Refuse the token, as when it was revoked.

    Args:
        after: So many requests are let through before.
        status: 401 or 403.
        when: Which requests count (`Rule`).

    Example:
        >>> unauthorized(after=100).first
        101
    """
    fault = Fault(apply=False, answer=_refusal(status))
    return Rule(name="unauthorized", fault=fault, first=_following(after), **when)


def full(*, after: int = 0, status: int = 412, **when: Unpack[Among]) -> Rule:
    """Refuse whole requests because there is no room; `Emulator(capacity=…)` counts records.

    Args:
        after: So many requests are let through before.
        status: 412, or 402 for spent credits.
        when: Which requests count (`Rule`); without `methods` those of the two inserts.

    Example:
        >>> sorted(full(after=3).methods)
        ['insert', 'nearDupsInsert']
    """
    fault = Fault(apply=False, answer=_refusal(status))
    when.setdefault("methods", _INSERTS)
    return Rule(name="full", fault=fault, first=_following(after), **when)


def poison(ids: str | Iterable[str], *, status: int = 500, **when: Unpack[Span]) -> Rule:
    """Refuse every request that brings one of these records, however often it comes.

    Args:
        ids: The records' `_id`s.
        status: What is answered: 400, 413, 422, 500.
        when: Which requests (`Rule`); without `methods` those that insert or change records.

    Example:
        >>> poison(["a", "b"], status=400).concerns("insert", frozenset({"b", "c"}))
        True
    """
    fault = Fault(apply=False, answer=_refusal(status))
    when.setdefault("methods", (*_INSERTS, "update"))
    return Rule(name="poison", fault=fault, ids=ids, **when)


def lost_answer(**when: Unpack[When]) -> Rule:
    """Do the work and cut the connection without an answer.

    Args:
        when: Which requests (`Rule`).

    Example:
        >>> lost_answer(chance=0.1, methods="insert").fault.apply
        True
    """
    return Rule(name="lost_answer", fault=Fault(disconnect=True), **when)


def lost_request(**when: Unpack[When]) -> Rule:
    """Cut the connection before anything is done.

    Args:
        when: Which requests (`Rule`).

    Example:
        >>> lost_request(chance=0.1).fault.apply
        False
    """
    return Rule(name="lost_request", fault=Fault(apply=False, disconnect=True), **when)


def cut_answer(**when: Unpack[When]) -> Rule:
    """Do the work and cut the connection in the middle of the answer.

    Args:
        when: Which requests (`Rule`).

    Example:
        >>> cut_answer(every=3).fault.cut
        True
    """
    return Rule(name="cut_answer", fault=Fault(cut=True), **when)


def slow(seconds: float, **when: Unpack[When]) -> Rule:
    """Do the work and let the answer wait.

    Args:
        seconds: How long, beside the emulator's latency.
        when: Which requests (`Rule`).

    Example:
        >>> slow(2.5, chance=0.01).fault.delay
        2.5
    """
    return Rule(name="slow", fault=Fault(delay=seconds), **when)


def truncated_json(**when: Unpack[When]) -> Rule:
    """Do the work and answer half of the JSON, as a whole response.

    Args:
        when: Which requests (`Rule`).

    Example:
        >>> truncated_json().fault.alter(Response(200, {}, b'{"a": 1}')).body
        b'{"a"'
    """
    return Rule(name="truncated_json", fault=Fault(alter=_halved), **when)


def garbled_json(**when: Unpack[When]) -> Rule:
    r"""Do the work and answer bytes that are neither JSON nor text.

    Args:
        when: Which requests (`Rule`).

    Example:
        >>> garbled_json().fault.alter(Response(200, {}, b'{}')).body
        b'\x84\x82'
    """
    return Rule(name="garbled_json", fault=Fault(alter=_garbled), **when)


def empty_answer(*, status: int = 200, **when: Unpack[When]) -> Rule:
    """Do the work and answer without a body.

    Args:
        status: HTTP status.
        when: Which requests (`Rule`).

    Example:
        >>> empty_answer().fault.answer
        Response(status=200)
    """
    return Rule(name="empty_answer", fault=Fault(answer=Response(_any(status), {})), **when)


def html_page(*, status: int = 502, apply: bool = False, **when: Unpack[When]) -> Rule:
    """Answer with a page for people, as proxies do.

    Args:
        status: HTTP status; 200 is one that misleads.
        apply: Whether the work is done all the same.
        when: Which requests (`Rule`).

    Example:
        >>> html_page(status=200, every=50).fault.answer.body[:6]
        b'<html>'
    """
    page = f"<html><body><h1>{_WORDS.get(_any(status), 'Welcome')}</h1></body></html>"
    answer = Response(status, {"content-type": "text/html; charset=utf-8"}, page.encode())
    return Rule(name="html_page", fault=Fault(apply=apply, answer=answer), **when)


def redirected(location: str, *, status: int = 302, **when: Unpack[When]) -> Rule:
    """Send the client elsewhere.

    Args:
        location: The address.
        status: 301, 302, 303, 307 or 308.
        when: Which requests (`Rule`).

    Example:
        >>> redirected("http://127.0.0.1:1/login").fault.answer.headers
        {'location': 'http://127.0.0.1:1/login'}
    """
    if not isinstance(location, str):
        raise ValueError(f"location must be an address, not {location!r}")  # noqa: TRY004 - a setting
    answer = Response(_any(status), {"location": location})
    return Rule(name="redirected", fault=Fault(apply=False, answer=answer), **when)


def _following(after: int) -> int:
    if type(after) is not int or after < 0:
        raise ValueError(f"after must be a whole number of requests, not {after!r}")
    return after + 1


def _any(status: int) -> int:
    if type(status) is not int or not 200 <= status <= 599:  # noqa: PLR2004 - what HTTP has
        raise ValueError(f"status must be an HTTP status from 200 to 599, not {status!r}")
    return status


def _halved(response: Response) -> Response:
    return Response(response.status, response.headers, response.body[: len(response.body) // 2])


def _garbled(response: Response) -> Response:
    return Response(response.status, response.headers, bytes(b ^ 0xFF for b in response.body))
