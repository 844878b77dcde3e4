"""Every exception this package raises.

    XimilarError
    ├── ConfigError            a setting that cannot work: token, address, service, option
    │   └── SyncRefusedError   a catalog sync or plan that nobody can have meant: nothing was sent
    ├── RecordError            a record the service could never accept, found before sending
    │   └── ImageError         its image: missing, unreadable, of a refused format, too large
    ├── SourceError            records could not be read: no such file, or it broke off
    ├── TransportError         no usable HTTP answer
    │   ├── ConnectError       the request never left: always safe to send again
    │   ├── TLSError           certificate or TLS settings: repeating cannot help
    │   ├── TimedOutError      no answer in time: the request may have been applied
    │   ├── DisconnectedError  the connection broke: the request may have been applied
    │   └── ProtocolError      not HTTP, or cut off: may have been applied
    │       └── AnswerTooLargeError  over 32 MiB: so it would be again, and may have been applied
    ├── AnswerError            an HTTP success whose body is not the documented JSON
    ├── ApiError               the service answered and said no
    │   ├── AuthError          401, 403
    │   ├── NotFoundError      404 that is no record look-up: wrong service or method
    │   ├── BadRequestError    400, 413, 422 and all other 4xx
    │   ├── CapacityError      402, 412: credits spent or the collection is full
    │   ├── RateLimitError     429
    │   └── ServerError        5xx, 408, 425: it could not just now
    ├── JournalError           a bulk run's journal or rejects file cannot be written or used
    ├── StateError             a sync's state file cannot be used: in use, of others, newer
    ├── AccountingError        a bulk run's outcomes do not sum to the records read: a defect
    └── BulkAborted            a bulk run that had to stop; carries the report

Each class says two things that drive retries: `retryable` (sending the same thing again may help)
and `doubtful` (the service may have applied the request although no usable answer arrived). No
message and no attribute of any of them holds the token.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = [
    "AccountingError",
    "AnswerError",
    "AnswerTooLargeError",
    "ApiError",
    "AuthError",
    "BadRequestError",
    "BulkAborted",
    "CapacityError",
    "ConfigError",
    "ConnectError",
    "DisconnectedError",
    "ImageError",
    "JournalError",
    "NotFoundError",
    "ProtocolError",
    "RateLimitError",
    "RecordError",
    "ServerError",
    "SourceError",
    "StateError",
    "SyncRefusedError",
    "TLSError",
    "TimedOutError",
    "TransportError",
    "XimilarError",
    "api_error_class",
]


class XimilarError(Exception):
    """Base class of everything raised here."""

    retryable: ClassVar[bool] = False
    doubtful: ClassVar[bool] = False
    retry_after: float | None = None
    """Seconds the service asked to wait, where it did."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle by attributes: a constructor's arguments are not always its message."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(kind: type[XimilarError], args: tuple[Any, ...], state: dict[str, Any]) -> Any:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class ConfigError(XimilarError, ValueError):
    """A setting that cannot work, found before any I/O or told by a redirect."""


class SyncRefusedError(ConfigError):
    """A catalog sync, or the plan of one, that nobody can have meant; nothing was sent."""


class RecordError(XimilarError, ValueError):
    """A record that the service could never accept, found before anything is sent."""


class ImageError(RecordError):
    """A record's image: missing, unreadable, of a refused format, or too large."""


class SourceError(XimilarError):
    """Records could not be read: no such file, or the source broke off."""


class TransportError(XimilarError):
    """No usable HTTP answer arrived."""

    retryable = True
    doubtful = True


class ConnectError(TransportError):
    """The request never left this machine: refused, unknown host, connect or pool timeout."""

    doubtful = False


class TLSError(TransportError):
    """The certificate or the TLS settings do not fit: repeating cannot help."""

    retryable = False
    doubtful = False


class TimedOutError(TransportError):
    """No answer in time; the request may have been applied."""


class DisconnectedError(TransportError):
    """The connection broke before the answer was whole; the request may have been applied."""


