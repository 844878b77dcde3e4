"""What a run looks like while it goes on: on a terminal's stderr, and nowhere else."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager, contextmanager
from math import inf
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ximilar_async.pages import counted

from .pace import Pace, clock, share_done, time_left
from .screen import is_live, plain, say
from .tables import bottleneck_words, colour, label

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from rich.console import ConsoleOptions, RenderableType, RenderResult
    from rich.segment import Segment

    from ximilar_async.bulk import Job, Report

    from .options import Output

_EVERY: Final = 0.2
"""Seconds between two pictures."""

_LONG_WINDOW: Final = 30.0
"""Seconds that the time left is reckoned from, and between two remarks about pauses."""

_LONG_PAUSE: Final = 2.0
"""Seconds from which on a pause is worth a remark."""

_ECHO: Final = 3
"""Columns that `^C` needs behind a line: one more, for at the edge terminals differ."""

_LONGEST_TITLE: Final = 30
_LONGEST_BAR: Final = 30
_SHORTEST_BAR: Final = 5


@define
class Watch:
    """What a live view remembers from one picture to the next.

    Args:
        title: What to call the run.
        max_records: The run's bound on records, if it has one.
    """

    title: str
    max_records: int | None = None
    _records: Pace = field(factory=Pace, init=False)
    _shares: Pace = field(factory=lambda: Pace(_LONG_WINDOW), init=False)
    _left: float | None = field(default=None, init=False)

    def picture(self, report: Report, position: tuple[int, int | None]) -> RenderableType:
        """Return the picture of the run's state as it is now.

        Args:
            report: The state.
            position: How much of the source is read, and how much there is.
        """
        share, rate = share_done(report, position, self.max_records), 0.0
        if report.read:  # before, nobody knows yet what earlier runs have decided
            decided = sum(report.counts.values()) - report.not_attempted
            rate = self._records.add(report.elapsed, decided)
            self._left = self._time_left(report, share)
        return run_view(self.title, report, share, rate, self._left)

    def _time_left(self, report: Report, share: float | None) -> float | None:
        if share is None:
            return None
        # An outage says nothing about how fast the rest will go.
        speed = self._shares.add(report.elapsed - report.outage_seconds, share)
        return (1 - share) / speed if speed > 0 else self._left


def run_view(
    title: str, report: Report, done: float | None, rate: float, left: float | None
) -> RenderableType:
    """Return the picture of a bulk run, three lines: how far, what became of the records, why so.

    Args:
        title: What is done.
        report: The run's state.
        done: Share from 0 to 1; None if nobody knows.
        rate: Records decided in a second.
        left: Seconds until the end; None if nobody knows.
    """
    words: tuple[str, ...] = (f"{counted(report.read, 'record')} read", f"{rate:,.0f}/s")
    times = _times(report.elapsed, left)
    if report.closed:  # a rate that dies away and a time that grows would tell nothing
        words, times = words[:1], "waiting"
    outcomes = [
        Text(f"{number:,} {label(report, outcome)}", colour(outcome))
        for outcome, number in sorted(report.counts.items())
        if number
    ]
    if report.pending:
        outcomes.append(Text(f"{report.pending:,} under way", "dim"))
    active = report.elapsed - report.outage_seconds - report.held
    return Group(
        Bar(title, done, words, times, active),
        _line(Text(", ").join(outcomes)),
        _why(report),
    )


def _why(report: Report) -> RenderableType:
    """Return what holds a run up."""
    if report.stop is not None:
        return _line(Text(f"{plain(report.stop_reason)}: finishing what is under way", "yellow"))
    if report.closed:
        return _line(Text(plain(report.closed), "yellow"))
    words = bottleneck_words(report)
    return Waits(tuple(words.split(", ")) if words else ())


@frozen
class Waits:
    """A line with what a run waits for; what does not fit is left out, the least first."""

    shares: tuple[str, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the line that fits."""
        shares = self.shares
        while len(shares) > 1 and len(_waits(shares)) > options.max_width:
            shares = shares[:-1]
        yield Text(_waits(shares), "dim", no_wrap=True, overflow="ellipsis")


def _waits(shares: tuple[str, ...]) -> str:
    return f"  waits for {', '.join(shares)}" if shares else ""


def _line(words: Text) -> Text:
    """Return words as one line, however narrow the terminal: the picture keeps its height."""
    return Text("  ", no_wrap=True, overflow="ellipsis").append(words)


def bar_view(title: str, done: float | None, elapsed: float, words: str) -> RenderableType:
    """Return a line with a bar: title, bar, share, words, time left.

    Args:
        title: What is done.
        done: Share from 0 to 1; None if nobody knows.
        elapsed: Seconds since the beginning.
        words: How it goes.
    """
    return Bar(title, done, (words,), _times(elapsed, time_left(elapsed, done)), elapsed)


