"""The limit on requests per second."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ximilar_async.emulator.throttle import Throttle


@given(
    rate=st.sampled_from([0.25, 1, 2, 7.5, 20]),
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=80),
)
def test_no_window_holds_more_than_the_rate(rate: float, gaps: list[float]) -> None:
    """In any window of a second (or of one request, if longer) at most `rate` requests pass."""
    now = 0.0
    throttle = Throttle(rate, clock=lambda: now)
    passed = []
    for gap in gaps:
        now += gap
        wait = throttle.wait()
        if wait == 0:
            passed.append(now)
        else:
            assert wait >= 1
    most = max(1, int(rate))
    window = most / rate
    for start in passed:
        assert sum(1 for at in passed if start <= at < start + window - 1e-9) <= most


@given(rate=st.sampled_from([0.25, 1, 3]), early=st.floats(0, 0.9))
def test_whoever_waits_passes(rate: float, early: float) -> None:
    """After the seconds that were asked for the request passes."""
    now = 0.0
    throttle = Throttle(rate, clock=lambda: now)
    while throttle.wait() == 0:
        pass
    now += early
    now += throttle.wait()
    assert throttle.wait() == 0
