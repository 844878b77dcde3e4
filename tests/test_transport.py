"""The transport over real sockets: what goes out, what comes back, and every way it can fail."""

from __future__ import annotations

import asyncio
import gc
import gzip
import re
import shutil
import socket
import ssl
import subprocess
import traceback
import tracemalloc
import zlib
from contextlib import ExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from fakes import CLOSE, HANG, PONG, RESET, TOKEN, RawServer, Reply, chain, free_port, http

from ximilar_async._config import Timeout
from ximilar_async._encoding import Encoded
from ximilar_async._protocol import Request, authorization
from ximilar_async._transport import MAX_ANSWER_BYTES, AiohttpTransport, make_tls, translate
from ximilar_async.errors import (
    AnswerTooLargeError,
    ConfigError,
    ConnectError,
    DisconnectedError,
    ProtocolError,
    TimedOutError,
    TLSError,
    TransportError,
    XimilarError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

MIB = 2**20
PATIENT = Timeout(total=60)
"""Never the reason for a failure, on however busy a machine."""
HASTY = Timeout(total=60, sock_read=0.2)


def request_to(url: str, body: bytes | Encoded = b"{}", verb: str = "POST") -> Request:
    headers = {
        "authorization": f"Token {TOKEN}",
        "collection-id": "c",
        "content-type": "application/json;charset=UTF-8",
        "user-agent": "ximilar-async/test",
    }
    return Request(verb, f"{url}/similarity/photos/v2/find", headers, body)


WAY: ContextVar[bool] = ContextVar("WAY")
"""Whether the transports of a test send small requests directly."""


@pytest.fixture(autouse=True, params=[True, False], ids=["direct", "session"])
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every promise here holds for both ways in which a request may leave."""
    token = WAY.set(request.param)
    yield
    WAY.reset(token)


@asynccontextmanager
async def transport(bounds: Timeout = PATIENT, **settings: Any) -> AsyncIterator[AiohttpTransport]:
    carrier = AiohttpTransport(bounds, **{"direct": WAY.get(), **settings})
    try:
        yield carrier
    finally:
        await carrier.aclose()


async def failure(url: str, bounds: Timeout = PATIENT, **settings: Any) -> XimilarError:
    """Return the error of one request."""
    async with transport(bounds, **settings) as carrier:
        with pytest.raises(XimilarError) as caught:
            await carrier.send(request_to(url))
    return caught.value


# --- what goes out, what comes back -------------------------------------------------------------


async def test_a_request_arrives_as_it_was_built() -> None:
    """Verb, path, headers and body are those of the request; only the host's are added."""
    async with RawServer(PONG) as server, transport() as carrier:
        await carrier.send(request_to(server.url, b'{"k":1}'))
    (received,) = server.requests
    assert received.line == "POST /similarity/photos/v2/find HTTP/1.1"
    assert received.body == b'{"k":1}'
    assert received.headers == {
        **request_to(server.url).headers,
        "host": f"127.0.0.1:{server.port}",
        "accept": "application/json",
        "accept-encoding": "gzip, deflate",
        "content-length": "7",
    }


async def test_a_get_request_has_no_body() -> None:
    """Nothing is sent where there is nothing to send."""
    async with RawServer(PONG) as server, transport() as carrier:
        await carrier.send(request_to(server.url, b"", "GET"))
    assert server.requests[0].line.startswith("GET ")
    assert "content-length" not in server.requests[0].headers


async def test_a_response_has_status_headers_and_the_whole_body() -> None:
    """Headers are found by lower-case name; a body in pieces is put together."""
    pieces = (b"HTTP/1.1 210 Any\r\nRetry-After: 7\r\nTransfer-Encoding: chunked\r\n\r\n",)
    chunks = (b"3\r\n{}\n\r\n", b"2\r\n[]\r\n", b"0\r\n\r\n")
    async with RawServer(Reply(pieces + chunks, pause=0.01)) as server, transport() as carrier:
        response = await carrier.send(request_to(server.url))
    assert (response.status, response.headers.get("retry-after")) == (210, "7")
    assert response.body == b"{}\n[]"


async def test_connections_are_kept() -> None:
    """One connection serves call after call; no new one, no new handshake."""
    async with RawServer(PONG) as server, transport() as carrier:
        for _ in range(5):
            await carrier.send(request_to(server.url))
    assert [received.connection for received in server.requests] == [1] * 5


async def test_no_pool_stands_in_the_way() -> None:
    """As many connections open as calls run: slots are counted by the gate alone."""
    async with RawServer(HANG) as server, transport(Timeout()) as carrier:
        calls = [asyncio.create_task(carrier.send(request_to(server.url))) for _ in range(150)]
        while len(server.requests) < 150:
            await asyncio.sleep(0.01)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    assert server.connections == 150


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 5 * MIB])
async def test_bodies_of_any_size_arrive_whole(size: int) -> None:
    """Large bodies arrive byte for byte with their length told, and no warning."""
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    async with RawServer(PONG) as server, transport() as carrier:
        for _ in range(2):
            await carrier.send(request_to(server.url, body))
    gc.collect()  # a ResourceWarning fails the test
    assert [received.body == body for received in server.requests] == [True, True]
    assert server.requests[0].headers.get("content-length", "0") == str(size)


