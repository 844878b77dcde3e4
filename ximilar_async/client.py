"""`Ximilar`: what a user opens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from ._collection import Collection
from ._config import (
    Config,
    Limits,
    Retry,
    Service,
    Timeout,
    conceal,
    make_base_url,
    make_target,
    make_token,
)
from ._endpoints import ACCOUNT
from ._observed import ObservedSession
from ._processes import ProcessTransport
from ._session import Session
from ._transport import AiohttpTransport
from .errors import ConfigError
from .images import ImageOptions

if TYPE_CHECKING:
    from os import PathLike
    from types import TracebackType

    from ._config import (
        TokenProvider,
    )
    from ._models import Account
    from ._observer import Observer
    from ._transport import TLS, Transport

__all__ = ["Ximilar"]

_LIMITS, _RETRY, _TIMEOUT, _IMAGES = Limits(), Retry(), Timeout(), ImageOptions()


class Ximilar:
    """A client of the Ximilar API: one pool of connections, one quota, any number of collections.

    Nothing is opened before the first call. A client works from one event loop.

    Args:
        token: The API token, or a function or coroutine function that returns it (asked again,
            once, when the service answers 401). None reads the variable `XIMILAR_TOKEN`.
        base_url: Scheme and host of the service; None reads `XIMILAR_URL`, or means the real one.
        limits: How many requests at once, and how many in a time.
        retry: When and how long to wait before a call is sent again.
        timeout: How long one attempt may take.
        transport: What carries the requests instead of HTTP, such as an emulator's `transport()`.
        ssl: An `SSLContext`, or the path of a CA file; certificates are always checked.
        trust_env: Whether proxy variables of the environment count.
        processes: How many processes carry the requests, besides this one, on a machine with cores
            to spare; None for none. It pays where TLS does the work; small requests over plain
            HTTP gain little. `ssl` is a path then.
        telemetry: Who watches calls and bulk runs, an `OpenTelemetry` (docs/opentelemetry.md); None
            for nobody, which costs nothing.

    Raises:
        ConfigError: there is no token, or a setting cannot work.

    Example:
        async with Ximilar("token", transport=emulator.transport()) as client:
            print((await client.account()).credits_limit)
    """

    def __init__(
        self,
        token: str | TokenProvider | None = None,
        *,
        base_url: str | None = None,
        limits: Limits = _LIMITS,
        retry: Retry = _RETRY,
        timeout: Timeout = _TIMEOUT,
        transport: Transport | None = None,
        ssl: TLS = None,
        trust_env: bool = False,
        processes: int | None = None,
        telemetry: Observer | None = None,
    ) -> None:
        token = conceal(token)
        config = Config(
            token=make_token(token),
            base_url=make_base_url(base_url),
            limits=limits,
            retry=retry,
            timeout=timeout,
            trust_env=trust_env,
        )
        if transport is None and processes is not None:
            transport = ProcessTransport(processes, timeout, tls=ssl, trust_env=trust_env)
        elif transport is None:
            transport = AiohttpTransport(timeout, tls=ssl, trust_env=trust_env)
        elif processes is not None:
            raise ConfigError("transport and processes exclude each other: give one of them")
        self._session = _session(config, _checked(transport), telemetry)

    def __repr__(self) -> str:
        session = vars(self).get("_session")  # tracebacks may show a client that is half made
        return "Ximilar()" if session is None else f"Ximilar(base_url={session.config.base_url!r})"

    def collection(
        self,
        collection_id: str,
        service: Service | str = Service.PHOTOS,
        *,
        images: ImageOptions = _IMAGES,
        files_root: str | PathLike[str] | None = None,
    ) -> Collection:
        """Return one collection; nothing is sent.

        Args:
            collection_id: The collection's id (Ximilar App).
            service: The collection's service: a `Service`, its short name, or a private prefix.
            images: How `_file` and `_image` are checked and shrunk before they are sent.
            files_root: Folder that `_file` must not leave; None for anywhere.

        Raises:
            ConfigError: no id, or an unknown service.

        Example:
            >>> Ximilar("token").collection("shoes-id", "fashion")
            Collection('shoes-id', 'similarity/fashion-new')
        """
        return Collection(
            self._session,
            make_target(collection_id, service),
            images=images,
            files_root=files_root,
        )

    async def account(self) -> Account:
        """Return the account that the token belongs to, with its credits.

        Raises:
            AuthError: the token is wrong.

        Example:
            account = await ximilar.account()
            print(account.email, account.credits_counter, account.credits_limit)

        Documented in: Quickstart, Making Your First API Request.
        """
        return await self._session.call(ACCOUNT)

    async def aclose(self) -> None:
        """Close the connections; `async with` does it by itself."""
        await self._session.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()


def _session(config: Config, transport: Transport, observer: Observer | None) -> Session:
    if observer is None:
        return Session(config, transport)
    if not (hasattr(observer, "call") and hasattr(observer, "run")):
        raise ConfigError(
            "telemetry must be an OpenTelemetry() of ximilar_async.telemetry, "
            f"not {type(observer).__name__}"
        )
    return ObservedSession(config, transport, observer=observer)


def _checked(transport: Transport) -> Transport:
    if not (hasattr(transport, "send") and hasattr(transport, "aclose")):
        raise ConfigError(
            "transport must have send() and aclose(), as emulator.transport() has; "
            f"{type(transport).__name__} has not"
        )
    return transport
