"""`ProcessTransport`: several sender processes as one transport."""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import orjson

from ximilar_async._transport import make_tls
from ximilar_async._validation import check_whole
from ximilar_async.errors import ConfigError

from ._sender import Sender

if TYPE_CHECKING:
    from ximilar_async._config import Timeout
    from ximilar_async._protocol import Request, Response
    from ximilar_async._transport import TLS

_GRACE: Final = 30.0
"""Seconds beyond the total timeout after which a process that owes an answer is taken for hung."""


class ProcessTransport:
    """A `Transport` over several processes, each with a pool of connections of its own.

    The processes are started with the first request and end with the transport, or when this
    process ends, however it does. One that dies is started again; its requests fail as
    `DisconnectedError`. They run the same kind of event loop as this process.

    Args:
        processes: How many; a machine should have as many cores and one more.
        timeout: Bounds of one attempt.
        tls: The path of a CA file; None for the system's.
        trust_env: Whether proxy variables of the environment count.

    Raises:
        ConfigError: not a whole number above 0; the CA file cannot be used; it is an `SSLContext`,
            which cannot leave its process; or this system is Windows.
    """

    def __init__(
        self, processes: int, timeout: Timeout, *, tls: TLS = None, trust_env: bool = False
    ) -> None:
        self._processes = _checked(processes)
        self._timeout = timeout
        self._settings = {
            "timeout": attrs.asdict(timeout),
            "tls": _path(tls),
            "trust_env": trust_env,
        }
        self._senders: list[Sender] = []
        self._running: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def pids(self) -> list[int]:
        """Return the ids of the processes that run now."""
        return [sender.pid for sender in self._senders if sender.pid is not None]

    async def send(self, request: Request) -> Response:
        """Let the process that has least to do send a request, and return the response.

        Raises:
            TransportError: no usable answer arrived.
            ConfigError: the address cannot be used, or processes end again and again.
        """
        while (sender := self._idlest()) is None:
            if not self._senders:
                self._open()
            self._check()
            self._changed.clear()
            await self._changed.wait()
        return await sender.carry(request)

    async def aclose(self) -> None:
        """End the processes; may be called twice. Requests under way fail as disconnected."""
        self._closed = True
        self._changed.set()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _idlest(self) -> Sender | None:
        """Return the process with the fewest requests, of those that take any."""
        found, fewest = None, sys.maxsize
        for sender in self._senders:
            link = sender.link
            if link is not None and not link.is_full and len(sender.waiting) < fewest:
                found, fewest = sender, len(sender.waiting)
        return found

    def _open(self) -> None:
        loop = asyncio.get_running_loop()
        # The package that the loop comes from: "uvloop" where the caller chose it, or "asyncio".
        told: dict[str, Any] = {**self._settings, "loop": type(loop).__module__.split(".")[0]}
        settings = orjson.dumps(told).decode()
        total = self._timeout.total
        patience = None if total is None else total + _GRACE
        for _ in range(self._processes):
            sender = Sender(settings, patience, self._changed.set)
            self._senders.append(sender)
            self._running.append(loop.create_task(sender.run()))

    def _check(self) -> None:
        """Raise if no process will ever take a request again."""
        if self._closed:
            raise ConfigError("this transport is closed; open a new client")
        if all(task.done() for task in self._running):
            trouble = "; ".join(dict.fromkeys(sender.trouble for sender in self._senders))
            raise ConfigError(f"every sender process was given up: {trouble}")


def _checked(processes: Any) -> int:
    check_whole("processes", processes, least=1)
    if sys.platform == "win32":
        raise ConfigError("sender processes need Unix sockets: leave processes out on Windows")
    return int(processes)


def _path(tls: TLS) -> str | None:
    """Return a CA file's path as another process finds it."""
    make_tls(tls)
    if isinstance(tls, ssl.SSLContext):
        raise ConfigError(
            "an SSLContext cannot be handed to other processes: give ssl the path of a CA file, "
            "or leave processes out"
        )
    return None if tls is None else str(Path(tls).absolute())
