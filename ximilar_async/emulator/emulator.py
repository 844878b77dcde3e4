"""What a user opens: settings, folder, service and doors put together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from attrs import frozen

from ximilar_async._version import __version__

from .answers import WORDS
from .descriptor import VisualDescriptor
from .errors import EmulatorError
from .fetch import Fetcher
from .folder import Folder
from .images import Images
from .job import Workshop
from .methods import Context
from .server import Server
from .service import Service
from .settings import Settings
from .shelf import Shelf, check
from .transport import EmulatorTransport

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike
    from types import TracebackType

    from .answers import Dialect
    from .descriptor import Extractor
    from .faults import FaultPlan
    from .settings import UrlImages


@frozen
class _Parts:
    """What an open emulator is made of."""

    folder: Folder | None
    service: Service
    server: Server


class Emulator:
    """A local Visual Search service that does real work, to try, test and benchmark against.

    Collections come into being on their first insert. Whatever token is sent is right unless
    `tokens` says otherwise.

    Args:
        path: A folder that keeps the collections, made when it is not there, used by one process at
            a time; None keeps them in memory, until the emulator is closed.
        host: Where to listen; other machines reach it only if you name an address that they see.
        port: Port to listen on; 0 takes any free one.
        tokens: The tokens that are right; None takes any. A request without a token is always
            refused with 401.
        mirror_status: Whether an answer's code (210, 411, 404…) is its HTTP status too, as far as a
            response with that status may have a body; else answers have HTTP 200, and only refused
            calls another status. The documents leave it open.
        latency: Seconds added to each answer.
        rate_limit: Requests per second (in any window of a second), beyond which the answer is 429
            with Retry-After; None: any.
        capacity: Most records in a collection, beyond which the answer is 412; None: any number.
        faults: Decides about each request whether it fails and how: `Faults(…)` made of the
            scenarios in `faults`, or a function that gets the request and its number (from 1) and
            returns a `Fault`, or None for none.
        files_root: The folder below which `_file` in a record may be read; None reads no files.
        url_allow: The origins that `url_images="fetch"` fetches from, as
            "https://images.example.com".
        url_images: What to do with a record whose image is only an address: "derive" makes its
            descriptor from the address's text, the same for the same address, and fetches nothing;
            "fetch" fetches it; "refuse" skips the record.
        dialect: Where the documents' examples and tables disagree, whom to follow: 213 or 206 for a
            part of the records, and the text of 211.
        extractor: What turns an image into a vector; None takes the emulator's own. A folder keeps
            to one extractor.
        seed: Seed of the method `random`, so that the same calls get the same answers; None for
            other records each time.

    Raises:
        ValueError: a setting makes no sense.

    Example:
        >>> import asyncio
        >>> async def main():
        ...     async with Emulator() as emulator:
        ...         return emulator.url
        >>> asyncio.run(main())
        'http://127.0.0.1:...'
    """

    def __init__(
        self,
        path: str | PathLike[str] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tokens: Iterable[str] | None = None,
        mirror_status: bool = False,
        latency: float = 0.0,
        rate_limit: float | None = None,
        capacity: int | None = None,
        faults: FaultPlan | None = None,
        files_root: str | PathLike[str] | None = None,
        url_allow: Iterable[str] = (),
        url_images: UrlImages = "derive",
        dialect: Dialect = "examples",
        extractor: Extractor | None = None,
        seed: int | None = 0,
    ) -> None:
        self._settings = Settings(
            path=path,
            host=host,
            port=port,
            tokens=tokens,
            mirror_status=mirror_status,
            latency=latency,
            rate_limit=rate_limit,
            capacity=capacity,
            faults=faults,
            files_root=files_root,
            url_allow=url_allow,
            url_images=url_images,
            dialect=dialect,
            seed=seed,
        )
        self._extractor = extractor
        self._parts: _Parts | None = None

    @property
    def url(self) -> str:
        """The address to give to a client as `base_url`.

        Raises:
            EmulatorError: the emulator is not open.
        """
        return self._opened().server.url

    def transport(self) -> EmulatorTransport:
        """Return a way to the emulator without a socket, to give to a client as `transport`.

        Raises:
            EmulatorError: the emulator is not open.
        """
        return EmulatorTransport(self._opened().service)

    async def start(self) -> None:
        """Open folder and port; `async with` does so.

        Raises:
            EmulatorError: the folder is in use or of another kind, the port is taken, or the
                emulator is open already.
        """
        if self._parts is not None:
            raise EmulatorError("the emulator is open already")
        workshop = await asyncio.to_thread(_open, self._settings, self._extractor)
        service = Service(self._settings, workshop)
        server = Server(service, self._settings.host, self._settings.port)
        self._parts = _Parts(workshop.shelf.folder, service, server)
        try:
            await server.start()
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Finish the requests under way, close port and folder; may be called twice."""
        parts, self._parts = self._parts, None
        if parts is None:
            return
        try:
            await parts.server.aclose()
            await parts.service.aclose()
        finally:
            if parts.folder is not None:
                parts.folder.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _opened(self) -> _Parts:
        if self._parts is None:
            raise EmulatorError("the emulator is not open: use `async with Emulator(...)`")
        return self._parts


def _open(settings: Settings, extractor: Extractor | None) -> Workshop:
    """Do all that touches the disk."""
    extractor = VisualDescriptor() if extractor is None else extractor
    folder = None if settings.path is None else Folder(settings.path)
    try:
        if folder is not None:
            check(folder, extractor)
        shelf = Shelf(extractor, folder, settings.seed)
        return Workshop(shelf, _context(settings, extractor, folder))
    except BaseException:
        if folder is not None:
            folder.close()
        raise


def _context(settings: Settings, extractor: Extractor, folder: Folder | None) -> Context:
    fetch: Any = Fetcher(settings.url_allow) if settings.url_images == "fetch" else None
    images = Images(extractor, settings.url_images, fetch, settings.files_root)
    return Context(
        images=images,
        words=WORDS[settings.dialect],
        capacity=settings.capacity,
        folder=folder,
        info=(
            f"Local emulator of Ximilar Visual Search (ximilar-async {__version__}), not the "
            f"service itself; descriptor: {extractor.name}; {images.url_words}"
        ),
    )
