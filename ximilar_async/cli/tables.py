"""Reports and answers as a person reads them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from ximilar_async.bulk import Outcome
from ximilar_async.pages import counted, distance, seconds

from .screen import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import RenderableType

    from ximilar_async._models import Match
    from ximilar_async.bulk import Report, Result

_COLOURS: Final[Mapping[Outcome, str]] = {
    Outcome.ALREADY_PRESENT: "cyan",
    Outcome.NEAR_DUPLICATE: "cyan",
    Outcome.NOT_FOUND: "yellow",
    Outcome.REJECTED: "red",
    Outcome.FAILED: "red",
    Outcome.NOT_ATTEMPTED: "yellow",
}
"""Colours of the outcomes; those that were wanted are green."""

_SHOWN: Final = (
    Outcome.NEAR_DUPLICATE,
    Outcome.NOT_FOUND,
    Outcome.REJECTED,
    Outcome.FAILED,
    Outcome.NOT_ATTEMPTED,
)
"""Outcomes whose samples are worth reading."""

_MOST_NAMES: Final = 3
"""Records that are named where all have the same reason."""

_MOST_FIELDS: Final = 4
"""Fields of a record in a table, unless more are asked for."""


def outcome_words(outcome: Outcome) -> str:
    """Return how people call an outcome.

    Example:
        >>> outcome_words(Outcome.ALREADY_PRESENT)
        'already present'
    """
    return outcome.value.replace("_", " ")


def colour(outcome: Outcome) -> str:
    """Return an outcome's colour."""
    return _COLOURS.get(outcome, "green")


# --- reports ------------------------------------------------------------------------------------


def report_view(report: Report) -> RenderableType:
    """Return a report to print: what was done, a count for each outcome, samples of trouble."""
    parts: list[RenderableType] = [Text(headline(report), "bold"), _counts(report)]
    parts += [Text(line) for line in _earlier_lines(report)]
    parts += [
        _samples(report, outcome, results)
        for outcome in _SHOWN
        if (results := report.samples.get(outcome)) and not _is_dry(report, outcome)
    ]
    parts += [Text(line, "dim") for line in _pace_lines(report)]
    if report.inferred:
        parts.append(Text(_inferred(report), "yellow"))
    if report.left_out:
        words = "left out, because sending them again can hardly help (--everything)"
        parts.append(Text(f"{report.left_out:,} {words}"))
    if report.anomalies:
        odd = ", ".join(f"{plain(what)} ({n:,})" for what, n in report.anomalies.items())
        parts.append(Text(f"odd: {odd}", "yellow"))
    return Group(*parts)


def _earlier_lines(report: Report) -> Iterable[str]:
    """Yield what counts but was not seen by this run, or is not shown, and where to find it."""
    if report.resumed:
        yield f"{report.resumed:,} of them were decided by earlier runs ({report.origin.journal})"
    kept = (Outcome.REJECTED, Outcome.FAILED)
    samples = report.samples
    hidden = any(report.counts.get(one, 0) > len(samples.get(one, ())) for one in kept)
    if hidden and report.origin.rejects:
        yield f"all that were rejected or failed are in {report.origin.rejects}"


def _inferred(report: Report) -> str:
    exact = "; --attribution exact tells" if report.inserted else ""
    return (
        f"{report.inferred:,} of them inferred: an answer was lost, and what is stored does not "
        f"tell whose work it is{exact}"
    )


def headline(report: Report) -> str:
    """Return the report's first line.

    Example:
        >>> from ximilar_async.bulk import Report
        >>> headline(Report(operation="insert", read=1200, counts={}, requests=120, elapsed=2.0))
        'insert: 1,200 records read in 2.0 s, 120 requests'
    """
    words = f"{report.operation}: {counted(report.read, 'record')} read in {report.elapsed:.1f} s"
    rate = report.records_per_second  # of what this run decided
    if rate and not report.dry_run:
        words += f" ({rate:,.0f} a second)"
    words += f", {counted(report.requests, 'request')}"
    if report.retries:
        words += f", {report.retries:,} of them repeated"
    return f"dry run of {words}" if report.dry_run else words


_WAITS: Final[Mapping[str, str]] = {
    "source": "the source",
    "images": "work on images",
    "retry": "the time to send again",
    "rate": "--rate",
    "gate": "free slots (--concurrency)",
    "network": "answers",
}
"""How people call what a run can wait for."""

_SMALL: Final = 0.01
"""Share of the waiting that is not worth a word."""


def bottleneck_words(report: Report) -> str:
    """Return what a run waits for, the most important first; empty if nothing is known.

    Example:
        >>> from ximilar_async.bulk import Report
        >>> shares = {"network": 0.82, "images": 0.175, "rate": 0.005}
        >>> bottleneck_words(Report(operation="insert", read=9, counts={}, bottleneck=shares))
        'answers 82%, work on images 18%'
    """
    names = {**_WAITS}
    if report.held or report.outage_seconds:
        names["gate"] = "free slots and pauses"
    most_first = sorted(report.bottleneck.items(), key=lambda pair: -pair[1])
    return ", ".join(
        f"{names.get(what, what)} {share:.0%}" for what, share in most_first if share >= _SMALL
    )


def _pace_lines(report: Report) -> Iterable[str]:
    """Yield what a report says about where the time went."""
    if waits := bottleneck_words(report):
        yield f"waited for: {waits}"
    if report.latency:
        named = ", ".join(f"{name} {seconds(value)}" for name, value in report.latency.items())
        yield f"answers after: {named}"
    if report.concurrency:
        yield f"requests at once: {report.concurrency}"
    if report.held:
        yield f"paused: {seconds(report.held)}, because the service asked for it"
    if report.outage_seconds:
        yield f"without an answer: {seconds(report.outage_seconds)}"


