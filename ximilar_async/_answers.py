"""Answers: what a response means, as a value or as an error; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeGuard, TypeVar
from urllib.parse import urlsplit

import orjson

from ._models import Account, Answer, SearchAnswer, structure
from ._retry import parse_retry_after
from .errors import (
    AnswerError,
    AuthError,
    BadRequestError,
    ConfigError,
    NotFoundError,
    RateLimitError,
    ServerError,
    api_error_class,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ._config import Target
    from ._endpoints import Endpoint
    from ._protocol import Response
    from .errors import ApiError, XimilarError

A = TypeVar("A", bound=Answer | Account)

_REFUSED = 400
_REDIRECT = 300
_LISTS: Final = ("answer_records", "skipped_records")
_ANSWERED_BY: Final = "is base_url the service itself, with no proxy's page in between?"


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
        >>> from ximilar_async._protocol import Response
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
            f"{_excerpt(response.body) or 'an empty body'}; {_ANSWERED_BY}"
        )
    try:
        return structure(envelope, endpoint.answer, raw=decoded)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise AnswerError(
            f"{endpoint.path}: not the documented answer: {error!r:.200}; {_ANSWERED_BY}",
            raw=decoded,
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
    return _HINTS.get(code) or _HINT_OF[kind]


_HINTS: Final[Mapping[int, str]] = {
    402: "the credits are spent (client.account() tells); raise the plan or wait for new ones",
    405: "what answers does not know this method; check base_url and the service",
    407: "the proxy wants credentials; name them in the proxy's address",
    410: "what was here is gone; check base_url and the service",
    412: "the collection is full or the credits are spent; make room or raise the plan",
    413: "send fewer records at once, or smaller images",
}

_HINT_OF: Final[Mapping[type[ApiError], str]] = {
    BadRequestError: "it will be refused again as it is; mend what these words name",
    NotFoundError: "check the service, the collection and base_url",
    RateLimitError: "send less: Limits(rate=…) or Limits(concurrency=…)",
    ServerError: "the service cannot just now; try again later",
}
"""What to do about a refusal whose code says no more than its class."""


def _excerpt(body: bytes) -> str:
    """Return the first words of a body that is not JSON, without markup."""
    text = re.sub(r"<[^>]*>", " ", body[:2000].decode("utf-8", "replace"))
    if "\N{REPLACEMENT CHARACTER}" in text[:120] or "\0" in text:
        return f"{len(body)} bytes that are no text"
    return " ".join(text.split())[:120]
