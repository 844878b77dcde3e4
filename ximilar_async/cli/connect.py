"""From options to a client, with the emulator it talks to if one was asked for."""

from __future__ import annotations

import ipaddress
import os
import warnings
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ximilar_async._config import make_base_url
from ximilar_async.client import Ximilar

from .failures import UsageError, in_options
from .screen import complain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from ximilar_async._collection import Collection
    from ximilar_async.emulator import Emulator

    from .options import Access, Place

_ANY = "any"
"""A token for an emulator, which takes any, and where nothing is sent."""


@asynccontextmanager
async def open_client(
    access: Access, *, needs_token: bool = True, processes: int | None = None
) -> AsyncIterator[Ximilar]:
    """Yield a client of the service, or of an emulator that lives as long as it does.

    Args:
        access: How to reach the service.
        needs_token: Whether anything is going to be sent.
        processes: How many processes carry the requests; None for this one alone.

    Raises:
        UsageError: there is no token, or the emulator cannot start.
        ConfigError: a setting cannot work.
    """
    settings: dict[str, Any] = {"limits": access.limits, "processes": processes}
    if access.emulator is None:
        token = read_token(access) if needs_token else _ANY
        if needs_token:
            warn_of_clear_text(make_base_url(access.url))
        async with Ximilar(token, base_url=access.url, **settings) as client:
            yield client
        return
    if access.url is not None:
        raise UsageError("--url and --emulator exclude each other: give the one that you mean")
    async with AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(open_emulator(path=access.emulator or None))
        yield await stack.enter_async_context(Ximilar(_ANY, base_url=emulator.url, **settings))


def warn_of_clear_text(url: str) -> None:
    """Say that a token travels unprotected, if it does: by http, to another machine.

    Args:
        url: Address of the service.

    Example:
        >>> warn_of_clear_text("http://localhost:8900")
    """
    parts = urlsplit(url)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        complain(
            "warning",
            f"{url} is not encrypted: the token and all records can be read on their way; "
            "use an https:// address",
        )


def is_loopback(host: str) -> bool:
    """Tell whether a host's name or address stands for this machine.

    Example:
        >>> is_loopback("127.0.0.2"), is_loopback("::1"), is_loopback("10.0.0.1")
        (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


@asynccontextmanager
async def open_emulator(**settings: Any) -> AsyncIterator[Emulator]:
    """Yield a running emulator.

    Args:
        settings: What `Emulator` takes.

    Raises:
        UsageError: its extra is not installed, a setting makes no sense, its folder or port is in
            use.
    """
    with an_extra():
        from ximilar_async.emulator import Emulator, EmulatorError  # noqa: PLC0415 - an extra
    try:
        emulator = Emulator(**settings)
        await emulator.start()
    except (EmulatorError, ValueError) as error:
        raise UsageError(in_options(str(error))) from error
    try:
        yield emulator
    finally:
        await emulator.aclose()


@contextmanager
def an_extra() -> Iterator[None]:
    """Let an import that lacks what an extra brings end as one line.

    Raises:
        UsageError: the extra is not installed; it names it.
    """
    try:
        yield
    except ImportError as missing:
        raise UsageError(str(missing)) from missing


def check_unused(folder: Path) -> None:
    """See that no emulator runs on a folder.

    Raises:
        UsageError: one does, or the emulator's extra is not installed.
    """
    with an_extra():
        from ximilar_async.emulator import EmulatorError  # noqa: PLC0415 - an extra
        from ximilar_async.emulator.folder import Folder  # noqa: PLC0415 - as above

    try:
        Folder(folder).close()
    except EmulatorError as error:
        raise UsageError(str(error)) from error


def read_token(access: Access) -> str:
    """Return the token from the file that was named, or from the variable XIMILAR_TOKEN.

    Raises:
        UsageError: there is none, or the file cannot be read.
    """
    file = access.token_file
    token = os.environ.get("XIMILAR_TOKEN", "") if file is None else _read(file)
    if token.strip():
        return token
    if file is not None:
        raise UsageError(f"no API token: the file {str(file)!r} (--token-file) is empty")
    raise UsageError(
        "no API token: set the variable XIMILAR_TOKEN, or name a file that holds it with "
        "--token-file; --emulator needs none"
    )


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"--token-file: {str(file)!r} holds no token: it is not text") from None
    except OSError as error:
        raise UsageError(f"--token-file: {str(file)!r}: {error.strerror or error}") from None


def find_collection(client: Ximilar, place: Place, **settings: Any) -> Collection:
    """Return the collection that the options name; a deprecated service is remarked upon.

    Args:
        client: The client.
        place: Which collection.
        settings: What else `Ximilar.collection` takes.

    Raises:
        UsageError: no collection was named.
        ConfigError: the service is unknown.
    """
    if not place.collection:
        raise UsageError(
            "no collection: name it with -c/--collection or in the variable XIMILAR_COLLECTION"
        )
    return _collection(client, place.collection, place.service, settings)


def any_collection(client: Ximilar, place: Place) -> Collection:
    """Return a collection for calls about the service, where which one does not matter."""
    return _collection(client, place.collection or _ANY, place.service, {})


def _collection(client: Ximilar, id_: str, service: str, settings: dict[str, Any]) -> Collection:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        collection = client.collection(id_, service, **settings)
    for warning in caught:
        complain("warning", str(warning.message))
    return collection
