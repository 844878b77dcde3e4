"""The services that examples show: what callers are told, whatever the search behind them does."""

from __future__ import annotations

import importlib.util
import io
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from attrs import define
from documented import picture

from ximilar_async import Ximilar
from ximilar_async.emulator import Emulator, Faults, faults

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ximilar_async.emulator import Rule

EXAMPLES = Path(__file__).parent.parent / "examples"
TOKEN = "s3cret-token"
SIMILAR, LIVE, READY = "/products/p1/similar", "/health/live", "/health/ready"


@define
class Told:
    """What a caller is told."""

    status: int
    text: str
    retry_after: str | None


@define
class Caller:
    """Somebody who asks the service."""

    module: Any
    http: Any
    plan: list[Faults]

    async def ask(self, path: str, body: Any = None) -> Told:
        """Get a path, or post a body."""
        if self.module.__name__ == "fastapi_service":
            sent = {"files": body} if isinstance(body, dict) else {"content": body}
            answer = await (self.http.get(path) if body is None else self.http.post(path, **sent))
            return Told(answer.status_code, answer.text, answer.headers.get("Retry-After"))
        method = "GET" if body is None else "POST"
        data = io.BytesIO(body) if isinstance(body, bytes) else body and aiohttp.FormData(body)
        async with self.http.request(method, path, data=data) as answer:
            return Told(answer.status, await answer.text(), answer.headers.get("Retry-After"))

    def fail(self, *rules: Rule) -> None:
        """Let the search behind the service fail from now on."""
        self.plan[:] = [Faults(*rules)]


def _module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def _aiohttp_service(plan: list[Faults]) -> AsyncIterator[Caller]:
    module = _module("aiohttp_service")
    server = TestServer(module.make_app("shop"))
    async with server, aiohttp.ClientSession(server.make_url("/")) as http:
        yield Caller(module, http, plan)


@asynccontextmanager
async def _fastapi_service(plan: list[Faults]) -> AsyncIterator[Caller]:
    pytest.importorskip("fastapi")
    httpx = pytest.importorskip("httpx")
    module = _module("fastapi_service")
    asgi = httpx.ASGITransport(module.app)
    async with (
        module.lifespan(module.app),
        httpx.AsyncClient(transport=asgi, base_url="http://it") as http,
    ):
        yield Caller(module, http, plan)


@pytest.fixture(params=[_aiohttp_service, _fastapi_service], ids=["aiohttp", "fastapi"])
async def caller(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Caller]:
    plan: list[Faults] = []
    async with Emulator(faults=lambda got, number: plan[0](got, number) if plan else None) as local:
        async with Ximilar("any", base_url=local.url) as client:
            records = [{"_id": f"p{n}", "_image": picture(n)} for n in range(5)]
            await client.collection("shop").insert(records)
        settings = {"XIMILAR_TOKEN": TOKEN, "XIMILAR_URL": local.url, "COLLECTION": "shop"}
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        async with request.param(plan) as service:
            yield service


def _photo(megabytes: int) -> bytes:
    stream = io.BytesIO()
    picture(1).save(stream, "BMP")
    return stream.getvalue().ljust(megabytes * 2**20, b"\0")


async def test_products_and_photos_are_found(caller: Caller) -> None:
    """By id and by an upload larger than aiohttp's own limit, nearest first; health is told."""
    assert '"p1"' in (await caller.ask(SIMILAR)).text.split("}")[0]
    found = await caller.ask("/search", _photo(8))
    assert (found.status, '"p1"' in found.text.split("}")[0]) == (200, True)
    assert [(await caller.ask(path)).status for path in (LIVE, READY)] == [200, 200]


async def test_what_callers_sent_wrong_is_theirs(caller: Caller) -> None:
    """An unknown id, no image, too large an upload and a form each have a status of their own."""
    form = await caller.ask("/search", {"image": io.BytesIO(_photo(1))})
    assert (form.status, "--data-binary" in form.text) == (415, True)
    assert (await caller.ask("/search", b"\xff" * (20 * 2**20 + 1))).status == 413
    refused = await caller.ask("/search", b"no image")
    assert (refused.status, "not an image" in refused.text) == (422, True)
    unknown = await caller.ask("/products/gone/similar")
    assert unknown.status == 404
    assert "shop" not in unknown.text  # our collection's id is nobody's business


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        (faults.unavailable(), 503),
        (faults.throttled(), 503),
        (faults.full(status=402, methods=("visualKNN", "ping")), 503),
        (faults.unauthorized(), 500),
        (faults.redirected("http://elsewhere.example/"), 500),
        (faults.lost_answer(), 502),
        (faults.truncated_json(), 502),
    ],
    ids=["503", "429", "402", "401", "302", "lost", "cut"],
)
async def test_what_the_search_does_wrong_has_its_status(
    caller: Caller, rule: Rule, status: int
) -> None:
    """Callers see whose turn it is and nothing else, in search and readiness; it stays live."""
    caller.fail(rule)
    for path in (SIMILAR, READY):
        told = await caller.ask(path)
        assert told.status == status
        assert all(word not in told.text for word in ("shop", "127.0.0.1", TOKEN, "token"))
    assert (await caller.ask(LIVE)).status == 200


async def test_a_pause_that_is_asked_for_is_passed_on(caller: Caller) -> None:
    """`Retry-After` of the service is told to callers in whole seconds, never fewer."""
    caller.fail(faults.throttled(retry_after=0.1))
    assert (await caller.ask(SIMILAR)).retry_after == "1"


async def test_a_search_that_takes_too_long_is_left(caller: Caller) -> None:
    """Whoever waits is told 504 when the patience of the service ends."""
    caller.module.PATIENCE = 0.2
    caller.fail(faults.slow(2))
    assert (await caller.ask(SIMILAR)).status == 504
