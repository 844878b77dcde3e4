"""Records of a rejects file, to be sent once more."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import define, evolve, field

from ximilar_async.errors import SourceError
from ximilar_async.sources import Entry, JsonlSource, MappedSource
from ximilar_async.sources._mapped import NO_RECORD
from ximilar_async.sources._mapped_id import id_in

from ._rejects import decode_envelope, plain_text
from ._seen import SeenIds

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator

    from ximilar_async.sources import Chunk, RecordMapping, Source

    from ._rejects import Envelope

_ROW: Final = "a row that the mapping did not take"
"""Stands for the reason why a record is not in the file where its row is."""

_AGAIN: Final = "; replay it with a mapping that takes it"

_LONGEST_LINE: Final = 128 * 2**20


def open_rejects(
    path: str | os.PathLike[str],
    *,
    everything: bool = False,
    origin: Source | None = None,
    mapping: RecordMapping | None = None,
    takes_mended: bool = True,
    files_root: str | os.PathLike[str] | None = None,
) -> RejectsSource:
    """Return a rejects file as a source of the records in it; its first line is read at once.

    Args:
        path: The file.
        everything: Whether records that will hardly end otherwise are given as well.
        origin: The source that the records were read from, for those that are not in the file
            because they are large or no JSON.
        mapping: What makes records of the rows that an earlier mapping did not take.
        takes_mended: Whether what had no readable `_id` may stand in `origin` as any record now.
        files_root: Folder that `_file` must not leave; None for the one that the file names.

    Raises:
        SourceError: there is no such file, or it is no rejects file.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            line = file.readline(_LONGEST_LINE)
    except OSError as error:
        raise SourceError(f"cannot read {str(path)!r}: {error.strerror or error}") from None
    root = _root_of(line, path)
    only = root if files_root is None else None
    return RejectsSource(
        path,
        everything=everything,
        origin=origin,
        mapping=mapping,
        takes_mended=takes_mended,
        files_root=root if files_root is None else Path(files_root),
        only=only,
    )


def _root_of(line: bytes, path: Path) -> Path | None:
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None  # torn, or empty: it is accounted for when it is read
    try:
        root = decode_envelope(value).root
    except ValueError as error:
        raise SourceError(
            f"{str(path)!r} cannot be replayed: its first line {error}; records as they are go "
            "into the operation itself (insert, update, delete)"
        ) from None
    return None if root is None else Path(root)


