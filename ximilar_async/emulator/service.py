"""The service itself: a request in, a response out, whichever door they use."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final

import orjson
from attrs import define, field

from ximilar_async._protocol import Response

from .errors import EmulatorError, Refusal
from .faults import Disconnect, Fault
from .filters import FilterError
from .methods import BY_NAME, CREATING, Call
from .routing import find_route
from .throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ximilar_async._protocol import Request

    from .methods import Context
    from .routing import Route
    from .settings import Settings
    from .shelf import Shelf

_log = logging.getLogger(__name__)

_JSON: Final = {"content-type": "application/json"}
_OK: Final = 200
_BAD_REQUEST: Final = 400
_UNAUTHORIZED: Final = 401
_TOO_LARGE: Final = 413
_THROTTLED: Final = 429
_BROKEN: Final = 500
_BODILESS: Final = frozenset({204, 205, 304})
_SCHEMES: Final = frozenset({"token", "jwt"})
_LONGEST_ID: Final = 200


@define(eq=False)
class Service:
    """Answers requests; the work of each is done in a thread, one at a time in each collection."""

    settings: Settings
    shelf: Shelf
    context: Context
    clock: Callable[[], float] = time.monotonic
    """Seconds, for the rate limit."""
    _arrived: int = field(default=0, init=False)
    _throttle: Throttle | None = field(default=None, init=False)
    _threads: ThreadPoolExecutor | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        if self.settings.rate_limit is not None:
            self._throttle = Throttle(self.settings.rate_limit, clock=self.clock)
        self._threads = ThreadPoolExecutor(thread_name_prefix="emulator")

    async def handle(self, request: Request) -> Response:
        """Answer one request; what goes wrong inside becomes an answer too.

        Raises:
            Disconnect: a planned fault cuts the connection.
            ConnectionError: the emulator is closed.
        """
        if self._threads is None:
            raise ConnectionRefusedError("the emulator is closed")
        self._arrived += 1
        fault = (self.settings.faults and self.settings.faults(request, self._arrived)) or _NO_FAULT
        response = await self._answer(request) if fault.apply else None
        delay = self.settings.latency + fault.delay
        if delay:
            await asyncio.sleep(delay)
        if fault.disconnect:
            raise Disconnect
        return fault.answer or response or refused(Refusal(_BROKEN, "a planned fault"))

    async def aclose(self) -> None:
        """Finish what is under way and close the collections; may be called twice."""
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)
            await asyncio.to_thread(self.shelf.close)

    async def _answer(self, request: Request) -> Response:
        try:
            route = self._admit(request)
            if not route.method:
                return Response(_OK, _JSON, orjson.dumps(self.context.account.details()))
            assert self._threads is not None
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._perform, route, request)
        except Refusal as refusal:
            return refused(refusal)
        except EmulatorError as error:
            _log.error("%s", error)
            return refused(Refusal(_BROKEN, str(error)))
        except Exception:  # noqa: BLE001 - whatever it is, the caller gets an answer and the log the cause
            _log.exception("a request failed")
            return refused(
                Refusal(_BROKEN, "the emulator failed on this request; its log says why")
            )

    def _admit(self, request: Request) -> Route:
        """Check all that needs no body: address, token, rate."""
        route = find_route(request.verb, request.url)
        self._authorize(request.headers.get("authorization"))
        wait = 0 if self._throttle is None else self._throttle.wait()
        if wait:
            text = f"more than {self.settings.rate_limit:g} requests per second"
            raise Refusal(_THROTTLED, text, headers={"retry-after": str(wait)})
        return route

    def _authorize(self, header: str | None) -> None:
        if header is None:
            text = "Authentication credentials were not provided."
            raise Refusal(_UNAUTHORIZED, text, detail=True)
        scheme, _, token = header.strip().partition(" ")
        if scheme.lower() not in _SCHEMES or not token or not self._is_known(token.strip()):
            raise Refusal(_UNAUTHORIZED, "Invalid token.", detail=True)

    def _is_known(self, token: str) -> bool:
        tokens = self.settings.tokens
        given = token.encode(errors="surrogateescape")
        return tokens is None or any(compare_digest(given, known.encode()) for known in tokens)

    def _perform(self, route: Route, request: Request) -> Response:
        """Do the work of one request, in a thread."""
        started = time.perf_counter()
        body = decode_body(request)
        collection = self.shelf.collection(
            collection_id(route, request.headers), create=route.method in CREATING
        )
        call = Call(
            collection=collection,
            body=body,
            context=self.context,
            tags_field=route.tags_field,
            url=route.query,
            base=route.base,
        )
        try:
            answer = BY_NAME[route.method](call)
        except FilterError as error:
            raise Refusal(_BAD_REQUEST, str(error)) from None
        answer["statistics"]["OperationTime"] = round((time.perf_counter() - started) * 1000)
        status = self._status(answer["status"]["code"])
        return Response(status, _JSON, orjson.dumps(answer))

    def _status(self, code: int) -> int:
        """Return the HTTP status of an answer: its own code if wanted and fit for a body."""
        return code if self.settings.mirror_status and code not in _BODILESS else _OK


_NO_FAULT: Final = Fault()


def refused(refusal: Refusal) -> Response:
    """Return the response of a refused call: always with an HTTP status that says so."""
    body: dict[str, Any] = (
        {"detail": refusal.text}
        if refusal.detail
        else {
            "status": {"code": refusal.code, "text": refusal.text},
            "statistics": {"OperationTime": 0},
        }
    )
    return Response(refusal.code, {**_JSON, **refusal.headers}, orjson.dumps(body))


def too_large(limit: int) -> Response:
    """Return the response to a body over the limit, in bytes."""
    return refused(Refusal(_TOO_LARGE, f"the request is larger than {limit} bytes"))


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


def collection_id(route: Route, headers: Mapping[str, str]) -> str:
    """Return the collection that a request is about; `ping` is about none.

    Raises:
        Refusal: the header is missing or is no id.
    """
    value = headers.get("collection-id", "").strip()
    if not value and route.method != "ping":
        raise Refusal(_BAD_REQUEST, "the header `collection-id` is missing")
    if len(value) > _LONGEST_ID or not value.isprintable():
        raise Refusal(_BAD_REQUEST, "the header `collection-id` is not a collection's id")
    return value
