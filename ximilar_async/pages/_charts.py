"""Charts: a few numbers in, small inline SVG out.

Lines are drawn in a box of 1000 by 100 that stretches with the page, and their labels are text
beside it: so they are as large on a phone as anywhere. Nothing here has a colour of its own.
"""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ._html import section, text
from ._words import seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ._html import Tone

_WIDE: Final = 1000
_HIGH: Final = 100


@frozen
class Bar:
    """A number as a bar."""

    label: str
    value: float
    shown: str
    """The number as it is written."""
    tone: Tone = ""


@frozen
class Bars:
    """A heading with bars below it, all of one scale."""

    title: str
    bars: tuple[Bar, ...]
    intro: str = ""
    empty: str = "Nothing here."

    def to_html(self) -> str:
        """Return it as HTML."""
        largest = max((bar.value for bar in self.bars), default=0) or 1
        rows = "".join(_bar(bar, bar.value / largest) for bar in self.bars)
        inside = f'<dl class="bars">{rows}</dl>' if rows else ""
        return section(self.title, self.intro, inside, self.empty)


def _bar(bar: Bar, share: float) -> str:
    # What is there at all is to be seen.
    wide = max(0.6, 100 * share) if bar.value else 0
    return (
        f'<dt>{text(bar.label)}</dt><dd><span class="bar"><i class="{bar.tone}" '
        f'style="width:{wide:.1f}%"></i></span><b>{text(bar.shown)}</b></dd>'
    )


@frozen
class Stretch:
    """The value of a line from one time to another; None where there is none."""

    start: float
    end: float
    value: float | None


@frozen
class Line:
    """A line of a chart."""

    label: str
    stretches: tuple[Stretch, ...]
    tone: Tone = ""
    filled: bool = False
    """Whether what is below it is filled."""


@frozen
class Shade:
    """A time that stands out."""

    start: float
    end: float
    label: str
    tone: Tone = "warn"


@frozen
class Chart:
    """Lines over time, from 0 on."""

    title: str
    lines: tuple[Line, ...]
    shades: tuple[Shade, ...] = ()
    durations: bool = False
    """Whether the values are seconds, and not plain numbers."""

    def to_html(self) -> str:
        """Return it as HTML; nothing where no line has a value."""
        values = [step.value for line in self.lines for step in line.stretches]
        known = [value for value in values if value is not None]
        end = max((step.end for line in self.lines for step in line.stretches), default=0.0)
        if not known or end <= 0:
            return ""
        top = ceiling(max(known))
        x, y = _WIDE / end, _HIGH / top
        drawn = [*(_shade(shade, x, end) for shade in self.shades)]
        drawn += [_line(line, x, y) for line in self.lines]
        drawn += _hints(self, x)
        said = f"{self.title}: at most {_number(max(known), self.durations)}, over {seconds(end)}"
        return (
            f'<figure class="chart"><figcaption><strong>{text(self.title)}</strong>'
            f"{''.join(map(_key, self.lines))}</figcaption>"
            f'<div class="plot"><div class="ys">{_ys(top, self.durations)}</div>'
            f'<svg viewBox="0 0 {_WIDE} {_HIGH}" preserveAspectRatio="none" role="img" '
            f'aria-label="{text(said)}"><path class="rule" d="M0 0H{_WIDE}M0 50H{_WIDE}'
            f'M0 {_HIGH}H{_WIDE}"/>{"".join(drawn)}</svg>'
            f'<div class="xs">{_xs(end)}</div></div></figure>'
        )


@frozen
class Charts:
    """A heading with charts below it."""

    title: str
    charts: tuple[Chart, ...]
    intro: str = ""
    empty: str = "Nothing here."

    def to_html(self) -> str:
        """Return it as HTML."""
        drawn = "".join(chart.to_html() for chart in self.charts)
        inside = f'<div class="charts">{drawn}</div>' if drawn else ""
        return section(self.title, self.intro, inside, self.empty)


