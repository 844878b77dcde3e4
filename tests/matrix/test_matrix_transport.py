"""The fault matrix, what the network and a broken peer do: a bulk run through each of it.

Behind the peer an emulator stores for real, so every row compares what the run tells with what is
there. `conftest.py` sees to what holds in every row.
"""

from __future__ import annotations

import asyncio
import gzip
import shutil
import ssl
import subprocess
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from brittle import Brittle, Mishap, instead, to
from fakes import (
    CLOSE,
    HANG,
    PONG,
    RESET,
    RawServer,
    Reply,
    chunked,
    cut_off,
    dripping,
    free_port,
    http,
)

from ximilar_async import Retry, Timeout, Ximilar, bulk
from ximilar_async.bulk import Stop

if TYPE_CHECKING:
    from collections.abc import Callable

    from matrix_row import Row

    from ximilar_async.bulk import Job

SOME = {2, 4}
"""The inserts that meet a mishap, of the six that 60 records take."""
COUNT = 60
IDS = {f"r{n}" for n in range(COUNT)}
HASTY = Timeout(total=1.0)
"""Long enough for an answer on a busy machine, too short for one that never ends."""
SHORT = Retry(attempts=5, base=0.01, throttled_base=0.01, cap=0.05, deadline=0.4)
"""Quick retries, and no patience with an outage."""
PAGE = http(200, b"<html><body>Please log in</body></html>", content_type="text/html")
GATEWAY = http(502, b"<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")


def records() -> list[dict[str, Any]]:
    return [{"_id": f"r{n}", "_url": f"https://example.com/{n}.jpg", "n": n} for n in range(COUNT)]


def insertion(client: Ximilar, row: Row, **settings: Any) -> Job:
    return bulk.insert(client.collection("c"), records(), options=row.options(**settings))


# --- answers that are lost or spoilt, now and then ----------------------------------------------


def _encoded(encoding: str, pack: Callable[[bytes], bytes]) -> bytes:
    """Return an answer that takes a few kilobytes and unpacks to 40 MiB."""
    return http(body=pack(b" " * 40 * 2**20), content_encoding=encoding)


