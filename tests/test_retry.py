"""Whether and when to send again: tables and bounds, without clock and network."""

from __future__ import annotations

import math
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ximilar_async import errors
from ximilar_async._config import Retry
from ximilar_async._retry import FailureClass, RetryBudget, classify, parse_retry_after, waits
from ximilar_async.errors import (
    AnswerError,
    ApiError,
    BadRequestError,
    BulkAborted,
    ServerError,
    XimilarError,
    api_error_class,
)

NOW = 1_696_004_797.0
"""Fri, 29 Sep 2023 16:26:37 GMT, the moment of every table below."""

# --- Retry-After --------------------------------------------------------------------------------

HINTS: list[tuple[str, float | None]] = [
    # seconds
    ("20", 20.0),
    (" 20\t", 20.0),
    ("0", 0.0),
    ("0.5", 0.5),
    ("120", 120.0),
    ("9" * 40, float("9" * 40)),
    # dates
    ("Fri, 29 Sep 2023 16:26:57 GMT", 20.0),
    ("Fri, 29 Sep 2023 16:26:57", 20.0),
    ("Fri, 29 Sep 2023 16:26:57 -0000", 20.0),
    ("Fri, 29 Sep 2023 18:26:57 +0200", 20.0),
    ("Friday, 29-Sep-23 16:26:57 GMT", 20.0),
    ("Fri, 29 Sep 2023 16:26:37 GMT", 0.0),
    ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ("Fri, 29 Sep 2023 17:26:37 GMT", 3600.0),
    # junk
    ("", None),
    ("soon", None),
    ("1 2", None),
    ("20s", None),
    ("20,", None),
    ("0x10", None),
    ("1e3", None),
    ("1_000", None),
    ("\u0661\u0662", None),
    ("0\x1f", None),
    ("2\n0", None),
    ("Fri, 29 Sep 100000 16:26:57 GMT", None),
    ("Fri, 99 Sep 2023 16:26:57 GMT", None),
    ("Fri, 29 Sep 2023 16:26:57 +9999", None),
    # negative
    ("-10", None),
    ("-0.5", None),
    # infinite, or no number
    ("inf", None),
    ("-inf", None),
    ("Infinity", None),
    ("1e400", None),
    ("9" * 400, None),
    ("nan", None),
]


@pytest.mark.parametrize(("hint", "seconds"), HINTS)
def test_a_hint_is_seconds_or_a_date_or_nothing(hint: str, seconds: float | None) -> None:
    """Seconds and dates are understood; junk, negative and infinite hints count as none."""
    assert parse_retry_after({"retry-after": hint}, now=NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "0"}, 0.0),
        ({"retry-after-ms": "soon", "retry-after": "2"}, 2.0),
        ({"retry-after-ms": "-5", "retry-after": "2"}, 2.0),
        ({"retry-after-ms": "inf"}, None),
        ({}, None),
        ({"date": "Fri, 29 Sep 2023 16:26:37 GMT"}, None),
    ],
)
def test_milliseconds_come_first(headers: dict[str, str], seconds: float | None) -> None:
    """`retry-after-ms` is the finer hint; where it is junk the other one counts."""
    assert parse_retry_after(headers, now=NOW) == seconds


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Fri, 29 Sep 2023 16:26:47 GMT", 10.0),
        ("Fri, 29 Sep 2023 16:26:47", 10.0),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 717_697_617.0),
        ("Fri, 29 Sep 2023 16:27:47 GMT", 0.0),
        ("not a date", 20.0),
        ("", 20.0),
    ],
)
def test_a_date_is_measured_by_the_responses_own_date(date: str, seconds: float) -> None:
    """The two clocks need not agree: the difference is taken between two dates of the service."""
    headers = {"retry-after": "Fri, 29 Sep 2023 16:26:57 GMT", "date": date}
    assert parse_retry_after(headers, now=NOW) == seconds


