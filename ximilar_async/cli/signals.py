"""One event loop, and what Ctrl-C and SIGTERM do to it.

The first signal asks the work to end: requests under way are finished, what is done is reported.
The second one ends the process at once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias

from attrs import define, field
from typer import Exit

from .screen import complain

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from types import FrameType

HANDLED: Final = (signal.SIGINT, signal.SIGTERM)

_Handler: TypeAlias = "Callable[[int, FrameType | None], Any] | int | signal.Handlers | None"

_BY_SIGNAL: Final = 128
"""A shell's exit code for a signal is this much above its number."""

_SHOW_CURSOR: Final = b"\x1b[?25h\n"
"""Progress hides it."""


@define(eq=False)
class Signals:
    """The signals that came, and what the first one does.

    Args:
        stop: Asks the work to end; gets the reason.
    """

    stop: Callable[[str], object]
    received: signal.Signals | None = field(default=None, init=False)
    """The first signal, once it came."""

    @property
    def exit_code(self) -> int:
        """Return what to exit with after the signal that came; 0 if none did."""
        return 0 if self.received is None else _BY_SIGNAL + self.received

    @contextmanager
    def stopping(self, stop: Callable[[str], object]) -> Iterator[None]:
        """Let the first signal do this while the block runs.

        Args:
            stop: Asks the work to end; gets the reason.
        """
        before, self.stop = self.stop, stop
        try:
            yield
        finally:
            self.stop = before

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Take the signals of this process while the block runs."""
        loop = asyncio.get_running_loop()
        before = {number: signal.getsignal(number) for number in HANDLED}
        for number in HANDLED:
            _catch(loop, number, lambda number: self._take(loop, number))
        try:
            yield
        finally:
            if self.received is None:
                for number, handler in before.items():
                    _release(loop, number, handler)

    def _take(self, loop: asyncio.AbstractEventLoop, number: signal.Signals) -> None:
        if self.received is None:
            self.received = number
            # The loop may be busy or gone when the next one comes: that one must not need it.
            for each in HANDLED:
                _release(loop, each, _leave)
            self.stop(f"interrupted by {number.name}")


def run(work: Callable[[Signals], Coroutine[object, object, int]]) -> int:
    """Run a coroutine to its end in an event loop of its own and return its exit code.

    A signal cancels it unless it says what else to do (`Signals.stopping`).

    Args:
        work: Gets the signals, returns the exit code.

    Raises:
        Exit: it was cancelled by a signal; the code is 130 after Ctrl-C, 143 after SIGTERM.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_guarded(work))


async def _guarded(work: Callable[[Signals], Coroutine[object, object, int]]) -> int:
    task = asyncio.create_task(work(signals := Signals(lambda _: task.cancel())))
    with signals.caught():
        try:
            return await task
        except asyncio.CancelledError:
            if signals.received is None:
                raise
            complain("stopped", f"interrupted by {signals.received.name}")
    raise Exit(signals.exit_code)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory where it is installed (extra `speed`)."""
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return uvloop.new_event_loop


def _catch(
    loop: asyncio.AbstractEventLoop,
    number: signal.Signals,
    take: Callable[[signal.Signals], object],
) -> None:
    try:
        loop.add_signal_handler(number, take, number)
    except NotImplementedError:  # Windows
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(take, number))


def _release(loop: asyncio.AbstractEventLoop, number: signal.Signals, handler: _Handler) -> None:
    with suppress(NotImplementedError):  # Windows
        loop.remove_signal_handler(number)
    signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _leave(number: int, _: object) -> NoReturn:
    """End the process now: no clean-up, but a terminal that shows its cursor."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), _SHOW_CURSOR)
    os._exit(_BY_SIGNAL + number)
