"""The one room that knows aiohttp: carries a request to the service and its answer back.

Every foreign exception is turned into one of ours here and nowhere else, and rebuilt without its
cause: aiohttp's own errors hold the request, and with it the token.
"""

from __future__ import annotations

import asyncio
import ssl
from os import PathLike
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias
from urllib.parse import urlsplit

import aiohttp

from ._exchange import MAX_ANSWER_BYTES, Exchanges, TooLargeError, is_known
from ._protocol import Response
from .errors import (
    AnswerTooLargeError,
    ConfigError,
    ConnectError,
    DisconnectedError,
    ProtocolError,
    TimedOutError,
    TLSError,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiohttp.abc import AbstractStreamWriter

    from ._config import Timeout
    from ._protocol import Request
    from .errors import (
        XimilarError,
    )

_AT_ONCE: Final = 2**16
"""Most bytes that are handed to the socket at once: more would hold the event loop."""

TLS: TypeAlias = "ssl.SSLContext | str | PathLike[str] | None"
"""A context, or the path of a CA file; there is no switch that turns checking off."""


class Transport(Protocol):
    """Anything that can carry a request to the service and bring back its answer."""

    async def send(self, request: Request) -> Response:
        """Send one request and return the response, read to its end.

        Raises:
            TransportError: no usable answer arrived.
            OSError: the same, from a transport that knows no errors of ours.
        """
        ...

    async def aclose(self) -> None:
        """Release what is held; may be called twice."""
        ...


class AiohttpTransport:
    """A `Transport` over one pooled `aiohttp.ClientSession`, opened with the first request.

    Args:
        timeout: Bounds of one attempt.
        tls: A context, or the path of a CA file; None for the system's.
        trust_env: Whether proxy variables of the environment count.
        direct: Whether small requests leave without `ClientSession` (see `_exchange`); by default
            where aiohttp is one that this was tested with.

    Raises:
        ConfigError: the CA file cannot be used.
    """

    def __init__(
        self,
        timeout: Timeout,
        *,
        tls: TLS = None,
        trust_env: bool = False,
        direct: bool | None = None,
    ) -> None:
        self._timeout = aiohttp.ClientTimeout(
            total=timeout.total,
            connect=timeout.connect,
            sock_connect=timeout.sock_connect,
            sock_read=timeout.sock_read,
        )
        self._tls = make_tls(tls)
        self._trust_env = trust_env
        # A proxy wants more of a request than the direct way knows.
        self._direct = not trust_env and (is_known() if direct is None else direct)
        self._http: aiohttp.ClientSession | None = None
        self._exchanges: Exchanges | None = None
        self._reading: set[aiohttp.ClientResponse] = set()

    async def send(self, request: Request) -> Response:
        """Send one request and return the response, read to its end.

        Raises:
            TransportError: no usable answer arrived.
            ConfigError: the address cannot be used.
        """
        http = self._http or self._open()
        exchanges = self._exchanges
        try:
            if exchanges is not None and exchanges.takes(request):
                return Response(*await exchanges.send(request))
            async with http.request(
                request.verb,
                request.url,
                headers=request.headers,
                data=_payload(request),
                allow_redirects=False,
            ) as response:
                self._reading.add(response)
                try:
                    answer = await _read(response)
                finally:
                    self._reading.discard(response)
                return Response(response.status, response.headers, answer)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = translate(error, request)
        # Raised out here: inside the handler aiohttp's error would hang on it as its context.
        raise failure

    async def aclose(self) -> None:
        """Close the pool; may be called twice. Requests under way fail as disconnected."""
        if self._exchanges is not None:
            self._exchanges.close()
        for response in self._reading:
            # aiohttp forgets whoever reads a body; they would wait until their timeout.
            response.content.set_exception(aiohttp.ServerDisconnectedError())
        if self._http is not None:
            await self._http.close()

    def _open(self) -> aiohttp.ClientSession:
        # limit=0: slots are counted by the gate; aiohttp's default of 100 would cap it silently.
        connector = aiohttp.TCPConnector(limit=0, ssl=self._tls or True)
        self._http = aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"accept": "application/json", "accept-encoding": "gzip, deflate"},
            trust_env=self._trust_env,
        )
        if self._direct:
            self._exchanges = Exchanges(self._http, self._timeout)
        return self._http


def _payload(request: Request) -> _Pieces | bytes | None:
    """Return what aiohttp is to send."""
    return (request.body or None) if request.size <= _AT_ONCE else _Pieces(request)


