"""What blocks in a thread is waited for, so that nobody closes its files under it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ximilar_async.bulk._threads import in_thread


async def test_a_call_is_waited_for_however_often_it_is_cancelled() -> None:
    """Only when the thread has ended does the cancellation arrive."""
    begun, go_on = threading.Event(), threading.Event()
    ended: list[bool] = []

    def work() -> None:
        begun.set()
        ended.append(go_on.wait(30))

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(begun.wait, 30)
    for _ in range(3):
        task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]


async def test_what_the_call_raises_arrives() -> None:
    """An error of the thread is the caller's, unless it was cancelled."""
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)
