"""Ximilar: what a user opens, from its constructor to the bytes on the socket."""

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
import traceback
import warnings
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes import (
    HANG,
    PONG,
    TOKEN,
    RawServer,
    ScriptedTransport,
    answer,
    chain,
    free_port,
    http,
    refusal,
)

from ximilar_async import Limits, Retry, Service, Timeout, Ximilar
from ximilar_async.errors import (
    AuthError,
    ConfigError,
    ConnectError,
    RateLimitError,
    XimilarError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from ximilar_async._protocol import Request, Response

ONCE = Retry(attempts=1)


# --- opening ------------------------------------------------------------------------------------


def test_a_client_opens_nothing_by_itself() -> None:
    """Without a loop, without a network: making a client and a collection costs nothing."""
    client = Ximilar(TOKEN)
    client.collection("shoes-id", Service.FASHION)
    del client
    gc.collect()  # anything left open would warn


def test_token_and_address_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """With both variables set a client needs no argument."""
    monkeypatch.setenv("XIMILAR_TOKEN", TOKEN)
    monkeypatch.setenv("XIMILAR_URL", "http://127.0.0.1:8900/")
    assert repr(Ximilar()) == "Ximilar(base_url='http://127.0.0.1:8900')"


def test_without_a_token_there_is_no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """The missing token is told where the client is made, not at the first call."""
    monkeypatch.delenv("XIMILAR_TOKEN", raising=False)
    with pytest.raises(ConfigError, match=r"no API token: pass token=… or set .* XIMILAR_TOKEN"):
        Ximilar()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"token": "a\nb"}, "the API token has characters that no header can hold"),
        ({"token": 5}, "the token must be a string, not int"),
        ({"base_url": "api.ximilar.com"}, "base_url 'api.ximilar.com' is not an address"),
        ({"base_url": "http://u:p@h"}, "base_url takes only scheme, host, port and path"),
        ({"ssl": False}, "checking certificates is never turned off"),
        ({"limits": 3}, r"^limits must be Limits\(…\), not 3$"),
        ({"retry": None}, r"^retry must be Retry\(…\), not None$"),
        ({"timeout": 10}, r"^timeout must be Timeout\(…\), not 10$"),
        ({"trust_env": "no"}, "^trust_env must be True or False, not 'no'$"),
        ({"base_url": 5}, "base_url '5' is not an address"),
        ({"transport": 3}, r"^transport must have send\(\) and aclose\(\), as .*; int has not$"),
        ({"ssl": "/no/such/ca.pem"}, "the CA file '/no/such/ca.pem' cannot be used"),
    ],
)
def test_a_wrong_setting_is_told_at_once(arguments: dict[str, Any], words: str) -> None:
    """What cannot work fails where it is written."""
    with pytest.raises(ConfigError, match=words):
        Ximilar(**({"token": TOKEN} | arguments))


def test_a_misspelt_setting_fails() -> None:
    """The constructor takes no name that it does not know, and only the token by position."""
    make: Any = Ximilar
    with pytest.raises(TypeError, match="unexpected keyword argument 'limit'"):
        make(TOKEN, limit=3)
    with pytest.raises(TypeError, match="positional"):
        make(TOKEN, "http://h")


def test_all_settings_are_taken(tmp_path: Path) -> None:
    """Each setting of the public face has its place."""
    Ximilar(
        lambda: TOKEN,
        base_url="http://localhost:1",
        limits=Limits(concurrency=2, rate=5),
        retry=ONCE,
        timeout=Timeout(total=3),
        ssl=ssl.create_default_context(),
        trust_env=True,
    )


# --- collections --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"collection_id": 5}, "no collection: give the collection's id .*, not 5"),
        (
            {"service": 5},
            "^service must be a Service or an address prefix, not 5; known are photos",
        ),
        ({"service": None}, "^service must be a Service or an address prefix, not None"),
        ({"images": 3}, r"^images must be ImageOptions\(…\), not 3$"),
        ({"files_root": 3}, "^files_root must be a path, not 3$"),
    ],
)
def test_a_wrong_setting_of_a_collection_is_told_at_once(
    arguments: dict[str, Any], words: str
) -> None:
    """What cannot be is named where it is written, and not at the first call."""
    client: Any = Ximilar(TOKEN)
    with pytest.raises(ConfigError, match=words):
        client.collection(**({"collection_id": "c"} | arguments))


