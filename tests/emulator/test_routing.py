"""Addresses: services, methods and verbs."""

from __future__ import annotations

import pytest

from ximilar_async._endpoints import METHODS
from ximilar_async.emulator.errors import Refusal
from ximilar_async.emulator.methods import BY_NAME
from ximilar_async.emulator.routing import find_route

HOST = "http://localhost:80"

SERVICES = {
    "similarity/photos": "tags",
    "photo/search": "tags",
    "image_matching": "tags",
    "similarity/products-new": "_tags_simple",
    "similarity/products": "_tags_simple",
    "similarity/fashion-new": "_tags_simple",
    "similarity/fashion": "_tags_simple",
    "similarity/custom": "_tags",
    "similarity/colors": "tags",
    "similarity/homedecor-new": "tags",
    "similarity/homedeco-newr": "tags",
    "similarity/homedecor": "tags",
    "my-cloud/shoes": "tags",
    "my/own/cloud": "tags",
}


def test_every_documented_method_is_there() -> None:
    """The emulator has the 20 methods of the documents, and no other."""
    assert set(BY_NAME) == set(METHODS)


@pytest.mark.parametrize(("prefix", "tags_field"), SERVICES.items())
def test_services(prefix: str, tags_field: str) -> None:
    """Every known, deprecated, misprinted and private prefix leads on; it names the tags field."""
    route = find_route("POST", f"{HOST}/{prefix}/v2/visualTagsKNN")
    assert (route.method, route.prefix, route.tags_field) == ("visualTagsKNN", prefix, tags_field)


def test_the_documents_own_links() -> None:
    """A `next` link has no prefix; following it works, with its parameters."""
    route = find_route("POST", f"{HOST}/v2/allRecords?page=4&size=2")
    assert (route.method, route.prefix, route.base) == ("allRecords", "", HOST)
    assert route.query == {"page": "4", "size": "2"}


@pytest.mark.parametrize(
    "path",
    [
        "/similarity/photos/v2/nope",
        "/similarity/photos/v2/insert/",
        "/similarity/photos/v1/insert",
        "/similarity/photos/insert",
        "/shoes/v2/insert",
        "/v2/",
        "/",
        "",
        "/insert",
    ],
)
def test_what_is_not_there(path: str) -> None:
    """An unknown method, or a bare unknown prefix, is 404 {"detail": "Not found."}."""
    with pytest.raises(Refusal) as refusal:
        find_route("POST", HOST + path)
    assert (refusal.value.code, refusal.value.text) == (404, "Not found.")
    assert refusal.value.detail


@pytest.mark.parametrize("method", sorted(METHODS))
def test_verbs(method: str) -> None:
    """POST for all; GET too for the two that the documents show with it; nothing else."""
    url = f"{HOST}/similarity/photos/v2/{method}"
    assert find_route("POST", url).method == method
    others = ["PUT", "DELETE", "HEAD", "PATCH"]
    if METHODS[method].verb == "GET":
        assert find_route("GET", url).method == method
    else:
        others.append("GET")
    for verb in others:
        with pytest.raises(Refusal, match=f'"{verb}" not allowed') as refusal:
            find_route(verb, url)
        assert refusal.value.code == 405
        assert "POST" in refusal.value.headers["allow"]


def test_the_account() -> None:
    """The account lies outside all services, by GET, with or without its last slash."""
    for path in ("/account/v2/details/", "/account/v2/details"):
        assert find_route("GET", HOST + path).method == ""
    with pytest.raises(Refusal) as refusal:
        find_route("POST", HOST + "/account/v2/details/")
    assert refusal.value.code == 405
