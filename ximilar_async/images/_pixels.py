"""Decoding, turning, shrinking and encoding; the one module here that needs Pillow."""

from __future__ import annotations

from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from PIL import ExifTags, Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from ximilar_async.errors import ImageError

from ._jpeg import plain_jpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from PIL.ImageFile import ImageFile

    from ._options import ImageOptions

_Opener: TypeAlias = "Callable[[BytesIO], ImageFile]"


def _open_heic(stream: BytesIO) -> ImageFile:
    try:
        from pillow_heif import HeifImageFile  # noqa: PLC0415 - optional
    except ImportError:
        raise ImageError(
            "reading HEIC needs pillow-heif: pip install 'ximilar-async[images]'"
        ) from None
    opener: _Opener = HeifImageFile
    return opener(stream)


# Image.open() would warn about sizes that the options allow, and open what the bytes do not say.
_OPENERS: Final[Mapping[str, _Opener]] = {
    "BMP": BmpImageFile,
    "GIF": GifImageFile,
    "HEIC": _open_heic,
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "TIFF": TiffImageFile,
    "WEBP": WebPImageFile,
}

_TURNS: Final[Mapping[int, Image.Transpose]] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image upright, by its EXIF orientation; 1 is upright."""

_END_OF_JPEG: Final = b"\xff\xd9"
_REDUCING_GAP: Final = 1.5
"""Decode and box-filter down to this multiple of the wanted size, the rest by a good filter."""
_WHITE: Final = 255.0
_WHITE_16: Final = 65535.0


def prepare_bytes(data: bytes, name: str, options: ImageOptions) -> bytes:
    """Return the bytes of an image file that the service takes: the same ones, or encoded anew.

    Args:
        data: The content of an image file.
        name: Its format, one of those that the service takes.
        options: How it is checked and shrunk.

    Raises:
        ImageError: it has too many pixels, or cannot be decoded.
    """
    if name == "JPEG" and _is_good_jpeg(data, options):
        return data
    stream = BytesIO(data)
    with _damage_named(name):
        image = _OPENERS[name](stream)
        _check_pixels(image, options)
        if _fits(image, name, options):
            # Pillow turns a TIFF while it decodes it, and has a PNG's metadata only afterwards.
            turned = name == "TIFF" and _orientation(image) != 1
            _check_whole(image, name, data, stream.tell())
            if not turned and _orientation(image) == 1:
                return data
        return _encode_opened(image, options, lossless=name == "GIF")


def encode_bytes(data: bytes, name: str, options: ImageOptions) -> bytes:
    """Return an image file encoded anew, whether it has to be or not.

    Args:
        data: The content of an image file.
        name: Its format, one of those that the service takes.
        options: How it is checked and shrunk.

    Raises:
        ImageError: it has too many pixels, or cannot be decoded.
    """
    with _damage_named(name):
        image = _OPENERS[name](BytesIO(data))
        _check_pixels(image, options)
        return _encode_opened(image, options)


def _encode_opened(image: ImageFile, options: ImageOptions, *, lossless: bool = False) -> bytes:
    _draft(image, options)
    image.load()
    return _encode(image, options, lossless=lossless)


def encode_object(value: Any, options: ImageOptions) -> bytes:
    """Return a PIL image or an array of pixels as the bytes of an image file.

    Args:
        value: A PIL image, or an object with numpy's `__array_interface__` whose items are unsigned
            bytes: height x width (grey), x 3 (RGB) or x 4 (RGBA).
        options: How it is checked and shrunk.

    Raises:
        ImageError: it is of another type or shape, has no or too many pixels, or its file cannot be
            decoded.
    """
    with _damage_named("image"):
        # First: an Image has the interface too, at the price of copying its pixels.
        image = value if isinstance(value, Image.Image) else _from_array(value)
        _check_pixels(image, options)
        image.load()
        return _encode(image, options)


def _is_good_jpeg(data: bytes, options: ImageOptions) -> bool:
    """Tell whether a JPEG is one of the many of which a glance tells that they can be sent."""
    facts = plain_jpeg(data)
    if facts is None:
        return False
    width, height, head = facts
    return (
        width * height <= options.max_pixels
        and (options.max_side is None or max(width, height) <= options.max_side)
        and data.rfind(_END_OF_JPEG, head) >= 0
    )


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    try:
        yield
    except ImageError:
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise anything for damaged bytes
        raise ImageError(f"the {name} is truncated or damaged ({error!s:.200})") from None


def _check_pixels(image: Image.Image, options: ImageOptions) -> None:
    width, height = image.size
    if not width * height:
        raise ImageError(f"has no pixels ({width} x {height})")
    if width * height > options.max_pixels:
        raise ImageError(
            f"has {width} x {height} pixels, more than max_pixels={options.max_pixels:,}"
        )


def _fits(image: Image.Image, name: str, options: ImageOptions) -> bool:
    """Tell whether the service can take the file as it is, once it is known to be upright."""
    if name == "GIF" or (name == "WEBP" and getattr(image, "is_animated", False)):
        return False
    return options.max_side is None or max(image.size) <= options.max_side


def _check_whole(image: ImageFile, name: str, data: bytes, head: int) -> None:
    """Raise if a file is cut off or damaged, by decoding it where nothing cheaper tells.

    Of a JPEG only the end tells: damage within the picture is noise to every decoder.
    """
    if name != "JPEG" or data.rfind(_END_OF_JPEG, head) < 0:
        image.load()


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # noqa: BLE001 - damaged metadata do not make a picture unusable
        return 1
    return value if value in _TURNS else 1


def _draft(image: ImageFile, options: ImageOptions) -> None:
    """Have a JPEG decoded at the smallest scale that is well above the wanted size."""
    if options.max_side is not None and isinstance(image, JpegImageFile):
        scale = options.max_side * _REDUCING_GAP / max(image.size)
        image.draft(None, (int(image.width * scale), int(image.height * scale)))


def _encode(image: Image.Image, options: ImageOptions, *, lossless: bool = False) -> bytes:
    turn = _TURNS.get(_orientation(image))
    plain = _plain(image)
    if options.max_side is not None and max(plain.size) > options.max_side:
        plain = _shrunk(plain, options.max_side)
    if turn is not None:
        plain = plain.transpose(turn)
    if plain.mode == "RGBA" and plain.getchannel("A").getextrema() == (_WHITE, _WHITE):
        plain = plain.convert("RGB")
    # The profile tells what the numbers mean; it holds as long as they were not converted.
    profile = image.info.get("icc_profile") if image.mode == plain.mode else None
    return _save(plain, options.quality, profile, lossless=lossless or plain.mode == "RGBA")


def _save(image: Image.Image, quality: int, profile: bytes | None, *, lossless: bool) -> bytes:
    bare = image.copy()
    bare.info = {}  # comments and other metadata stay at home
    stream = BytesIO()
    bare.save(stream, "PNG" if lossless else "JPEG", quality=quality, icc_profile=profile)
    return stream.getvalue()


def _plain(image: Image.Image) -> Image.Image:
    """Return an image in mode L, RGB or RGBA, with 8 bits a channel."""
    if image.mode == "F" or image.mode.startswith("I"):
        return _eight_bits(image)
    if image.has_transparency_data:
        if image.mode == "La":
            image = image.convert("LA")
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode in ("L", "RGB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale wide grey values: 16-bit ones by their range, others by what is there."""
    wide = image.convert("F")
    extrema: Any = wide.getextrema()  # of one band: its lowest and its highest value
    low, high = extrema
    if image.mode != "F" and low >= 0 and high <= _WHITE_16:
        low, high = 0.0, _WHITE_16 if image.mode != "I" or high > _WHITE else _WHITE
    scale = _WHITE / ((high - low) or 1)
    return wide.point(lambda value: value * scale - low * scale).convert("L")


def _shrunk(image: Image.Image, max_side: int) -> Image.Image:
    scale = max_side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)


def _from_array(value: Any) -> Image.Image:
    interface = getattr(value, "__array_interface__", None)
    if not isinstance(interface, dict):
        kind = type(value).__name__
        raise ImageError(f"takes bytes, a PIL image or a numpy array, not {kind}")
    shape, kind = tuple(interface["shape"]), str(interface["typestr"])
    if kind != "|u1":
        hint = ": scale it to 0-255, then .astype('uint8')" if "f" in kind else ""
        raise ImageError(f"an array must be of unsigned bytes (uint8), not {kind!r}{hint}")
    if 0 in shape:
        raise ImageError(f"an array of shape {shape} has no pixels")
    match shape:
        case (_, _) | (_, _, 3) | (_, _, 4):
            return Image.fromarray(value)
        case (_, _, 1):
            return Image.fromarray(value[:, :, 0])
        case (1 | 3 | 4, _, _):
            hint = ": its channels are first; put them last by array.transpose(1, 2, 0)"
        case _:
            hint = ""
    raise ImageError(
        "an array must be height x width x 3 (RGB), x 4 (RGBA) or height x width (grey), "
        f"not of shape {shape}{hint}"
    )
