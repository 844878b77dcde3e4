"""What a run looks like while it goes on: on a terminal's stderr, and nowhere else."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Final

from attrs import define, field
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from .screen import is_live, plain, say
from .tables import colour, counted, outcome_words

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from rich.console import RenderableType

    from ximilar_async.bulk import Job, Report

    from .options import Output

_EVERY: Final = 0.2
"""Seconds between two pictures."""

_WINDOW: Final = 10.0
"""Seconds that the shown rate looks back."""

_BAR: Final = 30


@define
class Pace:
    """How fast something goes, over the last seconds.

    Example:
        >>> pace = Pace()
        >>> pace.add(0.0, 0), pace.add(2.0, 300)
        (0.0, 150.0)
    """

    _seen: deque[tuple[float, int]] = field(factory=deque)

    def add(self, now: float, count: int) -> float:
        """Note how much is done by now and return how much is done in a second.

        Args:
            now: Seconds on any clock that does not go back.
            count: What is done since the beginning.
        """
        seen = self._seen
        seen.append((now, count))
        while len(seen) > 2 and now - seen[1][0] >= _WINDOW:  # noqa: PLR2004 - a span has two ends
            seen.popleft()
        then, before = seen[0]
        return (count - before) / (now - then) if now > then else 0.0


def share_done(
    report: Report, position: tuple[int, int | None], max_records: int | None = None
) -> float | None:
    """Return which part of a run is done, from 0 to 1; None if nobody knows.

    What is read but not decided does not count as done.

    Args:
        report: The run's state.
        position: How much of the source is read, and how much there is.
        max_records: The run's bound on records, if it has one.
    """
    decided = sum(report.counts.values())
    read, size = position
    shares = []
    if size and report.read:
        shares.append(min(read / size, 1.0) * decided / report.read)
    if max_records:
        shares.append(decided / max_records)
    return min(max(shares), 1.0) if shares else None


def time_left(elapsed: float, done: float | None) -> float | None:
    """Return the seconds that are left if the rest goes as what is done; None if nobody knows.

    Example:
        >>> time_left(30.0, 0.75)
        10.0
    """
    return elapsed * (1 - done) / done if done else None


def clock(seconds: float) -> str:
    """Return a span of time as people write it.

    Example:
        >>> clock(7.4), clock(75), clock(3700)
        ('0:07', '1:15', '1:01:40')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def run_view(title: str, report: Report, done: float | None, rate: float) -> RenderableType:
    """Return the picture of a bulk run: a bar, the records, what became of them."""
    line = [f"{counted(report.read, 'record')} read", f"{rate:,.0f}/s"]
    outcomes = [
        Text(f"{number:,} {outcome_words(outcome)}", colour(outcome))
        for outcome, number in sorted(report.counts.items())
        if number
    ]
    if report.pending:
        outcomes.append(Text(f"{report.pending:,} under way", "dim"))
    counts = Text("  ").append(Text(", ").join(outcomes))
    view = Group(bar_view(title, done, report.elapsed, ", ".join(line)), counts)
    if report.outage:
        view.renderables.append(Text(f"  {plain(report.outage)}", "yellow"))
    return view


def bar_view(title: str, done: float | None, elapsed: float, words: str) -> RenderableType:
    """Return a line with a bar: title, bar, share, words, time left.

    Args:
        title: What is done.
        done: Share from 0 to 1; None if nobody knows.
        elapsed: Seconds since the beginning.
        words: How it goes.
    """
    left = time_left(elapsed, done)
    times = f"{clock(elapsed)}" if left is None else f"{clock(left)} left"
    bar = ProgressBar(
        total=None if done is None else 1.0,
        completed=done or 0.0,
        animation_time=elapsed,
    )
    grid = Table.grid(
        Column(max_width=_BAR, no_wrap=True),
        Column(max_width=_BAR),  # the only one that gives way where there is little room
        Column(no_wrap=True),
        Column(no_wrap=True),
        Column(no_wrap=True),
        padding=(0, 1),
    )
    share = "" if done is None else f"{done:4.0%}"
    grid.add_row(Text(title, "bold"), bar, share, Text(words), Text(times, "cyan"))
    return grid


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
    with Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False) as screen:
        yield lambda picture: screen.update(picture, refresh=True)


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
    pace = Pace()
    outage = ""

    def look() -> None:
        nonlocal outage
        report = job.stats
        if bool(report.outage) != bool(outage) and report.stop is None:
            reason = report.outage.partition(": ")[2]  # behind "no answer for … s"
            again = f"no answer: {reason}; it is tried again, Ctrl-C ends that"
            say(again if report.outage else "the service answers again", output)
        outage = report.outage
        rate = pace.add(report.elapsed, sum(report.counts.values()))
        show(run_view(title, report, share_done(report, job.position, max_records), rate))

    with live(output) as show:
        async with ticking(look):
            yield


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
