"""The parent's view of one sender process: started, fed, watched, started again, ended."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import orjson

from ximilar_async import errors
from ximilar_async._protocol import Response
from ximilar_async.errors import ConfigError, DisconnectedError

from ._link import ANSWER, CANCEL, READY, REQUEST, linked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ximilar_async._protocol import Request
    from ximilar_async.errors import XimilarError

    from ._link import Link

MOST_DEATHS: Final = 4
"""So often in a row, without an answer in between, a process is started at most."""

_FIRST_WAIT: Final = 0.1
"""Seconds before a process is started again; twice as many each further time."""

_GRACE: Final = 0.8
"""Seconds that a process has to end by itself once its socket is closed."""

_MOST_HEADS: Final = 100
"""Heads of requests that a process knows at a time."""

_BUFFER: Final = 2**20
"""Bytes that may be on their way, where the system allows it: a body of 670 kB takes 45 µs of CPU
to send then instead of 128."""

_STARTED_WITHIN: Final = 60.0
"""Seconds that a process may take to get ready."""


class Sender:
    """One sender process and the requests that it carries.

    Args:
        settings: What the process is told, as JSON on its command line; nothing secret.
        patience: Seconds after which a process that owes an answer is taken for hung; None for no
            bound.
        changed: Called when it takes requests again, or never will.
    """

    def __init__(self, settings: str, patience: float | None, changed: Callable[[], None]) -> None:
        self._settings = settings
        self._patience = patience
        self._changed = changed
        self._numbers: Iterator[int] = count()
        self._deaths = 0
        self._heads = _Heads()
        self._ready: asyncio.Future[None]
        self.link: Link | None = None
        """The way to the process while it takes requests."""
        self.waiting: dict[int, tuple[asyncio.Future[Response], Request]] = {}
        """The requests that it carries."""
        self.pid: int | None = None
        """The process's id while it runs."""
        self.trouble = ""
        """Why it ended last, in words."""

    async def carry(self, request: Request) -> Response:
        """Let the process send a request; only while there is a `link`.

        Raises:
            XimilarError: what it met there, or the process ended.
        """
        link = self.link
        assert link is not None
        number = next(self._numbers)
        # The head holds the token, so it must not be a variable of a frame that an error shows.
        link.put(REQUEST, number, *self._heads.told(request), request.body)
        future: asyncio.Future[Response] = link.loop.create_future()
        self.waiting[number] = future, request
        try:
            return await future
        except asyncio.CancelledError:
            if self.waiting.pop(number, None) and link is self.link:
                link.put(CANCEL, number)
            raise

    def _take(self, kind: int, number: int, mark: int, head: bytes, body: bytes) -> None:
        """Give an answer to whom it is due, if it is not late and nobody waits for it any more."""
        if kind == READY:
            self._ready.set_result(None)
            return
        future, _ = self.waiting.pop(number, _NOBODY)
        if future is None or future.done():
            return
        self._deaths = 0
        if kind == ANSWER:
            future.set_result(Response(mark, orjson.loads(head), body))
        else:
            name, text = orjson.loads(head)
            future.set_exception(vars(errors)[name](text))

    # --- the process -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep a process running until this is cancelled, or it has ended too often in a row."""
        try:
            while self._deaths < MOST_DEATHS:
                if self._deaths:
                    await asyncio.sleep(_FIRST_WAIT * 2 ** (self._deaths - 1))
                await self._live()
                self._deaths += 1
        finally:
            self._changed()

    async def _live(self) -> None:
        """Start a process and see it through to its end."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            try:
                process = _started(theirs, self._settings)
            except OSError as error:
                self.trouble = f"it cannot be started: {error}"
                return
            theirs.close()  # else its end would not be seen
            self.pid = process.pid
            try:
                await self._serve(ours)
            finally:
                self.pid = None
                await self._ended(process)

    async def _serve(self, end: socket.socket) -> None:
        """Let the process carry requests until it ends or hangs."""
        loop = asyncio.get_running_loop()
        self._heads, self._ready = _Heads(), loop.create_future()
        link = await linked(end, self._take)
        link.when_room(self._changed)
        try:
            first = asyncio.FIRST_COMPLETED
            both = [link.lost, self._ready]
            await asyncio.wait(both, timeout=_STARTED_WITHIN, return_when=first)
            if self._ready.done():
                self.link = link
                self._changed()
                await self._watch(link.lost)
        finally:
            self.link = None
            link.close()
            self._abandon()

    async def _watch(self, lost: asyncio.Future[None]) -> None:
        """Wait until the process closes its end, or owes an answer for too long."""
        while not lost.done():
            before = next(self._numbers)
            await asyncio.wait([lost], timeout=self._patience)
            if next(iter(self.waiting), before) < before:
                return

    def _abandon(self) -> None:
        """Let the requests under way fail: what became of them nobody can tell."""
        waiting = [*self.waiting.values()]
        self.waiting.clear()
        for future, request in waiting:
            if not future.done():
                future.set_exception(_broken(request))

    async def _ended(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the end of a process whose socket is closed, or bring it about."""
        loop = asyncio.get_running_loop()
        until = loop.time() + _GRACE
        try:
            # Being told of a process's end takes a thread or belongs to the main thread's loop.
            while process.poll() is None and loop.time() < until:  # noqa: ASYNC110 - see above
                await asyncio.sleep(0.005)
        finally:
            process.kill()
            self.trouble = _words(process.wait())


_NOBODY: Final[tuple[None, None]] = (None, None)


class _Heads:
    """The heads of requests that a process knows: told once, then named by a number."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str, str], tuple[int, Mapping[str, str]]] = {}

    def told(self, request: Request) -> tuple[int, bytes]:
        """Return the number of a request's head, and what tells it where it is not known yet.

        Headers are known by their identity, as the session makes them once for a method; they are
        kept here lest others get it.

        Raises:
            ConfigError: they are no text.
        """
        key = id(request.headers), request.verb, request.url
        if known := self._known.get(key):
            return known[0], b""
        if len(self._known) >= _MOST_HEADS:
            self._known.clear()
        number = len(self._known)
        told = _told(request)
        self._known[key] = number, request.headers
        return number, told


def _told(request: Request) -> bytes:
    with suppress(TypeError):
        return orjson.dumps([request.verb, request.url, dict(request.headers)])
    raise ConfigError(
        f"{urlsplit(request.url).netloc}: the request cannot be sent; check base_url and the token"
    )


def _broken(request: Request) -> XimilarError:
    host = urlsplit(request.url).netloc
    return DisconnectedError(
        f"{host}: the sender process ended before the answer came; another is started: try again"
    )


def _started(end: socket.socket, settings: str) -> subprocess.Popen[bytes]:
    """Start a process with one end of a socket pair as its stdin.

    It is a new interpreter, not a fork: of an event loop with its threads a fork is no good copy.
    It finds the modules that this one finds, whatever lies in the working directory, and does not
    get the token. In a session of its own no Ctrl-C of the terminal reaches it.

    Raises:
        OSError: it cannot be started.
    """
    environment = {name: text for name, text in os.environ.items() if name != "XIMILAR_TOKEN"}
    environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    return subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
        [sys.executable, "-P", "-m", "ximilar_async._processes", settings],
        stdin=end.fileno(),
        stdout=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )


def _words(code: int) -> str:
    if code >= 0:
        return f"it ended with exit code {code}"
    with suppress(ValueError):
        return f"it was ended by {signal.Signals(-code).name}"
    return f"it was ended by signal {-code}"