MISHAPS: dict[str, Mishap] = {
    "reset before the body was read": instead(RESET, unread=True),
    "reset before apply": instead(RESET, apply=False),
    "reset after apply": instead(RESET),
    "closed before apply": instead(CLOSE, apply=False),
    "closed after apply": instead(CLOSE),
    "head cut": Mishap(lambda answer: Reply((answer[:20],), end="close")),
    "payload cut": Mishap(cut_off),
    "payload reset": Mishap(lambda answer: cut_off(answer, end="reset")),
    "chunk cut": Mishap(lambda answer: Reply((chunked(answer, b'ff\r\n{"status"'),), end="close")),
    "chunked garbage": Mishap(lambda answer: chunked(answer, b"zz\r\n{}\r\n")),
    "truncated JSON": Mishap(lambda answer: http(body=answer.partition(b"\r\n\r\n")[2][:-9])),
    "JSON of another kind": instead(http(body=b'["inserted"]')),
    "deep JSON": instead(http(body=b"[" * 100_000)),
    "not UTF-8": instead(http(body=b'{"status": {"code": 210, "text": "\xff\xfe"}}')),
    "slowloris": Mishap(dripping),
    "hang before apply": instead(HANG, apply=False),
    "hang after apply": instead(HANG),
    "hang amid the answer": Mishap(lambda answer: Reply((answer[:-9],), end="hang")),
    "stale keep-alive": Mishap(lambda answer: Reply((answer,), end="close")),
    "garbage status line": instead(b"\x00\xff 200 NOT HTTP\r\n\r\n"),
    "no status line": instead(b'{"status":{"code":210}}\r\n\r\n'),
    "HTTP of another age": instead(b"HTTP/3 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "two lengths": instead(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "header injection in the answer": Mishap(
        lambda answer: answer.replace(b"\r\n\r\n", b"\r\nX: a\nSet-Cookie: b\r\n\r\n", 1)
    ),
    "a header without end": instead(http(x="a" * 100_000)),
    "HTML 502 before apply": instead(GATEWAY, apply=False),
    "HTML 502 after apply": instead(GATEWAY),
    "HTML 200 before apply": instead(PAGE, apply=False),
    "HTML 200 after apply": instead(PAGE),
    "empty 200 before apply": instead(http(body=b""), apply=False),
    "empty 200 after apply": instead(http(body=b"")),
    "no content": instead(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "empty 500": instead(http(500, b"")),
    "response bomb, gzip": instead(_encoded("gzip", lambda data: gzip.compress(data, 1))),
    "response bomb, deflate": instead(_encoded("deflate", lambda data: zlib.compress(data, 1))),
    "response without end": instead(
        Reply((b"HTTP/1.1 200 OK\r\n\r\n", *[b" " * 2**20] * 40), end="hang")
    ),
    "encoding that was not asked for": instead(http(body=b"\x1b\x00", content_encoding="br")),
    "encoding that is a lie": instead(http(body=b"{}", content_encoding="gzip")),
}


@pytest.mark.parametrize("name", MISHAPS)
async def test_some_answers_are_lost_or_spoilt(row: Row, name: str) -> None:
    """Whether it was applied or not, in the end all records are stored and told to be."""
    async with (
        Brittle(to("insert", SOME, MISHAPS[name])) as service,
        row.client(service.url, timeout=HASTY) as client,
    ):
        report = await row.run(insertion(client, row))
        assert service.spoilt == len(SOME)
        assert await service.stored() == IDS
    assert (report.read, report.inserted, report.stop) == (COUNT, COUNT, None)
    row.agree(IDS)


@pytest.mark.parametrize("name", ["reset after apply", "HTML 200 after apply", "hang after apply"])
async def test_records_of_others_are_not_claimed(row: Row, name: str) -> None:
    """With exact attribution a record that was there with the same fields is `already_present`."""
    before = {f"r{n}" for n in range(0, COUNT, 7)}
    async with Brittle(to("insert", SOME, MISHAPS[name])) as service:
        async with Ximilar("other", transport=service.transport()) as other:
            old = [record for record in records() if record["_id"] in before]
            await other.collection("c").insert(old)
        async with row.client(service.url, timeout=HASTY) as client:
            report = await row.run(insertion(client, row, attribution="exact"))
        stored = await service.stored()
    assert (report.inserted, report.already_present) == (COUNT - len(before), len(before))
    row.agree(stored, before=before)


@pytest.mark.parametrize("name", ["reset after apply", "HTML 200 after apply", "hang after apply"])
async def test_every_answer_is_lost(row: Row, name: str) -> None:
    """Nothing that was stored is told to be missing, nothing is sent without end."""
    async with (
        Brittle(to("insert", None, MISHAPS[name])) as service,
        row.client(service.url, timeout=HASTY) as client,
    ):
        report = await row.run(insertion(client, row, retry=SHORT))
        stored = await service.stored()
        assert service.sent("insert") < 3 * COUNT
    assert report.rejected == report.already_present == 0
    row.agree(stored)


OPERATIONS: dict[str, tuple[Callable[..., Job], str, str]] = {
    "near_dups_insert": (bulk.near_dups_insert, "nearDupsInsert", "inserted"),
    "update": (bulk.update, "update", "updated"),
    "delete": (bulk.delete, "delete", "deleted"),
    "get": (bulk.get, "get", "found"),
}


@pytest.mark.parametrize(
    "name", ["reset before apply", "reset after apply", "payload cut", "HTML 200 after apply"]
)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_every_operation_bears_it(row: Row, operation: str, name: str) -> None:
    """Not only inserts: what was done is told to be done, once, for every record.

    A delete whose answer was lost finds its records gone, and says that this is how it knows.
    """
    run, method, outcome = OPERATIONS[operation]
    async with Brittle(to(method, SOME, MISHAPS[name])) as service:
        if operation != "near_dups_insert":
            async with Ximilar("other", transport=service.transport()) as other:
                await bulk.insert(other.collection("c"), records())
        wanted = [{**record, "n": -1} for record in records()]
        async with row.client(service.url) as client:
            report = await row.run(run(client.collection("c"), wanted, options=row.options()))
        assert service.spoilt >= len(SOME)
        stored = await service.records()
    gone = [result for result in row.results if "it is gone; an earlier answer" in result.reason]
    lost = operation == "delete" and name != "reset before apply"
    assert len(gone) == (10 * len(SOME) if lost else 0)
    assert (getattr(report, outcome), report.read, report.stop) == (COUNT, COUNT, None)
    assert set(stored) == (set() if operation == "delete" else IDS)
    if operation in ("near_dups_insert", "update"):
        assert {record["n"] for record in stored.values()} == {-1}


# --- no connection ------------------------------------------------------------------------------


async def test_refused(row: Row) -> None:
    """Nobody listens: the run ends as an outage, nothing is doubtful, all can be sent later."""
    async with row.client(f"http://127.0.0.1:{free_port()}") as client:
        report = await row.run(insertion(client, row, retry=SHORT))
    assert (report.stop, report.exit_code) == (Stop.OUTAGE, 5)
    assert report.not_attempted == report.read > 0


async def test_refused_for_a_while(row: Row) -> None:
    """A service that comes up after the run began gets every record; nobody has to start again."""
    port = free_port()
    async with row.client(f"http://127.0.0.1:{port}") as client:
        job = insertion(client, row)
        running = asyncio.create_task(row.run(job))
        while not job.stats.requests:
            await asyncio.sleep(0.01)
        async with Brittle(lambda *_: None, port=port) as service:
            report = await running
            assert await service.stored() == IDS
    assert (report.inserted, report.stop) == (COUNT, None)
    row.agree(IDS)


async def test_dns(row: Row) -> None:
    """A name that nobody knows is an outage too: resolvers come back."""
    async with row.client("http://no-such-host.invalid") as client:
        report = await row.run(insertion(client, row, retry=SHORT))
    assert (report.stop, report.exit_code) == (Stop.OUTAGE, 5)
    assert "no-such-host.invalid" in report.stop_reason
    assert report.not_attempted == report.read > 0


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Return a server's context with a certificate that nobody has signed."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl command to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    command = (
        f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


async def test_tls_wrong(row: Row, tls: ssl.SSLContext) -> None:
    """Nothing is sent, nothing repeated: the run ends at once and says what is wrong."""
    async with Brittle(lambda *_: None, tls=tls) as service:
        async with row.client(service.url) as client:
            report = await row.run(insertion(client, row))
        assert (service.server.requests, await service.stored()) == ([], set())
    assert (report.stop, report.exit_code) == (Stop.CONFIGURATION, 2)
    assert "certificate" in report.stop_reason
    assert report.not_attempted == report.read > 0
    row.agree([])


async def test_tls_where_there_is_none(row: Row) -> None:
    """https:// to a port that speaks plain HTTP is the same mistake."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with row.client(f"https://127.0.0.1:{port}") as client:
            report = await row.run(insertion(client, row))
    assert (report.stop, report.exit_code) == (Stop.CONFIGURATION, 2)
    assert report.not_attempted == report.read > 0


# --- redirects and proxies ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects(row: Row, status: int) -> None:
    """They are not followed; neither record nor token goes there; the run ends at once."""
    async with RawServer(PONG) as elsewhere:
        redirect = instead(http(status, b"", location=f"{elsewhere.url}/x"), apply=False)
        async with (
            Brittle(to("insert", None, redirect)) as service,
            row.client(service.url) as client,
        ):
            report = await row.run(insertion(client, row))
            assert await service.stored() == set()
            assert service.sent("insert") <= 4
        assert elsewhere.connections == 0
    assert (report.stop, report.exit_code) == (Stop.CONFIGURATION, 2)
    assert report.not_attempted == report.read > 0
    row.agree([])


async def test_proxy_variables(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment diverts no request: what it names sees neither records nor token."""
    async with RawServer(PONG) as proxy, Brittle(lambda *_: None) as service:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.upper(), proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with row.client(service.url) as client:
            report = await row.run(insertion(client, row))
        assert await service.stored() == IDS
        assert proxy.connections == 0
    assert report.inserted == COUNT
    row.agree(IDS)