@define(eq=False)
class RejectsSource:
    """Records of a rejects file as they were read, by default those worth sending again.

    A record that a resumed run rejected a second time comes once. What is not in the file is taken
    from `origin` by its number, after all others, and so is a row that a mapping did not take,
    unless there is a mapping now that may take it; where no origin is given, or it has changed, the
    record is accounted for as one that cannot be sent. A line that is no envelope costs that line.

    Args:
        path: The file.
        everything: Whether records that will hardly end otherwise are given as well.
        origin: The source that the records were read from.
        mapping: What makes records of the rows that an earlier mapping did not take.
        takes_mended: Whether what had no readable `_id` may stand in `origin` as any record now.
        files_root: Folder that `_file` must not leave; None for anywhere.
        only: The folder that records with a `_file` must have been rejected below; None for any.
    """

    path: Path
    everything: bool = field(default=False, kw_only=True)
    origin: Source | None = field(default=None, kw_only=True)
    mapping: RecordMapping | None = field(default=None, kw_only=True)
    takes_mended: bool = field(default=True, kw_only=True)
    files_root: Path | None = field(default=None, kw_only=True)
    only: Path | None = field(default=None, kw_only=True)
    left_out: int = field(default=0, init=False)
    """Records that were not given because sending them again can hardly help."""
    _lines: JsonlSource = field(init=False, repr=False)
    _wanted: dict[int, list[Envelope]] = field(factory=dict, init=False, repr=False)
    """What is to be found in `origin`, by its number there; several runs may have kept one file."""

    def __attrs_post_init__(self) -> None:
        self._lines = JsonlSource(self.path)

    @property
    def name(self) -> str:
        """Return the file's name."""
        return self.path.name

    @property
    def size(self) -> int | None:
        """Return the file's size in bytes, once it is being read."""
        return self._lines.size

    @property
    def position(self) -> int:
        """Return how much of the file was read, in bytes."""
        return self._lines.position

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield the records in the order of the file, then those of `origin`.

        Raises:
            SourceError: the file or `origin` cannot be read.
        """
        with SeenIds() as seen:
            async with aclosing(self._lines.chunks()) as chunks:
                async for chunk in chunks:
                    opened = [self._open(entry, seen) for entry in chunk]
                    if kept := [entry for entry in opened if entry is not None]:
                        yield kept
        if self._wanted and self.origin is not None:
            async with aclosing(self._find(self.origin)) as chunks:
                async for chunk in chunks:
                    yield chunk

    def _open(self, line: Entry, seen: SeenIds) -> Entry | None:
        """Return the record in a line, or None if it is not to be sent, or not yet."""
        if line.fault is not None:
            return Entry(f"{self.name} {line.where}", fault=line.fault)
        try:
            envelope = decode_envelope(line.record)
        except ValueError as error:
            return Entry(f"{self.name} {line.where}", fault=str(error))
        first = seen.add(f"{envelope.run} {envelope.seq}")
        asked_for = self.everything or envelope.send_again
        if not first or not asked_for:
            self.left_out += first
            return None
        if NO_RECORD in envelope.reason and isinstance(envelope.record, dict):
            return self._row(envelope, envelope.record)
        return self._kept(envelope)

    def _row(self, envelope: Envelope, row: dict[str, Any]) -> Entry | None:
        """Return what there is now of a row that an earlier mapping did not take."""
        if self.mapping is None:
            found = self._kept(evolve(envelope, omitted=_ROW))
            return None if found is None else found._replace(record=row)
        try:
            return self._kept(evolve(envelope, record=self.mapping.apply(row)))
        except ValueError as error:
            return Entry(_place(envelope), row, f"{NO_RECORD}{error}")

    def _kept(self, envelope: Envelope) -> Entry | None:
        """Return the record in an envelope; None for one that is to be found in the origin."""
        if fault := self._fault(envelope):
            return Entry(_place(envelope), fault=fault)
        if envelope.omitted is not None:
            self._want(envelope)
            return None
        return Entry(_place(envelope), envelope.record)

    def _want(self, envelope: Envelope) -> None:
        wanted = self._wanted.setdefault(envelope.seq, [])
        if any(known.id == envelope.id for known in wanted):
            self.left_out += 1  # another run has rejected it as well
        else:
            wanted.append(envelope)

    def _fault(self, envelope: Envelope) -> str | None:
        """Say why a record cannot be had, if it cannot."""
        if envelope.omitted is not None and self.origin is None:
            return self._without_origin(envelope)
        known = None if self.origin is None else plain_text(self.origin.name)
        if envelope.omitted is not None and known not in (None, envelope.source):
            return f"stands in {envelope.source}, and the source named is {known}"
        record, root = envelope.record, envelope.root
        has_file = isinstance(record, dict) and "_file" in record
        if has_file and self.only is not None and root != str(self.only):
            return f"has its `_file` below {root}, not below {self.only}; name files_root as well"
        return None

    def _without_origin(self, envelope: Envelope) -> str:
        """Say what to do about a record that is not in the file."""
        if envelope.omitted == _ROW:
            why = envelope.reason.partition(NO_RECORD)[2].partition(_AGAIN)[0]
            return (
                f"{NO_RECORD}{why}{_AGAIN} (mapping=…), or mend it in {envelope.source} and name "
                "that (origin=…)"
            )
        first = "" if envelope.id is not None else f"mend it in {envelope.source} if need be; "
        return f"is not in {self.name} ({envelope.omitted}); {first}name its source as well"

    async def _find(self, origin: Source) -> AsyncGenerator[Chunk, None]:
        """Yield the wanted records of the source that they were read from."""
        seq = 0
        async with aclosing(origin.chunks()) as chunks:
            async for chunk in chunks:
                numbered = enumerate(chunk, seq + 1)
                seq += len(chunk)
                wanted = [(self._wanted.pop(at, ()), entry) for at, entry in numbered]
                if found := [
                    self._taken(envelope, entry)
                    for envelopes, entry in wanted
                    for envelope in envelopes
                ]:
                    yield found
                if not self._wanted:
                    return
        yield [
            Entry(_place(envelope), fault=f"is not in {origin.name} any more")
            for envelopes in self._wanted.values()
            for envelope in envelopes
        ]

    def _taken(self, envelope: Envelope, entry: Entry) -> Entry:
        """Return a record of the source if it is still the one that was rejected."""
        record = entry.record
        id_ = record.get("_id") if isinstance(record, dict) else entry.id
        known = plain_text(id_) if isinstance(id_, str) else None
        before = envelope.id or self._id_of_row(envelope.record)
        # What nobody could read has no `_id` to be known by: its place has to do.
        mended = self.takes_mended and before is None and entry.where == envelope.where
        if before != known and not mended and entry.fault is None:
            fault = f"is another record now: its _id was {before!r} and is {known!r}"
            return Entry(_place(envelope), fault=fault)
        return Entry(_place(envelope), record, entry.fault)

    def _id_of_row(self, row: object) -> str | None:
        """Return the id in a row that an earlier mapping did not take, if it was not the fault."""
        mapping = self.origin.mapping if isinstance(self.origin, MappedSource) else None
        if mapping is None or not isinstance(row, dict):
            return None
        try:
            return plain_text(id_in(row, mapping.id))
        except ValueError:
            return None


def _place(envelope: Envelope) -> str:
    """Return where the record stood, with the source's name where it does not speak for itself."""
    if envelope.where.startswith(("line ", "record ")):
        return f"{envelope.source} {envelope.where}"
    return envelope.where
