"""Attributes by the semantic conventions, from what we know."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from ximilar_async._endpoints import METHODS
from ximilar_async.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import AttributeValue

SCHEMA: Final = "https://opentelemetry.io/schemas/1.33.0"
"""The first version in which the conventions for databases were stable."""

_PORTS: Final = {"http": 80, "https": 443}

_METHODS: Final = {path.lower(): path for path in METHODS}

Attributes: TypeAlias = "dict[str, AttributeValue]"


def operation(method: str) -> Attributes:
    """Return what names the method of a call.

    Example:
        >>> operation("account/v2/details/")
        {'db.system.name': 'ximilar', 'db.operation.name': 'account'}
    """
    return {"db.system.name": "ximilar", "db.operation.name": method.partition("/")[0]}


def run_operation(name: str) -> Attributes:
    """Return what names a bulk run's operation: the API's name of the method, if it is one.

    Example:
        >>> run_operation("near_dups_insert")["db.operation.name"], run_operation("sync")
        ('nearDupsInsert', {'db.system.name': 'ximilar', 'db.operation.name': 'sync'})
    """
    return operation(_METHODS.get(name.replace("_", ""), name))


def place(service: str, collection: str) -> Attributes:
    """Return what names a collection."""
    return {"db.namespace": service, "db.collection.name": collection}


@lru_cache(maxsize=64)
def _parts(base_url: str) -> tuple[str, int]:
    parts = urlsplit(base_url)
    return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)


def server(base_url: str) -> Attributes:
    """Return what names a server.

    Example:
        >>> server("https://api.ximilar.com")
        {'server.address': 'api.ximilar.com', 'server.port': 443}
    """
    address, port = _parts(base_url)
    return {"server.address": address, "server.port": port}


@lru_cache(maxsize=1024)
def call(method: str, base_url: str, service: str = "", collection: str = "") -> Attributes:
    """Return what names a call, in spans and metrics; made once, so nobody may change it.

    Args:
        method: The API's name of it.
        base_url: Scheme, host and port.
        service: The address prefix of the collection's service; nothing beside all collections.
        collection: The collection's id.
    """
    return operation(method) | server(base_url) | (place(service, collection) if service else {})


def error_type(error: BaseException) -> str:
    """Return the class of a failure: the service's own code, or else the exception's name.

    Example:
        >>> from ximilar_async.errors import RateLimitError, TimedOutError
        >>> error_type(RateLimitError(429, 429, "slow down")), error_type(TimedOutError("late"))
        ('429', 'ximilar_async.errors.TimedOutError')
    """
    if isinstance(error, ApiError):
        return str(error.code)
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def named(facts: Mapping[str, str | int | float], prefix: str) -> Attributes:
    """Return facts of ours under names that nobody else has."""
    return {f"{prefix}.{name}": value for name, value in facts.items()}