class _Pieces(aiohttp.Payload):
    """A large body that is sent piece by piece, and never copied as a whole.

    aiohttp itself would put bytes together with the headers, and read copies from a stream.
    """

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._size = request.size

    @property
    def autoclose(self) -> bool:
        """Tell that nothing has to be closed."""
        return True

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return str(self._value.body, encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write the body, waiting wherever the connection is behind."""
        for piece in self._value.pieces:
            view = memoryview(piece)
            for start in range(0, len(view), _AT_ONCE):
                await writer.write(view[start : start + _AT_ONCE])
                # A socket that takes all of it at once would have nobody else wait for its turn.
                await asyncio.sleep(0)


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks: list[bytes] = []
    left = MAX_ANSWER_BYTES
    async for chunk in response.content.iter_any():
        left -= len(chunk)
        if left < 0:
            raise TooLargeError
        chunks.append(chunk)
    return b"".join(chunks)


def make_tls(tls: object) -> ssl.SSLContext | None:
    """Return the TLS context, or None for aiohttp's own, which checks certificates.

    Raises:
        ConfigError: it is neither, or the CA file cannot be used.

    Example:
        >>> make_tls(None) is None
        True
    """
    if tls is None or isinstance(tls, ssl.SSLContext):
        return tls
    if not isinstance(tls, (str, PathLike)):
        raise ConfigError(
            f"ssl takes an SSLContext or the path of a CA file, not {tls!r}; "
            "checking certificates is never turned off"
        )
    try:
        return ssl.create_default_context(cafile=tls)
    except OSError as error:
        raise ConfigError(f"the CA file {str(tls)!r} cannot be used: {error}") from None


_ADDRESS: Final = "check base_url, which is like https://api.ximilar.com"
_NOBODY: Final = "check base_url, and that somebody listens there"
_SOMEBODY_ELSE: Final = "check base_url and whatever proxy or gateway is in between"
_PRESS_LESS: Final = "try again; if it stays, have fewer at once: Limits(concurrency=…)"
_OWN_AUTHORITY: Final = (
    "if an authority of your own signed it, name its file: Ximilar(ssl=…) or SSL_CERT_FILE"
)

_CLASSES: Sequence[tuple[type[BaseException], type[XimilarError], str, str]] = (
    (aiohttp.InvalidURL, ConfigError, "cannot be an address", _ADDRESS),
    (aiohttp.NonHttpUrlClientError, ConfigError, "cannot be an address", _ADDRESS),
    (aiohttp.ClientSSLError, TLSError, "TLS failed", _OWN_AUTHORITY),
    (aiohttp.ServerFingerprintMismatch, TLSError, "TLS failed", _OWN_AUTHORITY),
    (
        aiohttp.ClientConnectorDNSError,
        ConnectError,
        "the host name cannot be resolved",
        "check base_url and this machine's network",
    ),
    (aiohttp.ClientConnectorError, ConnectError, "cannot connect", _NOBODY),
    (
        aiohttp.ClientHttpProxyError,
        ConnectError,
        "the proxy refuses to connect",
        "check the proxy's address and credentials, or leave trust_env out",
    ),
    (
        aiohttp.ConnectionTimeoutError,
        ConnectError,
        "no connection in time",
        "check base_url and the firewall, or wait longer: Timeout(connect=…)",
    ),
    (
        TimeoutError,
        TimedOutError,
        "no answer in time",
        "wait longer, Timeout(total=…), or have fewer at once: Limits(concurrency=…)",
    ),
    (
        aiohttp.ServerDisconnectedError,
        DisconnectedError,
        "the connection was closed unanswered",
        _PRESS_LESS,
    ),
    (aiohttp.ClientOSError, DisconnectedError, "the connection broke", _PRESS_LESS),
    (ConnectionRefusedError, ConnectError, "cannot connect", _NOBODY),
    (ConnectionError, DisconnectedError, "the connection broke", _PRESS_LESS),
    (
        TooLargeError,
        AnswerTooLargeError,
        f"the answer is larger than {MAX_ANSWER_BYTES // 2**20} MiB",
        "ask for fewer fields or pages",
    ),
    (aiohttp.ClientPayloadError, ProtocolError, "the answer was cut off", _SOMEBODY_ELSE),
    (aiohttp.ClientResponseError, ProtocolError, "the answer is not HTTP", _SOMEBODY_ELSE),
    (aiohttp.ClientError, TransportError, "the request failed", "try again"),
    (OSError, TransportError, "the request failed", "try again"),
    (UnicodeError, ConfigError, "cannot be a host name", _ADDRESS),
    (ValueError, ConfigError, "the request cannot be sent", "check base_url and the token"),
)
"""What is raised, what it is for us, what is told of it and what can be done about it."""


_REFUSED_BY_PROXY: Final = frozenset({400, 401, 403, 404, 405, 407})
"""Answers to CONNECT that say nothing of load: no credentials, no such way, not this host."""


def translate(error: BaseException, request: Request) -> XimilarError:
    """Return our error for one of aiohttp's or the system's, with what to do, without its request.

    Args:
        error: What was raised.
        request: The request it was raised for; only its host is named.

    Example:
        >>> from ximilar_async._protocol import Request
        >>> translate(ConnectionRefusedError(), Request("GET", "http://localhost:1/v2/ping", {}))
        ConnectError('localhost:1: cannot connect; check base_url, and that somebody listens there')
    """
    host = urlsplit(request.url).netloc
    kind, words, remedy = next(row[1:] for row in _CLASSES if isinstance(error, row[0]))
    if isinstance(error, aiohttp.ClientHttpProxyError) and error.status in _REFUSED_BY_PROXY:
        kind = ConfigError
    detail = _detail(error)
    return kind(f"{host}: {words}{f' ({detail})' if detail else ''}; {remedy}")


def _detail(error: BaseException) -> str:
    """Return what is worth telling; never a `repr`, which may print headers."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return str(error.certificate_error)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"HTTP {error.status}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if type(error) is ValueError and "AUTH argument" in str(error):
        return "with trust_env an entry for this host in .netrc stands against the token"
    return ""
