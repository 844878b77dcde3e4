"""A server that costs less than any client: what benchmarks send to.

    python benchmarks/sink.py [--latency 0.05] [--slow 0.05] [--unavailable 0.02] [--tls FOLDER] …

It runs in a process of its own on one core, by uvloop where that is installed, and prints its
address. An insert of 10 small records costs it 13 µs of CPU, 21 µs over TLS (`bench_sink.py`; AMD
EPYC, Python 3.11, uvloop), as much as a client written by hand for nothing else. It reads HTTP/1.1
as far as clients of an API speak it: no chunked bodies, one request at a time on a connection.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import attrs
import orjson
from attrs import frozen
from sink_answers import Canned, Remembering, response
from sink_faults import Behaviour, Shares

try:
    from uvloop import run
except ImportError:
    from asyncio import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sink_faults import Service

_CERTIFICATE = "certificate.pem"


class Connection(asyncio.Protocol):
    """One client's connection.

    Args:
        service: What treats its requests.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._transport: asyncio.Transport
        self._pieces: list[bytes] = []
        self._missing = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        """Treat the request when it is whole."""
        if self._pieces:
            self._pieces.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            data = b"".join(self._pieces)
            self._pieces.clear()
        while data:
            start = data.find(b"\r\n\r\n") + 4
            end = start + _length(data[:start]) if start > 3 else len(data) + 1
            if len(data) < end:
                self._pieces.append(data)
                self._missing = end - len(data)
                return
            self._treat(_method(data), data[start:end])
            data = data[end:]

    def _treat(self, method: bytes, body: bytes) -> None:
        if method == b"statistics":
            told = {**self._service.statistics(), "cpu": time.process_time()}
            self._transport.write(response(orjson.dumps(told)))
            return
        reply, delay = self._service.reply(method, body)
        if delay:
            asyncio.get_running_loop().call_later(delay, self._send, reply)
        else:
            self._send(reply)

    def _send(self, reply: bytes) -> None:
        if reply:
            self._transport.write(reply)
        else:
            self._transport.abort()


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest[: rest.find(b"\r")]) if found else 0


def _method(data: bytes) -> bytes:
    path = data[: data.find(b" HTTP/")].partition(b"?")[0]
    return path[path.rfind(b"/") + 1 :]


# --- the process --------------------------------------------------------------------------------


async def serve(service: Service, folder: Path | None, *, until_eof: bool) -> None:
    """Serve until the process is ended.

    Args:
        service: What treats requests.
        folder: Where to lay down the certificate; None for plain HTTP.
        until_eof: Whether to end with stdin: then no server outlives the script that started it.
    """
    loop = asyncio.get_running_loop()
    tls = None if folder is None else make_certificate(folder)
    server = await loop.create_server(
        lambda: Connection(service), "127.0.0.1", 0, ssl=tls, backlog=1024
    )
    port = server.sockets[0].getsockname()[1]
    # Not 127.0.0.1: there the vendor's client calls the real service when it is made.
    print(f"{'http' if tls is None else 'https'}://localhost:{port}", flush=True)
    ended = asyncio.Event()
    if until_eof:
        loop.add_reader(sys.stdin, ended.set)
    await ended.wait()


def make_certificate(folder: Path) -> ssl.SSLContext:
    """Make a certificate for localhost and return a server's context with it.

    Args:
        folder: Where to write it; clients take `certificate.pem` as their CA file.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        raise SystemExit("--tls needs the openssl command")
    key, certificate = folder / "key.pem", folder / _CERTIFICATE
    words = "req -x509 -nodes -days 2 -subj /CN=localhost -newkey ec"
    words += " -pkeyopt ec_paramgen_curve:prime256v1"
    words += " -addext subjectAltName=DNS:localhost,IP:127.0.0.1"
    words += " -addext keyUsage=critical,digitalSignature,keyCertSign"
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([openssl, *words.split(), *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    for option in attrs.fields(Behaviour):
        name = f"--{option.name.replace('_', '-')}"
        if option.default is False:
            parser.add_argument(name, action="store_true")
        else:
            parser.add_argument(name, type=type(option.default), default=option.default)
    parser.add_argument("--tls", type=Path, metavar="FOLDER", help="speak TLS; certificate's place")
    parser.add_argument("--until-eof", action="store_true", help="end when stdin does")
    return parser


def main() -> None:
    """Read the arguments and serve."""
    given = vars(_parser().parse_args())
    folder, until_eof = given.pop("tls"), given.pop("until_eof")
    behaviour = Behaviour(**given)
    answers = Remembering() if behaviour.remember else Canned(count=behaviour.count)
    run(serve(Shares(answers, behaviour), folder, until_eof=until_eof))


# --- for scripts --------------------------------------------------------------------------------


@frozen
class Running:
    """A sink that runs in another process."""

    url: str
    """Its address."""
    certificate: Path | None
    """The CA file to trust, if it speaks TLS."""

    def statistics(self) -> dict[str, Any]:
        """Return what it has seen: `requests`, `records`, `faults`, and its `cpu` seconds."""
        tls = self.certificate and ssl.create_default_context(cafile=self.certificate)
        with urllib.request.urlopen(f"{self.url}/statistics", timeout=30, context=tls) as answer:
            told: dict[str, Any] = json.load(answer)
            return told


@contextmanager
def sink(*, tls: bool = False, **behaviour: Any) -> Iterator[Running]:
    """Run a sink in a process of its own while the block lasts.

    Args:
        tls: Whether it speaks TLS.
        behaviour: Fields of `Behaviour`.
    """
    words = _words(Behaviour(**behaviour))
    with ExitStack() as stack:
        certificate = None
        if tls:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            certificate = Path(folder, _CERTIFICATE)
            words += ["--tls", folder]
        yield Running(stack.enter_context(served(Path(__file__), *words)), certificate)


@contextmanager
def served(script: Path, *words: str) -> Iterator[str]:
    """Run a script that prints its server's address; yield that address.

    Args:
        script: It must know `--until-eof`.
        words: Its arguments.
    """
    with subprocess.Popen(
        [sys.executable, str(script), "--until-eof", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise SystemExit(f"{script.name} did not start")
            yield url
        finally:
            process.kill()


def _words(behaviour: Behaviour) -> list[str]:
    words = []
    for name, value in attrs.asdict(behaviour).items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif value is not False:
            words += [option, str(value)]
    return words


if __name__ == "__main__":
    main()
