"""Deadlines of the direct way: what the transport's tests cannot bring about on loopback."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from attrs import define, field

from ximilar_async._exchange import _Deadlines

SOON = 0.01


@define(eq=False)
class Stream:
    """What an answer is waited for on; fails as aiohttp's streams do."""

    failed: asyncio.Future[Any] = field(factory=lambda: asyncio.get_running_loop().create_future())

    def set_exception(self, error: Exception) -> None:
        self.failed.set_exception(error)


@define(eq=False)
class Uplink:
    """A connection that has sent everything after it was asked some times."""

    unsent: list[int]
    asked: int = 0

    def get_write_buffer_size(self) -> int:
        self.asked += 1
        return self.unsent.pop(0) if self.unsent else 0


@pytest.mark.parametrize(
    ("unsent", "over_in", "asked"),
    [([5, 5], 60, 3), ([], 60, 1), ([5] * 1000, SOON, 0)],
    ids=["slow", "sent", "too slow"],
)
async def test_no_answer_is_due_while_the_request_is_going_out(
    unsent: list[int], over_in: float, asked: int
) -> None:
    """The wait between two pieces begins when the body has left; the total bound stays."""
    loop = asyncio.get_running_loop()
    deadlines = _Deadlines(loop)
    uplink: Any = Uplink(unsent)
    stream: Any = Stream()
    over = loop.time() + over_in
    deadlines.watch(stream, loop.time() + SOON)
    deadlines.excuse(stream, uplink, over, SOON)
    with pytest.raises(aiohttp.SocketTimeoutError):
        await stream.failed
    assert uplink.asked == asked
