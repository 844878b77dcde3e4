"""What the pages of runs and of syncs are made of. Blocking: images are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ximilar_async.pages import (
    Bar,
    Bars,
    Chart,
    Charts,
    Line,
    Shade,
    Stretch,
    Table,
    counted,
    seconds,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ximilar_async.pages import Tone

    from ._report import Report
    from ._series import Period, Point

_TONES: Final[Mapping[str, Tone]] = {
    "near_duplicate": "warn",
    "not_found": "warn",
    "not_attempted": "warn",
    "rejected": "bad",
    "failed": "bad",
    "deletions_failed": "bad",
    "deletions_not_attempted": "warn",
    "deletions_withheld": "warn",
    "not_restored": "bad",
    "already_present": "",
    "unchanged": "soft",
}
"""Tones of outcomes; the wanted ones are good."""

_WAITS: Final[Mapping[str, str]] = {
    "source": "records from the source",
    "images": "work on images",
    "retry": "the time to send again",
    "rate": "the rate limit",
    "gate": "free slots, pauses and outages",
    "network": "answers of the service",
}
"""How people call what a run can wait for."""

_LONGEST: Final = 300
"""Characters of a reason, id or place that a page shows."""


def words_of(outcome: str) -> str:
    """Return how people call an outcome.

    Example:
        >>> words_of("already_present"), words_of("deletions_failed")
        ('already present', 'failed')
    """
    return outcome.removeprefix("deletions_").replace("_", " ")


def tone_of(outcome: str) -> Tone:
    """Return the tone in which an outcome is shown."""
    return _TONES.get(outcome, "good")


def short(words: str, most: int = _LONGEST) -> str:
    """Return words as far as a page shows them."""
    return words if len(words) <= most else f"{words[:most]}…"


def outcome_bars(
    title: str, counts: Mapping[str, int], total: int, *, intro: str = "", empty: str = ""
) -> Bars:
    """Return bars of what became of records.

    Args:
        title: The heading.
        counts: How many records ended in each outcome.
        total: How many records there are.
        intro: A sentence below the heading.
        empty: What to say where there are none.
    """
    bars = [
        Bar(words_of(name), number, f"{number:,}  ({_share(number, total)})", tone_of(name))
        for name, number in counts.items()
        if number
    ]
    return Bars(title, tuple(bars), intro, empty or "Nothing was decided.")


def _share(number: int, total: int) -> str:
    share = number / total if total else 0
    return f"{share:.0%}" if share >= 0.1 or not share else f"{share:.1%}"  # noqa: PLR2004 - two digits


# --- over time ----------------------------------------------------------------------------------


def time_charts(report: Report, title: str = "Over time") -> Charts:
    """Return charts of how a run went.

    Args:
        report: The run's.
        title: The heading.
    """
    points, shades = report.timeline.points, tuple(map(_shade, report.timeline.periods))
    charts = (
        Chart(
            "Records a second",
            (
                _line("decided", points, lambda p: p.decided / p.seconds, filled=True),
                *_unless_flat("not brought in", points, lambda p: p.troubled / p.seconds, "bad"),
            ),
            shades,
        ),
        Chart(
            "Answers after",
            (
                _line("half of them", points, lambda p: p.latency(0.5)),
                _line("99 %", points, lambda p: p.latency(0.99), "warn"),
            ),
            shades,
            durations=True,
        ),
        Chart(
            "Requests a second",
            (
                _line("sent", points, lambda p: p.requests / p.seconds, filled=True),
                *_unless_flat("repeated", points, lambda p: p.retries / p.seconds, "bad"),
            ),
            shades,
        ),
    )
    each = points[len(points) // 2].seconds if points else 0
    intro = f"{counted(len(points), 'point')} of about {seconds(each)}." if points else ""
    if shades:
        intro += " What is shaded is time in which nothing was sent."
    return Charts(title, charts, intro, "The run was over before anything could be measured.")


def _line(
    label: str,
    points: Sequence[Point],
    value: Callable[[Point], float | None],
    tone: Tone = "",
    *,
    filled: bool = False,
) -> Line:
    steps = tuple(Stretch(point.start, point.end, value(point)) for point in points)
    return Line(label, steps, tone, filled)


def _unless_flat(
    label: str, points: Sequence[Point], value: Callable[[Point], float], tone: Tone
) -> tuple[Line, ...]:
    line = _line(label, points, value, tone)
    return (line,) if any(step.value for step in line.stretches) else ()


def _shade(period: Period) -> Shade:
    words = "no answer" if period.kind == "outage" else "paused"
    return Shade(period.start, period.end, words, "bad" if period.kind == "outage" else "warn")


def most_waited_for(report: Report) -> str:
    """Return what a run waited for most, in words; empty if nothing is known.

    Args:
        report: The run's.
    """
    most = max(report.bottleneck, key=lambda what: report.bottleneck[what], default="")
    return _WAITS.get(most, most)


def waits_bars(report: Report, title: str = "Where the time went") -> Bars:
    """Return bars of what a run waited for.

    Args:
        report: The run's.
        title: The heading.
    """
    most_first = sorted(report.bottleneck.items(), key=lambda pair: -pair[1])
    bars = [
        Bar(_WAITS.get(what, what), share, f"{share:.0%}")
        for what, share in most_first
        if share >= 0.005  # noqa: PLR2004 - half a per cent is shown as one
    ]
    named = ", ".join(f"{name} {seconds(value)}" for name, value in report.latency.items())
    parts = [
        "Shares of the waiting of all workers together.",
        f"Answers came after {named}." if named else "",
        f"At most {counted(report.concurrency, 'request')} at once, by now."
        if report.concurrency
        else "",
    ]
    return Bars(title, tuple(bars), " ".join(filter(None, parts)), "Nobody waited.")


def periods_table(report: Report, title: str = "Retries and pauses") -> Table | None:
    """Return a table of retries and of the times in which nothing was sent, if there is any.

    Args:
        report: The run's.
        title: The heading.
    """
    if not (report.retries or report.held or report.outage_seconds or report.timeline.periods):
        return None
    sent = counted(report.requests, "request")
    parts = [f"{report.retries:,} of {sent} repeated an earlier one."]
    if report.held:
        parts.append(f"Paused for {seconds(report.held)}, because the service asked for it.")
    if report.outage_seconds:
        parts.append(f"Without an answer for {seconds(report.outage_seconds)}.")
    rows = tuple(_period_row(period) for period in report.timeline.periods)
    return Table(
        title,
        ("what", "from", "to", "closed for", "why"),
        rows,
        " ".join(parts),
        "Nothing was held back.",
        stacked=True,
    )


def _period_row(period: Period) -> tuple[str, ...]:
    times = f" ({period.times} times)" if period.times > 1 else ""
    if period.kind == "outage":
        what, why = "no answer", period.reason
    else:
        what, why = "pause", "the service asked for it (Retry-After, 429)"
    return (
        f"{what}{times}",
        f"after {seconds(period.start)}",
        f"after {seconds(period.end)}",
        seconds(period.seconds),
        short(why),
    )


# --- the rest -----------------------------------------------------------------------------------


def anomalies_table(report: Report) -> Table | None:
    """Return a table of what answers said that they should not, if there is any.

    Args:
        report: The run's.
    """
    if not report.anomalies:
        return None
    rows = tuple((short(what), number) for what, number in list(report.anomalies.items())[:100])
    intro = "It was counted and not believed."
    return Table("What was odd", ("what answers said", "times"), rows, intro)
