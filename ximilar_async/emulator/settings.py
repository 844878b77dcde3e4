"""How an emulator is set up: checked once, frozen, shared by its rooms."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from attrs import field, frozen

from ximilar_async._validation import number, one_of, optional, truth, whole

from .answers import Dialect

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike

    from .faults import FaultPlan

UrlImages: TypeAlias = Literal["derive", "fetch", "refuse"]
"""What is done with a record whose image is only an address."""

MAX_BODY: Final = 64 * 2**20
"""Largest request body, in bytes."""

_SCHEMES: Final = ("http", "https")


def origin(url: str) -> str:
    """Return scheme, host and port of an address, in one spelling.

    Args:
        url: An absolute http(s) address.

    Raises:
        ValueError: it is something else.

    Example:
        >>> origin("HTTPS://Shop.example:443/a.jpg")
        'https://shop.example'
    """
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueError(f"{url!r:.200} is not an http:// or https:// address")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    standard = {"http": 80, "https": 443}[parts.scheme]
    port = "" if parts.port in (None, standard) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _names(value: Iterable[str] | None) -> frozenset[str] | None:
    if isinstance(value, str):
        raise ValueError("tokens must be a list of tokens, not one text: write tokens=[token]")  # noqa: TRY004 - a setting
    return None if value is None else frozenset(value)


def _origins(value: Iterable[str]) -> frozenset[str]:
    if isinstance(value, str):
        raise ValueError("url_allow must be a list of origins, not one text")  # noqa: TRY004 - a setting
    return frozenset(origin(address) for address in value)


def _folder(value: str | PathLike[str] | None) -> Path | None:
    return None if value is None else Path(value)


@frozen(kw_only=True)
class Settings:
    """Everything an emulator can be told; `Emulator` explains each."""

    path: Path | None = field(default=None, converter=_folder)
    host: str = "127.0.0.1"
    port: int = field(default=0, validator=whole(least=0))
    tokens: frozenset[str] | None = field(default=None, converter=_names, repr=False)
    mirror_status: bool = field(default=False, validator=truth)
    latency: float = field(default=0.0, validator=number(least=0))
    rate_limit: float | None = field(default=None, validator=optional(number(above=0)))
    capacity: int | None = field(default=None, validator=optional(whole(least=0)))
    faults: FaultPlan | None = None
    files_root: Path | None = field(default=None, converter=_folder)
    url_allow: frozenset[str] = field(default=frozenset(), converter=_origins)
    url_images: UrlImages = field(default="derive", validator=one_of(*get_args(UrlImages)))
    dialect: Dialect = field(default="examples", validator=one_of(*get_args(Dialect)))
    seed: int | None = 0

    def __attrs_post_init__(self) -> None:
        if self.faults is not None and not callable(self.faults):
            raise ValueError(
                f"faults must be Faults(…) of rules, or a function, not {self.faults!r:.60}; "
                "a single rule goes into Faults(rule)"
            )
        if (self.url_images == "fetch") != bool(self.url_allow):
            raise ValueError(
                "url_images='fetch' and url_allow belong together: images are fetched from the "
                "listed origins only, for example url_allow=['https://images.example.com']"
            )
