"""From an error to the line that a person reads and the code that a script reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ximilar_async._retry import FailureClass, classify
from ximilar_async.bulk import ExitCode
from ximilar_async.errors import (
    AccountingError,
    AnswerTooLargeError,
    AuthError,
    BulkAborted,
    ConfigError,
    XimilarError,
)

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


_OPTIONS: Final[Mapping[str, str]] = {
    "base_url": "--url",
    "tokens": "--token",
    "workers": "--concurrency",
}
"""Settings that are not called as their option is."""

_IN_REASONS: Final[Mapping[str, str]] = {
    "(deadline)": "(--deadline)",
    "(error_budget)": "(--error-budget)",
    "(RecordMapping(id=…))": "(--map id=COLUMN)",
    "(RecordMapping(id='_id'))": "(--map id=_id)",
    "; name the encoding": "; name the encoding (--encoding)",
    "(mapping=…)": "(--map)",
    "(origin=…)": "(--origin)",
    "(decimal)": "(--decimal)",
    "(thousands)": "(--thousands)",
    "(true_values, false_values)": "(--true-values, --false-values)",
    "; name files_root as well": "; name --files-root as well",
    "; name its source as well": "; name its source with --origin as well",
    "Limits(concurrency=…)": "--concurrency",
    "Limits(rate=…)": "--rate",
    "wait longer, Timeout(total=…), or have": "have",
    ", or wait longer: Timeout(connect=…)": "",
    "Ximilar(ssl=…) or SSL_CERT_FILE": "SSL_CERT_FILE",
    ", or leave trust_env out": "",
    "(client.account() tells)": "(ximilar-async account)",
    "(files_root)": "(--files-root)",
    "base_url": "--url (or XIMILAR_URL)",
}
"""How messages speak of settings, and how of options."""

_SETTING: Final = re.compile(
    r"(?P<name>[a-z][a-z_]*)(?= (?:must be|takes|is for) |\b.*is not an address)"
)


def in_options(words: str) -> str:
    """Return what is wrong with a setting, with the option's name in the place of the setting's.

    Example:
        >>> in_options("rate_limit must be more than 0, not -1")
        '--rate-limit must be more than 0, not -1'
    """
    words = words.replace("ImageOptions(max_side=None)", "--max-side 0")
    found = _SETTING.match(words)
    if found is None:
        return words
    name = found["name"]
    return _OPTIONS.get(name, f"--{name.replace('_', '-')}") + words[found.end() :]


def reason_in_options(words: str) -> str:
    """Return a message, or a record's reason, with the options' names where it names settings.

    Example:
        >>> reason_in_options("2 s have passed (deadline)")
        '2 s have passed (--deadline)'
    """
    for setting, option in _IN_REASONS.items():
        words = words.replace(setting, option)
    return words


def exit_code(error: Exception) -> int:
    """Return what the command line exits with after an error that is the user's to mend.

    Example:
        >>> from ximilar_async.errors import ConnectError
        >>> exit_code(ConnectError("localhost:1: cannot connect"))
        <ExitCode.OUTAGE: 5>
    """
    if isinstance(error, BulkAborted):
        return int(error.report.exit_code)
    if isinstance(error, AccountingError):
        return ExitCode.ACCOUNTING
    if isinstance(error, AnswerTooLargeError):
        return ExitCode.USAGE  # the service is there; less has to be asked of it
    if isinstance(error, XimilarError):
        return _EXIT_CODES[classify(error)]
    return ExitCode.USAGE


def message(error: Exception) -> str:
    """Return what to tell about an error: what is wrong, and what to do.

    Example:
        >>> from ximilar_async.errors import ConnectError
        >>> message(ConnectError("localhost:1: cannot connect; check base_url"))
        'localhost:1: cannot connect; check --url (or XIMILAR_URL)'
    """
    if isinstance(error, BulkAborted):
        stop, reason = error.report.stop, error.report.stop_reason
        words = str(error) if stop is None else f"{stop.value}: {reason}"
        return reason_in_options(words)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror or error}"
    if isinstance(error, ConfigError):
        return reason_in_options(in_options(str(error)))
    if isinstance(error, AuthError):
        return f"{error}; the token comes from XIMILAR_TOKEN or --token-file"
    return reason_in_options(str(error)) or type(error).__name__
