"""One small POST over a pooled connection, without what aiohttp does for requests of other kinds.

`ClientSession.post` costs 65-75 µs of CPU a request, of which three quarters go into a request
object, merged headers, two timers, a task for the body and a response object. All requests here
are alike: the same few addresses and headers, a body that is there, the same bounds. So the head
is made once for each address, connections come from aiohttp's connector, answers go through
aiohttp's parser, and one timer watches all exchanges. That costs 20-25 µs, measured side by side
with `ClientSession.post` on the same server (benchmarks/README.md).

The price is that this room knows what an aiohttp connection consists of, which aiohttp may change.
It is used with the versions that it was tested with (`is_known`); with any other, requests go
through `ClientSession`.
"""

from __future__ import annotations

import asyncio
import re
from math import inf
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp.helpers import TimerNoop
from attrs import define, field, frozen
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from aiohttp.streams import StreamReader

    from ._protocol import Request

MAX_ANSWER_BYTES: Final = 32 * 2**20
"""Largest answer that is read, in bytes after decompression: 1.5 kB of brotli can become 1 GB."""

MAX_BODY: Final = 2**20
"""Largest body that is handed over at once, in bytes: 0.3 ms of the event loop's time."""

_COPIED: Final = 2**16
"""Largest body that is put together with its head, in bytes: above, the copy costs more."""

_KNOWN: Final = ("3.14.",)
_SCHEMES: Final = ("http", "https")
_MOST_HEADS: Final = 100
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_INFORMATIONAL: Final = frozenset(range(100, 200)) - {101}
_SLOWEST: Final = 2**16
"""Bytes a second that a body is allowed for before its answer is due: below TLS nobody can tell
how much of it has left."""
_NO_TIMER: Final = TimerNoop()
_NO_EXCUSE: Final = (None, 0.0, 0.0)


class TooLargeError(aiohttp.ClientPayloadError):
    """More bytes came than are read."""


def is_known(version: str = aiohttp.__version__) -> bool:
    """Tell whether a version of aiohttp is one that this room was tested with.

    Example:
        >>> is_known("3.14.5"), is_known("4.0.0")
        (True, False)
    """
    return version.startswith(_KNOWN)


def _is_sending(transport: asyncio.Transport | None) -> bool:
    """Tell whether something of what was written has not left yet."""
    return transport is not None and bool(transport.get_write_buffer_size())


@frozen
class _Head:
    """What is the same for every request to one address with the same headers."""

    headers: Mapping[str, str] = field(repr=False)
    """The headers it was made of: known by their identity, so kept as long as it is."""
    template: aiohttp.ClientRequest
    """What the connector looks at: host, port, TLS."""
    wire: bytes = field(repr=False)
    """Request line and headers, up to the number of bytes in the body."""

    def start(self, length: int) -> bytes:
        """Return what stands before a body.

        Args:
            length: Its bytes.
        """
        return b"%b%d\r\n\r\n" % (self.wire, length)