async def test_an_early_refusal_of_a_large_body_is_read() -> None:
    """A 413 that comes while the body is still going out is the answer, not a broken pipe."""
    refusal = Reply((http(413, b'{"status":{"code":413}}', connection="close"),), end="close")
    async with RawServer(refusal, after_head=True) as server, transport() as carrier:
        response = await carrier.send(request_to(server.url, b"x" * 8 * MIB))
    assert (response.status, response.body) == (413, b'{"status":{"code":413}}')


@pytest.mark.parametrize("large", [1000, 100_000, 3 * MIB])
async def test_bodies_in_pieces_arrive_whole(large: int) -> None:
    """What is sent in pieces arrives as one body, with its length told."""
    body = Encoded((b"[", b"x" * large, b",", b"y" * large, b"]"))
    async with RawServer(PONG) as server, transport() as carrier:
        for _ in range(2):
            await carrier.send(request_to(server.url, body))
    assert [received.body == body.joined() for received in server.requests] == [True, True]
    assert server.requests[0].headers["content-length"] == str(2 * large + 3)
    assert server.connections == 1


async def test_cookies_are_ignored() -> None:
    """What a balancer sets is never sent back: calls stay independent."""
    async with RawServer(http(set_cookie="session=1; Path=/")) as server, transport() as carrier:
        for _ in range(2):
            await carrier.send(request_to(server.url))
    assert all("cookie" not in received.headers for received in server.requests)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_compressed_answers_are_unpacked(encoding: str) -> None:
    """Both encodings that are asked for are understood."""
    plain = b'{"a":1}' * 1000
    packed = gzip.compress(plain) if encoding == "gzip" else zlib.compress(plain)
    reply = http(body=packed, content_encoding=encoding)
    async with RawServer(reply) as server, transport() as carrier:
        response = await carrier.send(request_to(server.url))
    assert response.body == plain


# --- redirects and proxies ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(status: int) -> None:
    """Nothing, above all no token, is sent to where a redirect points."""
    async with RawServer(PONG) as elsewhere:
        redirect = http(status, b"", location=f"{elsewhere.url}/steal")
        async with RawServer(redirect) as server, transport() as carrier:
            response = await carrier.send(request_to(server.url))
    assert response.status == status
    assert (len(server.requests), elsewhere.connections) == (1, 0)