class ProtocolError(TransportError):
    """What came back is not HTTP or was cut off; the request may have been applied."""


class AnswerTooLargeError(ProtocolError):
    """The answer is over the size cap of 32 MiB, and would be again: ask for fewer fields or pages.

    What writes may have been applied; it is not repeated, for the repetition's answer would be as
    large, or tell of duplicates that the first request made.
    """

    retryable = False


class AnswerError(XimilarError):
    """An HTTP success whose body is not the documented JSON; the request may have been applied.

    Args:
        message: What is wrong, with the method's name.
        raw: The decoded JSON, where there was any.
    """

    retryable = True
    doubtful = True

    def __init__(self, message: str, *, raw: object = None) -> None:
        super().__init__(message)
        self.raw = raw


class ApiError(XimilarError):
    """The service answered and said no.

    Args:
        http_status: Status of the HTTP response.
        code: The code that decided: the body's where it has one, else the HTTP status.
        text: The service's own words, or a short excerpt of a body that is not JSON.
        retry_after: Seconds the service asked to wait.
        request_id: The service's name for this request, where it gave one.
        raw: The decoded JSON body, where there was one; a 412 may list records in it.
        hint: What the caller can do about it.
    """

    def __init__(
        self,
        http_status: int,
        code: int,
        text: str,
        *,
        retry_after: float | None = None,
        request_id: str | None = None,
        raw: Mapping[str, Any] | None = None,
        hint: str = "",
    ) -> None:
        words = f"{code} {text}".rstrip()
        if code != http_status:
            words += f" (HTTP {http_status})"
        super().__init__(f"{words.rstrip('.')}: {hint}" if hint else words)
        self.http_status = http_status
        self.code = code
        self.text = text
        self.retry_after = retry_after
        self.request_id = request_id
        self.raw = raw


class AuthError(ApiError):
    """401 or 403: the token is missing or wrong, or may not use this collection."""


class NotFoundError(ApiError):
    """404 that is no record look-up: no such service, method or collection."""


class BadRequestError(ApiError):
    """400, 413, 422 or another 4xx: the service refuses this very request."""


class CapacityError(ApiError):
    """402 or 412: the credits are spent or the collection is full."""


class RateLimitError(ApiError):
    """429: too many requests; nothing was applied."""

    retryable = True


class ServerError(ApiError):
    """5xx, 408 or 425: the service could not just now; the request may have been applied."""

    retryable = True
    doubtful = True


class JournalError(XimilarError):
    """A bulk run's journal or rejects file cannot be written or used: nothing more may be sent."""


class StateError(XimilarError):
    """A sync's state file cannot be used: it is in use, belongs to others, is damaged or newer."""


class AccountingError(XimilarError):
    """A bulk run's outcomes do not sum to the records read: a defect of this package."""

    def __str__(self) -> str:
        """Say what came up, and what to do about a defect that nobody outside can mend."""
        words = "a defect of ximilar-async: do not trust the report, keep the journal, report this"
        return f"{super().__str__()}; {words}"


class BulkAborted(XimilarError):  # noqa: N818 - the name says what happened
    """A bulk run that had to stop before its source ended.

    Args:
        message: Why it stopped.
        report: What became of every record read until then (a `bulk.Report`).
    """

    def __init__(self, message: str, report: Any) -> None:
        super().__init__(message)
        self.report = report


_BY_CODE: dict[int, type[ApiError]] = {
    401: AuthError,
    402: CapacityError,
    403: AuthError,
    404: NotFoundError,
    408: ServerError,
    412: CapacityError,
    425: ServerError,
    429: RateLimitError,
}

_FIRST_SERVER_CODE = 500


def api_error_class(code: int) -> type[ApiError]:
    """Return the most specific error class for a refusing code.

    Args:
        code: A body code or an HTTP status, 400 or above.

    Example:
        >>> api_error_class(429).__name__
        'RateLimitError'
    """
    if code >= _FIRST_SERVER_CODE:
        return ServerError
    return _BY_CODE.get(code, BadRequestError)
