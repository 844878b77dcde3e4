"""What a report keeps of single records: so many, and so much of each, and no more."""

from __future__ import annotations

import os
import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from attrs import define, evolve, field

from ximilar_async._models import Match

from ._outcomes import GOOD

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from ._outcomes import Outcome, Result

    Kept: TypeAlias = Mapping[Outcome, tuple[Result, ...]]
    Reasons: TypeAlias = Mapping[Outcome, Mapping[str, int]]

FEW: Final = 10
"""Results of an outcome that are shown wherever there is little room."""

MOST: Final = 500
"""Results of an outcome that a page shows, and a file for programs has."""

_OF_SAMPLE: Final = ("_id", "_file", "_url", "_base64")
"""What is kept of a record: enough to show it."""

_OF_NEIGHBOUR: Final = ("_id", "_url")

_NEIGHBOURS: Final = 10
"""Stored records that a near-duplicate is like and that are kept, the nearest."""

_LARGEST: Final = 64 * 2**10
"""Longest member of a record that is kept, in characters."""

_IMAGES: Final = 2 * 2**20
"""Characters of `_base64` that a run keeps: the image is in memory and nowhere else then."""

_WORDS: Final = 2000
"""Longest reason, id or place that is kept, in characters."""

_REASONS: Final = 50
"""Reasons of an outcome that are counted one by one."""

OTHER_REASONS: Final = "other reasons"

_LONGEST_REASON: Final = 300

_REMEMBERED: Final = 100
"""Reasons whose kinds are remembered."""

_OWN: Final = re.compile(r"'[^']*'|(?<=[( ])(?![45]\d\d\b)\d[\d,.]*(?= )")
"""What is one record's own in a reason: what is quoted, and numbers that are no codes."""


@define(eq=False)
class Samples:
    """Keeps the first results of each outcome that is not the wanted one, and counts all reasons.

    However many records a run has, it keeps at most some megabytes.
    """

    _kept: dict[Outcome, list[Result]] = field(factory=dict, init=False)
    _reasons: dict[Outcome, Counter[str]] = field(factory=dict, init=False)
    _images: int = field(default=_IMAGES, init=False)
    _kinds: dict[tuple[str, int | None], str] = field(factory=dict, init=False)

    def add(self, result: Result) -> None:
        """Take note of a result."""
        outcome = result.outcome
        if outcome in GOOD:
            return
        kept = self._kept.setdefault(outcome, [])
        if len(kept) < MOST:
            kept.append(self._small(result))
        if result.reason:
            reasons = self._reasons.setdefault(outcome, Counter())
            words = self._kind(result)
            known = words in reasons or len(reasons) < _REASONS
            reasons[words if known else OTHER_REASONS] += 1

    @property
    def few(self) -> dict[Outcome, tuple[Result, ...]]:
        """Return the first ten of each outcome."""
        return {outcome: tuple(kept[:FEW]) for outcome, kept in self._kept.items()}

    @property
    def kept(self) -> dict[Outcome, tuple[Result, ...]]:
        """Return the first 500 of each outcome."""
        return {outcome: tuple(kept) for outcome, kept in self._kept.items()}

    @property
    def reasons(self) -> dict[Outcome, dict[str, int]]:
        """Return how often each reason was met, by outcomes."""
        return {outcome: dict(counts) for outcome, counts in self._reasons.items()}

    def _kind(self, result: Result) -> str:
        """Return what `kind_of` does; most records have one of a few reasons."""
        alone = _alone(result.reason[:_WORDS], result.where, result.id), result.code
        if (known := self._kinds.get(alone)) is None:
            known = kind_of(*alone)
            if len(self._kinds) < _REMEMBERED:
                self._kinds[alone] = known
        return known

    def _small(self, result: Result) -> Result:
        sample = sample_of(result)
        image = sample.record.get("_base64") if sample.record else None
        if image is not None:
            self._images -= len(image)
            if self._images < 0:
                self._images = 0
                del sample.record["_base64"]
        return sample


