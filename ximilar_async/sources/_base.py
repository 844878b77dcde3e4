"""What every source gives: chunks of entries, and how far it has got."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


class Entry(NamedTuple):
    """One record of a source, or what stands where one should be."""

    where: str
    """Its place in the source, for people: "line 7", "record 12", a file's name."""
    record: Any = None
    """The record as it was read; any value, for a source does not judge."""
    fault: str | None = None
    """Why there is no record here, where there is none."""
    id: str | None = None
    """The `_id` of what has a fault, if `record` is a row that has it elsewhere: empty if nobody
    can read it; None to look into `record`."""


Chunk: TypeAlias = list[Entry]
"""Some entries in the order of the source; never empty."""


@runtime_checkable
class Fingerprinted(Protocol):
    """A source that knows more of its input than a path: `fingerprint_of` asks any source."""

    def fingerprint(self) -> str | None:
        """Return text that is another one for another input; None where nobody can tell; blocks.

        Raises:
            SourceError: the input cannot be read.
        """
        ...


@runtime_checkable
class Source(Protocol):
    """A stream of records that knows its place."""

    @property
    def name(self) -> str:
        """Return how people call it: a file's name, or "records"."""
        ...

    @property
    def size(self) -> int | None:
        """Return how much there is in all, in the unit of `position`; None if unknown."""
        ...

    @property
    def position(self) -> int:
        """Return how much was read, in records or bytes."""
        ...

    @property
    def path(self) -> Path | None:
        """Return where the records lie on disk; None for records of the program itself."""
        ...

    @property
    def files_root(self) -> Path | None:
        """Return the folder that `_file` of its records may not leave; None for anywhere."""
        ...

    def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield the entries, a chunk at a time; may be called once.

        Raises:
            SourceError: the source broke off; what came before it counts.
        """
        ...