def test_collections_are_photos_unless_told_otherwise() -> None:
    """The service may be left out, and named in each of its ways."""
    client = Ximilar(TOKEN)
    assert client.collection("c").service == "similarity/photos"
    assert client.collection("c", "fashion").service == "similarity/fashion-new"
    assert client.collection("c", Service.COLORS).service == "similarity/colors"
    assert client.collection("c", "my-cloud/shoes").service == "my-cloud/shoes"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("",), "no collection: give the collection's id"),
        ((None,), "no collection: give the collection's id"),
        (("a\r\nx-evil: 1",), "characters that no header can hold"),
        (("c", "fashon"), "did you mean 'fashion'"),
        (("c", "../account"), "no address prefix"),
    ],
)
def test_a_wrong_collection_is_told_at_once(arguments: tuple[Any, ...], words: str) -> None:
    """Id and service are checked where they are written."""
    with pytest.raises(ConfigError, match=words):
        Ximilar(TOKEN).collection(*arguments)


def test_a_deprecated_service_warns_where_it_is_written() -> None:
    """The warning points to the caller's line: elsewhere Python would not even show it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        collection = Ximilar(TOKEN).collection("c", "similarity/fashion")
    (warning,) = caught
    assert (warning.category, warning.filename) == (DeprecationWarning, __file__)
    assert "use Service.FASHION ('similarity/fashion-new')" in str(warning.message)
    assert collection.service == "similarity/fashion"


async def test_collections_share_one_quota() -> None:
    """The limit is the client's: two collections together never exceed it."""

    async def step(_: Request) -> Response:
        await asyncio.sleep(0.001)
        return answer(answer_count=1)

    transport = ScriptedTransport(then=step)
    async with Ximilar(TOKEN, transport=transport, limits=Limits(concurrency=3)) as client:
        collections = [client.collection(name) for name in ("a", "b")]
        await asyncio.gather(*(collections[n % 2].get_record_count() for n in range(30)))
    assert transport.most_under_way == 3
    assert {request.headers["collection-id"] for request in transport.requests} == {"a", "b"}


# --- calls over real sockets --------------------------------------------------------------------


async def test_a_call_goes_all_the_way() -> None:
    """From a coroutine to a socket and back to a typed answer."""
    body = orjson.dumps(
        {
            "status": {"code": 200, "text": "OK"},
            "statistics": {"OperationTime": 7},
            "answer_records": [{"_id": "1", "price": 80}, {"_id": "2"}],
            "answer_distances": [1.5, 3],
            "answer_count": 2,
        }
    )
    async with RawServer(http(body=body)) as server, Ximilar(TOKEN, base_url=server.url) as client:
        shoes = client.collection("shoes-id", "fashion")
        found = await shoes.visual_knn({"_id": "9"}, k=2, filter={"price": {"$lt": 90}})
    assert [(match.id, match.distance) for match in found.matches] == [("1", 1.5), ("2", 3)]
    (received,) = server.requests
    assert received.line == "POST /similarity/fashion-new/v2/visualKNN HTTP/1.1"
    assert orjson.loads(received.body) == {
        "query_record": {"_id": "9"},
        "k": 2,
        "filter": {"price": {"$lt": 90}},
    }
    headers = ("authorization", "collection-id", "content-type")
    assert [received.headers[name] for name in headers] == [
        f"Token {TOKEN}",
        "shoes-id",
        "application/json;charset=UTF-8",
    ]


async def test_a_base64_image_of_megabytes_arrives_whole() -> None:
    """A body above 1 MiB is no special case for the caller, and brings no warning."""
    record = {"_id": "1", "_base64": "A" * 3 * 2**20}
    async with RawServer(PONG) as server, Ximilar(TOKEN, base_url=server.url) as client:
        await client.collection("c").insert([record])
    gc.collect()
    assert orjson.loads(server.requests[0].body) == {"records": [record]}


async def test_a_redirect_sends_nothing_elsewhere() -> None:
    """The other host never hears of token or records; the error says what to set."""
    async with RawServer(PONG) as elsewhere:
        redirect = http(307, b"", location=f"{elsewhere.url}/steal")
        async with RawServer(redirect) as server, Ximilar(TOKEN, base_url=server.url) as client:
            with pytest.raises(ConfigError, match="nothing was sent there: set base_url"):
                await client.collection("c").find({"a": 1})
    assert (len(server.requests), elsewhere.connections) == (1, 0)