def ceiling(value: float) -> float:
    """Return the next number above that is easy to halve: 1, 2, 4, 5 or 10 times a power of ten.

    Example:
        >>> ceiling(37), ceiling(0.0018), ceiling(0)
        (40.0, 0.002, 1)
    """
    if value <= 0:
        return 1
    unit = 10.0 ** floor(log10(value))
    return next((step * unit for step in (1, 2, 4, 5) if step * unit >= value), 10 * unit)


def _number(value: float, durations: bool) -> str:  # noqa: FBT001 - the chart's own
    if durations:
        return seconds(value)
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:.1f}"  # noqa: PLR2004 - two digits


def _ys(top: float, durations: bool) -> str:  # noqa: FBT001 - the chart's own
    labels = (_number(top, durations), _number(top / 2, durations), "0")
    return "".join(f"<span>{text(label)}</span>" for label in labels)


def _xs(end: float) -> str:
    return "".join(f"<span>{text(clock(end * part / 4))}</span>" for part in range(5))


def clock(value: float) -> str:
    """Return a time since the beginning.

    Example:
        >>> clock(0), clock(0.02), clock(2.5), clock(90), clock(5400)
        ('0', '20 ms', '2.5 s', '1:30', '1:30 h')
    """
    if 0 < value < 0.1:  # noqa: PLR2004 - of which tenths of a second tell nothing
        return seconds(value)
    if value < 60:  # noqa: PLR2004 - a minute
        return f"{value:.1f} s".replace(".0 s", " s") if value else "0"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:  # noqa: PLR2004 - an hour
        return f"{minutes}:{rest:02}"
    return f"{minutes // 60}:{minutes % 60:02} h"


def _key(line: Line) -> str:
    return f'<span class="key {line.tone}">{text(line.label)}</span>'


def _shade(shade: Shade, x: float, end: float) -> str:
    start = min(shade.start, end)
    wide = max(2.0, (min(shade.end, end) - start) * x)  # the shortest is to be seen too
    return (
        f'<rect class="shade {shade.tone}" x="{min(start * x, _WIDE - wide):.1f}" y="0" '
        f'width="{wide:.1f}" height="{_HIGH}"/>'
    )


def _line(line: Line, x: float, y: float) -> str:
    runs = list(_runs(line.stretches))
    path = "".join(_steps(run, x, y) for run in runs)
    below = ""
    if line.filled:
        closed = "".join(f"{_steps(run, x, y)}V{_HIGH}H{run[0].start * x:.1f}Z" for run in runs)
        below = f'<path class="below {line.tone}" d="{closed}"/>'
    return f'{below}<path class="line {line.tone}" d="{path}"/>'


def _runs(stretches: Sequence[Stretch]) -> Iterable[list[Stretch]]:
    """Yield the parts of a line in which it has a value."""
    run: list[Stretch] = []
    for stretch in stretches:
        if stretch.value is not None:
            run.append(stretch)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _steps(run: Sequence[Stretch], x: float, y: float) -> str:
    path, before = "", ""
    for step in run:
        high = f"{_HIGH - (step.value or 0) * y:.1f}"
        if not path:
            path = f"M{step.start * x:.1f} {high}"
        elif high != before:
            path += f"V{high}"
        path += f"H{step.end * x:.1f}"
        before = high
    return path


def _hints(chart: Chart, x: float) -> Iterable[str]:
    """Yield what is said where the pointer rests: the values at that time."""
    for place, step in enumerate(chart.lines[0].stretches):
        said = [
            f"{line.label} {_number(value, chart.durations)}"
            for line in chart.lines
            if (value := line.stretches[place].value) is not None
        ]
        said += [s.label for s in chart.shades if s.start < step.end and s.end > step.start]
        if said:
            words = text(f"{clock(step.start)}: {', '.join(said)}")
            wide = (step.end - step.start) * x
            yield (
                f'<rect class="hint" x="{step.start * x:.1f}" width="{wide:.1f}" '
                f'height="{_HIGH}"><title>{words}</title></rect>'
            )
