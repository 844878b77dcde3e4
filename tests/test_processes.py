"""Sender processes: the promises of the transport, and what happens when one of them dies."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import json
import os
import signal
import ssl
import struct
import subprocess
import sys
import termios
import traceback
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes import HANG, PONG, TOKEN, RawServer, Reply, chain, free_port, http
from naming import by_value
from test_transport import FAILURES, HASTY, PATIENT, request_to

from ximilar_async import Limits, Ximilar, bulk
from ximilar_async._config import Timeout
from ximilar_async._processes import ProcessTransport
from ximilar_async._processes._sender import Sender
from ximilar_async._protocol import Request
from ximilar_async._transport import MAX_ANSWER_BYTES, AiohttpTransport
from ximilar_async.emulator import Emulator
from ximilar_async.errors import (
    AnswerTooLargeError,
    ConfigError,
    DisconnectedError,
    TimedOutError,
    TLSError,
    XimilarError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ximilar_async._transport import Transport

MIB = 2**20


@asynccontextmanager
async def processes(
    number: int = 1, bounds: Timeout = PATIENT, **settings: Any
) -> AsyncIterator[ProcessTransport]:
    carrier = ProcessTransport(number, bounds, **settings)
    try:
        yield carrier
    finally:
        await carrier.aclose()


async def told(carrier: Transport, request: Request) -> tuple[Any, ...]:
    """Return all that a caller sees of a failed request."""
    with pytest.raises(XimilarError) as caught:
        await carrier.send(request)
    error = caught.value
    assert_no_token(error)
    return type(error), str(error), error.retryable, error.doubtful


def assert_no_token(error: BaseException) -> None:
    """Check that the token is neither in an error nor in a variable of a frame that it shows."""
    assert chain(error) == [error]
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    assert TOKEN not in "".join(shown.format())


def is_running(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")")[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def is_known(pid: int) -> bool:
    """Tell whether a process is there, be it a zombie."""
    return Path(f"/proc/{pid}").exists()


def of_process(pid: int, what: str) -> bytes:
    return Path(f"/proc/{pid}/{what}").read_bytes()


def descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


def children() -> set[int]:
    """Return the processes that this one has begun, zombies too; other tests may have some."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found.add(int(folder.name))
    return found


async def until_gone(*pids: int) -> None:
    async with asyncio.timeout(30):
        while any(map(is_running, pids)):
            await asyncio.sleep(0.01)


async def ready(carrier: ProcessTransport, url: str, *but: int) -> list[int]:
    """Send until all processes take requests, none of them one of these; return their ids."""
    async with asyncio.timeout(60):
        while {*but} & {*carrier.pids}:
            await asyncio.sleep(0.01)
        await carrier.send(request_to(url))
        while not all(sender.link for sender in carrier._senders):
            await asyncio.sleep(0.01)
    return carrier.pids


def silent(received: Any) -> Reply | bytes:
    """Answer everything but a body that asks for silence."""
    return HANG if received.body == b"hang" else PONG


# --- the same as in one process -----------------------------------------------------------------


async def test_requests_and_answers_travel_whole() -> None:
    """Verb, address, headers and bodies are those that a transport in this process carries."""
    body = b'{"a":"' + "\u017elut\u00fd".encode() + b'"}'
    reply = http(210, b'{"k":1}', retry_after="7", x_twice="1\r\nX-Twice: 2")
    seen, answers = [], []
    for carrier in (AiohttpTransport(PATIENT), ProcessTransport(1, PATIENT)):
        async with RawServer(reply) as server:
            for verb, content in (("POST", body), ("GET", b""), ("POST", body)):
                answer = await carrier.send(request_to(server.url, content, verb))
                got = {name: answer.headers.get(name) for name in ("retry-after", "x-twice", "no")}
                answers.append((answer.status, answer.body, got))
            host = f"127.0.0.1:{server.port}"
            seen.append([(r.line, r.headers | {"host": ""}, r.body) for r in server.requests])
            assert all(r.headers["host"] == host for r in server.requests)
        await carrier.aclose()
    assert seen[0] == seen[1]
    assert answers[:3] == answers[3:]
    assert answers[0] == (210, b'{"k":1}', {"retry-after": "7", "x-twice": "1", "no": None})