async def test_a_dead_service_is_told_by_host() -> None:
    """Nobody there: the message names host and port."""
    port = free_port()
    async with Ximilar(TOKEN, base_url=f"http://127.0.0.1:{port}", retry=ONCE) as client:
        with pytest.raises(ConnectError, match=f"^127.0.0.1:{port}: cannot connect"):
            await client.account()


async def test_the_account_keeps_unknown_fields() -> None:
    """Credits and address have names; whatever else the service tells is in `raw`."""
    told = {"email": "a@b.c", "credits_counter": 5, "credits_limit": 9, "shoe_size": 43}
    transport = ScriptedTransport([refusal(200, orjson.dumps(told))])
    async with Ximilar(TOKEN, transport=transport) as client:
        account = await client.account()
    assert (account.email, account.credits_counter, account.credits_limit) == ("a@b.c", 5, 9)
    assert account.raw == told
    assert transport.requests[0].url == "https://api.ximilar.com/account/v2/details/"


# --- the token is nowhere -----------------------------------------------------------------------

REPLIES = {
    "refused": http(401, b'{"detail": "Invalid token."}'),
    "quoted back": http(401, orjson.dumps({"detail": f"Invalid token {TOKEN}"})),
    "garbage": b"HTP/1.1 garbage\r\n\r\n",
    "huge header": http(x="a" * 100_000),
    "page": http(502, f"<pre>Authorization: Token {TOKEN}</pre>".encode()),
    "cut": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
}


@pytest.mark.parametrize("reply", REPLIES.values(), ids=list(REPLIES))
async def test_the_token_is_nowhere_to_be_read(
    reply: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """No repr, message, attribute, chain, traceback or log of a failed call shows the token."""
    caplog.set_level(logging.DEBUG)
    async with (
        RawServer(reply) as server,
        Ximilar(TOKEN, base_url=server.url, retry=ONCE) as client,
    ):
        collection = client.collection("c")
        with pytest.raises(XimilarError) as caught:
            await collection.find({"a": 1})
        shown = [repr(client), repr(collection), repr(vars(collection)), caplog.text]
    assert server.requests[0].headers["authorization"] == f"Token {TOKEN}"
    shown += [f"{error!r} {error.args!r} {vars(error)!r}" for error in chain(caught.value)]
    shown += traceback.format_exception(caught.value)
    assert TOKEN not in "".join(shown)


def shown_variables(error: BaseException) -> list[str]:
    """Return where a traceback with variables, but for those of this file, shows the token."""
    return [
        f"{summary.filename}:{summary.lineno}: {name}"
        for one in chain(error)
        for summary in traceback.TracebackException.from_exception(one, capture_locals=True).stack
        if summary.filename != __file__
        for name, value in (summary.locals or {}).items()
        if TOKEN in value
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        {"token": f"{TOKEN}\x07"},
        {"token": TOKEN.encode()},
        {"token": [TOKEN]},
        {"base_url": "nowhere"},
        {"ssl": False},
    ],
    ids=repr,
)
def test_no_variable_of_the_constructor_shows_the_token(arguments: dict[str, Any]) -> None:
    """Error trackers print the variables of every frame: ours hold the token only in disguise."""
    with pytest.raises(ConfigError) as caught:
        Ximilar(**({"token": TOKEN} | arguments))
    assert shown_variables(caught.value) == []


def test_no_variable_shows_the_token_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken token from XIMILAR_TOKEN is no more visible than one that was passed."""
    monkeypatch.setenv("XIMILAR_TOKEN", f"{TOKEN}\x07")
    with pytest.raises(ConfigError, match="no header can hold") as caught:
        Ximilar()
    assert shown_variables(caught.value) == []


async def given_later(token: Any) -> Any:
    """Return what it is given, as a provider that has to ask first."""
    await asyncio.sleep(0)
    return token


def settled(token: Any) -> asyncio.Future[Any]:
    """Return a future that has its result, and shows it in its repr."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_result(token)
    return future


@pytest.mark.parametrize("how", [lambda token: token, given_later, settled])
@pytest.mark.parametrize("token", [f"{TOKEN}\x07", TOKEN.encode()])
async def test_no_variable_shows_what_a_provider_gave(how: Any, token: Any) -> None:
    """What a provider returns and cannot be a token is not shown either."""
    async with Ximilar(lambda: how(token), transport=ScriptedTransport()) as client:
        with pytest.raises(ConfigError) as caught:
            await client.account()
    assert shown_variables(caught.value) == []


