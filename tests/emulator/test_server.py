"""The door over a socket: real HTTP, whatever is sent."""

from __future__ import annotations

import asyncio
import gzip
import io
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from emulated import HEADERS, PlaneExtractor, at, ids, pixels

from ximilar_async.emulator import Emulator, EmulatorError, Fault
from ximilar_async.emulator.server import Server
from ximilar_async.emulator.settings import MAX_BODY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATH = "/similarity/photos/v2/"


def plane(**settings: Any) -> Emulator:
    return Emulator(extractor=PlaneExtractor(), **settings)


@asynccontextmanager
async def connected(**settings: Any) -> AsyncIterator[aiohttp.ClientSession]:
    async with plane(**settings) as emulator:
        base = emulator.url
        async with aiohttp.ClientSession(base, headers=HEADERS) as session:
            yield session


async def test_requests_over_one_connection() -> None:
    """Insert and search work over a socket; the connection is kept between requests."""
    async with plane() as emulator:
        connector = aiohttp.TCPConnector(limit=1, force_close=False)
        async with aiohttp.ClientSession(
            emulator.url, headers=HEADERS, connector=connector
        ) as session:
            records = [{"_id": str(x), "_url": at(x)} for x in range(5)]
            async with session.post(PATH + "insert", json={"records": records}) as response:
                assert (response.status, response.content_type) == (200, "application/json")
                assert (await response.json())["status"]["code"] == 210
            body = {"query_record": {"_base64": pixels(3)}, "k": 1}
            async with session.post(PATH + "visualKNN", json=body) as response:
                assert ids(await response.json()) == ["3"]
            async with session.get(PATH + "getRecordCount") as response:
                assert (await response.json())["answer_count"] == 5
                connection = response.connection
            assert connection is None or connection.protocol is not None


async def test_links_lead_to_this_server() -> None:
    """A `next` link names the host that was asked, and can be followed."""
    async with connected() as session:
        records = [{"_id": str(x), "_url": at(x)} for x in range(3)]
        await session.post(PATH + "insert", json={"records": records})
        async with session.post(PATH + "allRecords?size=2&page=1") as response:
            link = (await response.json())["next"]
        async with session.post(link) as response:
            assert ids(await response.json()) == ["2"]


@pytest.mark.parametrize("code", [210, 213, 411, 404])
async def test_mirrored_status_over_http(code: int) -> None:
    """Every code of the documents travels as HTTP status, with its body."""
    bodies: dict[int, tuple[str, list[str]]] = {
        210: ("insert", ["2"]),
        213: ("get", ["1", "9"]),
        411: ("insert", ["1"]),
        404: ("get", ["9"]),
    }
    method, wanted = bodies[code]
    async with connected(mirror_status=True) as session:
        one = {"records": [{"_id": "1", "_url": at(1)}]}
        await session.post(PATH + "insert", json=one)
        body = {"records": [{"_id": id_, "_url": at(2)} for id_ in wanted]}
        async with session.post(PATH + method, json=body) as response:
            assert response.status == code
            assert (await response.json())["status"]["code"] == code