def _times(elapsed: float, left: float | None) -> str:
    return clock(elapsed) if left is None else f"{clock(left)} left"


@frozen
class Bar:
    """A line with a bar; where there is little room, first the bar gives way, then the words."""

    title: str
    done: float | None
    """Share from 0 to 1; None if nobody knows."""
    words: tuple[str, ...]
    """How it goes, in parts of which the last matters most."""
    times: str
    moved: float
    """Seconds that it moved: something in a bar without a share goes by them."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the line that fits."""
        share = "" if self.done is None else f"{self.done:4.0%}"
        title = plain(self.title)
        title = title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 1]}…"
        left = self.words
        room = options.max_width - sum(len(part) + 1 for part in (title, share, self.times))
        while left and len(", ".join(left)) > room:
            left = left[1:]
        words = ", ".join(left)
        room -= len(words)
        grid = Table.grid(padding=(0, 1, 0, 0))
        columns: list[RenderableType] = [Text(title, "bold", no_wrap=True, overflow="ellipsis")]
        if room > _SHORTEST_BAR:
            columns.append(self._bar(min(room - 1, _LONGEST_BAR)))
        texts = (Text(share), Text(words), Text(self.times, "cyan", no_wrap=True))
        grid.add_row(*columns, *(text for text in texts if text))
        yield grid

    def _bar(self, width: int) -> ProgressBar:
        total, completed = (None, 0.0) if self.done is None else (1.0, self.done)
        return ProgressBar(total=total, completed=completed, width=width, animation_time=self.moved)


@frozen
class Narrowed:
    """A picture that leaves room for the `^C` that a terminal shows behind it.

    Where that breaks the last line, the picture is a line higher than it was drawn, and its first
    line would stay when it is gone.
    """

    picture: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the picture, a little narrower."""
        width = max(1, options.max_width - _ECHO)
        yield from console.render(self.picture, options.update_width(width))


@contextmanager
def live(output: Output) -> Iterator[Callable[[RenderableType], object]]:
    """Yield what shows a picture in place of the one before; it is gone after the block.

    Without a terminal nothing is shown.
    """
    if not is_live(output):
        yield lambda _: None
        return
    # stdout stays what it is: data may be going through it to another program.
    console = Console(file=sys.stderr, highlight=False)
    before: list[list[Segment]] = []
    with Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False) as screen:

        def show(picture: RenderableType) -> None:
            nonlocal before
            picture = Narrowed(picture)
            lines = console.render_lines(picture)
            if lines != before:  # nothing flickers where nothing changes
                before = lines
                screen.update(picture, refresh=True)

        yield show


@asynccontextmanager
async def watched(
    job: Job, title: str, output: Output, *, max_records: int | None = None
) -> AsyncIterator[None]:
    """Show a bulk run while the block runs.

    Args:
        job: The run.
        title: What to call it.
        output: Whether anything is to be shown.
        max_records: The run's bound on records, if it has one.
    """
    watch, remarks = Watch(title, max_records), Remarks(is_live=is_live(output))

    def look() -> None:
        report = job.stats
        for words in remarks.about(report):
            say(words, output)
        show(watch.picture(report, job.position))

    with live(output) as show:
        async with ticking(look):
            yield


@define
class Remarks:
    """What is said while a run goes on, for those who read it later, or see no picture.

    Args:
        is_live: Whether a picture is shown.
    """

    is_live: bool
    _outage: bool = field(default=False, init=False)
    _paused_at: float | None = field(default=None, init=False)
    _said_at: float = field(default=-inf, init=False)

    def about(self, report: Report) -> Iterator[str]:
        """Yield what is to be said about a run's state, which is mostly nothing."""
        if bool(report.outage) != self._outage and report.stop is None:
            self._outage = bool(report.outage)
            reason = report.outage.partition(": ")[2]  # behind "no answer for … s"
            again = f"no answer: {reason}; it is tried again, Ctrl-C ends that"
            yield again if report.outage else "the service answers again"
        if not self.is_live and self._is_worth_saying(report):
            self._said_at = report.elapsed
            yield report.paused

    def _is_worth_saying(self, report: Report) -> bool:
        """Tell whether the service's wish for a pause is to be passed on: not each short one."""
        now = report.elapsed
        if not report.paused or self._paused_at is None:
            self._paused_at = now if report.paused else None
            return False
        return now - self._paused_at >= _LONG_PAUSE and now - self._said_at >= _LONG_WINDOW


@asynccontextmanager
async def ticking(show: Callable[[], object]) -> AsyncIterator[None]:
    """Call a function a few times a second while the block runs."""
    ticker = asyncio.create_task(_tick(show))
    try:
        yield
    finally:
        ticker.cancel()


async def _tick(show: Callable[[], object]) -> None:
    while True:
        show()
        await asyncio.sleep(_EVERY)
