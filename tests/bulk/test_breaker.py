"""The outage breaker: one probe at a time while the service is gone."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ximilar_async.bulk._breaker import Breaker


def opened(now: float = 100.0) -> Breaker:
    breaker = Breaker()
    for _ in range(5):
        breaker.failed(now)
    assert breaker.is_open
    return breaker


def test_single_failures_among_successes_never_open_it() -> None:
    """Only failures in a row count: some trouble is no outage."""
    breaker = Breaker()
    for now in range(100):
        (breaker.failed if now % 5 else breaker.succeeded)(now)
    assert not breaker.is_open
    assert breaker.wait(100) == 0


def test_probes_come_after_1_2_4_seconds_up_to_60() -> None:
    """Each failed probe doubles the time to the next one."""
    breaker, now, waits = opened(), 100.0, []
    for _ in range(8):
        wait = breaker.wait(now)
        assert wait
        waits.append(wait)
        now += wait
        assert breaker.wait(now) == 0
        assert breaker.wait(now) is None
        breaker.failed(now)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_success_closes_it_and_starts_afresh() -> None:
    """One answered probe is enough; the next outage begins with short waits again."""
    breaker = opened()
    assert breaker.wait(101.0) == 0
    breaker.succeeded(103.0)
    assert breaker.wait(103.0) == 0
    assert breaker.open_seconds == 3.0
    for _ in range(5):
        breaker.failed(200.0)
    assert breaker.wait(200.0) == 1.0


def test_late_failures_of_requests_sent_before_do_not_delay_the_probe() -> None:
    """What was under way when it opened says nothing new."""
    breaker = opened()
    for _ in range(20):
        breaker.failed(100.1)
    assert breaker.wait(101.0) == 0


@given(st.lists(st.tuples(st.sampled_from("sf"), st.floats(0, 50)), max_size=60))
def test_it_always_lets_somebody_pass_in_the_end(events: list[tuple[str, float]]) -> None:
    """Whatever happened, a caller that waits is let through within a minute: no deadlock."""
    breaker, now = Breaker(), 0.0
    for kind, pause in events:
        now += pause
        wait = breaker.wait(now)
        if wait == 0:
            {"s": breaker.succeeded, "f": breaker.failed}[kind](now)
    wait = breaker.wait(now)
    assert wait is not None
    assert wait <= 60
    assert breaker.wait(now + wait) is not None or wait == 0