async def test_large_bodies() -> None:
    """Bodies up to the limit are taken, beyond it 413, told by length or counted, packed or not."""
    async with connected() as session:
        large = orjson.dumps({"records": [{"_id": "1", "_url": at(1), "note": "x" * 3_000_000}]})
        async with session.post(PATH + "insert", data=io.BytesIO(large)) as response:
            assert (await response.json())["status"]["code"] == 210

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(MAX_BODY // 2**20 + 1):
                yield b" " * 2**20

        bomb = gzip.compress(b" " * (MAX_BODY + 1), 1)
        for data, headers in [(pieces(), {}), (io.BytesIO(bomb), {"Content-Encoding": "gzip"})]:
            async with session.post(PATH + "insert", data=data, headers=headers) as response:
                assert response.status == 413
                assert (await response.json())["status"]["code"] == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_bodies_that_are_not_what_they_say(encoding: str) -> None:
    """A body that cannot be unpacked is 400, and the server goes on."""
    async with connected() as session:
        headers = {"Content-Encoding": encoding}
        async with session.post(PATH + "ping", data=b"garbage!", headers=headers) as response:
            assert response.status == 400
            assert "Traceback" not in await response.text()
        async with session.post(PATH + "ping") as response:
            assert response.status == 200


async def raw(url: str, data: bytes) -> bytes:
    """Send bytes as they are; return the first that comes back."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(data)
    await writer.drain()
    answer = await asyncio.wait_for(reader.read(2**16), 30)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_a_length_over_the_limit_is_refused_unread() -> None:
    """413 comes before the body does."""
    async with plane() as emulator:
        head = f"POST {PATH}insert HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY + 1}\r\n\r\n"
        answer = await raw(emulator.url, head.encode())
        assert answer.startswith(b"HTTP/1.1 413 ")


async def test_expect_continue() -> None:
    """A client that asks before it sends (as curl does with large bodies) is told to go on."""
    async with plane() as emulator:
        host, port = emulator.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"POST {PATH}ping HTTP/1.1\r\nHost: x\r\nAuthorization: Token t\r\n"
            "Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n".encode()
        )
        line = await asyncio.wait_for(reader.readline(), 30)
        assert line == b"HTTP/1.1 100 Continue\r\n"
        writer.write(b"{}")
        assert b'"code":200' in await asyncio.wait_for(reader.read(), 30)
        writer.close()


async def test_garbage_gets_no_traceback() -> None:
    """What is not HTTP is answered 400 without anything of the code."""
    async with plane() as emulator:
        answer = await raw(emulator.url, b"\x16\x03\x01 garbage\r\n\r\n")
        assert answer.startswith(b"HTTP/1.0 400 ")
        assert b"Traceback" not in answer
        assert b".py" not in answer


async def test_a_fault_cuts_the_socket() -> None:
    """A planned cut ends the connection without a byte of answer; the work was done."""
    plans = iter([Fault(disconnect=True), None])
    async with connected(faults=lambda *_: next(plans)) as session:
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.post(PATH + "insert", json={"records": [{"_id": "1", "_url": at(1)}]})
        async with session.get(PATH + "getRecordCount") as response:
            assert (await response.json())["answer_count"] == 1


async def test_a_port_in_use_is_named() -> None:
    """Opening at a port that is taken fails with host, port and what to do."""
    async with plane() as emulator:
        port = int(emulator.url.rsplit(":", 1)[1])
        with pytest.raises(EmulatorError, match=rf"127\.0\.0\.1:{port} is in use .*choose another"):
            async with plane(port=port):
                pass


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 0), ("127.0.0.1", 70000)])
async def test_an_address_that_cannot_be_had_is_named(host: str, port: int) -> None:
    """An address of another machine, or a port that is none, is named."""
    with pytest.raises(EmulatorError, match=rf"cannot listen on {host}:{port}"):
        async with plane(host=host, port=port):
            pass


async def test_it_listens_on_loopback_alone() -> None:
    """Unless told otherwise no other machine reaches the emulator."""
    async with plane() as emulator:
        assert emulator.url.startswith("http://127.0.0.1:")
    async with plane(host="0.0.0.0") as emulator:
        assert emulator.url.startswith("http://127.0.0.1:")


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
async def test_an_ipv6_address_is_bracketed() -> None:
    """The address of an IPv6 host can be used as it is."""
    try:
        async with plane(host="::1") as emulator:
            assert emulator.url.startswith("http://[::1]:")
            async with (
                aiohttp.ClientSession(emulator.url, headers=HEADERS) as session,
                session.get(PATH + "ping") as response,
            ):
                assert response.status == 200
    except EmulatorError as error:
        pytest.skip(f"no IPv6 loopback here: {error}")


async def test_closing_finishes_what_is_under_way() -> None:
    """A request that was being answered when the emulator closes gets its answer."""
    emulator = plane(latency=0.3)
    async with emulator, aiohttp.ClientSession(emulator.url, headers=HEADERS) as session:
        task = asyncio.ensure_future(session.get(PATH + "ping"))
        await asyncio.sleep(0.1)
        await emulator.aclose()
        response = await task
        assert (await response.json())["status"]["code"] == 200
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(PATH + "ping")


async def test_a_server_that_is_not_open_has_no_address() -> None:
    """Asking for the address too early says what to do."""
    async with plane() as emulator:
        server = Server(emulator._opened().service, "127.0.0.1", 0)
        with pytest.raises(EmulatorError, match="async with Emulator"):
            _ = server.url
