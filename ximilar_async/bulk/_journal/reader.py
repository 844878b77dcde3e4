"""A journal's file read back: every line up to the first that is damaged."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from attrs import frozen

from ximilar_async.errors import JournalError

from .codec import HEAD, decode, may_become_journal
from .state import State

if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE: Final = 2**20
"""Bytes read at once."""

MAX_LINE: Final = 64 * 2**20
"""Bytes after which a line without an end is a damaged one."""

_LONGEST_HEAD: Final = 2**16
"""Bytes within which the first line of any journal ends."""


@frozen
class Loaded:
    """What a journal's file holds."""

    state: State
    """What its good lines add up to."""
    good: int
    """Bytes of its good lines, which are its first bytes."""
    cut: int
    """Bytes behind them."""


def load(fd: int, *, name: str) -> Loaded:
    """Read a journal from its beginning, a piece at a time.

    Args:
        fd: The open file.
        name: What messages call it.

    Raises:
        JournalError: it is no journal, or not one of this version, or damaged in its first line.
        OSError: it cannot be read.
    """
    state, good, size = State(), 0, os.fstat(fd).st_size
    for line in _lines(fd):
        try:
            read = decode(line)
            if read is None:
                break
            state.apply(read)
        except JournalError as error:
            raise JournalError(
                f"{name} cannot be resumed: {error} (at byte {good}); use the version that wrote "
                "it, or name another journal to begin anew"
            ) from None
        good += len(line)
    if not good and size:
        _check_head(fd, name)
    return Loaded(state, good, size - good)


def _check_head(fd: int, name: str) -> None:
    """Raise unless a file without one good line is a journal that was torn while it was made."""
    head = os.pread(fd, _LONGEST_HEAD, 0)
    line, end, _ = head.partition(b"\n")
    if not end and len(head) < _LONGEST_HEAD and may_become_journal(head):
        return
    if HEAD[2:7] in line[:20]:
        raise JournalError(
            f"the first line of {name} is damaged, so nothing in it can be trusted; name another "
            "journal to begin anew (records that are stored already are then reported as such)"
        )
    raise JournalError(f"{name} exists and is no journal; it was left alone, name another file")


def _lines(fd: int) -> Iterator[bytes]:
    """Yield each line with its LF; what follows the last LF comes as it is, in the end."""
    rest, at = b"", 0
    while piece := os.pread(fd, PIECE, at):
        at += len(piece)
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line + b"\n"
        if len(rest) > MAX_LINE:
            break
    if rest:
        yield rest
