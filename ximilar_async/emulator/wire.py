"""What HTTP asks for: bodies in, statuses and bodies out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from ximilar_async._protocol import Response

from .errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ximilar_async._protocol import Request

_JSON: Final = {"content-type": "application/json"}
_OK: Final = 200
_BAD_REQUEST: Final = 400
_BODILESS: Final = frozenset({204, 205, 304})
_LONGEST_ID: Final = 200


def answered(answer: Mapping[str, Any], *, mirror: bool = False) -> Response:
    """Return the response of a call that was answered.

    Args:
        answer: The JSON object.
        mirror: Whether the answer's code is the HTTP status too; where HTTP allows that status no
            body (204, 205, 304) it stays 200.
    """
    status = answer["status"]["code"] if mirror else _OK
    return Response(_OK if status in _BODILESS else status, _JSON, orjson.dumps(answer))


def refused(refusal: Refusal) -> Response:
    """Return the response of a refused call: always with an HTTP status that says so."""
    body: dict[str, Any] = {"detail": refusal.text}
    if not refusal.detail:
        status = {"code": refusal.code, "text": refusal.text}
        body = {"status": status, "statistics": {"OperationTime": 0}}
    return Response(refusal.code, {**_JSON, **refusal.headers}, orjson.dumps(body))


def decode_body(request: Request) -> Mapping[str, Any]:
    """Return the JSON object in a request's body; no body at all stands for an empty one.

    Raises:
        Refusal: it is something else.
    """
    if request.verb == "GET" or not request.body.strip():
        return {}
    try:
        body = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise Refusal(_BAD_REQUEST, f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise Refusal(_BAD_REQUEST, "the body must be a JSON object")
    return body


def collection_id(headers: Mapping[str, str], *, required: bool = True) -> str:
    """Return the collection that a request is about, from its header.

    Args:
        headers: Headers with lower-case names.
        required: Whether there must be one; else it may be empty.

    Raises:
        Refusal: the header is missing or is no id.
    """
    value = headers.get("collection-id", "").strip()
    if not value and required:
        raise Refusal(_BAD_REQUEST, "the header `collection-id` is missing")
    if len(value) > _LONGEST_ID or not value.isprintable():
        raise Refusal(_BAD_REQUEST, "the header `collection-id` is not a collection's id")
    return value
