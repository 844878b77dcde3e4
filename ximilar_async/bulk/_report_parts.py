"""What the pages of runs and of syncs are made of. Blocking: images are read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from ximilar_async.pages import (
    Bar,
    Bars,
    Chart,
    Charts,
    Line,
    Pair,
    Picture,
    Section,
    Shade,
    Step,
    Stretch,
    Table,
    Tile,
    counted,
    seconds,
)

from ._outcomes import GOOD, Outcome
from ._report import Stop
from ._report_records import Pictures, shown_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ximilar_async.pages import Part, Tone

    from ._report import Report
    from ._report_records import Shown
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


def written_now() -> str:
    """Return when a page is written, in words."""
    return f"Written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."


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
    return Bars(title, tuple(bars), intro, empty or "Nothing to do.")


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
    intro = f"{counted(len(points), 'point')} of about {seconds(each)} each." if points else ""
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


def waits_bars(report: Report) -> Bars:
    """Return bars of what a run waited for.

    Args:
        report: The run's.
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
    return Bars("Where the time went", tuple(bars), " ".join(filter(None, parts)), "Nobody waited.")


def periods_table(report: Report) -> Table | None:
    """Return a table of retries and of the times in which nothing was sent, if there is any.

    Args:
        report: The run's.
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
        "Retries and pauses",
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
        _short(why),
    )


# --- records ------------------------------------------------------------------------------------

_TOLD: Final[Mapping[Outcome, str]] = {
    Outcome.REJECTED: "They cannot be accepted as they are.",
    Outcome.FAILED: "They were tried in vain; sending them again may help.",
    Outcome.NOT_ATTEMPTED: "The run ended first.",
    Outcome.NOT_FOUND: "No record of that id is stored.",
    Outcome.ALREADY_PRESENT: "A record of that id is stored already.",
}


def record_parts(reports: Mapping[str, Report], pictures: Pictures | None = None) -> Iterator[Part]:
    """Yield what a page shows of records that were not brought in.

    Args:
        reports: Reports of runs, by what they were for.
        pictures: Where their images come from.
    """
    pictures = Pictures() if pictures is None else pictures
    for name, report in reports.items():
        shown = shown_records(report)
        prefix = f"{name}: " if name else ""
        for outcome in _TOLD:
            if records := shown.get(outcome, []):
                yield _table(prefix, outcome, records, report, pictures)
        if near := shown.get(Outcome.NEAR_DUPLICATE, []):
            yield _pairs(prefix, near, report, pictures)


def _heading(prefix: str, outcome: Outcome, shown: int, report: Report) -> tuple[str, str]:
    total, words = report.counts.get(outcome, 0), words_of(outcome)
    told = _TOLD.get(outcome, "")
    if outcome is Outcome.NOT_ATTEMPTED and report.dry_run:
        words, told = "ready to be sent", "A dry run sends nothing."
    title = f"{prefix}{words}: {total:,}"
    if total <= shown:
        return title[:1].upper() + title[1:], told
    in_file = outcome in (Outcome.REJECTED, Outcome.FAILED)
    where = "Options.on_result gets each of them."
    if in_file and report.origin.rejects:
        where = f"all of them are in {report.origin.rejects}."
    elif in_file:
        where = "a rejects file (--rejects, Options.rejects) would have kept all of them."
    more = f"{shown:,} are shown, {total - shown:,} are not: {where}"
    return title[:1].upper() + title[1:], f"{told} {more}".strip()


def _table(
    prefix: str, outcome: Outcome, records: Sequence[Shown], report: Report, pictures: Pictures
) -> Table:
    title, intro = _heading(prefix, outcome, len(records), report)
    images = [pictures.of(record.record, record.root) for record in records]
    rows = [_row(record) for record in records]
    columns: tuple[str, ...] = ("record", "where", "why")
    if not any(images):
        return Table(title, columns, tuple(rows), intro, stacked=True)
    with_images = [(Picture(image, row[0]), *row) for image, row in zip(images, rows, strict=True)]
    return Table(title, ("image", *columns), tuple(with_images), intro, stacked=True)


def _row(shown: Shown) -> tuple[str, str, str]:
    code = str(shown.code or "")
    has_code = not code or code in shown.reason
    why = shown.reason if has_code else f"{code}: {shown.reason}".rstrip(": ")
    return _short(shown.id or "-"), _short(shown.where), _short(why)


def _pairs(prefix: str, near: Sequence[Shown], report: Report, pictures: Pictures) -> Section:
    title, intro = _heading(prefix, Outcome.NEAR_DUPLICATE, len(near), report)
    said = "Left out, each because of a stored image that it is too like, to its right."
    return Section(title, f"{said} {intro}", tuple(_pair(shown, pictures) for shown in near))


def _pair(shown: Shown, pictures: Pictures) -> Pair:
    left_out = _tile(shown.id or "-", shown.where, shown.record, shown.root, pictures)
    if not shown.near_duplicates:
        return Pair(left_out, Tile(None, "a stored record"))
    id_, distance, record = shown.near_duplicates[0]
    more = len(shown.near_duplicates) - 1
    line = f"and {more:,} more" if more else "stored"
    # Of the stored one only the id is believed: its paths are somebody else's.
    known: dict[str, Any] = {"_id": id_, "_url": record.get("_url")}
    stored = _tile(id_, line, known, shown.root, pictures)
    return Pair(left_out, stored, distance)


def _tile(
    title: str, line: str, record: Mapping[str, Any], root: str | None, pictures: Pictures
) -> Tile:
    url = record.get("_url")
    image = pictures.of(record, root)
    lines = () if line == title else (_short(line),)
    return Tile(image, _short(title), lines, address=url if isinstance(url, str) else None)


def _short(words: str) -> str:
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"


def anomalies_table(report: Report) -> Table | None:
    """Return a table of what answers said that they should not, if there is any.

    Args:
        report: The run's.
    """
    if not report.anomalies:
        return None
    rows = tuple((_short(what), number) for what, number in list(report.anomalies.items())[:100])
    intro = "It was counted and not believed."
    return Table("What was odd", ("what answers said", "times"), rows, intro)


# --- what to do ---------------------------------------------------------------------------------

_REMEDIES: Final[Mapping[Stop, str]] = {
    Stop.SOURCE: "Mend the source, then run it again.",
    Stop.JOURNAL: "See to the disk or the file, then run it again.",
    Stop.CALLBACK: "Mend the function that raised, then run it again.",
    Stop.AUTH: "Get a token that may use this collection, then run it again.",
    Stop.CONFIGURATION: "Set the address, service or option right, then run it again.",
    Stop.CAPACITY: "Make room in the collection or get more credits, then run it again.",
    Stop.OUTAGE: "Run it again when the service answers.",
    Stop.DEFECT: "This should not happen: report it, then run it again.",
    Stop.ERRORS: "See below what is wrong with so many records, then run it again.",
    Stop.ASKED: "Run it again for the rest.",
    Stop.DEADLINE: "Run it again for the rest.",
}


def stop_step(stop: Stop | None, reason: str, command: str, how: str) -> Iterator[Step]:
    """Yield what to do about a run that ended early.

    Args:
        stop: Why.
        reason: The same in words.
        command: The command line that it was started with.
        how: What running it again does.
    """
    if stop is not None:
        yield Step(f"{stop.value}: {_short(reason)}. {_REMEDIES[stop]} {how}".strip(), command)


def wanted_first(counts: Mapping[Outcome, int]) -> dict[str, int]:
    """Return outcomes by name, the wanted ones first."""
    pairs = sorted(counts.items(), key=lambda pair: (pair[0] not in GOOD, pair[0]))
    return {outcome.value: number for outcome, number in pairs}
