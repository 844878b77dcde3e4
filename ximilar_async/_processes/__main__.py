"""What runs in a sender process: takes requests from the parent and sends them by aiohttp.

It ends when the parent closes its end of the socket, be it that the parent was killed. SIGINT and
SIGTERM are the parent's business: it finishes what is under way, and needs this process for that.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import orjson

from ximilar_async._config import Secret, Timeout
from ximilar_async._protocol import Request
from ximilar_async._transport import AiohttpTransport
from ximilar_async.errors import TransportError, XimilarError

from ._link import ANSWER, FAILURE, READY, REQUEST, linked, packed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ximilar_async._transport import Transport

    from ._link import Link

_FACTORY: Final = "new_event_loop"
"""What asyncio and its replacements call it."""


class Desk:
    """Carries the requests that come in and sends their answers back.

    Args:
        carrier: What sends them.
    """

    def __init__(self, carrier: Transport) -> None:
        self._carrier = carrier
        self._loop = asyncio.get_running_loop()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._heads: dict[int, Request] = {}
        self._link: Link

    async def serve(self, end: socket.socket) -> None:
        """Serve until the other end is closed."""
        self._link = await linked(end, self._take)
        self._link.put(READY, 0)
        await self._link.lost
        for task in self._tasks.values():
            task.cancel()

    def _take(self, kind: int, number: int, mark: int, head: bytes, body: bytes) -> None:
        if kind == REQUEST:
            if head:
                self._heads[mark] = _head(head)
            request = _whole(self._heads[mark], body)
            self._tasks[number] = self._loop.create_task(self._carry(number, request))
        elif number in self._tasks:
            self._tasks[number].cancel()

    async def _carry(self, number: int, request: Request) -> None:
        try:
            response = await self._carrier.send(request)
        except XimilarError as error:
            self._fail(number, error)
        except Exception as defect:  # noqa: BLE001 - it must not be waited for in vain
            words = f"a sender process met {type(defect).__name__}, a defect: please report it"
            self._fail(number, TransportError(words))
        else:
            headers = packed(_plain(response.headers))
            self._link.put(ANSWER, number, response.status, headers, response.body)
        finally:
            del self._tasks[number]

    def _fail(self, number: int, error: XimilarError) -> None:
        self._link.put(FAILURE, number, 0, packed([type(error).__name__, str(error)]))


def _head(told: bytes) -> Request:
    verb, url, headers = orjson.loads(told)
    return Request(verb, url, {name: Secret(text) for name, text in headers.items()})


def _whole(head: Request, body: bytes) -> Request:
    # The headers stay the same object: that is how the transport knows them.
    return Request(head.verb, head.url, head.headers, body)


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers with lower-case names; of several with one name the first, as in aiohttp's."""
    plain: dict[str, str] = {}
    for name, text in headers.items():
        plain.setdefault(name.lower(), text)
    return plain


async def serve(end: socket.socket, settings: dict[str, Any]) -> None:
    """Carry requests that come over a socket until its other end is closed.

    Args:
        end: The socket.
        settings: What the parent's `ProcessTransport` was told.
    """
    carrier = AiohttpTransport(
        Timeout(**settings["timeout"]), tls=settings["tls"], trust_env=settings["trust_env"]
    )
    try:
        await Desk(carrier).serve(end)
    finally:
        await carrier.aclose()


def _loop_factory(package: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return what makes the parent's kind of event loop; None where that is its own business."""
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = vars(import_module(package))[_FACTORY]
    except (ImportError, KeyError):
        return None
    return factory


def main() -> None:
    """Serve the parent, whose socket is this process's stdin."""
    settings = orjson.loads(sys.argv[1])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    with (
        socket.socket(fileno=0) as end,
        asyncio.Runner(loop_factory=_loop_factory(settings["loop"])) as runner,
    ):
        runner.run(serve(end, settings))
    os._exit(0)  # all is closed; taking the interpreter apart would take 0.2 s


if __name__ == "__main__":
    main()
