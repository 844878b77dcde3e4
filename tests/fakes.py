"""Stand-ins for what lies outside: a scripted transport, virtual time, and a raw TCP peer."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import selectors
import socket
import struct
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

import orjson
from attrs import define, field, frozen

from ximilar_async._protocol import Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterable
    from types import TracebackType

    from ximilar_async._protocol import Request

T = TypeVar("T")

TOKEN = "canary-7f3a9c41d0b852e6"
"""The token of all tests: told from everything else wherever it turns up."""


def answer(code: int = 200, text: str = "OK", *, http: int = 200, **fields: Any) -> Response:
    """Return an answer by the documents, with the fields given."""
    envelope = {"status": {"code": code, "text": text}, "statistics": {"OperationTime": 1}}
    return Response(http, {}, orjson.dumps({**envelope, **fields}))


def refusal(status: int, body: bytes = b"", **headers: str) -> Response:
    """Return a response of this HTTP status; `retry_after="3"` is the header Retry-After."""
    return Response(status, {k.replace("_", "-"): v for k, v in headers.items()}, body)


# --- a transport without a network --------------------------------------------------------------

Step: TypeAlias = "Response | BaseException | Callable[[Request], Response | Awaitable[Response]]"
"""What one request meets: a response, an exception, or a function that decides."""


@define(eq=False)
class ScriptedTransport:
    """Gives each request the next step of a script, and keeps what was sent.

    Args:
        script: The steps; each request takes one away.
        then: The step of every request after them; None lets such a request fail the test.
    """

    script: list[Step] = field(factory=list)
    then: Step | None = None
    requests: list[Request] = field(factory=list, init=False)
    under_way: int = field(default=0, init=False)
    most_under_way: int = field(default=0, init=False)
    closed: int = field(default=0, init=False)

    async def send(self, request: Request) -> Response:
        self.requests.append(request)
        step = self.script.pop(0) if self.script else self.then
        assert step is not None, f"request {len(self.requests)} is one more than the script has"
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await _take(step, request)
        finally:
            self.under_way -= 1

    async def aclose(self) -> None:
        self.closed += 1

    @property
    def tokens(self) -> list[str]:
        """Return the token of each request."""
        return [
            request.headers["authorization"].removeprefix("Token ") for request in self.requests
        ]

    @property
    def bodies(self) -> list[Any]:
        """Return the decoded body of each request; None where it had none."""
        return [orjson.loads(request.body) if request.body else None for request in self.requests]


async def _take(step: Step, request: Request) -> Response:
    if isinstance(step, BaseException):
        raise step
    if isinstance(step, Response):
        return step
    outcome = step(request)
    return await outcome if inspect.isawaitable(outcome) else outcome


# --- virtual time -------------------------------------------------------------------------------


class _JumpingSelector(selectors.DefaultSelector):
    """Moves its clock instead of waiting when nothing is ready; each turn takes a microsecond."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        assert ready or timeout is not None, "the code under test waits for what never comes"
        self.now += 1e-6 + (0.0 if ready else max(0.0, timeout or 0.0))
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop whose clock jumps over every wait; `clock()` reads it.

    What goes by the loop's time (sleeping, timeouts, aiolimiter) keeps its real order and takes no
    time. There is neither network nor thread in it.
    """
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(main)


def clock() -> float:
    """Return the running loop's time, in seconds."""
    return asyncio.get_running_loop().time()


# --- a peer that breaks the rules of HTTP -------------------------------------------------------