def label(report: Report, outcome: Outcome) -> str:
    """Return how people call an outcome of a run; in a dry run, what was not sent is ready."""
    return "ready to be sent" if _is_dry(report, outcome) else outcome_words(outcome)


def _is_dry(report: Report, outcome: Outcome) -> bool:
    return report.dry_run and outcome is Outcome.NOT_ATTEMPTED


def _counts(report: Report) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    table.add_column(justify="right")
    table.add_column()
    for outcome in Outcome:
        if number := report.counts.get(outcome):
            table.add_row(f"{number:,}", Text(label(report, outcome), colour(outcome)))
    if not table.row_count:
        table.add_row("0", "nothing to do" if report.stop is None else "nothing done")
    return table


def _samples(report: Report, outcome: Outcome, results: Sequence[Result]) -> RenderableType:
    total = report.counts.get(outcome, 0)
    words, style = outcome_words(outcome), colour(outcome)
    reasons = {reason_words(result) for result in results}
    if len(reasons) == 1 and len(results) > 1:
        names = ", ".join(plain(name(result)) for result in results[:_MOST_NAMES])
        more = ", …" if total > _MOST_NAMES else ""
        said = _indented([Text(plain(reasons.pop())), Text(f"{names}{more}", "dim")])
        return Group(Text(f"{words}:", style), said)
    few = "" if len(results) == total else f" (the first {len(results)} of {total:,})"
    said = _indented([_sample(result) for result in results])
    return Group(Text(f"{words}{few}:", style), said)


def _indented(lines: Iterable[Text]) -> Table:
    """Return lines that stay indented where a terminal breaks them."""
    grid = Table.grid(Column(min_width=1), Column(overflow="fold"), padding=(0, 1))
    for line in lines:
        grid.add_row("", line)
    return grid


def _sample(result: Result) -> Text:
    """Return a record's name and reason; where the reason names it, it is not named twice."""
    reason, where, id_ = reason_words(result), result.where, result.id
    begins = re.match(rf"{re.escape(where)}(?!\w)", reason)
    if begins is None:
        is_named = id_ == where and repr(id_) in reason
        return Text(plain(reason)) if is_named else _named(result, f": {plain(reason)}")
    if id_ is None or repr(id_) in reason:
        return Text(plain(reason))
    return _named(result, plain(reason[begins.end() :]))


def _named(result: Result, words: str) -> Text:
    return Text.assemble((plain(name(result)), "bold"), words)


def name(result: Result) -> str:
    """Return how to call a record: its `_id`, with its place where that says more.

    Example:
        >>> from ximilar_async.bulk import Result
        >>> name(Result(7, "line 7", "boot", Outcome.REJECTED))
        'boot (line 7)'
    """
    if result.id is None or result.id == result.where:
        return result.where
    return f"{result.id} ({result.where})"


def reason_words(result: Result) -> str:
    """Return why a record ended so; for a near-duplicate, what it is like."""
    near = result.near_duplicates
    if not near:
        return result.reason
    words = ", ".join(f"{match.id} at distance {distance(match.distance)}" for match in near[:3])
    return f"like {words}" + (f" and {len(near) - 3} more" if len(near) > 3 else "")  # noqa: PLR2004 - as above


# --- answers ------------------------------------------------------------------------------------


def matches_view(matches: Sequence[Match], fields: Sequence[str] | None = None) -> Table:
    """Return search results as a table: rank, id, distance, and a few fields.

    Args:
        matches: The records found, nearest first.
        fields: Names of the fields to show; None chooses a few simple ones.
    """
    names = fields_to_show((match.record for match in matches), fields)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("rank", justify="right")
    table.add_column("id", overflow="fold")
    table.add_column("distance", justify="right")
    for name_ in names:
        table.add_column(plain(name_), overflow="fold")
    for rank, match in enumerate(matches, 1):
        values = [Text(_cell(match.record.get(name_))) for name_ in names]
        id_ = Text(plain(match.id or "-"), "bold")
        table.add_row(str(rank), id_, distance(match.distance), *values)
    return table


def fields_to_show(
    records: Iterable[Mapping[str, Any]], fields: Sequence[str] | None = None
) -> list[str]:
    """Return the names of a table's columns for some records.

    Args:
        records: The records.
        fields: Names that were asked for; "*" stands for all. None chooses those with simple
            values that are not the service's own, at most four.

    Example:
        >>> fields_to_show([{"_id": "1", "price": 5, "size": {"eu": 42}}])
        ['price']
        >>> fields_to_show([{"_id": "1", "price": 5, "size": {"eu": 42}}], ["size", "_id"])
        ['size']
    """
    if fields is not None and "*" not in fields:
        return [field for field in fields if field != "_id"]
    found: dict[str, None] = {}
    for record in records:
        for field, value in record.items():
            simple = isinstance(value, (str, int, float, bool)) and not field.startswith("_")
            if field not in ("_id", "_base64") and (simple or fields is not None):
                found[field] = None
    return list(found)[: None if fields is not None else _MOST_FIELDS]


def pairs_view(pairs: Mapping[str, Any]) -> Table:
    """Return names and values as a table of two columns."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name_, value in pairs.items():
        table.add_row(Text(plain(name_), "dim"), Text(_cell(value)))
    return table


def _cell(value: object) -> str:
    return "" if value is None else plain(value)
