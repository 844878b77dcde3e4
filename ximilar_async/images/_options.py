"""How images are checked and shrunk."""

from __future__ import annotations

from attrs import field, frozen

from ximilar_async._validation import optional, whole


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

    max_side: int | None = field(default=512, validator=optional(whole(least=1)))
    quality: int = field(default=90, validator=whole(least=1, most=100))
    max_file_bytes: int = field(default=64 * 2**20, validator=whole(least=1))
    max_pixels: int = field(default=100_000_000, validator=whole(least=1))
