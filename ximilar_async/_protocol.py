"""Requests out, answers in: the API's rules, with no I/O of their own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeGuard, TypeVar
from urllib.parse import urlencode, urlsplit

import orjson
from attrs import field, frozen

from ._config import Secret
from ._encoding import EncodedRecord, encode_body
from ._models import Account, Answer, SearchAnswer, structure
from ._retry import parse_retry_after
from ._version import __version__
from .errors import (
    AnswerError,
    AuthError,
    CapacityError,
    ConfigError,
    NotFoundError,
    RecordError,
    api_error_class,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ._config import Target
    from ._endpoints import Endpoint
    from .errors import (
        ApiError,
        XimilarError,
    )

A = TypeVar("A", bound=Answer | Account)

CONTENT_TYPE: Final = "application/json;charset=UTF-8"
USER_AGENT: Final = f"ximilar-async/{__version__}"

_REFUSED = 400
_REDIRECT = 300
_IMAGE_FIELDS: Final = ("_url", "_base64", "_file", "_image")
_LISTS: Final = ("answer_records", "skipped_records")


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
    headers: Mapping[str, str] = field(repr=False)
    """Headers, looked up by lower-case name."""
    body: bytes = field(default=b"", repr=False)
    """The body, decompressed."""


# --- requests -----------------------------------------------------------------------------------


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
        ConfigError: `fields_to_return` is not a list of names.

    Example:
        >>> from ximilar_async._endpoints import PING
        >>> from ximilar_async._config import make_target
        >>> build_request("http://localhost", "t", PING, make_target("c", "photos")).url
        'http://localhost/similarity/photos/v2/ping'
    """
    body = {name: value for name, value in (fields or {}).items() if value is not None}
    _check_fields(endpoint, body)
    headers = {
        "authorization": authorization(token),
        "content-type": CONTENT_TYPE,
        "user-agent": USER_AGENT,
    }
    if target is None:
        url = f"{base_url}/{endpoint.path}"
    else:
        url = f"{base_url}/{target.prefix}/v2/{endpoint.path}"
        if endpoint.needs_collection:
            headers["collection-id"] = target.collection_id
    if params := {name: value for name, value in (query or {}).items() if value is not None}:
        url = f"{url}?{urlencode(params)}"
    return Request(
        endpoint.verb, url, headers, b"" if endpoint.verb == "GET" else encode_body(body)
    )


def authorization(token: str) -> Secret:
    """Return the value of the header that carries the token.

    Example:
        >>> authorization("abc") == "Token abc"
        True
    """
    return Secret(f"Token {token}")


def _check_fields(endpoint: Endpoint[Any], body: Mapping[str, Any]) -> None:
    if isinstance(names := body.get("fields_to_return"), str):
        raise ConfigError(f"fields_to_return takes a list: [{names!r}], not a string")
    for name in ("records", "query_records"):
        if name in body:
            check_records(endpoint, name, body[name])
    query = body.get("query_record")
    if "query_record" in body and not isinstance(query, EncodedRecord):
        check_query(endpoint, query, "query_record")


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
        raise RecordError(f"{endpoint.path}: {name} is {type(records).__name__}, not a list")
    if not records:
        raise RecordError(f"{endpoint.path}: {name} is empty; give at least one record")
    if endpoint.max_records is not None and len(records) > endpoint.max_records:
        raise RecordError(
            f"{endpoint.path} takes at most {endpoint.max_records} records in one request, "
            f"got {len(records)}; bulk.insert and its siblings take any number"
        )
    for position, record in enumerate(records, 1):
        if isinstance(record, EncodedRecord):
            continue
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
        raise RecordError(
            f"{endpoint.path}: {where} is {type(record).__name__}, not a JSON object (dict)"
        )
    if not any(record.get(name) is not None for name in ("_id", *_IMAGE_FIELDS)):
        raise RecordError(
            f"{endpoint.path}: {where} needs an `_id` or an image "
            "(`_url`, `_base64`, `_file` or `_image`)"
        )


# --- answers ------------------------------------------------------------------------------------


