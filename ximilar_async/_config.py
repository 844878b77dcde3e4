"""Settings, validated once and then frozen."""

from __future__ import annotations

import difflib
import os
import re
import warnings
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, SupportsIndex, TypeAlias, cast
from urllib.parse import urlsplit

from attrs import field, frozen

from ._validation import instance_of, number, optional, truth, unless, whole
from .errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping


DEFAULT_URL: Final = "https://api.ximilar.com"

TokenProvider: TypeAlias = Callable[[], str | Awaitable[str]]
"""Returns the token; asked again, once, when the service answers 401."""


class Secret(str):
    """A text that no `repr` shows: error trackers print the variables of every frame.

    Example:
        >>> Secret("abc"), str(Secret("abc")) == "abc"
        ('***', True)
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __getitem__(self, key: SupportsIndex | slice) -> Secret:
        return Secret(super().__getitem__(key))  # trackers cut long texts before they print them


class _NoText(Secret):
    """The name of the type of what was given as a token and is no text: its value may be secret."""

    __slots__ = ()


def conceal(token: object) -> Secret | TokenProvider | None:
    """Return what was given as a token so that no traceback with variables shows it.

    Whoever is given a token puts this in its place at once, before anything can be raised.

    Example:
        >>> conceal("abc"), conceal(b"abc"), conceal(None)
        ('***', '***', None)
    """
    if token is None or isinstance(token, Secret):
        return token
    if isinstance(token, str):
        return Secret(token)
    return cast("TokenProvider", token) if callable(token) else _NoText(type(token).__name__)


class Service(StrEnum):
    """The similarity services, each with its address prefix (Visual Search, Endpoints).

    Wherever a service is taken, its short name (`"fashion"`), its prefix, or the free prefix of a
    private cloud (`"my-cloud/shoes"`) will do.
    """

    PHOTOS = "similarity/photos"
    IMAGE_MATCHING = "image_matching"
    PRODUCTS = "similarity/products-new"
    CUSTOM = "similarity/custom"
    FASHION = "similarity/fashion-new"
    COLORS = "similarity/colors"
    HOME_DECOR = "similarity/homedecor-new"


_SUCCESSORS: Final[Mapping[str, Service]] = {
    "photo/search": Service.PHOTOS,
    "similarity/products": Service.PRODUCTS,
    "similarity/fashion": Service.FASHION,
    "similarity/homedecor": Service.HOME_DECOR,
}
"""Deprecated prefixes: they "will be removed in the future" (Visual Search, Endpoints)."""

_SHORT_NAMES: Final[Mapping[str, Service]] = {
    **{service.name.lower(): service for service in Service},
    "homedecor": Service.HOME_DECOR,
    "matching": Service.IMAGE_MATCHING,
}

_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*(/[A-Za-z0-9][A-Za-z0-9._~-]*)*")


def service_prefix(service: Service | str) -> str:
    """Return the address prefix of a service.

    Args:
        service: A `Service`, a short name, a prefix of the documents, or a private cloud's own
            prefix.

    Raises:
        ConfigError: it is empty, no path, or a misspelt short name. A private prefix that only
            looks like one is written with a slash at its end.

    Example:
        >>> service_prefix("fashion"), service_prefix("my-cloud/shoes")
        ('similarity/fashion-new', 'my-cloud/shoes')
    """
    if isinstance(service, Service):
        return service.value
    if not isinstance(service, str):
        raise ConfigError(
            f"service must be a Service or an address prefix, not {service!r:.40}; "
            f"{_known_services()}"
        )
    prefix = service.strip("/")
    if not _PREFIX.fullmatch(prefix):
        raise ConfigError(f"service {service!r} is no address prefix; {_known_services()}")
    name = prefix.lower().replace("-", "_")
    if name in _SHORT_NAMES:
        return _SHORT_NAMES[name].value
    if prefix in _SUCCESSORS:
        successor = _SUCCESSORS[prefix]
        warnings.warn(
            f"the prefix {prefix!r} is deprecated and will be removed by the service; "
            f"use Service.{successor.name} ({successor.value!r})",
            DeprecationWarning,
            stacklevel=4,  # the caller of Ximilar.collection(), by way of make_target()
        )
        return prefix
    if "/" not in service and (alike := difflib.get_close_matches(name, _SHORT_NAMES, 1, 0.75)):
        raise ConfigError(
            f"unknown service {service!r}; did you mean {alike[0]!r}? {_known_services()}"
        )
    return prefix


def _known_services() -> str:
    names = ", ".join(service.name.lower() for service in Service)
    return f"known are {names}, or a private prefix such as 'my-cloud/shoes'"


# --- the settings -------------------------------------------------------------------------------


@frozen(kw_only=True)
class Limits:
    """How hard one client may press the service: one quota for all its collections and jobs.

    Args:
        concurrency: Most requests under way at once; "auto" lets the client choose.
        rate: Most requests started in `per` seconds; None for no limit.
        per: Length of the rate's window, in seconds.

    Raises:
        ConfigError: a value is out of range.

    Example:
        >>> Limits(concurrency=4, rate=10).rate
        10
    """

    concurrency: int | Literal["auto"] = field(
        default="auto", validator=unless("auto", whole(least=1))
    )
    rate: float | None = field(default=None, validator=optional(number(above=0)))
    per: float = field(default=1.0, validator=number(above=0))


@frozen(kw_only=True)
class Retry:
    """When and how long a call waits before it is sent again.

    Waits are drawn with full jitter from an exponential backoff; what the service asks for in
    `Retry-After` is a floor that jitter adds to.

    Args:
        attempts: Most requests for one call, the first included; 1 turns retries off.
        base: First ceiling of the backoff, in seconds.
        throttled_base: The same after a 429 or a 503 with Retry-After, in seconds.
        cap: Largest ceiling of the backoff, in seconds.
        deadline: No request of a call starts later than this many seconds after its first. It ends
            none that is under way: how long a slow answer is waited for is `Timeout`'s to say, and
            `asyncio.timeout` bounds the whole call.
        longest_hint: A `Retry-After` above this many seconds ends the call instead.

    Raises:
        ConfigError: a value is out of range.

    Example:
        >>> Retry(attempts=2).attempts
        2
    """

    attempts: int = field(default=4, validator=whole(least=1))
    base: float = field(default=0.5, validator=number(least=0))
    throttled_base: float = field(default=1.0, validator=number(least=0))
    cap: float = field(default=20.0, validator=number(least=0))
    deadline: float = field(default=60.0, validator=number(above=0, endless=True))
    longest_hint: float = field(default=120.0, validator=number(least=0, endless=True))


@frozen(kw_only=True)
class Timeout:
    """How long one attempt may take, in seconds; None for no bound.

    Args:
        total: From the start of the request to the last byte of the answer.
        connect: Until a connection is there, waiting for a free one included.
        sock_connect: Until the peer accepts a new connection.
        sock_read: Between two pieces of the answer.

    Raises:
        ConfigError: a value is not above 0.

    Example:
        >>> Timeout(total=10).connect
        30.0
    """

    total: float | None = field(default=120.0, validator=optional(number(above=0)))
    connect: float | None = field(default=30.0, validator=optional(number(above=0)))
    sock_connect: float | None = field(default=10.0, validator=optional(number(above=0)))
    sock_read: float | None = field(default=90.0, validator=optional(number(above=0)))


@frozen
class Target:
    """What a call is about: a service's prefix and one collection in it."""

    prefix: str
    collection_id: str