async def test_requests_of_more_kinds_than_are_known_at_a_time_arrive() -> None:
    """Addresses and headers are told once and then by number; none is ever taken for another."""
    heads = [{"authorization": "Token t", "collection-id": str(number)} for number in range(250)]
    numbers = [*range(250), *range(0, 250, 7)]
    async with RawServer(PONG) as server, processes() as carrier:
        for number in numbers:
            await carrier.send(Request("POST", f"{server.url}/{number}", heads[number], b"{}"))
    assert [(r.line, r.headers["collection-id"]) for r in server.requests] == [
        (f"POST /{number} HTTP/1.1", str(number)) for number in numbers
    ]


@pytest.mark.parametrize("hasty", [False, True], ids=["patient", "hasty"])
async def test_every_failure_is_told_as_in_one_process(*, hasty: bool) -> None:
    """Class, words, `retryable` and `doubtful` are those of a transport in this process."""
    bounds = HASTY if hasty else PATIENT
    found: list[dict[str, Any]] = []
    for carrier in (AiohttpTransport(bounds), ProcessTransport(1, bounds)):
        seen = {}
        for name, (reply, kind, words) in FAILURES.items():
            if (kind is TimedOutError) is not hasty:
                continue
            async with RawServer(reply) as server:
                port, seen[name] = server.port, await told(carrier, request_to(server.url))
            assert seen[name][0] is kind
            assert words in seen[name][1]
            seen[name] = (
                *seen[name][:1],
                seen[name][1].replace(str(port), "PORT"),
                *seen[name][2:],
            )
        found.append(seen)
        await carrier.aclose()
    assert found[0] == found[1]


UNREACHABLE = (
    "http://no-such-host.invalid",
    "http://a..b",
    "http://h:99999",
    "http://",
    "ftp://localhost",
)


async def test_every_address_that_cannot_be_reached_is_told_as_in_one_process() -> None:
    """What fails before a connection stands is told in the same words."""
    urls = (*UNREACHABLE, f"http://127.0.0.1:{free_port()}")
    async with processes() as carrier:
        theirs = [await told(carrier, request_to(url)) for url in urls]
    here = AiohttpTransport(PATIENT)
    assert theirs == [await told(here, request_to(url)) for url in urls]
    await here.aclose()


@pytest.mark.parametrize("headers", [{"a": "\udc80"}, {"a": "b\r\nc: d"}], ids=repr)
async def test_headers_that_cannot_be_sent_are_a_setting(headers: dict[str, Any]) -> None:
    """Headers that no request can have are refused, and the process lives on."""
    async with RawServer(PONG) as server, processes() as carrier:
        bad = Request("POST", f"{server.url}/x", {"authorization": f"Token {TOKEN}", **headers})
        assert (await told(carrier, bad))[0] is ConfigError
        assert (await carrier.send(request_to(server.url))).status == 200
        assert server.requests[0].headers["authorization"] == f"Token {TOKEN}"


async def test_headers_that_are_not_utf8_are_readable() -> None:
    """Whatever bytes a server puts into its headers, its answer arrives."""
    reply = http(x_odd="ODD").replace(b"ODD", b"a\xff\x80b")
    async with RawServer(reply) as server, processes() as carrier:
        answer = await carrier.send(request_to(server.url))
    assert answer.status == 200
    assert answer.headers["x-odd"] == "a??b"


@pytest.mark.parametrize("size", [0, 1, 2**16 + 1, 20 * MIB])
async def test_bodies_of_any_size_arrive_whole(size: int) -> None:
    """Bodies larger than any buffer on their way arrive byte for byte, several at a time."""
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    async with RawServer(PONG) as server, processes() as carrier:
        await asyncio.gather(*(carrier.send(request_to(server.url, body)) for _ in range(3)))
    assert [received.body == body for received in server.requests] == [True] * 3


