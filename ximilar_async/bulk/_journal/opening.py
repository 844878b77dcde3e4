"""How a run takes a journal up: read, checked, mended, and its first line written."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from ximilar_async.errors import JournalError
from ximilar_async.sinks import sync_folder

from .codec import Start, encode
from .files import append, replace
from .reader import load
from .state import resume_from

if TYPE_CHECKING:
    from pathlib import Path

    from .state import Resume, State
    from .terms import Terms


def take_up(fd: int, path: Path, terms: Terms, boot: str | None) -> tuple[State, Resume, Start]:
    """Read what there is, hold it against the terms, and cut off what is damaged.

    Args:
        fd: The journal's file, open and locked.
        path: Its path, for messages.
        terms: What must be the same in all runs.
        boot: Which start of which machine this is; None if unknown.

    Returns:
        The state that the lines add up to, what this run has to know of it, and its first line.

    Raises:
        JournalError: the file is no journal, or one of another input or operation.
        OSError: it cannot be read or cut.
    """
    name = f"the journal {path}"
    loaded = load(fd, name=name)
    state = loaded.state
    before = state.start
    if before is not None:
        terms.check(before, name=name)
    journal = uuid4().hex if before is None else before.journal
    resume = resume_from(state, journal=journal, boot=boot, cut=loaded.cut)
    if loaded.cut:
        os.ftruncate(fd, loaded.good)
    start = Start(
        journal=journal,
        run=resume.run,
        operation=terms.operation,
        input=terms.fingerprint,
        settings=terms.settings,
        boot=boot,
        pid=os.getpid(),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        doubt=resume.all_doubtful,
    )
    return state, resume, start


def begin(fd: int, path: Path, state: State, start: Start, compact_above: int) -> int:
    """Write the run's first line, compacting a large file, and return the file to go on with.

    Args:
        fd: The journal's file; closed if another one takes its place.
        path: Its path.
        state: What its lines add up to; takes in the first line.
        start: The first line of the run.
        compact_above: Bytes above which the file is replaced by its watermark.

    Raises:
        OSError: the line could not be brought to the disk.
    """
    state.apply(start)
    if os.fstat(fd).st_size > compact_above:
        try:
            new = replace(path, encode(start) + encode(state.watermark()))
        except (OSError, JournalError):
            pass  # it can go on as it is
        else:
            os.close(fd)
            return new
    append(fd, encode(start))
    os.fsync(fd)
    sync_folder(path)
    return fd