def make_target(collection_id: str | None, service: Service | str) -> Target:
    """Return the checked target of a collection's calls.

    Raises:
        ConfigError: the id is empty or cannot travel in a header, or the service is unknown.

    Example:
        >>> make_target("shoes-id", "fashion")
        Target(prefix='similarity/fashion-new', collection_id='shoes-id')
    """
    if not isinstance(collection_id, str) or not collection_id.strip():
        raise ConfigError(
            f"no collection: give the collection's id (from the Ximilar App), not {collection_id!r}"
        )
    if not _is_header_value(collection_id):
        raise ConfigError(f"collection id {collection_id!r} has characters that no header can hold")
    return Target(service_prefix(service), collection_id)


def make_base_url(base_url: str | None) -> str:
    """Return the service's address: the given one, `XIMILAR_URL`, or the real service.

    Raises:
        ConfigError: it is not an http(s) address, or has a query, a fragment or a user in it.

    Example:
        >>> make_base_url("http://127.0.0.1:8900/")
        'http://127.0.0.1:8900'
    """
    url = str(base_url or os.environ.get("XIMILAR_URL") or DEFAULT_URL).strip().rstrip("/")
    shown = re.sub(r"[^/]*@", "…@", url)  # a user that is named there may have a password
    wrong = f"base_url {shown!r} is not an address such as {DEFAULT_URL!r}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ConfigError(wrong) from None
    if not usable or not _is_header_value(url) or " " in url:
        raise ConfigError(wrong)
    if "?" in url or "#" in url or parts.username is not None:
        raise ConfigError(
            "base_url takes only scheme, host, port and path: no user, no query, no fragment"
        )
    return url


def check_token(token: object) -> Secret:
    """Return the token without the spaces around it.

    Raises:
        ConfigError: it is empty or cannot travel in a header; the message never shows it.

    Example:
        >>> check_token(" abc ") == "abc"
        True
    """
    token = conceal(token)
    if not isinstance(token, Secret) or isinstance(token, _NoText):
        kind = token if isinstance(token, _NoText) else type(token).__name__
        raise ConfigError(f"the token must be a string, not {kind}")
    token = Secret(token.strip())
    if not token:
        raise ConfigError("no API token: pass token=… or set the variable XIMILAR_TOKEN")
    if not _is_header_value(token):
        raise ConfigError("the API token has characters that no header can hold")
    return token


def _is_header_value(text: str) -> bool:
    return text.isascii() and text.isprintable()


@frozen(kw_only=True)
class Config:
    """All that a client is told: how to reach the service and how hard to press it."""

    token: str | TokenProvider = field(repr=False)
    base_url: str = DEFAULT_URL
    limits: Limits = field(factory=Limits, validator=instance_of(Limits))
    retry: Retry = field(factory=Retry, validator=instance_of(Retry))
    timeout: Timeout = field(factory=Timeout, validator=instance_of(Timeout))
    trust_env: bool = field(default=False, validator=truth)


def make_token(token: str | TokenProvider | None) -> Secret | TokenProvider:
    """Return the given token or provider, or the one in `XIMILAR_TOKEN`.

    Raises:
        ConfigError: there is none, or it cannot be one.

    Example:
        >>> make_token("abc") == "abc"
        True
    """
    token = conceal(os.environ.get("XIMILAR_TOKEN", "") if token is None else token)
    return token if callable(token) else check_token(token)
