"""Fetching images from allowed addresses, over a real loopback server."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from ximilar_async.emulator import ImageRefused
from ximilar_async.emulator.fetch import Fetcher, may_reach
from ximilar_async.emulator.settings import origin

if TYPE_CHECKING:
    from collections.abc import Iterator


class Pictures(BaseHTTPRequestHandler):
    """Serves one picture well, and others badly."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        name = self.path.split("?")[0].strip("/")
        if name == "moved":
            self.send_response(302)
            self.send_header("Location", "/good")
            self.end_headers()
        elif name == "gone":
            self.send_error(404)
        else:
            self.send_response(200)
            self.send_header("Content-Length", "1000" if name == "cut" else "5")
            self.end_headers()
            self._write(slow=name == "slow")

    def _write(self, *, slow: bool) -> None:
        for byte in b"12345":
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if slow:
                time.sleep(0.1)

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@pytest.fixture
def site() -> Iterator[str]:
    Pictures.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Pictures) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_allowed_image_is_fetched(site: str) -> None:
    """The image at the address comes back; path and parameters are asked for as given."""
    fetch = Fetcher(frozenset({site}))
    assert fetch(f"{site}/good?size=2") == b"12345"
    assert Pictures.asked == ["/good?size=2"]


def test_localhost_is_this_machine(site: str) -> None:
    """`localhost` may be listed, and stands for loopback alone."""
    named = site.replace("127.0.0.1", "localhost")
    assert Fetcher(frozenset({named}))(f"{named}/good") == b"12345"


def test_other_origins_are_not_asked(site: str) -> None:
    """An address whose origin is not listed is refused without a connection."""
    fetch = Fetcher(frozenset({"https://images.example.com"}))
    with pytest.raises(ImageRefused, match=r"http://127\.0\.0\.1:.* is not in url_allow"):
        fetch(f"{site}/good")
    assert Pictures.asked == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("moved", "HTTP 302 .redirects are not followed"),
        ("gone", "HTTP 404"),
        ("cut", "cut off"),
    ],
)
def test_bad_answers_are_refused(site: str, name: str, words: str) -> None:
    """Redirects are not followed; a failure or half an image is no image."""
    with pytest.raises(ImageRefused, match=words):
        Fetcher(frozenset({site}))(f"{site}/{name}")
    assert Pictures.asked == [f"/{name}"]


def test_size_and_time_are_capped(site: str) -> None:
    """An image that is too large, or drips in too slowly, is given up."""
    with pytest.raises(ImageRefused, match="larger than 4 bytes"):
        Fetcher(frozenset({site}), most=4)(f"{site}/good")
    with pytest.raises(ImageRefused, match=r"within 0.25 s"):
        Fetcher(frozenset({site}), timeout=0.25)(f"{site}/slow")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/a", "https://127.0.0.1:1/a", "http://no.such.host.invalid/a"],
)
def test_unreachable_addresses_are_refused(url: str) -> None:
    """What cannot be connected to is refused with the address."""
    with pytest.raises(ImageRefused, match="could not be fetched"):
        Fetcher(frozenset({origin(url)}))(url)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://[::1", "http://a:port/x", "x"])
def test_strange_addresses_are_refused(url: str) -> None:
    """What is no http(s) address is refused, whatever is wrong with it."""
    with pytest.raises(ImageRefused, match="could not be fetched"):
        Fetcher(frozenset({"http://a"}))(url)


@pytest.mark.parametrize(
    ("host", "address", "allowed"),
    [
        ("images.example.com", "93.184.216.34", True),
        ("images.example.com", "127.0.0.1", False),
        ("images.example.com", "10.0.0.7", False),
        ("images.example.com", "169.254.169.254", False),
        ("images.example.com", "::1", False),
        ("localhost", "::1", True),
        ("localhost", "10.0.0.7", False),
        ("10.0.0.7", "10.0.0.7", True),
    ],
)
def test_names_do_not_lead_inside(host: str, address: str, *, allowed: bool) -> None:
    """A public name that resolves to an address inside the network is not connected to."""
    assert may_reach(host, address) is allowed


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTPS://Shop.Example:443/a.jpg?b#c", "https://shop.example"),
        ("http://shop.example:8080", "http://shop.example:8080"),
        ("http://user:pass@shop.example/x", "http://shop.example"),
        ("http://[::1]:80/x", "http://[::1]"),
    ],
)
def test_origins_have_one_spelling(url: str, expected: str) -> None:
    """Case, standard port, path and user do not make another origin."""
    assert origin(url) == expected