@pytest.mark.parametrize("reply", [*REPLIES.values(), HANG], ids=[*REPLIES, "nothing"])
async def test_no_variable_of_a_failed_call_shows_the_token(reply: Any) -> None:
    """Neither a call that the service fails nor one that cannot be sent shows the token."""
    brief = Timeout(total=0.2)
    async with (
        RawServer(reply) as server,
        Ximilar(TOKEN, base_url=server.url, retry=ONCE, timeout=brief) as client,
    ):
        with pytest.raises(XimilarError) as failed:
            await client.collection("c").find({"a": 1})
        with pytest.raises(XimilarError) as unsent:
            await client.collection("c").find({"a": float("nan")})
    assert shown_variables(failed.value) + shown_variables(unsent.value) == []


# --- loops and closing --------------------------------------------------------------------------


def test_a_client_belongs_to_one_loop() -> None:
    """Use from a second event loop is told in clear words."""
    client = Ximilar(TOKEN, transport=ScriptedTransport(then=answer(answer_count=1)))
    collection = client.collection("c")
    assert asyncio.run(collection.get_record_count()).count == 1
    with pytest.raises(ConfigError, match=r"belongs to another event loop; open one .* per loop"):
        asyncio.run(collection.get_record_count())


async def test_a_closed_client_says_so() -> None:
    """After `async with` calls fail in clear words; closing again is fine."""
    transport = ScriptedTransport()
    async with Ximilar(TOKEN, transport=transport) as client:
        collection = client.collection("c")
    await client.aclose()
    with pytest.raises(ConfigError, match="this client is closed; open a new Ximilar client"):
        await collection.ping()
    with pytest.raises(ConfigError, match="this client is closed"):
        await client.account()
    assert transport.requests == []


async def test_leaving_closes_connections_also_after_an_error() -> None:
    """An exception in the block leaves nothing open, and is not swallowed."""
    async with RawServer(PONG) as server:
        with pytest.raises(ZeroDivisionError):
            await _fail_inside(server.url)
        while server.open_connections:
            await asyncio.sleep(0.01)
    gc.collect()


async def _fail_inside(url: str) -> None:
    async with Ximilar(TOKEN, base_url=url) as client:
        await client.collection("c").ping()
        raise ZeroDivisionError


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"


@pytest.mark.parametrize("reply", [HANG, HALF], ids=["no answer", "half an answer"])
async def test_closing_ends_calls_under_way(reply: Any) -> None:
    """A call whose client is closed under it fails at once, and is not sent again."""
    async with RawServer(reply) as server:
        client = Ximilar(TOKEN, base_url=server.url, timeout=Timeout(total=None, sock_read=None))
        call = asyncio.create_task(client.collection("c").find({}))
        while not server.requests:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        await client.aclose()
        with pytest.raises(ConfigError, match="this client is closed"):
            await call
    assert len(server.requests) == 1


# --- a provider of tokens -----------------------------------------------------------------------


async def test_a_provider_rotates_the_token() -> None:
    """When the service answers 401 the provider is asked once more, and the call goes on."""
    given = iter(["old", "new"])
    transport = ScriptedTransport([refusal(401), answer(answer_count=1)], answer(answer_count=2))
    async with Ximilar(lambda: next(given), transport=transport) as client:
        collection = client.collection("c")
        assert (await collection.get_record_count()).count == 1
        assert (await collection.get_record_count()).count == 2
    assert transport.tokens == ["old", "new", "new"]


async def test_a_wrong_token_says_what_to_check() -> None:
    """The first thing a newcomer gets wrong has a message that helps."""
    transport = ScriptedTransport([refusal(401, b'{"detail": "Invalid token."}')])
    async with Ximilar(TOKEN, transport=transport) as client:
        with pytest.raises(AuthError, match=r"401 Invalid token.*check the API token \(XIMILAR_TO"):
            await client.account()


async def test_limits_of_the_service_reach_the_caller() -> None:
    """A wait that is too long to sit out is the caller's to decide about."""
    transport = ScriptedTransport([refusal(429, retry_after="300")])
    async with Ximilar(TOKEN, transport=transport) as client:
        with pytest.raises(RateLimitError) as caught:
            await client.collection("c").ping()
    assert caught.value.retry_after == 300
