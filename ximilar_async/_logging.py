"""The events that the logger `ximilar_async` is told, each with what its record carries."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from .errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._config import Target
    from ._endpoints import Endpoint

_MOST: Final = 300
"""Characters of an error's message that are told at most."""
_BLOB: Final = re.compile(r"\S{80,}")
"""What is no word: an image in base64, a record without spaces, a long address."""
_KEPT: Final = 24
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""What would begin a new line, or command a terminal, where a log is read."""
_REPORTS: Final = logging.Handler()
"""Writes to stderr what a handler raised, unless `logging.raiseExceptions` is off."""

CLIENT: Final = logging.getLogger("ximilar_async.client")
BULK: Final = logging.getLogger("ximilar_async.bulk")
SYNC: Final = logging.getLogger("ximilar_async.sync")
for _logger in (CLIENT, BULK, SYNC):  # not their parent: the emulator's warnings are to be seen
    _logger.addHandler(logging.NullHandler())


@define(eq=False)
class Event:
    """One kind of log record.

    Args:
        name: The extra `event`.
        logger: Whom it is told.
        levels: The usual level first, then others that it may have.
        words: The message, in which extras stand as `%(name)s`; formatted only if it is wanted.
        extras: Names of all its extras besides `event`.

    Example:
        >>> RUN_START.name, RUN_START.logger.name, RUN_START.level_names
        ('run.start', 'ximilar_async.bulk', 'INFO')
    """

    name: str
    logger: logging.Logger
    levels: tuple[int, ...]
    words: str
    extras: tuple[str, ...]
    _usual: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._usual = self.levels[0]

    @property
    def level_names(self) -> str:
        """Return the levels that it may have, as they are written."""
        return " or ".join(map(logging.getLevelName, self.levels))

    def is_wanted(self, level: int | None = None) -> bool:
        """Tell whether anybody listens; asked before anything is put together."""
        return self.logger.isEnabledFor(level or self._usual)

    def tell(self, level: int | None = None, /, **extras: object) -> None:
        """Make a log record.

        Args:
            level: One of `levels`; None for the usual one.
            extras: Each of `extras`.
        """
        level = level or self._usual
        if self.logger.isEnabledFor(level):
            extra = {"event": self.name, **extras}
            try:
                self.logger.log(level, self.words, extras, extra=extra, stacklevel=2)
            except Exception as error:  # noqa: BLE001 - a program's handler, whatever it raises
                # Handlers that come with Python report such errors themselves, in just this way.
                error.__suppress_context__ = True  # what we were told of may quote an image
                record = logging.makeLogRecord({"msg": self.words, "args": (extras,)})
                _REPORTS.handleError(record)


def plain(text: object) -> str:
    """Return a message as it may be kept: on one line, quoted images and records cut out.

    Example:
        >>> plain("400 unreadable image /9j/" + 100 * "A")
        '400 unreadable image /9j/AAAAAAAAAAAAAAAAAAAA…'
    """
    line = _CONTROLS.sub(" ", str(text))
    short = _BLOB.sub(lambda blob: f"{blob[0][:_KEPT]}…", line)
    return short if len(short) <= _MOST else f"{short[:_MOST]}…"


def told(error: BaseException) -> Mapping[str, Any]:
    """Return the extras that every event about a failure has.

    Example:
        >>> from ximilar_async.errors import RateLimitError
        >>> told(RateLimitError(429, 429, "slow down"))
        {'error': 'RateLimitError', 'code': 429, 'reason': '429 slow down'}
    """
    code = error.code if isinstance(error, ApiError) else None
    return {"error": type(error).__name__, "code": code, "reason": plain(error)}


_FAILURE: Final = ("error", "code", "reason")
_RUN: Final = ("operation", "collection")
_DEBUG, _INFO, _WARNING = (logging.DEBUG,), (logging.INFO,), (logging.WARNING,)
_END: Final = (logging.INFO, logging.WARNING)

REQUEST: Final = Event(
    "request",
    CLIENT,
    _DEBUG,
    "%(method)s of %(collection)s, attempt %(attempt)d: %(outcome)s in %(seconds).3f s",
    ("method", "collection", "attempt", "outcome", "status", "seconds", "error"),
)
RETRY: Final = Event(
    "retry",
    CLIENT,
    _INFO,
    "%(method)s of %(collection)s is sent again in %(wait).2f s: %(error)s: %(reason)s",
    ("method", "collection", "attempt", "wait", *_FAILURE),
)
GIVE_UP: Final = Event(
    "give_up",
    CLIENT,
    _INFO,
    "%(method)s of %(collection)s is given up after %(attempts)d attempts: %(error)s: %(reason)s",
    ("method", "collection", "attempts", *_FAILURE),
)
HOLD: Final = Event(
    "hold",
    CLIENT,
    _INFO,
    "nothing is sent for %(seconds).1f s: the service asks for a pause (%(error)s)",
    ("method", "collection", "seconds", *_FAILURE),
)
TOKEN: Final = Event(
    "token",
    CLIENT,
    _INFO,
    "%(method)s of %(collection)s was refused; it is sent again with a fresh token",
    ("method", "collection"),
)
TELEMETRY: Final = Event(
    "telemetry",
    CLIENT,
    _WARNING,
    "telemetry failed, and what it watches goes on: %(error)s: %(reason)s (%(where)s);"
    " told once, whatever follows",
    ("where", *_FAILURE),
)
RUN_START: Final = Event(
    "run.start",
    BULK,
    _INFO,
    "%(operation)s in %(collection)s starts: %(source)s, %(workers)d requests at once at most",
    (*_RUN, "source", "workers", "resumed"),
)
RUN_STOP: Final = Event(
    "run.stop",
    BULK,
    _END,
    "%(operation)s in %(collection)s ends early: %(stop)s: %(reason)s",
    (*_RUN, "stop", "reason"),
)
RUN_END: Final = Event(
    "run.end",
    BULK,
    _END,
    "%(summary)s",
    (*_RUN, "summary", "read", "counts", "requests", "retries", "seconds", "stop"),
)
BREAKER_OPEN: Final = Event(
    "breaker.open",
    BULK,
    _WARNING,
    "%(operation)s in %(collection)s pauses, the service does not answer: %(reason)s",
    (*_RUN, "reason"),
)
BREAKER_CLOSE: Final = Event(
    "breaker.close",
    BULK,
    _INFO,
    "%(operation)s in %(collection)s goes on: the service answers again after %(seconds).1f s",
    (*_RUN, "seconds"),
)
BATCH_RETRY: Final = Event(
    "batch.retry",
    BULK,
    _DEBUG,
    "%(records)d records are sent again in %(wait).2f s: %(error)s: %(reason)s",
    (*_RUN, "records", "wait", *_FAILURE),
)
SYNC_START: Final = Event(
    "sync.start",
    SYNC,
    _INFO,
    "sync of %(collection)s starts (%(mode)s)",
    ("collection", "mode"),
)
SYNC_STAGE: Final = Event(
    "sync.stage",
    SYNC,
    (logging.INFO, logging.DEBUG),
    "sync of %(collection)s: %(stage)s",
    ("collection", "stage"),
)
SYNC_PLAN: Final = Event(
    "sync.plan",
    SYNC,
    _INFO,
    "sync of %(collection)s: %(read)d records read, %(unchanged)d unchanged, to do: %(tasks)s",
    ("collection", "read", "unchanged", "tasks"),
)
SYNC_END: Final = Event(
    "sync.end",
    SYNC,
    _END,
    "%(summary)s",
    (
        "collection",
        "mode",
        "summary",
        "requests",
        "retries",
        "seconds",
        "stop",
        "error",
        "reason",
    ),
)

EVENTS: Final = (
    REQUEST,
    RETRY,
    GIVE_UP,
    HOLD,
    TOKEN,
    TELEMETRY,
    RUN_START,
    RUN_STOP,
    RUN_END,
    BREAKER_OPEN,
    BREAKER_CLOSE,
    BATCH_RETRY,
    SYNC_START,
    SYNC_STAGE,
    SYNC_PLAN,
    SYNC_END,
)
"""All of them, as docs/logging.md has them."""


def tell_call(
    event: Event,
    endpoint: Endpoint[Any],
    target: Target | None,
    error: BaseException | None = None,
    **extras: object,
) -> None:
    """Tell of something that a call meets.

    Args:
        event: What it is.
        endpoint: The method that is called.
        target: The call's; None for the account.
        error: What it met, for an event that is about a failure.
        extras: The event's others.
    """
    if event.is_wanted():
        collection = None if target is None else target.collection_id
        failure = {} if error is None else told(error)
        event.tell(method=endpoint.path, collection=collection, **failure, **extras)


def tell_request(
    endpoint: Endpoint[Any],
    target: Target | None,
    status: int | None,
    attempt: int,
    seconds: float,
    *,
    good: bool,
) -> None:
    """Tell of one request; called while the exception that ended it, if any, is under way.

    Args:
        endpoint: The method that is called.
        target: The call's; None for the account.
        status: HTTP status; None without an answer.
        attempt: Its number within the call, from 1.
        seconds: From sending to the end.
        good: Whether it was answered; the exception under way is an older one then.
    """
    failure = None if good else sys.exception()
    kind = None if failure is None else type(failure).__name__
    REQUEST.tell(
        method=endpoint.path,
        collection=None if target is None else target.collection_id,
        attempt=attempt,
        outcome=kind if status is None else f"HTTP {status}",
        status=status,
        seconds=seconds,
        error=kind,
    )