async def test_the_largest_answer_is_read_and_a_larger_one_refused() -> None:
    """The bound of one process holds here too; small answers beside a large one are not lost."""
    large, larger = (http(body=b"x" * (MAX_ANSWER_BYTES + more)) for more in (0, 1))

    def reply(received: Any) -> bytes:
        return {b"1": large, b"2": larger}.get(received.body, PONG)

    async with RawServer(reply) as server, processes() as carrier:
        sends = [carrier.send(request_to(server.url, body)) for body in (b"1", b"2", b"3", b"4")]
        first, second, *others = await asyncio.gather(*sends, return_exceptions=True)
    assert first.body == b"x" * MAX_ANSWER_BYTES
    assert type(second) is AnswerTooLargeError
    assert [other.status for other in others] == [200, 200]


async def test_a_link_that_is_full_makes_callers_wait() -> None:
    """While a process is behind with large bodies, no more than a few wait in memory."""
    body = b"x" * 4 * MIB
    async with RawServer(PONG) as server, processes() as carrier:
        await carrier.send(request_to(server.url))
        (pid,) = carrier.pids
        os.kill(pid, signal.SIGSTOP)
        sends = [asyncio.create_task(carrier.send(request_to(server.url, body))) for _ in range(9)]
        await asyncio.sleep(0.1)
        (sender,) = carrier._senders
        assert len(sender.waiting) == 1
        os.kill(pid, signal.SIGCONT)
        assert {answer.status for answer in await asyncio.gather(*sends)} == {200}


