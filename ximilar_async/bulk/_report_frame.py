"""The frame of every report's page: what happened, what to do about it, and then all the rest."""

from __future__ import annotations

import platform
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ximilar_async.pages import Fact, Step, Steps, Verdict, render_page, seconds

from ._report import Stop
from ._report_parts import short, tone_of
from ._report_samples import OTHER_REASONS
from ._report_tables import title_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from ximilar_async.pages import Part

    from ._origin import Origin
    from ._report import Report
    from ._report_records import Group
    from ._sync import SyncReport


def framed(
    title: str,
    origin: Origin,
    *,
    verdict: Verdict,
    facts: Sequence[Fact],
    steps: Iterable[Step],
    parts: Iterable[Part],
    nothing: str,
    command: str,
) -> str:
    """Return the page of a run, a sync or a plan.

    Args:
        title: Its heading.
        origin: Where it went.
        verdict: What happened, in one line.
        facts: The same in figures.
        steps: What there is to do, the most urgent first.
        parts: All the rest.
        nothing: What to say where nothing is to be done.
        command: The command line that it was started with.
    """
    where = f"Collection {origin.collection} of {origin.service}. " if origin.collection else ""
    here = f"in {Path.cwd()}, on {platform.node()}"
    started = f"Started by: {command} ({here}). " if command else ""
    return render_page(
        title,
        subtitle=f"{where}Written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        verdict=verdict,
        facts=facts,
        parts=[Steps("What to do", tuple(steps), empty=nothing), *parts],
        footer=f"{started}This page loads nothing and runs nothing.",
    )


# --- what happened ------------------------------------------------------------------------------


def has_begun(report: Report | SyncReport) -> bool:
    """Tell whether there is more to say of a run or a sync than why nothing was done.

    Args:
        report: What it did.
    """
    return report.stop is None or bool(report.read or report.requests)


def ended_early(stop: Stop, reason: str, left: str, *, begun: bool) -> Verdict:
    """Return what is said of what ended before its end.

    Args:
        stop: Why.
        reason: The same in words.
        left: What is left, in words; empty for nothing that is known of.
        begun: Whether anything was read or sent.
    """
    if not begun:
        return Verdict(f"Not begun: {reason}. Nothing was sent", "bad")
    # That it was stopped, or out of time, is what the reason says.
    why = reason if stop in (Stop.ASKED, Stop.DEADLINE) else f"{stop.value}: {reason}"
    return Verdict(". ".join(filter(None, (f"Ended early: {why}", left))), "bad")


def outcome_facts(counts: Mapping[str, int], groups: Sequence[Group]) -> list[Fact]:
    """Return a figure for each outcome that there is, which leads to its records.

    Args:
        counts: How many records ended in each.
        groups: The records that the page shows.
    """
    places = {group.name: title_of(group) for group in groups}
    return [
        Fact(name.replace("_", " "), number, tone_of(name), places.get(name, ""))
        for name, number in counts.items()
        if number
    ]


def effort_facts(elapsed: float, requests: int, retries: int) -> list[Fact]:
    """Return what it took, in figures.

    Args:
        elapsed: Seconds.
        requests: How many were sent.
        retries: How many of them repeated an earlier one.
    """
    facts = [Fact("took", seconds(elapsed)), Fact("requests", requests)]
    return [*facts, *([Fact("repeated", retries, "warn")] if retries else [])]


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


def stop_step(stop: Stop | None, command: str, how: str, *, begun: bool) -> Iterator[Step]:
    """Yield what to do about a run that ended early.

    Args:
        stop: Why.
        command: The command line that it was started with, or the call.
        how: What running it again does.
        begun: Whether anything was read or sent.
    """
    if stop is not None and begun:
        yield Step(f"{_REMEDIES[stop]} {how}".strip(), command)
    elif stop is not None:
        meant = stop in (Stop.CONFIGURATION, Stop.ASKED)
        yield Step("See to what is said above, then run it." if meant else _REMEDIES[stop], command)


def title_for(operation: str) -> str:
    """Return how people call what a run does.

    Example:
        >>> title_for("insert"), title_for("near_dups_insert")
        ('insert', 'insert without near-duplicates')
    """
    return _CALLED.get(operation, operation.replace("_", " "))


_CALLED: Final = {"near_dups_insert": "insert without near-duplicates"}


_SETTING: Final = re.compile(r"\((allow_\w+)")


def spoken(words: str, command: str) -> str:
    """Return words with settings as whoever reads them has set them: as options, or in Python.

    Args:
        words: They name a setting at the beginning of brackets.
        command: The command line that was typed; empty where none was.

    Example:
        >>> spoken("allow the deletions (allow_delete)", "ximilar-async sync a.csv")
        'allow the deletions (--allow-delete)'
    """
    if not command:
        return words
    return _SETTING.sub(lambda found: f"(--{found[1].replace('_', '-')}", words)


def most_often(groups: Sequence[Group], name: str) -> str:
    """Return the most frequent reason for an outcome, in a sentence; empty where there are few.

    Args:
        groups: The records that the page shows.
        name: The outcome.
    """
    reasons = next((group.reasons for group in groups if group.name == name), {})
    words = max(reasons, key=lambda reason: reasons[reason], default="")
    number = reasons.get(words, 0)
    if number <= 1 or words == OTHER_REASONS:  # among the others there may be one as frequent
        return ""
    return f"Most often, {number:,} times: {short(words, 120)}."
