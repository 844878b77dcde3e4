"""The door over a socket: the only room of the emulator that knows aiohttp."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from aiohttp import web
from attrs import define, field

from ximilar_async._protocol import Request

from .errors import EmulatorError, Refusal
from .faults import Disconnect
from .settings import MAX_BODY
from .wire import refused

if TYPE_CHECKING:
    from ximilar_async._protocol import Response

    from .service import Service

_GRACE: Final = 5.0
"""Seconds that requests under way may take when the server closes."""
_KEEP_ALIVE: Final = 75.0
_BAD_REQUEST: Final = 400
_TOO_LARGE: Final = 413


@define(eq=False)
class Server:
    """Listens on a host and port."""

    service: Service
    host: str
    port: int
    """0 takes any free port."""
    max_body: int = MAX_BODY
    """Largest request body, in bytes."""
    _runner: web.ServerRunner | None = field(default=None, init=False)
    _address: tuple[str, int] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Return the address to reach the server at, without a slash at the end.

        Raises:
            EmulatorError: it does not listen.
        """
        if self._address is None:
            raise EmulatorError("the emulator is not open: use `async with Emulator(...)`")
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            EmulatorError: the port is taken, or the host is none of this machine's.
        """
        runner = web.ServerRunner(
            web.Server(self._handle, access_log=None, keepalive_timeout=_KEEP_ALIVE),
            shutdown_timeout=_GRACE,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port).start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            raise EmulatorError(_cannot_listen(self.host, self.port, error)) from None
        self._runner = runner
        self._address = self._reachable(runner.addresses)

    async def aclose(self) -> None:
        """Stop listening; may be called twice."""
        runner, self._runner, self._address = self._runner, None, None
        if runner is not None:
            await runner.cleanup()

    def _reachable(self, addresses: list[tuple[str, int]]) -> tuple[str, int]:
        """Return the address to use: the first one listened on; "any" is loopback."""
        host, port = addresses[0][:2]
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104 - compares

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            body = await self._body(request)
        except Refusal as refusal:
            return _to_wire(refused(refusal), close=True)
        headers = {name.lower(): value for name, value in request.headers.items()}
        url = f"{request.scheme}://{request.host}{request.raw_path}"
        try:
            return _to_wire(await self.service.handle(Request(request.method, url, headers, body)))
        except Disconnect as cut:
            return await _cut_off(request, cut.begun)
        except ConnectionError:
            return await _cut_off(request, None)

    async def _body(self, request: web.BaseRequest) -> bytes:
        """Read the body.

        Raises:
            Refusal: it is over the limit, after decompression too, or is not what it says.
        """
        if (request.content_length or 0) > self.max_body:
            raise self._too_large()
        if request.headers.get("expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        parts, size = [], 0
        try:
            async for chunk in request.content.iter_any():
                size += len(chunk)
                if size > self.max_body:
                    raise self._too_large()
                parts.append(chunk)
        except web.RequestPayloadError as error:
            raise Refusal(_BAD_REQUEST, "the body cannot be read as its headers say") from error
        return b"".join(parts)

    def _too_large(self) -> Refusal:
        return Refusal(_TOO_LARGE, f"the request is larger than {self.max_body} bytes")


def _to_wire(response: Response, *, close: bool = False) -> web.Response:
    wire = web.Response(status=response.status, body=response.body, headers=dict(response.headers))
    if close:
        wire.force_close()
    return wire


async def _cut_off(request: web.BaseRequest, begun: Response | None) -> web.StreamResponse:
    """Cut the connection: in the middle of an answer's body, or before its first byte."""
    wire = web.StreamResponse()
    if begun is not None:
        wire = web.StreamResponse(status=begun.status, headers=dict(begun.headers))
        wire.content_length = len(begun.body) + 1
        await wire.prepare(request)
        await wire.write(begun.body[: len(begun.body) // 2])
    if request.transport is not None:
        request.transport.abort()
    return wire


def _cannot_listen(host: str, port: int, error: OSError | OverflowError) -> str:
    where = f"{host}:{port}"
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"{where} is in use by another program: choose another port, or 0 for any free one"
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return f"the emulator cannot listen on {where}: {reason}"