async def test_the_environments_proxy_counts_only_when_asked_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`trust_env` is handed on."""
    async with RawServer(PONG) as server, RawServer(PONG) as proxy:
        for name in ("http_proxy", "HTTP_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        for trust in (False, True):
            async with processes(trust_env=trust) as carrier:
                await carrier.send(request_to(server.url))
    assert (len(server.requests), len(proxy.requests)) == (1, 1)


async def test_timeouts_are_handed_on() -> None:
    """A total bound ends a request that drips."""
    drip = Reply((b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b" "] * 400), pause=0.02)
    async with RawServer(drip) as server, processes(bounds=Timeout(total=0.3)) as carrier:
        assert (await told(carrier, request_to(server.url)))[0] is TimedOutError


# --- TLS ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a self-signed certificate for 127.0.0.1, with its key in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
        "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem"
    )
    try:
        subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("needs the openssl command to make a certificate")
    return folder


async def test_a_ca_file_is_handed_on_by_its_path(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private cloud's certificate is good with its CA file, and refused without."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    monkeypatch.chdir(certificate)
    async with RawServer(PONG, tls=context) as server:
        async with processes(tls="cert.pem") as carrier:
            monkeypatch.chdir("/")  # a relative path means the folder in which it was given
            assert (await carrier.send(request_to(server.url))).status == 200
        async with processes() as carrier:
            theirs = await told(carrier, request_to(server.url))
            assert theirs[0] is TLSError
            assert "self-signed certificate" in theirs[1]


@pytest.mark.parametrize(
    ("number", "settings", "words"),
    [
        (0, {}, "processes must be a whole number of at least 1, not 0"),
        (True, {}, "processes must be a whole number of at least 1, not True"),
        ("2", {}, "processes must be a whole number of at least 1, not '2'"),
        (1, {"tls": ssl.create_default_context()}, "give ssl the path of a CA file"),
        (1, {"tls": "missing.pem"}, "the CA file 'missing.pem' cannot be used"),
        (1, {"tls": False}, "checking certificates is never turned off"),
    ],
    ids=by_value,
)
def test_a_setting_that_cannot_work_is_told_at_once(
    number: Any, settings: dict[str, Any], words: str
) -> None:
    """Nothing is started to find out that it cannot be."""
    with pytest.raises(ConfigError, match=words):
        ProcessTransport(number, PATIENT, **settings)


# --- lives of processes -------------------------------------------------------------------------


async def test_nothing_is_started_before_the_first_request() -> None:
    """A transport that was never used has nothing to end; closing twice is fine."""
    carrier = ProcessTransport(2, PATIENT)
    assert carrier.pids == []
    await carrier.aclose()
    await carrier.aclose()
    with pytest.raises(ConfigError, match="closed"):
        await carrier.send(request_to("http://127.0.0.1:1"))


async def test_requests_go_to_the_process_with_least_to_do() -> None:
    """Requests that wait for their answers spread evenly over all processes."""
    async with RawServer(silent) as server, processes(3) as carrier:
        await ready(carrier, server.url)
        hanging = request_to(server.url, b"hang")
        sends = [asyncio.create_task(carrier.send(hanging)) for _ in range(9)]
        await asyncio.sleep(0)
        assert [len(sender.waiting) for sender in carrier._senders] == [3, 3, 3]
        for send in sends:
            send.cancel()
        await asyncio.gather(*sends, return_exceptions=True)


async def test_a_cancelled_request_is_cancelled_in_its_process() -> None:
    """Nobody waits for its answer any more: its connection is closed, and the next call served."""
    drip = Reply((b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", *[b" "] * 5000), pause=0.01)
    async with RawServer(drip, PONG) as server, processes() as carrier:
        call = asyncio.create_task(carrier.send(request_to(server.url)))
        while not server.requests:
            await asyncio.sleep(0.01)
        assert server.open_connections == 1
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(30):
            while server.open_connections:
                await asyncio.sleep(0.01)
        assert (await carrier.send(request_to(server.url))).status == 200


async def test_an_answer_that_nobody_waits_for_is_dropped() -> None:
    """An answer on its way while its request is cancelled is given to nobody else."""
    async with RawServer(lambda r: http(body=r.body)) as server, processes() as carrier:
        await ready(carrier, server.url)
        link: Any = carrier._senders[0].link
        link._transport.pause_reading()
        requests = [request_to(server.url, b"%d" % number) for number in range(20)]
        tasks = [asyncio.create_task(carrier.send(request)) for request in requests]
        while unread(link._transport.get_extra_info("socket").fileno()) < 20 * 40:
            await asyncio.sleep(0.01)  # until all answers have come as far as this process
        for task in tasks[::2]:
            task.cancel()
        await asyncio.sleep(0)
        link._transport.resume_reading()
        answers = await asyncio.gather(*tasks[1::2])
        assert [answer.body for answer in answers] == [b"%d" % n for n in range(1, 20, 2)]
        assert (await carrier.send(request_to(server.url, b"x"))).body == b"x"


def unread(descriptor: int) -> int:
    """Return how many bytes wait to be read."""
    (number,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4))
    return int(number)


async def test_a_process_that_is_killed_leaves_its_requests_in_doubt() -> None:
    """They fail as after a broken connection; the next ones go to a new process."""
    async with RawServer(silent) as server, processes() as carrier:
        before = await ready(carrier, server.url)
        for _ in range(5):  # more often than in a row without an answer
            failing = asyncio.create_task(told(carrier, request_to(server.url, b"hang")))
            while server.requests[-1].body != b"hang":
                await asyncio.sleep(0.01)
            os.kill(before[0], signal.SIGKILL)
            kind, words, retryable, doubtful = await failing
            assert (kind, retryable, doubtful) == (DisconnectedError, True, True)
            assert words == (
                f"127.0.0.1:{server.port}: the sender process ended before the answer came; "
                "another is started: try again"
            )
            before = await ready(carrier, server.url, *before)


async def test_the_other_processes_go_on_when_one_is_killed() -> None:
    """While one is started again, requests go to those that are there."""
    async with RawServer(PONG) as server, processes(2) as carrier:
        first, second = await ready(carrier, server.url)
        os.kill(first, signal.SIGKILL)
        while first in carrier.pids:
            await asyncio.sleep(0)
        assert carrier.pids == [second]
        assert (await carrier.send(request_to(server.url))).status == 200
        assert carrier.pids == [second]
        await ready(carrier, server.url, first)


async def test_a_process_that_never_gets_ready_is_given_up() -> None:
    """A request that cannot be sent is told so in clear words, not tried for ever."""
    async with processes() as carrier:
        carrier._settings["timeout"] = {"no such bound": 1}
        kind, words, retryable, doubtful = await told(carrier, request_to("http://127.0.0.1:1"))
    assert (kind, retryable, doubtful) == (ConfigError, False, False)
    assert words == "every sender process was given up: it ended with exit code 1"


async def test_an_interpreter_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same where nothing can be started at all."""
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    async with processes() as carrier:
        kind, words, *_ = await told(carrier, request_to("http://127.0.0.1:1"))
    assert kind is ConfigError
    assert "it cannot be started: " in words


