"""The service itself: a request in, a response out, whichever door they use."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from hmac import compare_digest
from typing import TYPE_CHECKING, Final

import orjson
from attrs import define, field

from ximilar_async._protocol import Response

from .errors import EmulatorError, Refusal
from .faults import Fault
from .job import Job
from .lanes import Lanes
from .methods import CREATING
from .routing import find_route
from .throttle import Throttle
from .wire import answered, collection_id, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from ximilar_async._protocol import Request

    from .job import Workshop
    from .routing import Route
    from .settings import Settings

_log = logging.getLogger(__name__)

_OK: Final = 200
_UNAUTHORIZED: Final = 401
_THROTTLED: Final = 429
_BROKEN: Final = 500
_FAILED: Final = "the emulator failed on this request; its log says why"
_SCHEMES: Final = frozenset({"token", "jwt"})
_NO_FAULT: Final = Fault()

_SUCCESSORS: Final = {
    "photo/search": "similarity/photos",
    "similarity/products": "similarity/products-new",
    "similarity/fashion": "similarity/fashion-new",
    "similarity/homedecor": "similarity/homedecor-new",
    "similarity/homedeco-newr": "similarity/homedecor-new",
}
"""Prefixes that mean another one: deprecated ones, and one that the overview misprints."""


@define(eq=False)
class Service:
    """Answers requests; made in the event loop that it will work in.

    The work is done in threads: images are read side by side, all else one request at a time in
    each collection, in order of arrival.
    """

    settings: Settings
    workshop: Workshop
    clock: Callable[[], float] = time.monotonic
    """Seconds, for the rate limit."""
    _arrived: int = field(default=0, init=False)
    _closed: bool = field(default=False, init=False)
    _throttle: Throttle | None = field(default=None, init=False)
    _threads: ThreadPoolExecutor = field(init=False)
    _lanes: Lanes = field(init=False)
    _filled_through: dict[str, str] = field(factory=dict, init=False)
    _mixed_up: set[str] = field(factory=set, init=False)
    _working: set[asyncio.Future[Response]] = field(factory=set, init=False)
    _loop: asyncio.AbstractEventLoop = field(factory=asyncio.get_running_loop, init=False)

    def __attrs_post_init__(self) -> None:
        if self.settings.rate_limit is not None:
            self._throttle = Throttle(self.settings.rate_limit, clock=self.clock)
        if self.workshop.shelf.folder is not None:
            self.workshop.context.account.keep_in(self.workshop.shelf.folder)
        self._threads = ThreadPoolExecutor(thread_name_prefix="emulator")
        self._lanes = Lanes(self._threads)

    async def handle(self, request: Request) -> Response:
        """Answer one request; what goes wrong inside becomes an answer too.

        Raises:
            Disconnect: a planned fault cuts the connection, before or within the answer.
            ConnectionError: the emulator is closed.
        """
        if asyncio.get_running_loop() is not self._loop:
            elsewhere = asyncio.run_coroutine_threadsafe(self.handle(request), self._loop)
            return await asyncio.wrap_future(elsewhere)
        if self._closed:
            raise ConnectionRefusedError("the emulator is closed")
        self._arrived += 1
        plan = self.settings.faults
        fault = (None if plan is None else plan(request, self._arrived)) or _NO_FAULT
        response = await self._answer(request) if fault.apply else None
        delay = self.settings.latency + fault.delay
        if delay:
            await asyncio.sleep(delay)
        return fault.outcome(response or refused(Refusal(_BROKEN, "a planned fault")))

    async def aclose(self) -> None:
        """Finish what is under way and close the collections; may be called twice."""
        self._closed = True
        while self._working:
            await asyncio.wait(self._working)
        await asyncio.to_thread(self._threads.shutdown)
        await asyncio.to_thread(self.workshop.shelf.close)

    async def _answer(self, request: Request) -> Response:
        try:
            route = self._admit(request)
            if not route.method:
                details = self.workshop.context.account.details()
                return Response(_OK, {"content-type": "application/json"}, orjson.dumps(details))
            work = self._begin(route, request)
            if isinstance(work, Response):
                return work
            self._working.add(work)
            work.add_done_callback(self._working.discard)
            # What has begun is done to its end although the caller leaves, as on a real service.
            return await asyncio.shield(work)
        except Refusal as refusal:
            return refused(refusal)
        except EmulatorError as error:
            _log.error("%s", error)
            return refused(Refusal(_BROKEN, str(error)))
        except Exception:  # noqa: BLE001 - the caller gets an answer, the log the cause
            _log.exception("a request failed")
            return refused(Refusal(_BROKEN, _FAILED))

    def _begin(self, route: Route, request: Request) -> Response | asyncio.Future[Response]:
        """Begin the work of a request in the collection's lane; or do it, if it is so little."""
        id_ = collection_id(request.headers, required=route.method != "ping")
        self._note_service(id_, route)
        job = Job(self.workshop, route, request, id_)

        def perform() -> Response:
            return answered(job.perform(), mirror=self.settings.mirror_status)

        if job.is_light() and not self._lanes.is_busy(id_):
            return perform()

        async def with_images() -> Response:
            await self._loop.run_in_executor(self._threads, job.prepare)
            return await self._lanes.submit(id_, perform)

        if job.brings_images():
            return self._loop.create_task(with_images())
        return self._lanes.submit(id_, perform)

    def _note_service(self, id_: str, route: Route) -> None:
        """Log, once, that a collection is asked through another service than it was filled through.

        All operations are performed on the collection "identified by the collection-id", so its id
        alone finds it; how the real service answers is unknown.
        """
        prefix = _SUCCESSORS.get(route.prefix, route.prefix)
        if route.method in CREATING and prefix:
            self._filled_through.setdefault(id_, prefix)
        known = self._filled_through.get(id_, prefix)
        if prefix and prefix != known and id_ not in self._mixed_up:
            self._mixed_up.add(id_)
            _log.warning(
                "the collection %r was filled through %s and is asked through %s: "
                "Ximilar's own collections belong to one service",
                *(id_, known, prefix),
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
