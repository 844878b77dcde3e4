"""An emulator behind a peer that breaks the rules of HTTP: real storage, spoilt answers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import orjson
from attrs import frozen
from fakes import PONG, RawServer, http

from ximilar_async._protocol import Request
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from types import TracebackType

    from fakes import Received, Reply

    from ximilar_async.emulator import EmulatorTransport


@frozen
class Mishap:
    """What becomes of one request.

    Args:
        spoil: Makes what is written of the true answer's bytes.
        apply: Whether the service does its work before.
        unread: Whether the reply goes out before the request's body was read; then nothing is
            applied.
    """

    spoil: Callable[[bytes], Reply | bytes]
    apply: bool = True
    unread: bool = False


Script: TypeAlias = "Callable[[str, int], Mishap | None]"
"""From a method and the request's number among those to it (from 1) to what becomes of it."""


def to(method: str, numbers: Collection[int] | None, mishap: Mishap) -> Script:
    """Return a script that spoils these requests to a method; None for all of them."""
    return lambda name, number: (
        mishap if name == method and (numbers is None or number in numbers) else None
    )


def instead(reply: Reply | bytes, *, apply: bool = True, unread: bool = False) -> Mishap:
    """Return a mishap that gives this reply, whatever the answer is."""
    return Mishap(lambda _: reply, apply=apply, unread=unread)


class Brittle:
    """A Visual Search service that fails by a script.

    Args:
        script: What becomes of which request.
        tls: The server's TLS context.
        port: Where to listen; 0 for any free port.
        settings: What the emulator takes.
    """

    def __init__(self, script: Script, *, tls: Any = None, port: int = 0, **settings: Any) -> None:
        self._script = script
        self._emulator = Emulator(**settings)
        self._counts: Counter[str] = Counter()
        self._decided: dict[int, Mishap | None] = {}
        self.server = RawServer(self._reply, after_head=self._look_ahead, tls=tls, port=port)
        self.spoilt = 0
        """Requests that met a mishap."""

    @property
    def url(self) -> str:
        return self.server.url

    async def __aenter__(self) -> Self:
        await self._emulator.start()
        await self.server.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.server.__aexit__(kind, error, traceback)
        await self._emulator.aclose()

    def sent(self, method: str) -> int:
        """Return how many requests to a method came."""
        return self._counts[method]

    def transport(self) -> EmulatorTransport:
        """Return a way to the emulator that no mishap meets."""
        return self._emulator.transport()

    async def stored(self, collection: str = "c") -> set[str]:
        """Return the ids in a collection."""
        return set(await self.records(collection))

    async def records(self, collection: str = "c") -> dict[str, dict[str, Any]]:
        """Return the records of a collection by their ids."""
        return await records_of(self._emulator, collection)

    def _look_ahead(self, line: str, number: int) -> bool:
        """Decide about a request as soon as its head is there."""
        method = line.split()[1].split("?", 1)[0].rsplit("/", 1)[-1]
        self._counts[method] += 1
        mishap = self._script(method, self._counts[method])
        self._decided[number] = mishap
        self.spoilt += mishap is not None
        return mishap is not None and mishap.unread

    async def _reply(self, received: Received) -> Reply | bytes:
        mishap = self._decided.pop(received.number)
        if mishap is not None and (mishap.unread or not mishap.apply):
            return mishap.spoil(PONG)
        verb, path, _ = received.line.split()
        url = f"http://{received.headers['host']}{path}"
        request = Request(verb, url, received.headers, received.body)
        response = await self._emulator.transport().send(request)
        headers = {name.replace("-", "_"): value for name, value in response.headers.items()}
        answer = http(response.status, response.body, **headers)
        return answer if mishap is None else mishap.spoil(answer)


async def records_of(emulator: Emulator, collection: str = "c") -> dict[str, dict[str, Any]]:
    """Return all records of an emulator's collection by their ids, in whatever state its door is.

    Args:
        emulator: An open emulator without faults of its own.
        collection: The collection's id.
    """
    headers = {"authorization": "Token any", "collection-id": collection}
    url = "http://localhost/similarity/photos/v2/allRecords?size=1000"
    request = Request("POST", url, headers, b'{"fields_to_return": ["*"]}')
    response = await emulator.transport().send(request)
    answer = orjson.loads(response.body)
    assert answer["answer_count"] == len(answer["answer_records"]) < 1000
    return {record["_id"]: record for record in answer["answer_records"]}