def test_dates_are_in_gmt_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """A date without a zone means the same in Tokyo as in London."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        for hint in ("Fri, 29 Sep 2023 16:26:57", "Fri, 29 Sep 2023 16:26:57 -0000"):
            assert parse_retry_after({"retry-after": hint}, now=NOW) == 20.0
    finally:
        monkeypatch.undo()
        time.tzset()


def test_without_any_date_the_systems_clock_counts() -> None:
    """A date in the past is a hint of nothing, one far in the future a hint of much."""
    assert parse_retry_after({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}) == 0.0
    far = parse_retry_after({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"})
    assert far is not None
    assert far > 10**9


WORDS = "Mon Tue, Wed, Jan Oct 21 2026 07:28:00 GMT -0000 +9999 99:99:99 0 -1 9999 :: ( ; UT 1e3"
TEXT = st.text() | st.lists(st.sampled_from(WORDS.split()), max_size=8).map(" ".join)


@settings(deadline=None)
@given(TEXT, st.none() | TEXT)
def test_no_header_makes_trouble(hint: str, date: str | None) -> None:
    """Whatever stands in the headers, the hint is none or a finite number of seconds from 0."""
    headers = {"retry-after": hint, "retry-after-ms": hint[::-1], "date": date or ""}
    seconds = parse_retry_after(headers, now=0.0)
    assert seconds is None or (math.isfinite(seconds) and seconds >= 0)


# --- waits --------------------------------------------------------------------------------------


def whole(ceiling: float) -> float:
    return ceiling


def nothing(_: float) -> float:
    return 0.0


def test_ceilings_double_up_to_the_cap() -> None:
    """Without luck a call waits 0.5, 1, 2, 4, 8, 16, then 20 s, again and again."""
    series = waits(Retry(), jitter=whole)
    drawn = [series.after(None, throttled=False) for _ in range(9)]
    assert drawn == [0.5, 1, 2, 4, 8, 16, 20, 20, 20]


def test_throttled_calls_wait_twice_as_long() -> None:
    """After a 429 the backoff starts at 1 s."""
    series = waits(Retry(), jitter=whole)
    assert [series.after(None, throttled=True) for _ in range(7)] == [1, 2, 4, 8, 16, 20, 20]


def test_the_backoff_grows_with_every_failure_of_a_call() -> None:
    """A call that is first refused and then throttled does not begin anew."""
    series = waits(Retry(), jitter=whole)
    assert [series.after(None, throttled=throttled) for throttled in (False, True, False)] == [
        0.5,
        2,
        2,
    ]


def test_a_base_above_the_cap_is_the_cap() -> None:
    """No ceiling is ever above the cap."""
    series = waits(Retry(base=50, throttled_base=0, cap=3), jitter=whole)
    assert [series.after(None, throttled=False) for _ in range(3)] == [3, 3, 3]
    assert series.after(None, throttled=True) == 0


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.none() | st.floats(0, 600), st.booleans()), max_size=20),
    st.floats(0, 30),
    st.floats(0, 30),
    st.floats(0, 60),
)
def test_full_jitter_stays_within_its_bounds(
    failures: list[tuple[float | None, bool]], base: float, throttled_base: float, cap: float
) -> None:
    """Each wait is at least the hint, and at most the hint and the ceiling of its turn."""
    series = waits(Retry(base=base, throttled_base=throttled_base, cap=cap))
    for turn, (hint, throttled) in enumerate(failures):
        wait = series.after(hint, throttled=throttled)
        ceiling = min(cap, (throttled_base if throttled else base) * 2**turn)
        floor = hint or 0.0
        assert floor <= wait <= floor + ceiling + 1e-9


def test_jitter_is_full() -> None:
    """Waits spread over the whole of the range, so that calls that failed together part."""
    drawn = sorted(waits(Retry(base=1.0)).after(None, throttled=False) for _ in range(2000))
    assert drawn[0] < 0.05
    assert drawn[-1] > 0.95
    assert max(b - a for a, b in pairwise(drawn)) < 0.05


@pytest.mark.parametrize("jitter", [whole, nothing])
def test_a_hint_is_a_floor(jitter: Any) -> None:
    """What the service asks for is waited in full; jitter comes on top of it."""
    series = waits(Retry(), jitter=jitter)
    assert series.after(30.0, throttled=True) == 30.0 + jitter(1.0)


# --- the budget ---------------------------------------------------------------------------------


def test_a_total_outage_is_not_multiplied() -> None:
    """When nothing succeeds, 1,000 calls that would retry thrice make at most 1.1 requests each."""
    budget = RetryBudget()
    retries = sum(budget.take() for _ in range(1000) for _ in range(3))
    assert retries == 100
    assert (1000 + retries) / 1000 <= 1.1


def test_successes_refund_up_to_the_start() -> None:
    """A success gives back one token, and never more than there were at first."""
    budget = RetryBudget()
    budget.succeed()
    assert budget.tokens == budget.most == 500
    assert [budget.take() for _ in range(101)] == [True] * 100 + [False]
    for _ in range(4):
        budget.succeed()
    assert not budget.take()
    budget.succeed()
    assert budget.take()
    assert budget.tokens == 0


@settings(deadline=None)
@given(st.lists(st.booleans()))
def test_the_budget_is_never_overdrawn(steps: list[bool]) -> None:
    """Tokens stay between none and all, whatever happens."""
    budget = RetryBudget(tokens=20, most=20)
    for success in steps:
        before = budget.tokens
        taken = None if success else budget.take()
        budget.succeed() if success else None
        assert 0 <= budget.tokens <= 20
        assert taken is not False or before < budget.cost


# --- classes of failure -------------------------------------------------------------------------


def api(code: int, retry_after: float | None = None) -> ApiError:
    return api_error_class(code)(code, code, "", retry_after=retry_after)


CLASSES: list[tuple[XimilarError, FailureClass]] = [
    (errors.ConnectError("refused"), FailureClass.NOT_SENT),
    (errors.TLSError("certificate"), FailureClass.CONFIGURATION),
    (errors.ConfigError("redirect"), FailureClass.CONFIGURATION),
    (api(404), FailureClass.CONFIGURATION),
    (errors.TimedOutError("no answer"), FailureClass.DOUBTFUL),
    (errors.DisconnectedError("reset"), FailureClass.DOUBTFUL),
    (errors.ProtocolError("cut"), FailureClass.DOUBTFUL),
    (errors.AnswerTooLargeError("32 MiB"), FailureClass.DOUBTFUL),
    (errors.TransportError("other"), FailureClass.DOUBTFUL),
    (AnswerError("HTML"), FailureClass.DOUBTFUL),
    *((api(code), FailureClass.DOUBTFUL) for code in (500, 501, 502, 503, 504, 520, 599)),
    *((api(code), FailureClass.DOUBTFUL) for code in (408, 425)),
    *((api(code), FailureClass.CONFIGURATION) for code in (405, 407, 410)),
    (api(502, retry_after=3.0), FailureClass.DOUBTFUL),
    (api(503, retry_after=3.0), FailureClass.THROTTLED),
    (api(503, retry_after=0.0), FailureClass.THROTTLED),
    (ServerError(503, 500, "", retry_after=1.0), FailureClass.DOUBTFUL),
    (ServerError(200, 503, "", retry_after=1.0), FailureClass.THROTTLED),
    (api(429), FailureClass.THROTTLED),
    (api(429, retry_after=3.0), FailureClass.THROTTLED),
    (api(401), FailureClass.AUTH),
    (api(403), FailureClass.AUTH),
    (api(402), FailureClass.CAPACITY),
    (api(412), FailureClass.CAPACITY),
    (api(400), FailureClass.RECORD_FAULT),
    (api(413), FailureClass.RECORD_FAULT),
    (api(422), FailureClass.RECORD_FAULT),
    (errors.RecordError("no _id"), FailureClass.RECORD_FAULT),
    (errors.ImageError("AVIF"), FailureClass.RECORD_FAULT),
]


@pytest.mark.parametrize(("error", "failure"), CLASSES, ids=repr)
def test_failures_have_their_class(error: XimilarError, failure: FailureClass) -> None:
    """Each kind of failure is treated as the table of docs/design.md says."""
    assert classify(error) is failure


def test_every_error_has_a_class() -> None:
    """No error of the tree is unknown to the rules."""
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, ApiError):
            assert isinstance(classify(kind(400, 400, "")), FailureClass)
        elif isinstance(kind, type) and issubclass(kind, XimilarError):
            error = kind("", None) if issubclass(kind, BulkAborted) else kind("")
            assert isinstance(classify(error), FailureClass)


@pytest.mark.parametrize("failure", FailureClass)
def test_retryable_says_what_the_rules_do(failure: FailureClass) -> None:
    """`error.retryable` is true for just those classes of failure that are worth repeating.

    But for an answer that was too large: it would be so again, whatever was applied.
    """
    repeated = failure in (FailureClass.NOT_SENT, FailureClass.DOUBTFUL, FailureClass.THROTTLED)
    members = [
        error
        for error, kind in CLASSES
        if kind is failure and not isinstance(error, errors.AnswerTooLargeError)
    ]
    assert members
    assert {error.retryable for error in members} == {repeated}


def test_a_throttled_503_stays_doubtful() -> None:
    """A 429 was not applied; a 503, with or without a hint, may have been."""
    assert not api(429, retry_after=1.0).doubtful
    assert api(503, retry_after=1.0).doubtful
    assert not BadRequestError(400, 400, "").doubtful
