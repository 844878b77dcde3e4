"""Tasks as a source of a bulk run: handed out only when they are written down as under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from attrs import define, field

from ximilar_async.bulk._threads import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    from ximilar_async.sources import Chunk, Entry

    from .work import Task


@define(eq=False)
class TaskSource:
    """Tasks of some kinds, as entries.

    Args:
        name: How people call the source that they were made of.
        size: How many there are.
        files_root: Folder that `_file` must not leave.
        tasks: Lists of tasks.
        hand_out: Called with each list before its entries are handed on.
    """

    name: str
    size: int | None
    files_root: Path | None
    _tasks: Iterator[list[Task]]
    _hand_out: Callable[[Sequence[Task]], Awaitable[list[Entry]]]
    path: Path | None = field(default=None, init=False)
    position: int = field(default=0, init=False)

    @classmethod
    def of(cls, name: str, entries: list[Entry], files_root: Path | None = None) -> Self:
        """Return a source of entries that are ready.

        Args:
            name: How people call it.
            entries: The entries.
            files_root: Folder that `_file` must not leave.
        """

        async def hand_out(_: Sequence[Task]) -> list[Entry]:
            return entries

        return cls(name, len(entries), files_root, iter([[]]), hand_out)

    async def chunks(self) -> AsyncGenerator[Chunk, None]:
        """Yield the entries of each list."""
        while (tasks := await in_thread(lambda: next(self._tasks, None))) is not None:
            entries = await self._hand_out(tasks)
            self.position += len(entries)
            if entries:
                yield entries
