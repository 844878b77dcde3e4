"""Fetches an image from an allowed address, and from nowhere else."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from attrs import field, frozen

from .descriptor import ImageRefused
from .images import MAX_IMAGE_BYTES
from .settings import origin

if TYPE_CHECKING:
    from urllib.parse import SplitResult

_CHUNK: Final = 65_536
_FOUND: Final = 200
_HTTPS: Final = 443
_HTTP: Final = 80


def may_reach(host: str, address: str) -> bool:
    """Tell whether an address may be connected to for a host.

    A public name that suddenly stands for an address inside the network is the classical way around
    a list of allowed
    names: such an address must be named itself (or be "localhost").

    Args:
        host: The host as it stands in the allowed origin.
        address: The IP address it resolved to.

    Example:
        >>> may_reach("images.example.com", "10.0.0.7"), may_reach("10.0.0.7", "10.0.0.7")
        (False, True)
    """
    try:
        ipaddress.ip_address(host)
    except ValueError:
        ip = ipaddress.ip_address(address)
        return ip.is_loopback if host == "localhost" else ip.is_global
    return True


@frozen
class Fetcher:
    """Fetches images from listed origins.

    No redirects are followed, the address that was checked is the one connected to, and size and
    time are capped.
    """

    allowed: frozenset[str]
    """Origins, in the spelling of `settings.origin`."""
    timeout: float = 10.0
    """Seconds for the whole image."""
    most: int = MAX_IMAGE_BYTES
    """Largest image, in bytes."""
    _tls: ssl.SSLContext = field(factory=ssl.create_default_context, repr=False)

    def __call__(self, url: str) -> bytes:
        """Return the image at an address.

        Raises:
            ImageRefused: the address is not allowed, or no image came from it.
        """
        try:
            if origin(url) not in self.allowed:
                raise ImageRefused(f"_url: the origin {origin(url)} is not in url_allow")
            return self._get(urlsplit(url), time.monotonic() + self.timeout)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if isinstance(error, ImageRefused):
                raise
            raise ImageRefused(f"_url {url!r:.200} could not be fetched: {error}") from None

    def _get(self, parts: SplitResult, deadline: float) -> bytes:
        host = parts.hostname or ""
        connection = http.client.HTTPConnection(host, parts.port or _port(parts))
        connection.sock = self._connect(parts, host)
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = {"Accept": "image/*", "Accept-Encoding": "identity", "Connection": "close"}
            connection.request("GET", path, headers=headers)
            return self._read(connection.getresponse(), deadline)
        finally:
            connection.close()

    def _connect(self, parts: SplitResult, host: str) -> socket.socket:
        port = parts.port or _port(parts)
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
        address = next((one for one in addresses if may_reach(host, one)), None)
        if address is None:
            raise ImageRefused(
                f"_url: {host} stands for {addresses[0]}, which is inside the network"
            )
        sock = socket.create_connection((address, port), timeout=self.timeout)
        return (
            self._tls.wrap_socket(sock, server_hostname=host) if parts.scheme == "https" else sock
        )

    def _read(self, response: http.client.HTTPResponse, deadline: float) -> bytes:
        if response.status != _FOUND:
            raise ImageRefused(
                f"_url: the answer was HTTP {response.status} (redirects are not followed)"
            )
        parts, size = [], 0
        while chunk := response.read1(_CHUNK):
            size += len(chunk)
            if size > self.most:
                raise ImageRefused(f"_url: the image is larger than {self.most} bytes")
            if time.monotonic() > deadline:
                raise ImageRefused(f"_url: the image did not come within {self.timeout:g} s")
            parts.append(chunk)
        if response.length:
            raise ImageRefused("_url: the image was cut off")
        return b"".join(parts)


def _port(parts: SplitResult) -> int:
    return _HTTPS if parts.scheme == "https" else _HTTP
