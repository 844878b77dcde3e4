"""Lanes: in order within one, side by side between several."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ximilar_async.emulator.lanes import Lanes


async def test_a_lane_keeps_order_and_never_runs_two() -> None:
    """Jobs of one lane run one after the other, in order of arrival, in threads."""
    running, order = [], []

    def job(number: int) -> int:
        running.append(number)
        assert running == [number], "one at a time"
        assert threading.current_thread() is not threading.main_thread()
        order.append(number)
        running.remove(number)
        return number * 2

    with ThreadPoolExecutor(4) as threads:
        lanes = Lanes(threads)
        jobs = [lanes.submit("a", lambda number=number: job(number)) for number in range(200)]
        assert await asyncio.gather(*jobs) == [number * 2 for number in range(200)]
    assert order == list(range(200))
    assert not lanes.is_busy("a")


async def test_lanes_do_not_wait_for_each_other() -> None:
    """While one lane is held up, another one works."""
    release = threading.Event()
    with ThreadPoolExecutor(2) as threads:
        lanes = Lanes(threads)
        held = lanes.submit("a", lambda: release.wait(30))
        assert lanes.is_busy("a")
        assert await lanes.submit("b", lambda: "done") == "done"
        assert not held.done()
        release.set()
        assert await held


async def test_an_outcome_does_not_wait_for_a_long_neighbour() -> None:
    """A job's outcome is handed over although a later job of the same turn takes long."""
    begin, release = threading.Event(), threading.Event()

    def slow_enough() -> str:
        begin.wait(30)
        release.wait(0.01)
        return "first"

    with ThreadPoolExecutor(1) as threads:
        lanes = Lanes(threads)
        blocker = lanes.submit("a", begin.wait)
        first = lanes.submit("a", slow_enough)
        last = lanes.submit("a", lambda: release.wait(30))
        begin.set()
        assert await blocker
        assert await first == "first"
        assert not last.done()
        release.set()
        assert await last


async def test_a_failure_is_raised_where_it_is_awaited() -> None:
    """A job that raises fails alone; those after it run."""
    with ThreadPoolExecutor(1) as threads:
        lanes = Lanes(threads)
        bad = lanes.submit("a", lambda: 1 // 0)
        good = lanes.submit("a", lambda: 1)
        with pytest.raises(ZeroDivisionError):
            await bad
        assert await good == 1


async def test_a_job_is_done_although_nobody_waits() -> None:
    """Cancelling the wait does not cancel the work, and disturbs nobody."""
    done = threading.Event()
    release = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        lanes = Lanes(threads)
        first = lanes.submit("a", lambda: release.wait(30))
        second = lanes.submit("a", done.set)
        second.cancel()
        release.set()
        await first
        await lanes.submit("a", lambda: None)
    assert done.is_set()
