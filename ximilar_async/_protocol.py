"""Requests: what a call looks like on the wire, and what its records must have; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from attrs import evolve, field, frozen

from ._config import Secret
from ._encoding import Encoded, encode_request, joined
from ._version import __version__
from .errors import (
    ConfigError,
    RecordError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._config import Target
    from ._encoding import Wire
    from ._endpoints import Endpoint

CONTENT_TYPE: Final = "application/json;charset=UTF-8"
USER_AGENT: Final = f"ximilar-async/{__version__}"

_IMAGE_FIELDS: Final = ("_url", "_base64", "_file", "_image")


@frozen
class Request:
    """One HTTP request, ready to send."""

    verb: str
    """GET or POST."""
    url: str
    """The whole address, query included."""
    headers: Mapping[str, str] = field(repr=False)
    """Headers with lower-case names; they hold the token, so they are never shown."""
    content: Wire = field(default=b"", repr=False, alias="body")
    """JSON, or nothing; a large one is in pieces."""

    @property
    def body(self) -> bytes:
        """Return the content in one piece: made anew each time where it has several."""
        return joined(self.content)

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """Return the content as it is kept."""
        return (self.content,) if isinstance(self.content, bytes) else self.content.pieces

    @property
    def size(self) -> int:
        """Return the bytes of the content."""
        return len(self.content)


@frozen
class Response:
    """One HTTP response, read to its end."""

    status: int
    """HTTP status."""
    headers: Mapping[str, str] = field(repr=False)
    """Headers, looked up by lower-case name."""
    body: bytes = field(default=b"", repr=False)
    """The body, decompressed."""


def build_request(
    base_url: str,
    token: str,
    endpoint: Endpoint[Any],
    target: Target | None = None,
    *,
    fields: Mapping[str, object] | None = None,
    query: Mapping[str, object] | None = None,
) -> Request:
    """Turn a method and its fields into an HTTP request; fields that are None are not sent.

    Args:
        base_url: Scheme, host and port.
        token: The API token.
        endpoint: The method.
        target: Service prefix and collection; None for the account's own address.
        fields: Fields of the JSON body.
        query: Parameters of the address.

    Raises:
        RecordError: a record could never be accepted, or a value has no JSON form.
        ConfigError: `fields_to_return` is not a list of names, or `filter` no dict.

    Example:
        >>> from ximilar_async._endpoints import PING
        >>> from ximilar_async._config import make_target
        >>> build_request("http://localhost", "t", PING, make_target("c", "photos")).url
        'http://localhost/similarity/photos/v2/ping'
    """
    head = with_query(build_head(base_url, token, endpoint, target), query or {})
    return with_body(head, endpoint, fields)


def build_head(
    base_url: str, token: str, endpoint: Endpoint[Any], target: Target | None = None
) -> Request:
    """Return what all requests of a method have in common: everything but the body.

    Args:
        base_url: Scheme, host and port.
        token: The API token.
        endpoint: The method.
        target: Service prefix and collection; None for the account's own address.
    """
    headers = {
        "authorization": authorization(token),
        "content-type": CONTENT_TYPE,
        "user-agent": USER_AGENT,
    }
    if target is None:
        return Request(endpoint.verb, f"{base_url}/{endpoint.path}", headers)
    if endpoint.needs_collection:
        headers["collection-id"] = target.collection_id
    return Request(endpoint.verb, f"{base_url}/{target.prefix}/v2/{endpoint.path}", headers)


def with_query(head: Request, query: Mapping[str, object]) -> Request:
    """Return a request with parameters in its address; those that are None are left out."""
    params = {name: value for name, value in query.items() if value is not None}
    return evolve(head, url=f"{head.url}?{urlencode(params)}") if params else head


def with_body(
    head: Request, endpoint: Endpoint[Any], fields: Mapping[str, object] | Encoded | None = None
) -> Request:
    """Return a request with the fields as its body, those that are None left out.

    Args:
        head: The request without a body.
        endpoint: The method.
        fields: Fields of the JSON body; or all of it, checked and encoded before.

    Raises:
        RecordError: a record could never be accepted, or a value has no JSON form.
        ConfigError: `fields_to_return` is not a list of names, or `filter` no dict.
    """
    if isinstance(fields, Encoded):
        return Request(head.verb, head.url, head.headers, fields.wire())
    body = {name: value for name, value in (fields or {}).items() if value is not None}
    _check_fields(endpoint, body)
    if head.verb == "GET":
        return head
    return Request(head.verb, head.url, head.headers, encode_request(body))


def authorization(token: str) -> Secret:
    """Return the value of the header that carries the token.

    Example:
        >>> authorization("abc") == "Token abc"
        True
    """
    return Secret(f"Token {token}")


def _check_fields(endpoint: Endpoint[Any], body: Mapping[str, Any]) -> None:
    _check_names(body.get("fields_to_return"))
    if "filter" in body and not isinstance(body["filter"], Mapping):
        kind = type(body["filter"]).__name__
        raise ConfigError(f"filter takes a dict of conditions, not {kind}")
    for name in ("records", "query_records"):
        if name in body and not isinstance(body[name], Encoded):
            check_records(endpoint, name, body[name])
    query = body.get("query_record")
    if "query_record" in body and not isinstance(query, Encoded):
        check_query(endpoint, query, "query_record")


def _check_names(names: object) -> None:
    if isinstance(names, str):
        raise ConfigError(f"fields_to_return takes a list: [{names!r:.40}], not a string")
    if names is not None and not (
        isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names)
    ):
        raise ConfigError(f"fields_to_return takes a list of names, not {names!r:.40}")


def check_records(endpoint: Endpoint[Any], name: str, records: Sequence[Any]) -> None:
    """Check what a list of records must have for this method ("max 10 records per request").

    Args:
        endpoint: The method.
        name: `records` or `query_records`.
        records: The list.

    Raises:
        RecordError: no list, too many or no records, or one lacks its `_id` or image; the message
            names it.
    """
    if not isinstance(records, (list, tuple)):
        hint = ": [record]" if isinstance(records, dict) else ""
        raise RecordError(f"{endpoint.path}: {name} is {type(records).__name__}, not a list{hint}")
    if not records:
        raise RecordError(f"{endpoint.path}: {name} is empty; give at least one record")
    if endpoint.max_records is not None and len(records) > endpoint.max_records:
        raise RecordError(
            f"{endpoint.path} takes at most {endpoint.max_records} records in one request, "
            f"got {len(records)}; bulk.insert and its siblings take any number"
        )
    for position, record in enumerate(records, 1):
        where = f"record {position} of {len(records)}"
        if endpoint.needs_id:
            check_record(record, where, needs_image=endpoint.needs_image)
        else:
            check_query(endpoint, record, where)


def check_record(record: object, where: str = "the record", *, needs_image: bool) -> None:
    """Check that a record has the `_id` and, where needed, the image without which nothing works.

    Args:
        record: The record.
        where: How a message calls it.
        needs_image: Whether it must bring `_url`, `_base64`, `_file` or `_image`.

    Raises:
        RecordError: it has not; the message says what is missing.

    Example:
        >>> check_record({"_id": "1", "_url": "https://example.com/1.jpg"}, needs_image=True)
    """
    if not isinstance(record, dict):
        raise RecordError(f"{where} is {type(record).__name__}, not a JSON object (dict)")
    id_ = record.get("_id")
    if id_ is None:
        raise RecordError(f"{where} has no `_id`")
    if not isinstance(id_, str) or not id_:
        raise RecordError(f"{where}: `_id` must be a non-empty string, not {id_!r:.80}")
    if needs_image and not any(record.get(name) is not None for name in _IMAGE_FIELDS):
        raise RecordError(
            f"{where} (`_id` {id_!r:.80}) has no image: give `_url`, `_base64`, `_file` or `_image`"
        )


def check_query(endpoint: Endpoint[Any], record: object, where: str) -> None:
    """Check that a query has an `_id` or an image.

    Args:
        endpoint: The method.
        record: The query.
        where: How a message calls it.

    Raises:
        RecordError: it has neither; the message says so.
    """
    if not isinstance(record, dict):
        kind = type(record).__name__
        hint = f"; a stored record is {{'_id': {record!r:.40}}}" if isinstance(record, str) else ""
        raise RecordError(f"{endpoint.path}: {where} is {kind}, not a JSON object (dict){hint}")
    if not any(record.get(name) is not None for name in ("_id", *_IMAGE_FIELDS)):
        raise RecordError(
            f"{endpoint.path}: {where} needs an `_id` or an image "
            "(`_url`, `_base64`, `_file` or `_image`)"
        )
