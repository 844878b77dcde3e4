"""How images are checked and shrunk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ximilar_async.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from attrs import Attribute


def _whole(
    most: int | None = None, *, or_none: bool = False
) -> Callable[[Any, Attribute[Any], Any], None]:
    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if or_none and value is None:
            return
        if (
            not isinstance(value, int)
            or isinstance(value, bool)
            or value < 1
            or (most is not None and value > most)
        ):
            bounds = "of at least 1" if most is None else f"from 1 to {most}"
            raise ConfigError(
                f"{attribute.name} must be a whole number {bounds}"
                f"{' or None' if or_none else ''}, not {value!r}"
            )

    return check


@frozen(kw_only=True)
class ImageOptions:
    """How images from `_file` and `_image` are checked and shrunk before they are sent.

    Args:
        max_side: Longest side that is sent, in pixels; larger images are shrunk to it, smaller
            ones never enlarged. None sends every size as it is.
        quality: JPEG quality of images that have to be encoded anew, 1 to 100.
        max_file_bytes: Largest image file that is read, in bytes.
        max_pixels: Largest image that is decoded, in pixels (width times height).

    Raises:
        ConfigError: a value is out of range.

    Example:
        >>> ImageOptions(max_side=600).quality
        90
    """

    max_side: int | None = field(default=512, validator=_whole(or_none=True))
    quality: int = field(default=90, validator=_whole(100))
    max_file_bytes: int = field(default=64 * 2**20, validator=_whole())
    max_pixels: int = field(default=100_000_000, validator=_whole())