def parse_response(endpoint: Endpoint[A], response: Response, target: Target | None = None) -> A:
    """Turn an HTTP response into the method's answer, or raise what it means.

    The body's own code decides, the HTTP status comes second: codes are "aligned with HTTP status
    codes", but nothing says that HTTP carries them. No exact 2xx code and no text is ever looked
    at, for the documents disagree on both.

    Args:
        endpoint: The method that was called.
        response: What came back.
        target: Service prefix and collection, for messages.

    Raises:
        ApiError: the service said no.
        AnswerError: a success whose body is not the documented JSON.
        ConfigError: a redirect: `base_url` is not the service.

    Example:
        >>> from ximilar_async._endpoints import GET_RECORD_COUNT
        >>> body = b'{"status": {"code": 200, "text": "OK"}, "answer_count": 5}'
        >>> parse_response(GET_RECORD_COUNT, Response(200, {}, body)).count
        5
    """
    if _REDIRECT <= response.status < _REFUSED:
        raise _redirected(response)
    decoded = _decode(response.body)
    code, text = _verdict(decoded)
    if code is None and _has_lists(decoded):
        code = response.status  # a 404 may be told by HTTP alone
    if not _is_answer(endpoint, decoded, code):
        worst = code if code is not None and code >= _REFUSED else response.status
        if worst >= _REFUSED:
            raise _api_error(
                endpoint, response, target, code=worst, text=text or _excerpt(response.body)
            )
    return _structure(endpoint, decoded, code, response)


def _decode(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def _verdict(decoded: object) -> tuple[int | None, str]:
    """Read code and text from the four shapes that bodies have (docs/design.md, Error bodies)."""
    if not isinstance(decoded, dict):
        return None, ""
    status = decoded.get("status")
    if isinstance(status, dict):
        code, text = status.get("code"), status.get("text")
        return (code if type(code) is int else None), (text if isinstance(text, str) else "")
    detail = decoded.get("detail")
    text = detail if isinstance(detail, str) else ""
    return (status if type(status) is int else None), text


def _has_lists(decoded: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(decoded, dict) and not decoded.keys().isdisjoint(_LISTS)


def _is_answer(endpoint: Endpoint[Any], decoded: object, code: int | None) -> bool:
    """Tell whether a refusing code is in truth an answer about single records."""
    if not isinstance(decoded, dict) or code is None:
        return False
    if code in endpoint.partial_codes:
        return bool(decoded.get("answer_records"))
    if code not in endpoint.answer_codes:
        return False
    return not endpoint.needs_lists or _has_lists(decoded)


def _structure(endpoint: Endpoint[A], decoded: Any, code: int | None, response: Response) -> A:
    envelope = decoded
    if not endpoint.documented and code is None and decoded is not None:
        envelope = {"status": {"code": response.status}}
    elif _has_lists(decoded) and not isinstance(decoded.get("status"), dict):
        envelope = {**decoded, "status": {"code": code}}
    if not isinstance(envelope, dict):
        raise AnswerError(
            f"{endpoint.path}: HTTP {response.status} without the documented JSON: "
            f"{_excerpt(response.body) or 'an empty body'}"
        )
    try:
        return structure(envelope, endpoint.answer, raw=decoded)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise AnswerError(
            f"{endpoint.path}: not the documented answer: {error!r:.200}", raw=decoded
        ) from None


def _redirected(response: Response) -> XimilarError:
    try:
        host = urlsplit(response.headers.get("location", "")).hostname
    except ValueError:
        host = "no address"
    return ConfigError(
        f"the service redirects (HTTP {response.status}) to {host or 'another path':.100}; "
        "nothing was sent there: set base_url to the address of the service itself"
    )


def _api_error(
    endpoint: Endpoint[Any],
    response: Response,
    target: Target | None,
    *,
    code: int,
    text: str,
) -> ApiError:
    decoded = _decode(response.body)
    kind = api_error_class(code)
    return kind(
        response.status,
        code,
        text,
        retry_after=parse_retry_after(response.headers),
        request_id=response.headers.get("x-request-id"),
        raw=decoded if isinstance(decoded, dict) else None,
        hint=_hint(kind, code, endpoint, target),
    )


def _hint(kind: type[ApiError], code: int, endpoint: Endpoint[Any], target: Target | None) -> str:
    if kind is AuthError:
        return "check the API token (XIMILAR_TOKEN) and that it may use this collection"
    if kind is NotFoundError and target is not None:
        what = "the query's `_id`, " if issubclass(endpoint.answer, SearchAnswer) else ""
        return (
            f"{endpoint.path} of collection {target.collection_id!r} at {target.prefix!r}; "
            f"check {what}the service, the collection and base_url"
        )
    if kind is CapacityError:
        return "the collection is full or the credits are spent"
    return _HINTS.get(code, "")


_HINTS: Final[Mapping[int, str]] = {
    405: "what answers does not know this method; check base_url and the service",
    407: "the proxy wants credentials; name them in the proxy's address",
    410: "what was here is gone; check base_url and the service",
}


def _excerpt(body: bytes) -> str:
    """Return the first words of a body that is not JSON, without markup."""
    text = re.sub(r"<[^>]*>", " ", body[:2000].decode("utf-8", "replace"))
    return " ".join(text.split())[:120]
