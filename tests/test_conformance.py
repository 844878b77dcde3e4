"""The documents' examples through the client: sent as printed, and read as printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from fakes import ScriptedTransport
from samples import SAMPLES, snake

from ximilar_async import Ximilar
from ximilar_async._config import DEFAULT_URL
from ximilar_async._endpoints import METHODS
from ximilar_async._models import structure
from ximilar_async._protocol import Response

if TYPE_CHECKING:
    from samples import Sample

    from ximilar_async import Collection

CALLS = {name: sample for name, sample in SAMPLES.items() if name != "account"}


RENAMED = {"from": "skip"}
"""Fields that the client calls otherwise: `from` is a word of the language."""


def _printed(status: int, answer: Any) -> ScriptedTransport:
    """Return a transport on which every request gets this answer."""
    return ScriptedTransport(then=Response(status, {}, json.dumps(answer).encode()))


def _arguments(sample: Sample) -> dict[str, Any]:
    """Return a sample's fields under the names that the client's methods give them."""
    names = RENAMED | ({"records": "ids"} if sample.method in ("get", "delete") else {})
    fields = {names.get(name, name): value for name, value in (sample.body or {}).items()}
    return fields | {name: int(value) for name, value in sample.query.items()}


def _answer_to(sample: Sample) -> Any:
    """Return the printed answer; for the overview's example, that of the same method."""
    return sample.response or SAMPLES[snake(sample.method)].response


def _collection(ximilar: Ximilar) -> Collection:
    with pytest.warns(DeprecationWarning, match="photo/search"):
        return ximilar.collection("__COLLECTION_ID__", "photo/search")


@pytest.mark.parametrize("mirrored", [False, True], ids=["http-200", "http-mirrors-the-code"])
@pytest.mark.parametrize("sample", CALLS.values(), ids=list(CALLS))
async def test_the_client_sends_and_reads_what_is_printed(
    sample: Sample, *, mirrored: bool
) -> None:
    """Each printed call leaves as printed, and its answer is read alike whatever HTTP says."""
    printed = _answer_to(sample)
    carrier = _printed(printed["status"]["code"] if mirrored else 200, printed)
    async with Ximilar("__API_TOKEN__", base_url=DEFAULT_URL, transport=carrier) as ximilar:
        method = getattr(_collection(ximilar), snake(sample.method))
        answer = await method(**_arguments(sample))
    assert answer == structure(printed, METHODS[sample.method].answer)
    (request,) = carrier.requests
    parts = urlsplit(request.url)
    assert (request.verb, parts.scheme, parts.netloc) == (sample.verb, "https", "api.ximilar.com")
    assert (parts.path, dict(parse_qsl(parts.query))) == (sample.path, sample.query)
    assert (json.loads(request.body) if request.body else None) == sample.body
    assert {name.lower() for name in sample.headers} <= set(request.headers)


async def test_headers_are_those_of_the_documents() -> None:
    """Token, collection and content type travel in the documented headers, in documented form."""
    carrier = _printed(200, SAMPLES["find"].response)
    async with Ximilar("__API_TOKEN__", base_url=DEFAULT_URL, transport=carrier) as ximilar:
        await _collection(ximilar).find({"price": 3})
    headers = carrier.requests[0].headers
    assert headers["authorization"] == "Token __API_TOKEN__"
    assert headers["collection-id"] == "__COLLECTION_ID__"
    assert headers["content-type"] == "application/json;charset=UTF-8"


async def test_the_account_is_asked_as_the_quickstart_does() -> None:
    """The account call has the Quickstart's address and verb, and names no collection."""
    sample = SAMPLES["account"]
    carrier = _printed(200, sample.response)
    async with Ximilar("__API_TOKEN__", base_url=DEFAULT_URL, transport=carrier) as ximilar:
        account = await ximilar.account()
    (request,) = carrier.requests
    assert (request.verb, urlsplit(request.url).path) == (sample.verb, sample.path)
    assert "collection-id" not in request.headers
    assert account.raw == sample.response
