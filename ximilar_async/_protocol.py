"""Requests out, answers in: the API's rules, with no I/O of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

if TYPE_CHECKING:
    from collections.abc import Mapping


@frozen
class Request:
    """One HTTP request, ready to send."""

    verb: str
    """GET or POST."""
    url: str
    """The whole address, query included."""
    headers: Mapping[str, str] = field(repr=False)
    """Headers with lower-case names; they hold the token, so they are never shown."""
    body: bytes = field(default=b"", repr=False)
    """JSON, or nothing."""


@frozen
class Response:
    """One HTTP response, read to its end."""

    status: int
    """HTTP status."""
    headers: Mapping[str, str]
    """Headers, looked up by lower-case name."""
    body: bytes = b""
    """The body, decompressed."""