async def test_a_process_that_hangs_is_ended() -> None:
    """What owes an answer beyond all timeouts is killed, and its requests are in doubt."""
    async with RawServer(PONG) as server:
        settings = {**ProcessTransport(1, PATIENT)._settings, "loop": "asyncio"}
        changed = asyncio.Event()
        sender = Sender(orjson.dumps(settings).decode(), 0.1, changed.set)
        running = asyncio.create_task(sender.run())
        await changed.wait()
        assert (await sender.carry(request_to(server.url))).status == 200
        pid = sender.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(DisconnectedError):
            await sender.carry(request_to(server.url))
        await until_gone(pid)
        running.cancel()
        await asyncio.wait([running])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
async def test_signals_are_the_parents_business(number: signal.Signals) -> None:
    """Ctrl-C and a service manager reach all processes; what is under way needs them still."""
    async with RawServer(PONG) as server, processes() as carrier:
        (pid,) = await ready(carrier, server.url)
        os.kill(pid, number)
        assert (await carrier.send(request_to(server.url))).status == 200
        assert carrier.pids == [pid]


async def test_closing_ends_processes_and_lets_requests_fail() -> None:
    """Even a process that hangs is gone, reaped, when closing is over."""
    async with RawServer(silent) as server, processes(2) as carrier:
        pids = await ready(carrier, server.url)
        hanging = request_to(server.url, b"hang")
        failing = [asyncio.create_task(told(carrier, hanging)) for _ in range(4)]
        while sum(received.body == b"hang" for received in server.requests) < 4:
            await asyncio.sleep(0.01)
        os.kill(pids[0], signal.SIGSTOP)
        await carrier.aclose()
        assert [failed[0] for failed in await asyncio.gather(*failing)] == [DisconnectedError] * 4
        assert not any(is_known(pid) for pid in pids)


async def test_nothing_is_left_open() -> None:
    """Neither closing nor a killed process leaves a descriptor, a task or a zombie behind."""

    async def live() -> None:
        async with RawServer(PONG) as server, processes(2) as carrier:
            first, _ = await ready(carrier, server.url)
            os.kill(first, signal.SIGKILL)
            await ready(carrier, server.url, first)

    await live()  # whatever is made once is there now
    before = descriptors(), len(asyncio.all_tasks()), children()
    await live()
    gc.collect()
    assert (descriptors(), len(asyncio.all_tasks()), children()) == before


async def test_the_token_is_seen_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is neither among a process's arguments nor in its environment."""
    monkeypatch.setenv("XIMILAR_TOKEN", TOKEN)
    async with RawServer(PONG) as server, processes() as carrier:
        (pid,) = await ready(carrier, server.url)
        for name in ("cmdline", "environ"):
            text = of_process(pid, name)
            assert b"PATH=" in text or b"ximilar_async._processes" in text
            assert TOKEN.encode() not in text


async def test_the_working_directory_holds_no_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file there that is called like a module is not run."""
    for name in ("orjson", "ximilar_async", "signal"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(9)\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    async with RawServer(PONG) as server, processes() as carrier:
        assert (await carrier.send(request_to(server.url))).status == 200


def test_processes_run_the_parents_kind_of_loop() -> None:
    """Where the parent runs on uvloop they do too; elsewhere they do not."""
    uvloop = pytest.importorskip("uvloop")

    async def loaded() -> bool:
        async with RawServer(PONG) as server, processes() as carrier:
            (pid,) = await ready(carrier, server.url)
            return b"uvloop" in of_process(pid, "maps")

    assert uvloop.run(loaded())
    assert not asyncio.run(loaded())


# --- the whole ----------------------------------------------------------------------------------

PARENT = """
import asyncio, sys
from ximilar_async._config import Timeout
from ximilar_async._processes import ProcessTransport
from ximilar_async._protocol import Request

