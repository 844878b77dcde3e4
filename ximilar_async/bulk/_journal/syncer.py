"""Bringing what was written to the disk: every half second, or when asked to."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from attrs import define, field

from ximilar_async.errors import JournalError

from .files import reason

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@define(eq=False)
class Syncer:
    """Syncs one open file, off the event loop.

    A sync that failed is never tried again: the system may have dropped what it could not write,
    and the next sync would then succeed without it.

    Args:
        path: The file, for messages.
        fd: The open file; the syncer closes it.
        every: Seconds between two syncs by itself; None for syncing only when asked to.
        first: What to bring to the disk before each sync.
    """

    path: Path
    fd: int
    every: float | None
    first: Callable[[], object] | None = None
    written: int = field(default=0, init=False)
    """Writes so far; counted by the writer after each."""
    failure: JournalError | None = field(default=None, init=False)
    """Why a sync failed, once one has."""
    _synced: int = field(default=0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _stopped: threading.Event = field(factory=threading.Event, init=False)
    _timer: threading.Thread | None = field(default=None, init=False)
    _pool: ThreadPoolExecutor | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the thread that syncs."""
        if self.every is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="ximilar-journal")
        else:
            self._timer = threading.Thread(target=self._tick, name="ximilar-journal", daemon=True)
            self._timer.start()

    def sync(self, upto: int | None = None) -> None:
        """Bring the writes so far to the disk; one sync serves all who wait for it.

        Args:
            upto: How many writes must be there afterwards; None for all.

        Raises:
            JournalError: this sync failed, or an earlier one did.
        """
        with self._lock:
            if self.failure is not None:
                raise self.failure
            mark = self.written
            if self._synced >= (mark if upto is None else upto):
                return
            try:
                if self.first is not None:
                    self.first()
                os.fdatasync(self.fd)
            except (OSError, JournalError) as error:
                self.failure = self._failed(error)
                raise self.failure from None
            self._synced = mark

    async def sync_soon(self) -> None:
        """Return when the writes so far are on the disk.

        Raises:
            JournalError: as for `sync`.
        """
        upto = self.written
        if self._synced < upto or self.failure is not None:
            await asyncio.get_running_loop().run_in_executor(self._pool, self.sync, upto)

    def switch(self, fd: int) -> None:
        """Go on with another file, which holds all there is and is on the disk."""
        with self._lock:
            os.close(self.fd)
            self.fd = fd
            self._synced = self.written

    def close(self) -> None:
        """Sync a last time, end the thread and close the file.

        Raises:
            JournalError: a sync failed.
        """
        self._stopped.set()
        if self._timer is not None:
            self._timer.join()
        if self._pool is not None:
            self._pool.shutdown()
        try:
            self.sync()
        finally:
            os.close(self.fd)

    def _tick(self) -> None:
        while self.failure is None and not self._stopped.wait(self.every):
            try:
                self.sync()
            except JournalError:
                return  # kept in `failure`: the next write raises it

    def _failed(self, error: OSError | JournalError) -> JournalError:
        if isinstance(error, JournalError):
            return error
        return JournalError(
            f"the journal {self.path} could not be brought to the disk: {reason(error)}; when the "
            "disk is well again, start the same run again, and it goes on where it stopped"
        )