def http(status: int = 200, body: bytes = b"{}", **headers: str) -> bytes:
    """Return a well-formed HTTP response; `content_encoding="gzip"` is a header."""
    lines = [f"HTTP/1.1 {status} Words", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


PONG = http(body=orjson.dumps({"status": {"code": 200, "text": "OK"}, "answer_count": 5}))
"""A well-formed answer."""


@frozen
class Reply:
    """What the peer does with one request.

    Args:
        pieces: What it writes, one after the other.
        pause: Seconds before each piece but the first.
        end: "keep" the connection, "close" it, "reset" it, or "hang" without a word.
    """

    pieces: tuple[bytes, ...] = ()
    pause: float = 0.0
    end: str = "keep"


CLOSE = Reply(end="close")
RESET = Reply(end="reset")
HANG = Reply(end="hang")


def dripping(data: bytes, pause: float = 0.02) -> Reply:
    """Return a reply that writes a byte at a time."""
    return Reply(tuple(data[n : n + 1] for n in range(len(data))), pause)


def cut_off(data: bytes, *, end: str = "close") -> Reply:
    """Return a reply that ends amid the body, whatever length its head has told."""
    head, _, body = data.partition(b"\r\n\r\n")
    return Reply((head + b"\r\n\r\n", body[: len(body) // 2]), pause=0.01, end=end)


def chunked(data: bytes, *chunks: bytes) -> bytes:
    """Return a response with these chunks, well-formed or not, instead of its body."""
    head = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
    kept = [line for line in head if not line.lower().startswith(b"content-length:")]
    return b"\r\n".join([*kept, b"Transfer-Encoding: chunked", b"", b"".join(chunks)])


@frozen
class Received:
    """A request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """Number of the connection it came on, from 1."""
    number: int
    """Its own number, in the order in which heads arrived, from 1."""


Given: TypeAlias = "Reply | bytes"
"""A reply; bytes are written as they are."""

Behaviour: TypeAlias = "Given | Callable[[Received], Given | Awaitable[Given]]"
"""What a request gets: a reply, or what a function returns for it."""


class RawServer:
    """Listens on loopback, reads HTTP requests and answers each with the next reply as it stands.

    Args:
        replies: What the requests get; the last is given to all further ones.
        after_head: Whether the reply goes out before the request's body was read; or a function
            that tells by the request's line and number.
        tls: The server's context.
        port: Where to listen; 0 for any free port.
    """

    def __init__(
        self,
        *replies: Behaviour,
        after_head: bool | Callable[[str, int], bool] = False,
        tls: Any = None,
        port: int = 0,
    ) -> None:
        self._replies = replies
        self._after_head = after_head
        self._tls = tls
        self.port = port
        self._over = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self.requests: list[Received] = []
        self.connections = 0
        self._heads = 0

    @property
    def open_connections(self) -> int:
        return len(self._writers)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", self.port, ssl=self._tls, limit=2**20
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        self._over.set()
        for writer in self._writers:
            writer.transport.abort()
        while self._writers:
            await asyncio.sleep(0)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):  # the client left
            await self._converse(reader, writer, self.connections)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        self._writers.discard(writer)

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ) -> None:
        while True:
            line, headers = await _read_head(reader)
            self._heads = number = self._heads + 1
            body = b"" if self._is_early(line, number) else await _read_body(reader, headers)
            received = Received(line, headers, body, connection, number)
            self.requests.append(received)
            reply = await self._reply(received, len(self.requests))
            await _write(writer, reply.pieces, reply.pause)
            if reply.end == "hang":
                await self._over.wait()
            if reply.end == "reset":
                _reset(writer)
            if reply.end != "keep":
                return

    def _is_early(self, line: str, number: int) -> bool:
        early = self._after_head
        return early(line, number) if callable(early) else early

    async def _reply(self, received: Received, number: int) -> Reply:
        behaviour = self._replies[min(number, len(self._replies)) - 1]
        given = behaviour(received) if callable(behaviour) else behaviour
        given = await given if inspect.isawaitable(given) else given
        return Reply((given,)) if isinstance(given, bytes) else given


async def _read_head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    fields = (line.split(":", 1) for line in head[1:] if line)
    return head[0], {name.strip().lower(): value.strip() for name, value in fields}


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", 0)))
    body = b""
    while size := int(await reader.readline(), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return body


async def _write(writer: asyncio.StreamWriter, pieces: Iterable[bytes], pause: float) -> None:
    for number, piece in enumerate(pieces):
        if number:
            await asyncio.sleep(pause)
        writer.write(piece)
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a RST instead of a FIN."""
    peer = writer.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def chain(error: BaseException) -> list[BaseException]:
    """Return an error and all that hangs on it: causes, contexts and members of groups."""
    found: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop(0)
        if one is not None and one not in found:
            found.append(one)
            left += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return found


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