async def main():
    carrier = ProcessTransport(2, Timeout())
    request = Request("POST", sys.argv[1], {"authorization": "Token t"}, b"{}")
    while not carrier.pids or not all(sender.link for sender in carrier._senders):
        await carrier.send(request)
    print(*carrier.pids, flush=True)
    if sys.argv[2] == "hang":
        await carrier.send(Request("POST", sys.argv[1], {"authorization": "Token t"}, b"hang"))

asyncio.run(main())
"""


@pytest.mark.parametrize("end", ["hang", "return"])
async def test_processes_end_with_their_parent(end: str) -> None:
    """They are gone when it is killed, and when it ends without having closed anything."""
    async with RawServer(silent) as server:
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PARENT, server.url, end, stdout=subprocess.PIPE
        )
        assert parent.stdout is not None
        pids = [int(word) for word in (await parent.stdout.readline()).split()]
        assert len(pids) == 2
        if end == "hang":
            while server.requests[-1].body != b"hang":
                await asyncio.sleep(0.01)
            parent.kill()
        assert await parent.wait() == (-signal.SIGKILL if end == "hang" else 0)
        await until_gone(*pids)


def records(number: int) -> list[dict[str, Any]]:
    return [{"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(number)]


async def test_a_bulk_run_accounts_for_every_record_while_processes_are_killed(
    tmp_path: Path,
) -> None:
    """What died on its way is looked up: each record is stored once and reported once."""
    limits = Limits(concurrency=8)
    async with (
        Emulator(latency=0.02) as service,
        Ximilar(TOKEN, base_url=service.url, processes=2, limits=limits) as client,
    ):
        carrier: Any = client._session.transport
        collection = client.collection("c")
        options = bulk.Options(batch_size=5, journal=tmp_path / "journal")
        job = asyncio.create_task(run(bulk.insert(collection, records(800), options=options)))
        for _ in range(4):
            while not any(sender.waiting for sender in carrier._senders):
                await asyncio.sleep(0.001)
            busiest = max(carrier._senders, key=lambda sender: len(sender.waiting))
            os.kill(busiest.pid, signal.SIGKILL)
            await asyncio.sleep(0.05)
        report = await job
        assert (await collection.get_record_count()).count == 800
    assert report.read == 800
    assert report.inserted + report.already_present == 800
    assert report.inserted == 800, report.summary()


async def run(job: bulk.Job) -> bulk.Report:
    return await job


async def test_a_client_takes_processes_or_a_transport() -> None:
    """`processes` of a client does what it says; with `transport` it makes no sense."""
    async with Emulator() as service:
        async with Ximilar(TOKEN, base_url=service.url, processes=2) as client:
            assert (await client.collection("c").ping()).status.code == 200
        with pytest.raises(ConfigError, match="transport and processes exclude each other"):
            Ximilar(TOKEN, transport=service.transport(), processes=2)
    with pytest.raises(ConfigError, match="SSLContext"):
        Ximilar(TOKEN, ssl=ssl.create_default_context(), processes=2)


async def test_the_command_line_takes_processes(tmp_path: Path) -> None:
    """A bulk command and `bench` send by them."""
    source = tmp_path / "records.jsonl"
    source.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records(50)))
    words = ("-c", "c", "--emulator=", "--processes", "2", "--json")
    inserted, measured = await asyncio.gather(
        command("insert", str(source), *words), command("bench", "--requests", "20", *words)
    )
    assert inserted["counts"]["inserted"] == 50
    assert (measured["answered"], measured["failed"]) == (20, 0)


async def command(*words: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ximilar_async", *words, stdout=subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(out)
