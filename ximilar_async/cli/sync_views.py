"""A sync as a person sees it: its plan, how it goes, its report."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ximilar_async.bulk import Stop
from ximilar_async.bulk._sync.page_records import ALONE
from ximilar_async.pages import counted, seconds

from .screen import plain
from .sync_options import in_options
from .sync_samples import words_of
from .tables import bottleneck_words, name, reason_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rich.console import RenderableType

    from ximilar_async.bulk import Report, Result, SyncPlan, SyncReport

    from .sync_options import Prices
    from .sync_samples import Change, Samples

_COLOURS: Final = {
    "unchanged": "dim",
    "already_present": "cyan",
    "near_duplicate": "cyan",
    "not_found": "cyan",
    "rejected": "red",
    "failed": "red",
    "undecided": "red",
    "deletions_failed": "red",
    "not_attempted": "yellow",
    "deletions_not_attempted": "yellow",
    "deletions_withheld": "yellow",
    "not_restored": "red",
    "delete": "yellow",
}
"""Colours of what can become of a record; what was wanted is green."""

_WORDS: Final = {
    "deletions_failed": "could not be deleted",
    "deletions_not_attempted": "not deleted, because the sync ended first",
    "deletions_withheld": "not deleted",
    "replace": "replace: delete, then insert with another image",
    "not_restored": "deleted to be replaced, and not inserted",
    "restored": "inserted that an interrupted sync had deleted",
}

_TOLD: Final = ("near_duplicate", "rejected", "failed", "deletions_failed", "not_restored")
"""Counts whose first records are worth reading."""
_MOST_SAMPLES: Final = 5
_LONG: Final = 5.0
"""Seconds from which on it is worth a line what a phase waited for."""

_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60


# --- plans --------------------------------------------------------------------------------------


def plan_view(
    plan: SyncPlan, samples: Samples, prices: Prices, rate: float | None
) -> RenderableType:
    """Return a plan to print: counts by action, requests, estimates, samples.

    Args:
        plan: The plan.
        samples: What its first records would become.
        prices: Credits a record.
        rate: Requests a second; None where nobody said.
    """
    title = (
        f"{plan.mode} of {plain(plan.source)}: {counted(plan.read, 'record')} read, "
        f"{plan.stored:,} stored"
    )
    parts: list[RenderableType] = [Text(title, "bold"), _actions(plan)]
    parts += [Text(line) for line in estimate_lines(plan, prices, rate)]
    if any(plan.samples.values()):
        parts.append(_samples(plan, samples.changes))
    if samples.rejected:
        few = _few(len(samples.rejected), plan.rejected)
        parts.append(Text(f"rejected{few}:", outcome_colour("rejected")))
        parts += [Text(f"  {plain(words)}") for words in samples.rejected]
    parts += [Text(plain(line), "yellow") for line in plan_notes(plan)]
    return Group(*parts)


def plan_notes(plan: SyncPlan) -> Iterator[str]:
    """Yield what else is to be known of a plan."""
    if plan.withheld:
        gone = counted(plan.gone, "record")
        yield f"{gone} gone, none to be deleted: {in_options(plan.withheld)}"
    elif plan.mode != "mirror":
        yield f"{plan.mode} deletes nothing: what is gone shows with --mode mirror"
    if plan.images_unknown:
        yield _images_words(plan.images_unknown)
    if plan.in_doubt:
        yield f"{counted(plan.in_doubt, 'record')} left in doubt by an interrupted sync, looked up"
    yield from plan.notes


def _images_words(number: int) -> str:
    return (
        f"{counted(number, 'stored image')} could not be compared, for nobody knows what they "
        "were made of; they are left as they are; a state (--state) sees later changes"
    )


def _actions(plan: SyncPlan) -> Table:
    kinds = ("insert", "update", "replace", "delete", "restore")
    left = ("unchanged", "already_present", "near_duplicate", "rejected", "undecided")
    table = _numbers()
    for kind in (*kinds, *left):
        if number := getattr(plan, kind):
            verb = kind in kinds
            words = outcome_name(kind)
            table.add_row(
                f"{number:,}", Text(f"to {words}" if verb else words, outcome_colour(kind))
            )
    if not table.row_count:
        table.add_row("0", "nothing to do")
    return table


def estimate_lines(plan: SyncPlan, prices: Prices, rate: float | None) -> Iterator[str]:
    """Yield how many requests a plan takes, and what they cost where that is known.

    Args:
        plan: The plan.
        prices: Credits a record.
        rate: Requests a second; None where nobody said.
    """
    total = sum(plan.requests.values())
    methods = ", ".join(f"{number:,} {method}" for method, number in plan.requests.items())
    yield f"requests: {total:,}" + (f" ({methods})" if methods else "")
    if prices.said:
        left_out = sorted(set(plan.requests) - {"get"} - set(prices.said))
        words = f"; no price was given for {', '.join(left_out)}" if left_out else ""
        yield f"estimated credits: {plan.credits(prices.said):,.10g}{words}"
    elif total:
        yield "estimated credits: give --price-insert, --price-update and --price-delete"
    if rate is not None and total:
        yield f"time: {span(plan.seconds(rate))} at {rate:g} requests a second"
    elif total:
        yield "time: give --rate"


def span(time: float) -> str:
    """Return a span of time in words, not more exact than an estimate is.

    Example:
        >>> span(4.25), span(300), span(9000), span(200_000)
        ('4.2 s', '5 min', '2.5 h', '2.3 days')
    """
    for unit, length in (("days", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if time >= 2 * length:
            number = f"{time / length:.1f}".removesuffix(".0")
            return f"{number} {unit}"
    return seconds(time)


def _samples(plan: SyncPlan, changes: Mapping[str, list[Change]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("to do")
    table.add_column("for example", overflow="fold")
    for kind, ids in plan.samples.items():
        more = ", …" if getattr(plan, kind) > len(ids) else ""
        if kind == "update" and changes:
            lines = [_changed(id_, changes.get(id_, [])) for id_ in ids]
            if (left := plan.update - len(ids)) > 0:
                lines.append(Text(f"and {left:,} more"))
            for number, line in enumerate(lines):
                table.add_row(Text(kind, outcome_colour(kind)) if not number else "", line)
        elif ids:
            listed = ", ".join(plain(id_) for id_ in ids)
            table.add_row(Text(kind, outcome_colour(kind)), Text(f"{listed}{more}"))
    return table


def _changed(id_: str, changes: list[Change]) -> Text:
    words = f": {words_of(changes)}" if changes else ""
    return Text.assemble((plain(id_), "bold"), words)


def plan_json(
    plan: SyncPlan, samples: Samples, prices: Prices, rate: float | None
) -> dict[str, Any]:
    """Return a plan as JSON values, with its estimates.

    Args:
        plan: The plan.
        samples: What its first records would become.
        prices: Credits a record.
        rate: Requests a second; None where nobody said.
    """
    shown = {
        id_: {change.field: [change.before, change.after] for change in of_one}
        for id_, of_one in samples.changes.items()
    }
    return plan.to_dict() | {
        "changes": shown,
        "reasons": list(samples.rejected),
        "credits": plan.credits(prices.said) if prices.said else None,
        "seconds": None if rate is None else round(plan.seconds(rate), 3),
    }


# --- reports ------------------------------------------------------------------------------------


def sync_view(report: SyncReport) -> RenderableType:
    """Return a report to print: what was done, a count for each outcome, samples of trouble."""
    parts: list[RenderableType] = [
        Text(sync_headline(report), "bold"),
        _outcomes(report.counts, report),
    ]
    if report.gone:
        where = "in what was read of the source" if report.stop is Stop.SOURCE else "in the source"
        parts += [f"{counted(report.gone, 'stored record')} not {where}:"]
        parts += [_outcomes(report.gone_counts)]
    again = {"restored": report.restored, "not_restored": report.not_restored}
    if any(again.values()):
        parts.append(_outcomes(again))
    parts += list(_troubles(report))
    waits = {key: words for key, phase in report.phases.items() if (words := _waits(phase))}
    parts += [Text(f"{key}: waited for {words}", "dim") for key, words in waits.items()]
    if report.images_unknown:
        parts.append(Text(_images_words(report.images_unknown), "yellow"))
    parts += [Text(plain(note), "yellow") for note in report.notes]
    return Group(*parts)


def _waits(phase: Report) -> str:
    """Return what a phase waited for, if it took long enough to ask."""
    return bottleneck_words(phase) if phase.requests and phase.elapsed >= _LONG else ""


def sync_headline(report: SyncReport) -> str:
    """Return the report's first line.

    Example:
        >>> from ximilar_async.bulk import SyncReport
        >>> sync_headline(SyncReport(mode="mirror", read=1200, elapsed=2.0, requests=41))
        'mirror: 1,200 records read in 2.0 s, 41 requests'
    """
    words = f"{report.mode}: {counted(report.read, 'record')} read in {report.elapsed:.1f} s"
    words += f", {counted(report.requests, 'request')}"
    return f"{words}, {report.retries:,} of them repeated" if report.retries else words


def _outcomes(counts: Mapping[str, int], report: SyncReport | None = None) -> Table:
    table = _numbers()
    for key, number in counts.items():
        if number:
            table.add_row(f"{number:,}", Text(outcome_name(key), outcome_colour(key)))
    if not table.row_count:
        ended = report is not None and report.stop is not None
        table.add_row("0", "nothing done" if ended else "nothing to do")
    return table


def _troubles(report: SyncReport) -> Iterable[RenderableType]:
    for key in _TOLD:
        results = list(islice(_results(report, key), _MOST_SAMPLES))
        if not results:
            continue
        few = _few(len(results), getattr(report, key))
        yield Text(f"{outcome_name(key)}{few}:", outcome_colour(key))
        for result in results:
            yield Text(f"  {plain(_sentence(result))}")


def _results(report: SyncReport, key: str) -> Iterator[Result]:
    """Yield the records that were kept of those that a sync counts so."""
    for stage, names in ALONE.items():
        if (phase := report.phases.get(stage)) is not None:
            for outcome, called in names.items():
                yield from phase.kept.get(outcome, ()) if called == key else ()
    yield from report.kept.get(key, ())


def _sentence(result: Result) -> str:
    """Return a record and why it ended so; what the reason names is not named twice."""
    reason = reason_words(result)
    named = reason.startswith(result.where) or (result.id is not None and repr(result.id) in reason)
    return reason if named else f"{name(result)}: {reason}"


def _few(shown: int, total: int) -> str:
    """Return the words for samples that are not all."""
    return "" if shown == total else f" (the first {shown} of {total:,})"


def _numbers() -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
    table.add_column(justify="right")
    table.add_column()
    return table


def outcome_name(key: str) -> str:
    """Return how people call an outcome by its name in plans and reports.

    Example:
        >>> outcome_name("already_present"), outcome_name("deletions_withheld")
        ('already present', 'not deleted')
    """
    return _WORDS.get(key, key.replace("_", " "))


def outcome_colour(key: str) -> str:
    """Return its colour."""
    return _COLOURS.get(key, "green")
