"""From an error to the line that a person reads and the code that a script reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ximilar_async._retry import FailureClass, classify
from ximilar_async.bulk import ExitCode
from ximilar_async.errors import AccountingError, AuthError, BulkAborted, ConnectError, XimilarError

if TYPE_CHECKING:
    from collections.abc import Mapping


class UsageError(Exception):
    """Something was asked for that cannot be done as it was asked."""


_EXIT_CODES: Final[Mapping[FailureClass, ExitCode]] = {
    FailureClass.NOT_SENT: ExitCode.OUTAGE,
    FailureClass.DOUBTFUL: ExitCode.OUTAGE,
    FailureClass.THROTTLED: ExitCode.OUTAGE,
    FailureClass.AUTH: ExitCode.AUTH,
    FailureClass.CAPACITY: ExitCode.CAPACITY,
    FailureClass.CONFIGURATION: ExitCode.USAGE,
    FailureClass.RECORD_FAULT: ExitCode.USAGE,
}


def exit_code(error: Exception) -> int:
    """Return what the command line exits with after an error that is the user's to mend.

    Example:
        >>> exit_code(ConnectError("localhost:1: cannot connect"))
        <ExitCode.OUTAGE: 5>
    """
    if isinstance(error, BulkAborted):
        return int(error.report.exit_code)
    if isinstance(error, AccountingError):
        return ExitCode.ACCOUNTING
    if isinstance(error, XimilarError):
        return _EXIT_CODES[classify(error)]
    return ExitCode.USAGE


def message(error: Exception) -> str:
    """Return what to tell about an error: what is wrong, and what to do.

    Example:
        >>> message(ConnectError("localhost:1: cannot connect"))
        'localhost:1: cannot connect; is the address right (--url, XIMILAR_URL)?'
    """
    if isinstance(error, BulkAborted):
        stop, reason = error.report.stop, error.report.stop_reason
        return str(error) if stop is None else f"{stop.value}: {reason}"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    if isinstance(error, AuthError):
        return f"{error}; the token comes from XIMILAR_TOKEN or --token-file"
    if isinstance(error, ConnectError):
        return f"{error}; is the address right (--url, XIMILAR_URL)?"
    return str(error) or type(error).__name__
