"""A sync while it goes on: which phase, how far, what came of the records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define, evolve, field
from rich.console import Group
from rich.text import Text

from ximilar_async.pages import counted

from .pace import Pace, share_done, time_left
from .progress import bar_view, run_view
from .screen import plain
from .sync_views import outcome_colour, outcome_name

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ximilar_async.bulk import Report, SyncReport

REPLACING: Final = "replace"
"""How the names of the stages begin that delete and insert again, slice by slice."""


@define
class SyncWatch:
    """What the live view of a sync remembers from one picture to the next.

    Args:
        title: What is synced.
    """

    title: str
    _stage: str = field(default="", init=False)
    _began: float = field(default=0.0, init=False)
    _pace: Pace = field(factory=Pace, init=False)

    def picture(self, report: SyncReport, position: tuple[int, int | None]) -> RenderableType:
        """Return the picture of a sync as it stands: what came of records, what is done, how far.

        Args:
            report: The state.
            position: How far the present stage is, and how far it goes.
        """
        stage = REPLACING if report.stage.startswith(REPLACING) else report.stage
        if stage != self._stage:
            self._stage, self._began, self._pace = stage, report.elapsed, Pace()
        phase = report.phases.get(report.stage)
        outcomes = Text("  ", no_wrap=True, overflow="ellipsis").append(
            _so_far(self.title, report, phase)
        )
        if phase is not None:
            return Group(outcomes, self._phase(report, phase, position))
        done, total = position
        share = min(done / total, 1.0) if total else None
        words = f"{counted(report.read, 'record')} read" if report.read else ""
        elapsed = report.elapsed - self._began
        return Group(outcomes, bar_view(stage, share, elapsed, words))

    def _phase(
        self, report: SyncReport, phase: Report, position: tuple[int, int | None]
    ) -> RenderableType:
        elapsed = report.elapsed - self._began
        if report.stop is not None and phase.stop is None:
            phase = evolve(phase, stop=report.stop, stop_reason=report.stop_reason)
        if self._stage == REPLACING:  # a slice of it is all that is known, and soon over
            rate = self._pace.add(elapsed, report.replaced)
            return run_view(self._stage, phase, None, rate, None)
        share = share_done(phase, position)
        rate = self._pace.add(elapsed, sum(phase.counts.values()))
        return run_view(self._stage, phase, share, rate, time_left(elapsed, share))


def plan_picture(title: str, position: tuple[int, int | None], elapsed: float) -> RenderableType:
    """Return the picture of a plan that is being made.

    Args:
        title: What is planned.
        position: How much of the source is read, and how much there is.
        elapsed: Seconds since the beginning.
    """
    done, total = position
    share = min(done / total, 1.0) if total else None
    words = "reading the source" if done else "looking at what is stored"
    if share == 1:
        words = "comparing"
    return bar_view(title, share if done else None, elapsed, words)


def _so_far(title: str, report: SyncReport, phase: Report | None) -> Text:
    """Return what came of the records, without what the line of the present phase tells."""
    counts = report.counts | report.gone_counts
    for outcome, number in ({} if phase is None else phase.counts).items():
        counts[outcome.value] = max(0, counts.get(outcome.value, 0) - number)
    words = [
        Text(f"{n:,} {outcome_name(key)}", outcome_colour(key)) for key, n in counts.items() if n
    ]
    line = Text.assemble((plain(title), "bold"))
    return line.append(": ").append(Text(", ").join(words)) if words else line
