"""One pass over the source: each record is hashed, held against the state, and made a task."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import define, field, frozen

from ximilar_async._encoding import encode_body
from ximilar_async.bulk._record_faults import at_place
from ximilar_async.errors import ImageError, RecordError
from ximilar_async.images import prepare_record
from ximilar_async.images._files import read_file

from .difference import Action, Known, Phase, decide
from .entries import bytes_of, id_of, json_of, pixels_of, without_id
from .hashes import (
    image_hash,
    is_another_image,
    metadata_hash,
    metadata_of,
    shape_key,
    stamp_of,
    url_hash,
    url_parts,
)
from .state import ALIKE
from .work import Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ximilar_async.images import ImageOptions
    from ximilar_async.sources import Entry

    from .difference import UnderWay
    from .state import State
    from .terms import Terms
    from .work import Work

_EXAMPLES: Final = 3
"""Ids that a note names."""

_SETTLED: Final = 2.0
"""Seconds since a file was written, from which on its time tells it from what comes later."""


@frozen
class _Fresh:
    """A record as it was read, with what it is known by."""

    entry: Entry
    seq: int
    id: str
    record: Mapping[str, Any]
    fields: dict[str, Any]
    meta: bytes


@define(eq=False)
class Reader:
    """Takes the entries of a source and finds out what is to be done with each; blocking.

    Args:
        terms: What is asked for.
        state: What is known.
        work: Where tasks go.
        doubts: What was under way when the last run ended.
        images: How images are checked and shrunk.
        root: Folder that `_file` must not leave; None for anywhere.
    """

    terms: Terms
    state: State
    work: Work
    doubts: Mapping[str, UnderWay]
    images: ImageOptions
    root: Path | None
    counts: Counter[Action] = field(factory=Counter, init=False)
    """Records that need nothing, by why."""
    read: int = field(default=0, init=False)
    usable: int = field(default=0, init=False)
    common: int = field(default=0, init=False)
    nameless: int = field(default=0, init=False)
    repeated: int = field(default=0, init=False)
    twice: list[str] = field(factory=list, init=False)
    """The first ids that came again."""
    first_fault: str = field(default="", init=False)
    """Why the first record was turned away that was."""
    images_unknown: int = field(default=0, init=False)
    """Records whose stored image nobody knows, and that were left as they are."""
    doubts_seen: set[str] = field(factory=set, init=False)
    _doubts_taken: set[str] = field(factory=set, init=False)
    _seen: bytearray = field(init=False)
    """What the source has, be it in a record that was turned away: it is not gone."""
    _taken: bytearray = field(init=False)
    """What the source has in a record that counts: a further one of its `_id` does not."""
    _left_out: frozenset[str] = field(init=False)
    _alike: bool = field(init=False)
    """Whether near-duplicates were told by the same terms before."""
    _counted: frozenset[str] | None = field(init=False)

    def __attrs_post_init__(self) -> None:
        # A bit a row: a set of the ids of millions would not be bounded.
        self._seen = bytearray(self.state.highest // 8 + 1)
        self._taken = bytearray(len(self._seen))
        self._left_out = self.terms.left_out
        self._alike = self.state.fact(ALIKE) == self.terms.alike
        self._counted = self.terms.counted

    def take(self, entries: Sequence[Entry]) -> None:
        """Make tasks of the next entries."""
        fresh = [one for one in map(self._open, entries) if one is not None]
        known = self.state.find([one.id for one in fresh])
        for one in fresh:
            self._treat(one, known.get(one.id))

    def has_image_of(self, task: Task) -> bool:
        """Tell whether a task's image file is the one that it was made of; others cannot change.

        It is read only if its size or time are others.

        Raises:
            ImageError: it cannot be read.
        """
        record = orjson.loads(task.record or b"{}")
        if {name for name in _IMAGES if record.get(name) is not None} != {"_file"}:
            return True
        was = Known(0, b"", task.image, 0, task.stamp, Phase.STORED)
        return self._file(record["_file"], was)[0] == task.image

    def is_gone(self, n: int) -> bool:
        """Tell whether the record of a row was not in the source."""
        return not self._seen[n >> 3] & (1 << (n & 7))

    # --- one record -----------------------------------------------------------------------------

    def _open(self, entry: Entry) -> _Fresh | None:
        """Return a record with its metadata's hash; one that cannot be is turned away."""
        self.read += 1
        record, id_ = entry.record, id_of(entry)
        if id_ is None:
            self.nameless += 1
            self._reject(entry, self.read, entry.fault or without_id(record))
            return None
        self.usable += 1
        if entry.fault is not None:
            self._reject(entry, self.read, entry.fault, id_)
            return None
        fields = metadata_of(record, self._left_out, self._counted)
        try:
            meta = metadata_hash(fields)
        except RecordError as error:
            self._reject(entry, self.read, str(error), id_)
            return None
        return _Fresh(entry, self.read, id_, record, fields, meta)

    def _reject(self, entry: Entry, seq: int, reason: str, id_: str | None = None) -> None:
        """Turn a record away; if it has an `_id`, what is stored under it is not gone."""
        if id_ is not None:
            known = self.state.find([id_]).get(id_)
            self._see(id_, known)
        self.first_fault = self.first_fault or at_place(entry.where, reason)
        record = json_of(entry.record)
        self.work.add(Task(Action.REJECT, None, seq, entry.where, record=record, reason=reason))

    def _see(self, id_: str, known: Known | None) -> None:
        """Note that an `_id` is in the source."""
        again, doubtful = id_ in self.doubts_seen, id_ in self.doubts
        if doubtful:
            self.doubts_seen.add(id_)
        if known is not None:
            place, bit = known.n >> 3, 1 << (known.n & 7)
            again = again or bool(self._seen[place] & bit)
            self._seen[place] |= bit
        self.common += (known is not None or doubtful) and not again

    def _note_again(self, id_: str) -> None:
        """Note that an `_id` came again, and that this record of it does not count."""
        self.repeated += 1
        if id_ not in self.twice and len(self.twice) < _EXAMPLES:
            self.twice.append(id_)

    def _take(self, id_: str, known: Known | None) -> None:
        """Note that a record of an `_id` counts, so that no further one does."""
        if id_ in self.doubts:
            self._doubts_taken.add(id_)
        if known is not None:
            self._taken[known.n >> 3] |= 1 << (known.n & 7)

    def _is_taken(self, id_: str, known: Known | None) -> bool:
        if known is not None and self._taken[known.n >> 3] & (1 << (known.n & 7)):
            return True
        return id_ in self._doubts_taken

    def _treat(self, one: _Fresh, known: Known | None) -> None:
        if self._is_taken(one.id, known):
            self._note_again(one.id)
            return
        self._see(one.id, known)
        try:
            image, stamp = self._image(one.record, known)
        except ImageError as error:
            self._reject(one.entry, one.seq, str(error))
            return
        action = self._action(one, known, image)
        if action is Action.UNCHANGED and stamp is not None and known and stamp != known.stamp:
            action = Action.ADOPT  # so that the file is not read again the next time
        if action not in _NOTHING:
            self._add(one, known, action, image, stamp)
            return
        self.counts[action] += 1
        self._take(one.id, known)

    def _action(self, one: _Fresh, known: Known | None, image: bytes | None) -> Action:
        if one.id in self.doubts:
            return Action.LOOK
        mode, same = self.terms.mode, True
        if known is not None and known.phase is Phase.NEAR_DUPLICATE and not self._alike:
            known = None
        if known is not None and self.terms.remote:
            same = self.state.shape_text(known.shape) == shape_key(one.fields)
        action = decide(mode, one.meta, image, known, same_names=same)
        if action is Action.REPLACE and (self._counted is not None or not same):
            return Action.LOOK  # for its fields that do not count and are to stay, or are lost
        if action is Action.ADOPT:
            self.images_unknown += known is None or known.image is None
            if self.terms.remote and known is not None and known.phase is Phase.STORED:
                return Action.UPDATE  # the mark lacks the image
        return action

    def _add(
        self,
        one: _Fresh,
        known: Known | None,
        action: Action,
        image: bytes | None,
        stamp: bytes | None,
    ) -> None:
        try:
            record = self._wire(one)
        except RecordError as error:
            self._reject(one.entry, one.seq, str(error))
            return
        removed: tuple[str, ...] = ()
        if action in (Action.UPDATE, Action.REPLACE) and known is not None:
            removed = tuple(sorted(self.state.names(known.shape) - one.fields.keys()))
        if action is Action.REJECT:
            reason = "is new and has no image: give `_url`, `_base64`, `_file` or `_image`"
            self._reject(one.entry, one.seq, reason)
            return
        task = Task(
            action, one.id, one.seq, one.entry.where, one.meta, image, tuple(sorted(one.fields)),
            stamp, record, removed, known.was if known else "",
        )  # fmt: skip
        if not self.work.add(task):
            self._note_again(one.id)
        self._take(one.id, known)

    def _wire(self, one: _Fresh) -> bytes:
        """Return the record as it will be sent; only an image in memory is encoded by now."""
        record = {"_id": one.id, **one.fields}
        for name in _IMAGES:
            value = one.record.get(name)
            if value is not None:
                record[name] = os.fspath(value) if isinstance(value, os.PathLike) else value
        if "_image" in record:
            record = prepare_record(record, self.images, self.root)
        return encode_body(record)

    # --- its image ------------------------------------------------------------------------------

    def _image(
        self, record: Mapping[str, Any], known: Known | None
    ) -> tuple[bytes | None, bytes | None]:
        """Return the hash of a record's image, and what tells its file without reading it.

        Raises:
            ImageError: it cannot be read.
        """
        given = {name for name in _IMAGES if record.get(name) is not None}
        if not given:
            return None, None
        if given == {"_file"}:
            return self._file(record["_file"], known)
        if given == {"_url"}:
            return self._address(record, known), None
        parts: list[tuple[str, bytes]] = []
        if "_image" in given:
            parts.append(("_image", pixels_of(record["_image"])))
        if "_base64" in given:
            parts.append(("_base64", bytes_of(record["_base64"])))
        if "_file" in given:
            alone = "_base64" not in given and "_image" not in given
            parts.append(
                ("_file", self._read(record["_file"]) if alone else bytes_of(record["_file"]))
            )
        if "_url" in given:
            parts += url_parts(record, self.terms.version_field)
        return image_hash(parts), None

    def _address(self, record: Mapping[str, Any], known: Known | None) -> bytes:
        """Return the hash of an image by its address; a version that is known is not forgotten."""
        version_field = self.terms.version_field
        found = url_hash(record, version_field)
        unsaid = version_field is None or record.get(version_field) is None
        if unsaid and known and known.image and not is_another_image(found, known.image):
            return known.image
        return found

    def _file(self, name: Any, known: Known | None) -> tuple[bytes, bytes | None]:
        """Return the hash of a file's content and its stamp; an unchanged file is not read."""
        stamp = self._stamp(name)
        if stamp is not None and known and known.stamp == stamp and known.image is not None:
            return known.image, stamp
        return image_hash([("_file", self._read(name))]), stamp

    def _stamp(self, name: Any) -> bytes | None:
        """Return a file's stamp; None where reading it is the only way to know it."""
        try:
            path = os.fspath(name)
            facts = os.stat(path if self.root is None else os.path.join(self.root, path))  # noqa: PTH116, PTH118 - a `Path` for each file costs more
        except (OSError, TypeError, ValueError):
            return None
        if time.time_ns() - facts.st_mtime_ns < _SETTLED * 1e9:
            return None  # it may be written once more within the same tick of its clock
        return stamp_of(str(path), facts.st_size, facts.st_mtime_ns, facts.st_ino)

    def _read(self, name: Any) -> bytes:
        root = None if self.root is None else os.fspath(self.root)
        try:
            return read_file(name, root=root, max_bytes=self.images.max_file_bytes)
        except ImageError as error:
            raise ImageError(f"`_file` {str(name)!r:.300}: {error}") from None


_IMAGES: Final = ("_base64", "_file", "_image", "_url")
_NOTHING: Final = frozenset({Action.UNCHANGED, Action.KEPT})
