"""The records that a page of a run shows: those of its rejects file, or its samples. Blocking."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import define, field, frozen

from ximilar_async.pages import find_image, thumbnail, thumbnail_of

from ._outcomes import Outcome
from ._rejects import decode_envelope

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ._origin import Origin
    from ._outcomes import Result
    from ._report import Report

MOST: Final = 500
"""Records of an outcome that a page shows."""

_MOST_IMAGES: Final = 120
"""Images of a page: each has to be decoded, and is some 3 kB of it."""

_SIDE: Final = 144

_IN_FILE: Final = (Outcome.REJECTED, Outcome.FAILED)
"""What is written to a rejects file."""


@frozen
class Shown:
    """A record that was not brought in, as a page shows it."""

    id: str | None
    where: str
    reason: str
    code: int | None
    near_duplicates: tuple[tuple[str, float, Mapping[str, Any]], ...] = ()
    """Id, distance and record of each stored one that it is too like."""
    record: Mapping[str, Any] = field(factory=dict)
    root: str | None = None
    """Folder that its `_file` is below."""

    @property
    def why(self) -> str:
        """Return the reason without the place and id that it may begin with."""
        words = self.reason.removeprefix(self.where).removeprefix(f" (`_id` {self.id!r})")
        words = words.lstrip(": ") if words != self.reason else words
        if self.code is not None and str(self.code) not in words:
            words = f"{self.code}: {words}".rstrip(": ")
        return words


@define
class Pictures:
    """Finds and shrinks images of records, so many and no more."""

    left: int = _MOST_IMAGES

    def of(self, record: Mapping[str, Any], root: str | None) -> bytes | None:
        """Return a small image of a record; None where there is none, or no more are wanted.

        Args:
            record: What is known of it.
            root: Folder that its `_file` is below; it is looked up nowhere else then.
        """
        if self.left <= 0:
            return None
        image = _encoded(record.get("_base64")) or thumbnail_of(_path(record, root), _SIDE)
        self.left -= image is not None
        return image


def _encoded(value: object) -> bytes | None:
    if not isinstance(value, str):
        return None
    try:
        return thumbnail(base64.b64decode(value, validate=True), _SIDE)
    except binascii.Error:
        return None


def _path(record: Mapping[str, Any], root: str | None) -> Path | None:
    if root is not None:
        return find_image(record, Path(root))
    # An address is never taken for a path: it may come from somebody else.
    return find_image({"_file": record.get("_file")})


def own_image(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a record says of its own image: a file that is called like it is none."""
    return {name: record[name] for name in ("_file", "_url", "_base64") if name in record}


def shown_records(report: Report) -> dict[Outcome, list[Shown]]:
    """Return the records that a page of a run shows, at most 500 of each outcome.

    Args:
        report: The run's.
    """
    found = {
        outcome: [_of_result(result, report.origin) for result in results[:MOST]]
        for outcome, results in report.samples.items()
    }
    wanted = {outcome: min(MOST, report.counts.get(outcome, 0)) for outcome in _IN_FILE}
    in_file = _of_file(report.origin, wanted)
    for outcome, records in in_file.items():
        if len(records) > len(found.get(outcome, ())):
            found[outcome] = records
    return found


def _of_result(result: Result, origin: Origin) -> Shown:
    near = tuple((match.id or "", match.distance, match.record) for match in result.near_duplicates)
    record = result.record if isinstance(result.record, dict) else {"_id": result.id}
    return Shown(result.id, result.where, result.reason, result.code, near, record, origin.root)


def _of_file(origin: Origin, wanted: Mapping[Outcome, int]) -> dict[Outcome, list[Shown]]:
    found: dict[Outcome, list[Shown]] = {outcome: [] for outcome in wanted}
    marks = {outcome: f'"outcome":"{outcome.value}"'.encode() for outcome in wanted}
    for line in _lines(origin):
        open_ = [outcome for outcome in wanted if len(found[outcome]) < wanted[outcome]]
        if not open_:
            break
        if any(marks[outcome] in line for outcome in open_):
            _take(line, origin, open_, found)
    return found


def _lines(origin: Origin) -> Iterator[bytes]:
    """Yield what a run wrote to its rejects file; nothing where that cannot be read."""
    path = Path(origin.rejects)
    if not origin.rejects or not path.is_file():
        return
    try:
        with path.open("rb") as lines:
            lines.seek(origin.rejects_from)
            yield from lines
    except OSError:
        return


def _take(
    line: bytes, origin: Origin, wanted: Sequence[Outcome], found: dict[Outcome, list[Shown]]
) -> None:
    try:
        envelope = decode_envelope(orjson.loads(line))
    except ValueError:  # a line that was cut off, or is none of ours
        return
    if envelope.outcome not in wanted or (origin.run and envelope.run != origin.run):
        return
    record = envelope.record if isinstance(envelope.record, dict) else {"_id": envelope.id}
    shown = Shown(
        envelope.id, envelope.where, envelope.reason, envelope.code, (), record, envelope.root
    )
    found[envelope.outcome].append(shown)
