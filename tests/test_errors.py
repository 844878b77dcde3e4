"""The error tree: what each class says, shows and survives."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import pytest

from ximilar_async import errors
from ximilar_async.errors import (
    AccountingError,
    AnswerError,
    AnswerTooLargeError,
    ApiError,
    AuthError,
    BadRequestError,
    BulkAborted,
    CapacityError,
    ConfigError,
    ConnectError,
    DisconnectedError,
    ImageError,
    JournalError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    RecordError,
    ServerError,
    SourceError,
    StateError,
    SyncRefusedError,
    TimedOutError,
    TLSError,
    TransportError,
    XimilarError,
    api_error_class,
)

CLASSES: dict[str, type[XimilarError]] = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, XimilarError)
}


def _drawn() -> dict[str, str]:
    """Read the docstring's drawing: each class's name with its parent's."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if drawn := re.match(r" {4}((?:[│ ] {3})*(?:[├└]── )?)(\w+)(?: {2}|$)", line):
            depth, name = len(drawn[1]) // 4, drawn[2]
            path = [*path[:depth], name]
            parents[name] = path[-2] if depth else ""
    return parents


def _example(kind: type[XimilarError]) -> XimilarError:
    if issubclass(kind, ApiError):
        return kind(
            200, 503, "busy", retry_after=2.0, request_id="r-1", raw={"a": [1]}, hint="wait"
        )
    if issubclass(kind, BulkAborted):
        return kind("the token was refused", report={"read": 3})
    if issubclass(kind, AnswerError):
        return kind("find: no JSON", raw=["odd"])
    return kind("what happened")


def test_the_drawing_is_the_class_tree() -> None:
    """The tree in the module's docstring names every class, each below its real parent."""
    actual = {
        name: kind.__bases__[0].__name__ if kind is not XimilarError else ""
        for name, kind in CLASSES.items()
    }
    assert _drawn() == actual


def test_every_class_can_be_imported_by_its_own_name() -> None:
    """No class hides behind another's name."""
    assert all(kind.__name__ == name for name, kind in CLASSES.items())


FLAGS: dict[type[XimilarError], tuple[bool, bool]] = {
    XimilarError: (False, False),
    ConfigError: (False, False),
    RecordError: (False, False),
    ImageError: (False, False),
    SourceError: (False, False),
    TransportError: (True, True),
    ConnectError: (True, False),
    TLSError: (False, False),
    TimedOutError: (True, True),
    DisconnectedError: (True, True),
    ProtocolError: (True, True),
    AnswerTooLargeError: (False, True),
    AnswerError: (True, True),
    ApiError: (False, False),
    AuthError: (False, False),
    NotFoundError: (False, False),
    BadRequestError: (False, False),
    CapacityError: (False, False),
    RateLimitError: (True, False),
    ServerError: (True, True),
    JournalError: (False, False),
    StateError: (False, False),
    SyncRefusedError: (False, False),
    AccountingError: (False, False),
    BulkAborted: (False, False),
}


def test_flags_are_those_of_the_failure_classes() -> None:
    """`retryable` and `doubtful` follow the classes of failure, for every class there is."""
    assert {kind: (kind.retryable, kind.doubtful) for kind in CLASSES.values()} == FLAGS


def test_bad_settings_and_records_are_value_errors() -> None:
    """Code that knows nothing of this package catches a bad value as ValueError."""
    values = {kind for kind in CLASSES.values() if issubclass(kind, ValueError)}
    assert values == {ConfigError, SyncRefusedError, RecordError, ImageError}


@pytest.mark.parametrize("kind", CLASSES.values(), ids=list(CLASSES))
@pytest.mark.parametrize(
    "remake", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_errors_survive_copying_and_pickling(kind: type[XimilarError], remake: Any) -> None:
    """An error that crosses a process keeps its class, its words and everything it carries."""
    error = _example(kind)
    error.add_note("while inserting")
    twin = remake(error)
    assert type(twin) is kind
    assert (str(twin), twin.args, vars(twin)) == (str(error), error.args, vars(error))


def test_a_defect_says_what_to_do_with_it() -> None:
    """Nobody outside can mend it: keep what tells of it, and report it."""
    error = AccountingError("record 7 was settled twice")
    assert re.match(r"record 7 was settled twice; a defect .*keep the journal, rep", str(error))


@pytest.mark.parametrize("kind", CLASSES.values(), ids=list(CLASSES))
def test_a_hint_to_wait_is_always_readable(kind: type[XimilarError]) -> None:
    """`retry_after` exists on every error, and is None where the service asked nothing."""
    assert kind.retry_after is None
    assert _example(kind).retry_after == (2.0 if issubclass(kind, ApiError) else None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((404, 404, "Not Found"), "404 Not Found"),
        ((200, 404, "records not found"), "404 records not found (HTTP 200)"),
        ((502, 502, ""), "502"),
        ((200, 503, ""), "503 (HTTP 200)"),
    ],
)
def test_refusals_say_code_and_text(arguments: tuple[int, int, str], words: str) -> None:
    """The deciding code with the service's words; HTTP's own is told where it differs."""
    assert str(ApiError(*arguments)) == words


def test_a_hint_ends_the_message() -> None:
    """What the caller can do stands behind what the service said."""
    assert str(AuthError(401, 401, "Invalid token", hint="check XIMILAR_TOKEN")) == (
        "401 Invalid token: check XIMILAR_TOKEN"
    )


def test_refusals_carry_what_users_read() -> None:
    """HTTP status, code, text, wait, request's name and body are attributes."""
    error = _example(ServerError)
    assert isinstance(error, ServerError)
    assert (error.http_status, error.code, error.text) == (200, 503, "busy")
    assert (error.retry_after, error.request_id, error.raw) == (2.0, "r-1", {"a": [1]})


def test_bodies_and_reports_are_not_shown() -> None:
    """Neither str nor repr prints what an answer or a report held: it may be large or private."""
    raw = {"secret": "s3cr3t"}
    for error in (
        ApiError(400, 400, "bad", raw=raw),
        AnswerError("odd", raw=raw),
        BulkAborted("stopped", report=raw),
    ):
        assert "s3cr3t" not in str(error) + repr(error)


def test_an_aborted_run_carries_its_report() -> None:
    """What became of every record is not lost with the stop."""
    report = object()
    assert BulkAborted("stopped", report).report is report


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        ((401, 403), AuthError),
        ((404,), NotFoundError),
        ((402, 412), CapacityError),
        ((429,), RateLimitError),
        ((400, 405, 407, 409, 411, 413, 415, 422, 499), BadRequestError),
        ((408, 425, 500, 501, 502, 503, 504, 520, 599), ServerError),
    ],
)
def test_codes_have_their_class(codes: tuple[int, ...], kind: type[ApiError]) -> None:
    """Every refusing code has the class that the tree names for it."""
    assert {api_error_class(code) for code in codes} == {kind}