@define(eq=False)
class _Deadlines:
    """Ends what takes too long: one timer for all, for starting one for each costs 5 µs."""

    loop: asyncio.AbstractEventLoop
    _due: dict[Any, float] = field(factory=dict, init=False)
    _excused: dict[Any, tuple[asyncio.Transport | None, float, float]] = field(
        factory=dict, init=False
    )
    _alarm: asyncio.TimerHandle | None = field(default=None, init=False)
    _rings_at: float = field(default=inf, init=False)

    def watch(self, stream: ResponseHandler | StreamReader, due: float) -> None:
        """Let waiting for a stream fail at a time of the loop's clock."""
        self._due[stream] = due
        if due < self._rings_at:
            self._set(due)

    def forget(self, stream: ResponseHandler | StreamReader) -> None:
        """Let a stream be waited for as long as it takes."""
        self._due.pop(stream, None)
        self._excused.pop(stream, None)

    def excuse(
        self, stream: ResponseHandler, transport: asyncio.Transport, over: float, pause: float
    ) -> None:
        """Let no answer be due while the request is still being sent.

        Args:
            stream: What is waited for.
            transport: What the request leaves by.
            over: When it must have come nevertheless.
            pause: Seconds after which to look again.
        """
        self._excused[stream] = (transport, over, pause)

    def fail_all(self, error: type[Exception]) -> None:
        """Let waiting for any stream fail now."""
        for stream in self._due:
            stream.set_exception(error())
        self._due.clear()
        self._set(inf)

    def _set(self, due: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._rings_at = due
        self._alarm = None if due == inf else self.loop.call_at(due, self._ring)

    def _ring(self) -> None:
        now = self.loop.time()
        late = [stream for stream, due in self._due.items() if due <= now]
        for stream in late:
            transport, over, pause = self._excused.get(stream, _NO_EXCUSE)
            if now < over and _is_sending(transport):
                self._due[stream] = min(over, now + pause)
                continue
            del self._due[stream]
            stream.set_exception(aiohttp.SocketTimeoutError("no answer in time"))
        self._set(min(self._due.values(), default=inf))


@define(eq=False)
class Exchanges:
    """Sends small requests over the connections of a session's pool.

    Args:
        http: The session whose pool and default headers are used; its loop is running.
        timeout: Bounds of one attempt, in seconds.
    """

    http: aiohttp.ClientSession
    timeout: aiohttp.ClientTimeout
    _connector: aiohttp.BaseConnector = field(init=False)
    _connecting: aiohttp.ClientTimeout = field(init=False)
    _total: float = field(init=False)
    _sock_read: float = field(init=False)
    _deadlines: _Deadlines = field(init=False)
    _heads: dict[tuple[int, str], _Head] = field(factory=dict, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        connector, bounds = self.http.connector, self.timeout
        assert connector is not None  # the session is open
        self._connector = connector
        self._total = bounds.total or inf
        self._sock_read = bounds.sock_read or inf
        connect = min(self._total, bounds.connect or inf)
        self._connecting = aiohttp.ClientTimeout(
            connect=None if connect == inf else connect, sock_connect=bounds.sock_connect
        )
        self._deadlines = _Deadlines(asyncio.get_running_loop())

    def takes(self, request: Request) -> bool:
        """Tell whether a request is one of the usual ones."""
        usual = request.verb == "POST" and 0 < request.size <= MAX_BODY
        return usual and "@" not in request.url

    async def send(self, request: Request) -> tuple[int, Mapping[str, str], bytes]:
        """Send a request and return its answer's status, headers and body.

        Raises:
            aiohttp.ClientError: as `ClientSession.post` does.
            OSError: likewise.
            ValueError: a header or the address cannot be sent.
        """
        head = self._heads.get((id(request.headers), request.url)) or self._new_head(request)
        over = self._deadlines.loop.time() + self._total
        connection = await self._connect(head)
        try:
            answer = await self._exchange(connection, head, request, over)
        except BaseException:
            connection.close()
            raise
        connection.release()
        return answer

    def close(self) -> None:
        """Let requests under way fail as disconnected; aiohttp would forget whoever waits."""
        self._deadlines.fail_all(aiohttp.ServerDisconnectedError)

    async def _connect(self, head: _Head) -> Connection:
        """Return a connection on which nothing has come unasked: it would pass for an answer."""
        while True:
            try:
                found = await self._connector.connect(head.template, [], self._connecting)
            except TimeoutError:
                raise aiohttp.ConnectionTimeoutError("no connection in time") from None
            if found.protocol is not None and not found.protocol.should_close:
                return found
            found.close()

    async def _exchange(
        self, connection: Connection, head: _Head, request: Request, over: float
    ) -> tuple[int, Mapping[str, str], bytes]:
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None or transport.is_closing():
            raise aiohttp.ServerDisconnectedError
        protocol.set_response_params(timer=_NO_TIMER, read_until_eof=True)
        patience = self._sock_read + request.size / _SLOWEST
        self._deadlines.watch(protocol, min(over, self._deadlines.loop.time() + patience))
        try:
            _write(transport, head, request)
            slow = _is_sending(transport)
            if slow:
                self._deadlines.excuse(protocol, transport, over, self._sock_read)
            message, payload = await protocol.read()
            while message.code in _INFORMATIONAL:
                message, payload = await protocol.read()
            if slow and _is_sending(transport):
                # An answer that came too early: the rest would be taken for another request.
                protocol.force_close()
        except aiohttp.http.HttpProcessingError as error:
            raise aiohttp.ClientResponseError(head.template.request_info, ()) from error
        finally:
            self._deadlines.forget(protocol)
        content = payload.read_nowait() if payload.is_eof() else await self._read(payload, over)
        if len(content) > MAX_ANSWER_BYTES:
            raise TooLargeError
        return message.code, message.headers, content

    async def _read(self, payload: StreamReader, over: float) -> bytes:
        """Return what comes until the answer's end."""
        pieces: list[bytes] = []
        left, clock = MAX_ANSWER_BYTES, self._deadlines.loop.time
        try:
            while left >= 0:
                self._deadlines.watch(payload, min(over, clock() + self._sock_read))
                piece = await payload.readany()
                if not piece:
                    return b"".join(pieces)
                pieces.append(piece)
                left -= len(piece)
        finally:
            self._deadlines.forget(payload)
        raise TooLargeError

    def _new_head(self, request: Request) -> _Head:
        try:
            url = URL(request.url)
        except ValueError:
            raise aiohttp.InvalidURL(request.url) from None
        if url.scheme not in _SCHEMES:
            raise aiohttp.NonHttpUrlClientError(url)
        loop = self._deadlines.loop
        template = aiohttp.ClientRequest(request.verb, url, loop=loop, session=self.http)
        headers = {"host": template.headers["host"], **self.http.headers, **request.headers}
        if not _can_travel(headers):
            raise ValueError("a header has a control character")
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        head = _Head(request.headers, template, _opening(request.verb, url.raw_path_qs, headers))
        self._heads[id(request.headers), request.url] = head
        return head


def _can_travel(headers: Mapping[str, str]) -> bool:
    return not any(_FORBIDDEN.search(f"{name}{value}") for name, value in headers.items())


def _opening(verb: str, path: str, headers: Mapping[str, str]) -> bytes:
    """Return a request's first bytes, up to the number of those in its body."""
    lines = [f"{verb} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "content-length: "]).encode()


def _write(transport: asyncio.Transport, head: _Head, request: Request) -> None:
    """Write a request; no variable holds its head, which tracebacks with variables would print."""
    content = request.content
    if isinstance(content, bytes) and len(content) <= _COPIED:
        transport.write(head.start(len(content)) + content)
    else:
        transport.writelines((head.start(len(content)), *request.pieces))