@define(eq=False)
class NamedSamples:
    """Keeps the first results by names that are no outcomes, as a sync counts its records."""

    _by_name: dict[str, Samples] = field(factory=dict, init=False)

    def add(self, name: str, result: Result) -> None:
        """Take note of a result.

        Args:
            name: What it counts as.
            result: What became of the record, and why.
        """
        self._by_name.setdefault(name, Samples()).add(result)

    @property
    def kept(self) -> dict[str, tuple[Result, ...]]:
        """Return the first 500 by each name."""
        return {
            name: tuple(result for results in samples.kept.values() for result in results)[:MOST]
            for name, samples in self._by_name.items()
        }

    @property
    def reasons(self) -> dict[str, dict[str, int]]:
        """Return how often each reason was met, by names."""
        return {
            name: dict(sum(map(Counter, samples.reasons.values()), Counter[str]()))
            for name, samples in self._by_name.items()
        }


def joined(one: Kept, other: Kept) -> dict[Outcome, tuple[Result, ...]]:
    """Return the first results of two runs, by their outcomes.

    Args:
        one: Those of the earlier one.
        other: Those of the later one.
    """
    return {o: (one.get(o, ()) + other.get(o, ()))[:MOST] for o in {**one, **other}}


def summed(one: Reasons, other: Reasons) -> dict[Outcome, dict[str, int]]:
    """Return how often two runs met each reason, by outcomes.

    Args:
        one: What the earlier one met.
        other: What the later one met.
    """
    return {o: dict(Counter(one.get(o)) + Counter(other.get(o))) for o in {**one, **other}}


def sample_of(result: Result) -> Result:
    """Return a result that may be kept: of its record nothing but its id and a small image.

    Example:
        >>> from ximilar_async.bulk import Outcome, Result
        >>> record = {"_id": "7", "_url": "https://example.com/7.jpg", "price": 5}
        >>> sample_of(Result(7, "line 7", "7", Outcome.FAILED, record=record)).record
        {'_id': '7', '_url': 'https://example.com/7.jpg'}
    """
    near = result.near_duplicates
    if near:
        nearest = sorted(near, key=lambda match: match.distance)[:_NEIGHBOURS]
        near = tuple(
            Match(match.id, match.distance, _texts(match.record, _OF_NEIGHBOUR))
            for match in nearest
        )
    return evolve(
        result,
        where=result.where[:_WORDS],
        id=None if result.id is None else result.id[:_WORDS],
        reason=result.reason[:_WORDS],
        near_duplicates=near,
        record=_texts(result.record, _OF_SAMPLE) or None,
        answer=None,
    )


def _texts(record: Any, names: tuple[str, ...]) -> dict[str, str]:
    """Return those members of a record that are texts, or paths, and not too long."""
    kept = {}
    for name in names if isinstance(record, dict) else ():
        value = record.get(name)
        text = str(value) if isinstance(value, os.PathLike) else value
        if isinstance(text, str) and len(text) <= _LARGEST:
            kept[name] = text
    return kept


def why(reason: str, where: str, id: str | None, code: int | None) -> str:
    """Return a reason without the place and id that it may begin with, and with its code.

    Args:
        reason: What the result says.
        where: The record's place in the source.
        id: Its `_id`.
        code: What the service gave.

    Example:
        >>> why("line 7 (`_id` 'g7') has no image", "line 7", "g7", None)
        'has no image'
        >>> why("busy", "line 7", "g7", 503)
        '503: busy'
    """
    return _with_code(_alone(reason, where, id), code)


def kind_of(reason: str, code: int | None = None) -> str:
    """Return what a reason shares with others: what is quoted and counted is one record's own.

    Args:
        reason: Without the record's place and id.
        code: What the service gave.

    Example:
        >>> kind_of("`_file` 'a.jpg': is truncated (114 bytes not processed)")
        "`_file` '…': is truncated (… bytes not processed)"
    """
    return _with_code(_OWN.sub(_anything, reason), code)[:_LONGEST_REASON]


def _alone(reason: str, where: str, id: str | None) -> str:
    words = reason.removeprefix(where).removeprefix(f" (`_id` {id!r})") if where else reason
    return words.lstrip(": ") if words != reason else words


def _with_code(words: str, code: int | None) -> str:
    known = code is None or words.startswith(str(code)) or f" {code}" in words
    return words if known else f"{code}: {words}".rstrip(": ")


def _anything(own: re.Match[str]) -> str:
    return "'…'" if own[0][0] == "'" else "…"
