"""What sources share whose library blocks: all of it runs in one thread beside the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ximilar_async.errors import SourceError

from ._iterables import _Pump

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
    from pathlib import Path

    from ._base import Chunk
    from ._iterables import _Draw

ROWS = 500
"""Rows handed on at once, at most."""

BYTES = 8 * 2**20
"""Bytes of rows handed on at once, where more than one row is."""


class BlockingSource:
    """A source of rows in columns, read in a thread of its own that keeps no program alive.

    Args:
        name: How people call it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.size: int | None = None
        self.position = 0
        self.path: Path | None = None
        self.files_root: Path | None = None

    def fingerprint(self) -> str | None:
        """Return None: rows of the program itself can be told apart only by reading them."""
        return None

    def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield the rows as records, at most 500 and about 8 MiB at a time; may be called once.

        Each value becomes JSON by the rule of its type; one that has no JSON form costs its row.

        Raises:
            SourceError: the rows cannot be read, or broke off; what came before it counts.
        """
        return self._pumped(raw=False)

    def rows(self) -> AsyncGenerator[Chunk, None]:
        """Yield the rows with the values that their library gives, instead of `chunks`.

        A mapping makes records of them: it may have a use for decimals, dates, NaN and bytes.

        Raises:
            SourceError: the rows cannot be read, or broke off; what came before it counts.
        """
        return self._pumped(raw=True)

    async def _pumped(self, *, raw: bool) -> AsyncGenerator[Chunk, None]:
        pump = _ChunkPump(self._told(raw=raw))
        try:
            while drawn := await pump.next():
                for chunk in drawn:
                    self.position += len(chunk)
                    yield chunk
        finally:
            pump.stop()

    def _read(self, *, raw: bool) -> Iterator[Chunk]:
        """Yield chunks, in the thread; what it raises is told as the source breaking off."""
        raise NotImplementedError

    def _told(self, *, raw: bool) -> Generator[Chunk, None, None]:
        done = 0
        try:
            for chunk in self._read(raw=raw):
                done += len(chunk)
                yield chunk
        except SourceError:
            raise
        except Exception as error:  # each library has errors of its own
            behind = f" behind row {done}" if done else ""
            raise SourceError(f"cannot read {self.name}{behind}: {self._words(error)}") from error

    def _words(self, error: Exception) -> str:
        """Return what went wrong, and what to do where that is known."""
        words, _, _ = " ".join(f"{error}".split()).partition(". Detail: Python exception: ")
        return words or type(error).__name__


class _ChunkPump(_Pump):
    """Draws whole chunks, one for each request."""

    def _fill(self, draw: _Draw, records: Iterator[Any]) -> bool:
        for chunk in records:
            draw.add(chunk)
            return False
        return True


def check_names(names: Sequence[str], source: str) -> None:
    """Check that each column has a name of its own, for a record has each field once.

    Args:
        names: The names of the columns.
        source: How people call the source.

    Raises:
        SourceError: a name is blank or stands twice.

    Example:
        >>> check_names(["_id", "price", "price"], "shop.parquet")
        Traceback (most recent call last):
        ximilar_async.errors.SourceError: shop.parquet has the column 'price' twice; rename one
    """
    for number, name in enumerate(names, 1):
        if not name:
            raise SourceError(f"column {number} of {source} has no name; give it one")
        if name in names[: number - 1]:
            raise SourceError(f"{source} has the column {name!r} twice; rename one")


def chosen(names: Sequence[str], columns: Sequence[str] | None, source: str) -> list[str]:
    """Return the columns to read, in the order of the source.

    Args:
        names: The columns that are there.
        columns: Those wanted; None for all.
        source: How people call the source.

    Raises:
        SourceError: one that is wanted is not there, or names are not unique.
    """
    check_names(names, source)
    if columns is None:
        return list(names)
    if missing := [name for name in columns if name not in names]:
        raise SourceError(
            f"{source} has no column {', '.join(map(repr, missing))}; it has {', '.join(names)}"
        )
    return [name for name in names if name in set(columns)]