@pytest.fixture
def proxy_variables(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets the proxy variables."""

    def point_to(url: str) -> None:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, url)
            monkeypatch.setenv(name.upper(), url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)

    return point_to


async def test_proxy_variables_count_only_when_asked_to(
    proxy_variables: Callable[[str], None],
) -> None:
    """The environment does not divert calls, unless `trust_env` says that it may."""
    async with RawServer(PONG) as server, RawServer(PONG) as proxy:
        proxy_variables(proxy.url)
        async with transport() as carrier:
            await carrier.send(request_to(server.url))
        assert (len(server.requests), proxy.connections) == (1, 0)
        async with transport(trust_env=True) as carrier:
            await carrier.send(request_to(server.url))
        assert (len(server.requests), len(proxy.requests)) == (1, 1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (407, ConfigError),
        (403, ConfigError),
        (429, ConnectError),
        (503, ConnectError),
    ],
)
async def test_what_a_proxy_refuses_was_not_sent(
    proxy_variables: Callable[[str], None], status: int, kind: type[XimilarError]
) -> None:
    """A proxy that opens no way to the service got no request; a 407 is a setting to mend."""
    async with RawServer(http(status)) as proxy:
        proxy_variables(proxy.url)
        error = await failure("https://service.test", trust_env=True)
    assert type(error) is kind
    words, _, remedy = str(error).partition("; ")
    assert words == f"service.test: the proxy refuses to connect (HTTP {status})"
    assert "credentials" in remedy
    assert not error.doubtful
    assert [request.line for request in proxy.requests] == ["CONNECT service.test:443 HTTP/1.1"]
    assert_no_token(error)


async def test_netrc_changes_no_authorisation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A .netrc entry for the host is not used; with `trust_env` it is refused in clear words."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password pw\n", encoding="utf-8")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with RawServer(PONG) as server:
        async with transport() as carrier:
            await carrier.send(request_to(server.url))
        error = await failure(server.url, trust_env=True)
    assert server.requests[0].headers["authorization"] == f"Token {TOKEN}"
    assert isinstance(error, ConfigError)
    assert ".netrc stands against the token" in str(error)


# --- failures -----------------------------------------------------------------------------------

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

FAILURES: dict[str, tuple[Reply | bytes, type[XimilarError], str]] = {
    "closed unanswered": (CLOSE, DisconnectedError, "closed unanswered"),
    "reset": (RESET, DisconnectedError, "the connection broke"),
    "head cut": (Reply((HEAD[:30],), end="close"), DisconnectedError, "closed unanswered"),
    "no answer": (HANG, TimedOutError, "no answer in time"),
    "head and silence": (Reply((HEAD,), end="hang"), TimedOutError, "no answer in time"),
    "half a body and silence": (Reply((HEAD + b"{",), end="hang"), TimedOutError, "no answer"),
    "body cut": (Reply((HEAD + b'{"a":',), end="close"), ProtocolError, "cut off"),
    "body reset": (Reply((HEAD, b"{"), pause=0.05, end="reset"), ProtocolError, "cut off"),
    "chunk cut": (Reply((CHUNKED + b'5\r\n{"a',), end="close"), ProtocolError, "cut off"),
    "bad chunk": (CHUNKED + b"zz\r\n{}\r\n", ProtocolError, "not HTTP"),
    "garbage": (b"\x00\xffNOT HTTP\r\n\r\n", ProtocolError, "not HTTP"),
    "bare JSON": (b'{"status":{"code":200}}\r\n\r\n', ProtocolError, "not HTTP"),
    "another HTTP": (b"HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n", ProtocolError, "not HTTP"),
    "bad length": (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", ProtocolError, "not HTTP"),
    "two lengths": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        ProtocolError,
        "not HTTP",
    ),
    "huge header": (http(x="a" * 100_000), ProtocolError, "not HTTP"),
    "many headers": (HEAD[:-2] + b"h: a\r\n" * 5000 + b"\r\n", ProtocolError, "not HTTP"),
    "bad gzip": (http(body=b"not gzip", content_encoding="gzip"), ProtocolError, "cut off"),
    "bad deflate": (http(body=b"\xff\xff", content_encoding="deflate"), ProtocolError, "cut off"),
}


@pytest.mark.parametrize(("reply", "kind", "words"), FAILURES.values(), ids=list(FAILURES))
async def test_a_failure_after_sending_is_doubtful(
    reply: Reply | bytes, kind: type[XimilarError], words: str
) -> None:
    """Once the request went out, any failure is ours, retryable, and marked as doubtful."""
    async with RawServer(reply) as server:
        error = await failure(server.url, HASTY if kind is TimedOutError else PATIENT)
    assert type(error) is kind
    what, _, remedy = str(error).partition("; ")
    assert words in what
    assert re.match(r"check \w|try again|wait longer", remedy)
    assert str(error).startswith(f"127.0.0.1:{server.port}: ")
    assert (error.retryable, error.doubtful) == (True, True)
    assert TOKEN in server.requests[0].headers["authorization"]  # there was something to leak
    assert_no_token(error)


def assert_no_token(error: BaseException) -> None:
    """Check that the token is nowhere in an error, nor in what hangs on it."""
    assert chain(error) == [error]
    assert TOKEN not in "".join(traceback.format_exception(error))
    assert TOKEN not in repr(error) + repr(error.args) + repr(vars(error))


async def test_slow_answers_are_bounded_by_the_total() -> None:
    """A peer that keeps dripping does not hold a call longer than the total timeout."""
    drip = Reply((HEAD, *[b" "] * 400), pause=0.02)
    async with RawServer(drip) as server:
        error = await failure(server.url, Timeout(total=0.3))
    assert isinstance(error, TimedOutError)


async def test_a_refused_connection_was_not_sent() -> None:
    """Nobody listening: the request never left, so it is free of doubt."""
    error = await failure(f"http://127.0.0.1:{free_port()}")
    assert type(error) is ConnectError
    assert "cannot connect" in str(error)
    assert not error.doubtful
    assert_no_token(error)


async def test_an_unknown_host_was_not_sent() -> None:
    """A name that cannot be resolved is told as that."""
    error = await failure("http://no-such-host.invalid")
    assert type(error) is ConnectError
    assert str(error).startswith("no-such-host.invalid: the host name cannot be resolved")
    assert_no_token(error)


@pytest.mark.parametrize("bound", ["connect", "sock_connect"])
async def test_a_connection_that_does_not_come_was_not_sent(bound: str) -> None:
    """A peer whose queue is full never accepts: that is a failed connection, not a lost answer."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003 - the socket's own signature
            waiting.connect_ex(listener.getsockname())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        error = await failure(url, Timeout(**{bound: 0.2}))
    assert type(error) is ConnectError
    assert "no connection in time" in str(error)


@pytest.mark.parametrize("host", ["a" * 70 + ".com", "a..b", "h:99999", ""])
async def test_an_address_that_cannot_be_is_a_setting(host: str) -> None:
    """What no request could ever reach is told as a wrong setting."""
    error = await failure(f"http://{host}")
    assert type(error) is ConfigError
    assert_no_token(error)


# --- the size of answers ------------------------------------------------------------------------


async def test_an_answer_of_the_largest_size_is_read() -> None:
    """The bound itself is still good."""
    async with RawServer(http(body=b" " * MAX_ANSWER_BYTES)) as server, transport() as carrier:
        assert len((await carrier.send(request_to(server.url))).body) == MAX_ANSWER_BYTES


@pytest.mark.parametrize("length", [True, False], ids=["with its length", "without end"])
async def test_an_answer_above_it_is_refused(*, length: bool) -> None:
    """A larger answer is dropped on the way in, and the message says what to ask for instead."""
    body = b" " * (MAX_ANSWER_BYTES + 1)
    endless = Reply((b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", body, body), end="hang")
    async with RawServer(http(body=body) if length else endless) as server:
        error = await failure(server.url)
    assert type(error) is AnswerTooLargeError
    assert "larger than 32 MiB; ask for fewer fields or pages" in str(error)
    assert (error.retryable, error.doubtful) == (False, True)


async def test_a_bomb_does_not_go_off() -> None:
    """A small body that unpacks to 200 MiB is refused within the memory of three good answers."""
    bomb = gzip.compress(b"\0" * 200 * MIB, compresslevel=1)
    async with RawServer(http(body=bomb, content_encoding="gzip")) as server:
        tracemalloc.start()
        try:
            error = await failure(server.url)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert "larger than 32 MiB" in str(error)
    assert peak < 3 * MAX_ANSWER_BYTES


# --- opening and closing ------------------------------------------------------------------------


async def test_nothing_is_opened_before_the_first_request() -> None:
    """A transport that was never used has nothing to close; closing twice is fine."""
    carrier = AiohttpTransport(PATIENT, direct=WAY.get())
    await carrier.aclose()
    await carrier.aclose()
    gc.collect()  # an unclosed session would warn


async def test_closing_lets_go_of_every_connection() -> None:
    """After closing, the peer sees the end of the connections that were kept."""
    async with RawServer(PONG) as server:
        async with transport() as carrier:
            await asyncio.gather(*(carrier.send(request_to(server.url)) for _ in range(3)))
            assert server.open_connections == 3
        while server.open_connections:
            await asyncio.sleep(0.01)
    gc.collect()


async def test_a_cancelled_request_leaves_no_connection_in_the_pool() -> None:
    """The half-read connection is closed; the next call gets a fresh one and its own answer."""
    async with RawServer(HANG, PONG) as server, transport(Timeout()) as carrier:
        call = asyncio.create_task(carrier.send(request_to(server.url)))
        while not server.requests:
            await asyncio.sleep(0.01)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        response = await carrier.send(request_to(server.url))
    assert response.status == 200
    assert [received.connection for received in server.requests] == [1, 2]


# --- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a self-signed certificate for 127.0.0.1, with its key in the same file."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    command = (
        f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    both = (folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes()
    (folder / "both.pem").write_bytes(both)
    return folder


def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "both.pem")
    return context


@pytest.mark.parametrize("kind", ["path", "text", "context"])
async def test_an_authority_of_ones_own_is_trusted(certificate: Path, kind: str) -> None:
    """A CA file or a context makes a private cloud's certificate good."""
    path = certificate / "cert.pem"
    settings = {"path": path, "text": str(path), "context": ssl.create_default_context(cafile=path)}
    tls = server_tls(certificate)
    async with RawServer(PONG, tls=tls) as server, transport(tls=settings[kind]) as carrier:
        assert (await carrier.send(request_to(server.url))).status == 200


async def test_an_unknown_authority_is_a_wrong_setting(certificate: Path) -> None:
    """A certificate that cannot be checked stops the call, before anything is sent."""
    async with RawServer(PONG, tls=server_tls(certificate)) as server:
        error = await failure(server.url)
    assert type(error) is TLSError
    assert "self-signed certificate" in str(error)
    assert (error.retryable, error.doubtful, server.requests) == (False, False, [])
    assert_no_token(error)


async def test_a_certificate_for_another_host_is_a_wrong_setting(certificate: Path) -> None:
    """The name in the certificate must be the host's."""
    async with RawServer(PONG, tls=server_tls(certificate)) as server:
        error = await failure(f"https://localhost:{server.port}", tls=certificate / "cert.pem")
    assert type(error) is TLSError
    assert "localhost" in str(error)
    assert server.requests == []


async def test_a_peer_without_tls_is_a_wrong_setting() -> None:
    """https:// to a port that speaks plain HTTP is told as TLS trouble."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        error = await failure(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert type(error) is TLSError


@pytest.mark.parametrize("tls", [False, True, 0, b"ca.pem"])
def test_checking_cannot_be_turned_off(tls: Any) -> None:
    """What aiohttp would take as "do not check" is refused."""
    with pytest.raises(ConfigError, match="checking certificates is never turned off"):
        make_tls(tls)


def test_a_ca_file_must_be_one(tmp_path: Path) -> None:
    """A missing file and one without certificates are named."""
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing", encoding="utf-8")
    for path in (empty, tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match=f"the CA file '{path}' cannot be used: "):
            AiohttpTransport(PATIENT, tls=path)


# --- the map of exceptions ----------------------------------------------------------------------

NOT_OF_CLIENTS = {"WebSocketError", "WSMessageTypeError", "EofStream"}
"""Raised by web sockets and by readers of request bodies, which are not used here."""

FOREIGN = {
    name: kind
    for name, kind in vars(aiohttp).items()
    if isinstance(kind, type)
    and issubclass(kind, Exception)
    and not issubclass(kind, Warning)
    and name not in NOT_OF_CLIENTS
}

KEY = aiohttp.client_reqrep.ConnectionKey("h", 1, False, True, None, None, None)  # noqa: FBT003 - aiohttp's own order


def foreign(kind: type[Exception]) -> Exception:
    """Make one of aiohttp's exceptions, with the token wherever it can hold one."""
    if issubclass(kind, aiohttp.ClientConnectorCertificateError):
        return kind(KEY, ssl.SSLCertVerificationError("bad certificate"))
    if issubclass(kind, aiohttp.ClientConnectorError):
        return kind(KEY, OSError(111, "words"))
    if issubclass(kind, aiohttp.ClientResponseError):
        info: Any = {"headers": {"authorization": f"Token {TOKEN}"}}
        return kind(info, (), message=TOKEN)
    if issubclass(kind, aiohttp.ServerFingerprintMismatch):
        return kind(b"a", b"b", "h", 1)
    if issubclass(kind, OSError):
        return kind(104, "words")
    return kind(TOKEN)


EXPECTED: dict[str, type[XimilarError]] = {
    "InvalidURL": ConfigError,
    "InvalidUrlClientError": ConfigError,
    "InvalidUrlRedirectClientError": ConfigError,
    "NonHttpUrlClientError": ConfigError,
    "NonHttpUrlRedirectClientError": ConfigError,
    "ClientSSLError": TLSError,
    "ClientConnectorSSLError": TLSError,
    "ClientConnectorCertificateError": TLSError,
    "ServerFingerprintMismatch": TLSError,
    "ClientConnectorError": ConnectError,
    "ClientConnectorDNSError": ConnectError,
    "ClientProxyConnectionError": ConnectError,
    "ConnectionTimeoutError": ConnectError,
    "ServerTimeoutError": TimedOutError,
    "SocketTimeoutError": TimedOutError,
    "ServerDisconnectedError": DisconnectedError,
    "ClientOSError": DisconnectedError,
    "ClientConnectionResetError": DisconnectedError,
    "ClientPayloadError": ProtocolError,
    "ClientResponseError": ProtocolError,
    "ClientHttpProxyError": ConnectError,
    "ContentTypeError": ProtocolError,
    "WSServerHandshakeError": ProtocolError,
    "TooManyRedirects": ProtocolError,
}
"""The rest are TransportErrors without a finer class."""


@pytest.mark.parametrize("name", FOREIGN)
def test_every_exception_of_aiohttps_client_becomes_ours(name: str) -> None:
    """Walks aiohttp's public names, so a new one shows up here; none is handed on, none leaks."""
    assert issubclass(FOREIGN[name], (aiohttp.ClientError, OSError))
    error = translate(foreign(FOREIGN[name]), request_to("http://h:1"))
    assert type(error) is EXPECTED.get(name, TransportError)
    assert str(error).startswith("h:1: ")
    assert_no_token(error)


def test_the_expectations_name_real_exceptions() -> None:
    """Nothing is expected of what aiohttp no longer has."""
    assert set(EXPECTED) <= set(FOREIGN)


@pytest.mark.parametrize(
    ("system", "kind"),
    [
        (TimeoutError(), TimedOutError),
        (TimeoutError(110, "timed out"), TimedOutError),
        (ConnectionResetError(104, "reset"), DisconnectedError),
        (BrokenPipeError(32, "broken pipe"), DisconnectedError),
        (ConnectionAbortedError(), DisconnectedError),
        (ConnectionRefusedError(111, "refused"), ConnectError),
        (OSError(24, "Too many open files"), TransportError),
        (ssl.SSLError(1, "bad record"), TransportError),
        (UnicodeError("label too long"), ConfigError),
        (ValueError("odd"), ConfigError),
    ],
    ids=repr,
)
def test_the_systems_exceptions_become_ours(
    system: BaseException, kind: type[XimilarError]
) -> None:
    """What sockets raise themselves, or a transport of one's own, has its class too."""
    assert type(translate(system, request_to("http://h:1"))) is kind


# --- what stands in the way ---------------------------------------------------------------------


@asynccontextmanager
async def answering(*parts: bytes) -> AsyncIterator[str]:
    """Yield the address of a server that answers each request with some parts, a moment apart."""
    talks: set[asyncio.Task[Any]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(2)
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                    await asyncio.sleep(0.02)
        writer.transport.abort()

    server = await asyncio.start_server(converse, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.wait(talks)


async def test_what_came_unasked_is_not_taken_for_an_answer() -> None:
    """Bytes that arrive on an idle connection cost the connection, and answer no request."""
    if not WAY.get():
        pytest.skip("ClientSession hands such a connection out again")
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    async with answering(answer, answer.replace(b"{}", b"[]")) as url, transport() as carrier:
        for _ in range(3):
            assert (await carrier.send(request_to(url))).body == b"{}"
            await asyncio.sleep(0.05)


async def test_a_change_of_protocol_is_an_answer() -> None:
    """101 is no word on the way to an answer: nothing follows it that could be waited for."""
    answer = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"
    async with answering(answer) as url, transport() as carrier:
        assert (await carrier.send(request_to(url))).status == 101


async def test_no_variable_of_a_call_that_is_cancelled_holds_the_token() -> None:
    """Error trackers print the variables of every frame, also of a request that waits."""
    headers = {"authorization": authorization(TOKEN), "content-type": "application/json"}
    async with RawServer(HANG) as server, transport() as carrier:
        with pytest.raises(TimeoutError) as caught:
            await asyncio.wait_for(carrier.send(Request("POST", server.url, headers, b"{}")), 0.1)
    for error in chain(caught.value):
        printed = traceback.TracebackException.from_exception(error, capture_locals=True)
        assert TOKEN not in "".join(printed.format())
