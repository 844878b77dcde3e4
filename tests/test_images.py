"""Images of records: read, checked, shrunk, turned upright and encoded, off the event loop."""

from __future__ import annotations

import asyncio
import base64
import io
import os
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageChops, ImageCms, ImageDraw, ImageStat

from ximilar_async.errors import ConfigError, ImageError
from ximilar_async.images import (
    ImageOptions,
    image_format,
    make_thumbnail,
    needs_preparing,
    prepare_record,
    prepare_records,
)

ANY_SIZE = ImageOptions(max_side=None)
AN_AVIF = b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(100)
STILL_FORMATS = ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "HEIC"]


def picture(width: int = 120, height: int = 80, mode: str = "RGB") -> Image.Image:
    """Return a picture whose four corners differ, so that no turn of it looks like another."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, width // 2, height // 2), "red")
    draw.rectangle((width // 2, 0, width, height // 2), "green")
    draw.rectangle((0, height // 2, width // 2, height), "blue")
    return image.convert(mode)


def encoded(image: Image.Image, format: str = "JPEG", **settings: Any) -> bytes:
    """Return a picture as the bytes of a file."""
    stream = io.BytesIO()
    if format == "HEIC":
        pillow_heif.from_pillow(image).save(stream, **settings)
    else:
        image.save(stream, format, **settings)
    return stream.getvalue()


def prepared(image: Any, options: ImageOptions = ImageOptions()) -> bytes:  # noqa: B008 - frozen
    """Return the bytes that would be sent for an `_image`."""
    record = prepare_record({"_id": "1", "_image": image}, options)
    assert set(record) == {"_id", "_base64"}
    return base64.b64decode(record["_base64"], validate=True)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two pictures' values, 0 to 255."""
    assert one.size == other.size
    means = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), other.convert("RGB"))).mean
    return sum(means) / len(means)


# --- options ------------------------------------------------------------------------------------


def test_options_have_the_documented_defaults() -> None:
    """Sides are at most 512 pixels, as the vendor's client makes them."""
    assert ImageOptions().max_side == 512
    assert ImageOptions(max_side=None).quality == 90


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("max_side", 0, "whole number of at least 1, not 0; or None"),
        ("max_side", "512", "not '512'"),
        ("max_side", True, "not True"),
        ("quality", 101, "from 1 to 100, not 101"),
        ("quality", None, "not None"),
        ("max_file_bytes", 1.5, "of at least 1, not 1.5"),
        ("max_pixels", -1, "not -1"),
    ],
)
def test_options_out_of_range_are_refused(name: str, value: object, words: str) -> None:
    """A setting that cannot work is named with its value, where it is made."""
    with pytest.raises(ConfigError, match=f"{name} must be a .*{words}"):
        ImageOptions(**{name: value})


# --- which record needs what ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "needs"),
    [
        ({"_id": "1"}, False),
        ({"_url": "https://example.com/a.jpg"}, False),
        ({"_base64": "AAAA"}, False),
        ({"_file": "a.jpg"}, True),
        ({"_file": "a.jpg", "_base64": None}, True),
        ({"_file": "a.jpg", "_base64": "AAAA"}, False),
        ({"_file": None}, False),
        ({"_image": b""}, True),
        ({"_image": None}, True),
    ],
)
def test_only_local_images_need_preparing(record: dict[str, Any], needs: bool) -> None:  # noqa: FBT001 - a row
    """`_file` without `_base64`, and `_image`, are work; everything else travels as it is."""
    assert needs_preparing(record) is needs


def test_a_file_beside_base64_is_a_plain_field() -> None:
    """The documents' example of visualRankRecords has both: the image is `_base64`."""
    record = {"_id": "1", "_base64": "AAAA", "_file": "local_file_uri"}
    assert prepare_record(record) == record


def test_a_null_removes_a_field_and_is_no_image() -> None:
    """In `update` null removes a field, so it must reach the service; an `_image` never does."""
    assert prepare_record({"_id": "1", "_file": None, "_image": None}) == {
        "_id": "1",
        "_file": None,
    }


def test_the_record_given_is_never_changed(tmp_path: Path) -> None:
    """Preparing returns a new record and leaves the caller's with all its fields."""
    (tmp_path / "a.jpg").write_bytes(encoded(picture()))
    record = {"_id": "1", "_file": "a.jpg", "_url": "https://example.com/a.jpg", "tags": ["x"]}
    before = dict(record)
    new = prepare_record(record, files_root=tmp_path)
    assert record == before
    assert set(new) == {"_id", "_base64", "_url", "tags"}


@pytest.mark.parametrize("field", ["_file", "_base64"])
def test_two_images_in_one_record_are_refused(field: str) -> None:
    """Which of the two is meant cannot be known."""
    with pytest.raises(ImageError, match=f"`_image`: stands beside `{field}`"):
        prepare_record({"_id": "1", "_image": encoded(picture()), field: "x"})


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_file_travels_byte_for_byte(tmp_path: Path, kind: Any, absolute: bool) -> None:  # noqa: FBT001 - a row
    """A small upright image is sent as it is, found from the root or by its full path."""
    data = encoded(picture())
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.dat").write_bytes(data)
    path = tmp_path / "sub" / "a.dat" if absolute else Path("sub/a.dat")
    record = prepare_record({"_id": "1", "_file": kind(path)}, files_root=str(tmp_path))
    assert base64.b64decode(record["_base64"]) == data
    assert "_file" not in record


def test_relative_paths_start_at_the_working_directory() -> None:
    """Without a root, paths mean what they mean in a shell."""
    name = os.path.relpath(__file__)
    with pytest.raises(ImageError, match="is a text file"):
        prepare_record({"_id": "1", "_file": name})


def refused(name: object, root: Path | None = None, **settings: Any) -> str:
    """Return the message of a `_file` that is refused."""
    with pytest.raises(ImageError) as caught:
        prepare_record({"_id": "1", "_file": name}, ImageOptions(**settings), root)
    assert str(caught.value).startswith(f"`_file` {str(name)!r}: ")
    return str(caught.value).partition(": ")[2]


def test_what_is_no_readable_file_is_refused_by_name(tmp_path: Path) -> None:
    """Missing, empty, a folder, of a text: each says so and names the path as it was given."""
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a picture")
    assert refused("a.jpg", tmp_path) == (
        f"no such file, seen from the folder {str(tmp_path)!r} (files_root)"
    )
    assert refused("no-such-file.jpg") == (
        "no such file, seen from the working directory (files_root)"
    )
    assert refused(str(tmp_path / "a.jpg")) == "no such file"
    assert refused("empty.jpg", tmp_path) == "is empty"
    assert refused(".", tmp_path) == "is a folder, not a file"
    assert refused("text.jpg/a.jpg", tmp_path) == "cannot be read: Not a directory"
    assert refused("text.jpg", tmp_path).startswith("is a text file, not an image")
    assert refused("a" * 270) == "cannot be read: File name too long"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "the path is empty"),
        ("a\0b.jpg", "the path has a NUL character in it"),
        ("https://example.com/a.jpg", "this is an address, not a local path; put it into `_url`"),
        ("file:///a.jpg", "this is an address, not a local path; put it into `_url`"),
        (7, "a path is a string or a Path, not int"),
        (b"a.jpg", "a path is a string or a Path, not bytes"),
        ("\ud800.jpg", "no path can be spelt so"),
    ],
)
def test_what_is_no_path_is_refused(tmp_path: Path, name: object, words: str) -> None:
    """A `_file` that cannot be a path says why, with and without a root."""
    assert refused(name) == words
    assert refused(name, tmp_path) == words


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    """Permission denied is told as that."""
    (tmp_path / "a.jpg").touch(0o000)
    assert refused("a.jpg", tmp_path) == "permission denied"


def test_no_path_leaves_the_root(tmp_path: Path) -> None:
    """Neither `..`, nor a full path, nor a symbolic link leads out of `files_root`."""
    root = tmp_path / "root"
    root.mkdir()
    outside = tmp_path / "secret.jpg"
    outside.write_bytes(encoded(picture()))
    (root / "link.jpg").symlink_to(outside)
    (root / "folder").symlink_to(tmp_path)
    for name in ("../secret.jpg", str(outside), "link.jpg", "folder/secret.jpg"):
        assert refused(name, root).startswith(f"lies outside {str(root)!r}")


def test_links_within_the_root_are_followed(tmp_path: Path) -> None:
    """A link that stays inside is as good as a file, also when the root itself is a link."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.jpg").write_bytes(encoded(picture()))
    (root / "link.jpg").symlink_to("a.jpg")
    (tmp_path / "alias").symlink_to(root)
    for name in ("link.jpg", "../root/a.jpg", str(root / "a.jpg")):
        assert prepare_record({"_id": "1", "_file": name}, files_root=tmp_path / "alias")["_base64"]


@pytest.mark.parametrize("with_root", [False, True])
def test_links_in_a_circle_are_refused(tmp_path: Path, with_root: bool) -> None:  # noqa: FBT001 - a row
    """A link that leads to itself is told, not followed for ever."""
    (tmp_path / "a.jpg").symlink_to("a.jpg")
    words = refused(str(tmp_path / "a.jpg"), tmp_path if with_root else None)
    assert words.startswith("cannot be read: ")


def test_what_never_ends_never_hangs(tmp_path: Path) -> None:
    """A pipe without a writer and an endless device are refused without being read."""
    os.mkfifo(tmp_path / "pipe.jpg")
    assert refused("pipe.jpg", tmp_path) == "is not a regular file"
    assert refused("/dev/zero") == "is not a regular file"


def test_files_over_the_size_cap_are_not_read(tmp_path: Path) -> None:
    """The size is looked at first: a file with a huge hole costs nothing."""
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(10**12)
    assert refused("a.jpg", tmp_path) == (
        "has 1,000,000,000,000 bytes, more than max_file_bytes=67,108,864"
    )


# --- what is sent as it is, and what is not -------------------------------------------------------


@pytest.mark.parametrize("format", STILL_FORMATS)
def test_small_upright_images_travel_byte_for_byte(format: str) -> None:
    """Nothing is lost on an image that the service can take as it is."""
    data = encoded(picture(), format)
    assert prepared(data) == data
    assert prepared(memoryview(bytearray(data)), ANY_SIZE) == data


@pytest.mark.parametrize("format", [*STILL_FORMATS, "GIF"])
@pytest.mark.parametrize(("size", "sent"), [((900, 600), (512, 341)), ((90, 2000), (23, 512))])
def test_large_images_are_shrunk(format: str, size: tuple[int, int], sent: tuple[int, int]) -> None:
    """The longest side becomes `max_side`, the other one follows, the picture stays the same."""
    image = opened(prepared(encoded(picture(*size), format)))
    assert image.size == sent
    assert image.format == ("PNG" if format == "GIF" else "JPEG")
    assert difference(image, picture(*size).resize(sent)) < 8


def test_exactly_the_longest_side_is_small_enough() -> None:
    """An image of `max_side` pixels is not touched; one pixel more is."""
    data = encoded(picture(64, 64))
    assert prepared(data, ImageOptions(max_side=64)) == data
    assert opened(prepared(data, ImageOptions(max_side=63))).size == (63, 63)


def test_images_are_never_enlarged() -> None:
    """Encoding anew keeps a small image's size."""
    assert opened(prepared(picture(30, 20))).size == (30, 20)


def test_quality_is_heeded() -> None:
    """A lower JPEG quality sends fewer bytes."""
    noise = Image.effect_noise((600, 600), 80).convert("RGB")
    sizes = [len(prepared(encoded(noise), ImageOptions(quality=quality))) for quality in (30, 90)]
    assert sizes[0] < sizes[1] / 2


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_upright(orientation: int, format: str) -> None:
    """Each EXIF orientation is applied, so that a camera held sideways makes no other image."""
    upright = picture()
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(stored, format, exif=exif)
    for options in (ImageOptions(), ImageOptions(max_side=60)):
        sent = prepared(data, options)
        image = opened(sent)
        assert (sent == data) == (orientation == 1 and options.max_side == 512)
        assert difference(image, upright.resize(image.size)) < 8
        assert image.getexif().get(0x0112, 1) == 1


def test_a_heic_turned_by_its_container_is_upright() -> None:
    """A HEIC's rotation is part of the picture, and is applied once."""
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = picture(900, 600).transpose(Image.Transpose.ROTATE_90)
    stream = io.BytesIO()
    heif = pillow_heif.from_bytes("RGB", stored.size, stored.tobytes())
    heif.save(stream, exif=exif.tobytes())
    image = opened(prepared(stream.getvalue()))
    assert difference(image, picture(900, 600).resize((512, 341))) < 8


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_a_senseless_orientation_is_upright(orientation: int) -> None:
    """An orientation that EXIF does not know turns nothing."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(picture(), exif=exif)
    assert prepared(data) == data


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_metadata_spoil_no_picture() -> None:
    """Broken EXIF is no reason to refuse an image that can be seen."""
    data = encoded(picture(), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert prepared(data) == data


def test_metadata_stay_at_home() -> None:
    """What is encoded anew has no EXIF, no comment: nothing about place and camera leaves."""
    exif = Image.Exif()
    exif[0x010F] = "camera-canary"
    data = encoded(picture(900, 600), exif=exif, comment=b"comment-canary")
    assert b"canary" in data
    assert b"canary" not in prepared(data)
    png = encoded(picture(900, 600, "RGBA"), "PNG", exif=exif)
    assert b"canary" not in prepared(png)


def test_a_colour_profile_stays_with_its_numbers() -> None:
    """Shrinking keeps what tells how the colours are meant; converting drops it."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    kept = opened(prepared(encoded(picture(900, 600), icc_profile=profile)))
    assert kept.info["icc_profile"] == profile
    dropped = opened(prepared(encoded(picture(900, 600, "CMYK"), icc_profile=profile)))
    assert "icc_profile" not in dropped.info


@pytest.mark.parametrize("format", ["GIF", "WEBP"])
def test_of_an_animation_the_first_frame_is_sent(format: str) -> None:
    """A GIF has "limited support", its first frame: so it is for any moving picture."""
    frames = [picture(), Image.new("RGB", (120, 80), "black")]
    moving = encoded(frames[0], format, save_all=True, append_images=frames[1:], duration=50)
    image = opened(prepared(moving))
    assert image.format in ("PNG", "JPEG")
    assert getattr(image, "n_frames", 1) == 1
    assert difference(image, frames[0]) < 8


def test_a_still_gif_is_sent_as_png() -> None:
    """The format with limited support is not relied upon, and loses nothing."""
    image = opened(prepared(encoded(picture(mode="P"), "GIF"), ANY_SIZE))
    assert image.format == "PNG"
    assert difference(image, picture(mode="P")) == 0


# --- modes ----------------------------------------------------------------------------------------


def test_real_transparency_is_kept() -> None:
    """An image that shows its ground stays so, as a PNG; one that only could becomes a JPEG."""
    clear = picture(900, 600, "RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    sent = opened(prepared(encoded(clear, "PNG")))
    assert (sent.format, sent.mode, sent.size) == ("PNG", "RGBA", (512, 341))
    assert opened(prepared(encoded(picture(900, 600, "RGBA"), "PNG"))).format == "JPEG"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_pil_images_of_any_mode_are_encoded(mode: str) -> None:
    """Every mode becomes a JPEG that shows the same picture."""
    image = opened(prepared(picture(mode=mode)))
    assert image.format == "JPEG"
    assert image.mode == ("L" if mode in ("1", "L") else "RGB")
    assert difference(image, picture(mode=mode).convert("RGB")) < 8


@pytest.mark.parametrize("mode", ["La", "RGBa"])
def test_premultiplied_modes_are_encoded(mode: str) -> None:
    """Images with their alpha multiplied in, which no file has, are taken as well."""
    source = picture(mode="LA" if mode == "La" else "RGBA")
    assert difference(opened(prepared(source.convert(mode))), source.convert("RGB")) < 8


@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
def test_a_colour_that_means_clear_is_heeded(mode: str) -> None:
    """Transparency by palette or by colour is transparency."""
    source = picture(900, 600, mode)
    clear = {"P": source.getpixel((0, 0)), "L": 76, "RGB": (255, 0, 0)}[mode]
    sent = opened(prepared(encoded(source, "PNG", transparency=clear)))
    assert sent.mode == "RGBA"
    assert sent.getchannel("A").getextrema() == (0, 255)


@pytest.mark.parametrize(("format", "typecode"), [("PNG", ">u2"), ("TIFF", "<u2")])
def test_sixteen_bits_are_scaled(format: str, typecode: str) -> None:
    """A grey image of 16 bits keeps its brightness; it is not cut off to white."""
    ramp = np.linspace(0, 65535, 900 * 600).reshape(600, 900).astype("<u2")
    data = encoded(Image.fromarray(ramp), format)
    image = opened(prepared(data))
    assert (image.mode, image.size) == ("L", (512, 341))
    assert abs(ImageStat.Stat(image).mean[0] - 127.5) < 2


@pytest.mark.parametrize("top", [1.0, 255.0, 70_000.0])
def test_floating_tiffs_are_scaled_to_what_is_there(top: float) -> None:
    """An image of floating point numbers is stretched from its darkest to its brightest."""
    ramp = np.linspace(0, top, 900 * 600).reshape(600, 900)
    image = opened(prepared(encoded(Image.fromarray(ramp.astype("float32")), "TIFF")))
    assert abs(ImageStat.Stat(image).mean[0] - 127.5) < 2


@pytest.mark.parametrize(("top", "mean"), [(255, 127.5), (65535, 127.5), (10**6, 127.5)])
def test_whole_numbers_are_scaled_by_their_range(top: int, mean: float) -> None:
    """Wide whole numbers that fit 8 or 16 bits are taken as such, others are stretched."""
    ramp = np.linspace(0, top, 64 * 64).reshape(64, 64).astype("int32")
    image = opened(prepared(Image.fromarray(ramp)))
    assert abs(ImageStat.Stat(image).mean[0] - mean) < 2


def test_one_flat_grey_of_floats_is_encoded() -> None:
    """Where nothing can be stretched, nothing is divided by."""
    flat = Image.new("F", (8, 8), 3.5)
    assert opened(prepared(flat)).size == (8, 8)


# --- PIL images and arrays ------------------------------------------------------------------------


def test_a_pil_image_is_not_changed() -> None:
    """The caller's image keeps its size, mode and metadata."""
    image = picture(900, 600)
    image.info["comment"] = b"mine"
    opened(prepared(image))
    assert (image.size, image.mode, image.info) == ((900, 600), "RGB", {"comment": b"mine"})


def test_an_opened_pil_image_is_turned_upright(tmp_path: Path) -> None:
    """A PIL image that came from a camera's file is turned as the file would be."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.jpg"
    picture().transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    with Image.open(path) as image:
        assert difference(opened(prepared(image)), picture()) < 8


def test_a_closed_pil_image_is_refused(tmp_path: Path) -> None:
    """An image whose file is gone says so instead of failing anyhow."""
    path = tmp_path / "a.png"
    picture().save(path)
    with Image.open(path) as image:
        pass
    with pytest.raises(ImageError, match="`_image`: the image is truncated or damaged"):
        prepared(image)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_arrays_are_taken_as_rgb(mode: str) -> None:
    """An array's first channel is red, and height comes before width."""
    array = np.asarray(picture(mode=mode))
    assert difference(opened(prepared(array)), picture(mode=mode)) < 8
    assert (
        difference(
            opened(prepared(array[:, ::-1])),
            picture(mode=mode).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        )
        < 8
    )


def test_arrays_may_have_alpha_or_one_channel() -> None:
    """A fourth channel is transparency, a single one is grey."""
    clear = np.zeros((20, 30, 4), "uint8")
    assert opened(prepared(clear)).mode == "RGBA"
    assert opened(prepared(np.zeros((20, 30, 1), "uint8"))).size == (30, 20)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((4, 4, 3)), r"unsigned bytes \(uint8\), not '<f8': scale it to 0-255"),
        (np.zeros((4, 4), "uint16"), "not '<u2'"),
        (np.zeros((4, 4), bool), r"not '\|b1'"),
        (np.zeros((4, 4), object), r"not '\|O'"),
        (np.zeros((3, 40, 50), "uint8"), "channels are first; put them last"),
        (np.zeros((4, 4, 7), "uint8"), r"not of shape \(4, 4, 7\)"),
        (np.zeros((1, 4, 4, 3), "uint8"), "height x width x 3"),
        (np.zeros(7, "uint8"), r"not of shape \(7,\)"),
        (np.zeros((0, 4, 3), "uint8"), r"shape \(0, 4, 3\) has no pixels"),
    ],
)
def test_other_arrays_are_refused_with_a_hint(array: Any, words: str) -> None:
    """A wrong type or shape is named, with what to do about the common ones."""
    with pytest.raises(ImageError, match=f"`_image`: an array .*{words}"):
        prepared(array)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("a.jpg", "a path belongs into `_file`, base64 into `_base64`"),
        (Path("a.jpg"), "a path belongs into `_file`"),
        (7, "takes bytes, a PIL image or a numpy array, not int"),
        ([[1]], "not list"),
        (b"", "is empty"),
        (Image.new("RGB", (0, 5)), r"has no pixels \(0 x 5\)"),
    ],
)
def test_other_values_are_refused_with_a_hint(value: object, words: str) -> None:
    """An `_image` that can be none says what would be one."""
    with pytest.raises(ImageError, match=words):
        prepared(value)


# --- damage and bombs -----------------------------------------------------------------------------


@pytest.mark.parametrize("format", [*STILL_FORMATS, "GIF"])
@pytest.mark.parametrize("size", [(120, 80), (600, 400)])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_truncated_images_are_refused(
    tmp_path: Path, format: str, size: tuple[int, int], share: float
) -> None:
    """An image that was cut off is refused by name, whether it would be encoded anew or not."""
    image = Image.effect_noise(size, 60).convert("RGB")
    data = encoded(image, format)
    (tmp_path / "cut.jpg").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(
        ImageError, match=rf"`_file` 'cut.jpg': the {format} is truncated or damaged"
    ):
        prepare_record({"_id": "1", "_file": "cut.jpg"}, files_root=tmp_path)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "HEIC"])
@pytest.mark.parametrize("kept", [12, 32, 60])
def test_heads_without_a_picture_are_refused(format: str, kept: int) -> None:
    """A head that promises an image, with nothing after it, is refused, whatever decoders raise."""
    head = encoded(picture(), format)[:kept]
    if image_format(head) == format:
        with pytest.raises(ImageError):
            prepared(head)


def test_a_png_with_flipped_bits_is_refused() -> None:
    """Damage within a PNG shows by its checksums, without decoding it."""
    data = bytearray(encoded(Image.effect_noise((120, 80), 60), "PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(ImageError, match="the PNG is truncated or damaged"):
        prepared(bytes(data))


def bomb() -> bytes:
    """Return a PNG of a few bytes that would be 40,000 x 40,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)

    size = (40_000).to_bytes(4)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", size + size + b"\x08\x02\0\0\0")
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


def test_decompression_bombs_are_refused_undecoded() -> None:
    """A file that would become gigabytes of pixels is refused by its head."""
    with pytest.raises(ImageError, match="has 40000 x 40000 pixels, more than max_pixels=100,000"):
        prepared(bomb())


def test_the_pixel_cap_is_heeded_for_every_kind() -> None:
    """Files, PIL images and arrays are under the same cap, exactly."""
    options = ImageOptions(max_pixels=9600)
    assert prepared(encoded(picture()), options)
    for image in (encoded(picture(121)), picture(121), np.asarray(picture(121))):
        with pytest.raises(ImageError, match="has 121 x 80 pixels, more than max_pixels=9,600"):
            prepared(image, options)


def test_the_byte_cap_is_heeded_for_bytes() -> None:
    """An `_image` of bytes is under the same cap as a file."""
    data = encoded(picture())
    assert prepared(data, ImageOptions(max_file_bytes=len(data)))
    with pytest.raises(ImageError, match="more than max_file_bytes="):
        prepared(data, ImageOptions(max_file_bytes=len(data) - 1))


def test_a_refused_format_is_named(tmp_path: Path) -> None:
    """An AVIF is refused by name with what to do, whatever its file is called."""
    (tmp_path / "a.jpg").write_bytes(AN_AVIF)
    assert refused("a.jpg", tmp_path) == (
        "AVIF is not supported by the service; convert it to JPEG, PNG or WEBP"
    )


# --- thumbnails -----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", [*STILL_FORMATS, "GIF"])
@pytest.mark.parametrize(("size", "small"), [((900, 600), (256, 171)), ((96, 64), (96, 64))])
def test_thumbnails_are_pictures_that_any_browser_shows(
    format: str, size: tuple[int, int], small: tuple[int, int]
) -> None:
    """Of each format comes a JPEG of at most the asked side, also where nothing is to shrink."""
    image = opened(make_thumbnail(encoded(picture(*size), format)))
    assert (image.format, image.size) == ("JPEG", small)
    assert difference(image, picture(*size).resize(small)) < 8


def test_thumbnails_of_what_cannot_be_shown_are_refused() -> None:
    """A damaged image and one of a refused format have none."""
    for data in (encoded(picture())[:600], AN_AVIF, b"text", b""):
        with pytest.raises(ImageError):
            make_thumbnail(data)


# --- many at once, off the loop -------------------------------------------------------------------


class Watched(np.ndarray[Any, Any]):
    """An array that notes the thread in which it is looked at."""

    threads: set[int]

    @property
    def __array_interface__(self) -> dict[str, Any]:  # type: ignore[override]
        self.threads.add(threading.get_ident())
        return super().__array_interface__


def watched() -> Watched:
    array = np.array(picture()).view(Watched)
    array.threads = set()
    return array


async def test_images_are_prepared_in_one_other_thread() -> None:
    """The event loop does none of the work, and one hop does all of it."""
    arrays = [watched() for _ in range(3)]
    await prepare_records([{"_id": str(i), "_image": array} for i, array in enumerate(arrays)])
    threads = {thread for array in arrays for thread in array.threads}
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_many_lists_at_once_give_the_same_as_one() -> None:
    """Threads do not mix up their records."""
    data = [encoded(Image.new("RGB", (600, 40), (i, 0, 0))) for i in range(32)]
    alone = [prepare_record({"_id": "1", "_image": each})["_base64"] for each in data]
    lists = await asyncio.gather(
        *(prepare_records([{"_id": "1", "_image": each}]) for each in data)
    )
    assert [records[0]["_base64"] for records in lists] == alone


async def test_nothing_to_prepare_takes_no_thread() -> None:
    """Records without local images come back at once, as the same objects."""
    records = [{"_id": "1", "_url": "https://example.com/a.jpg"}, {"_id": "2"}]
    coroutine = prepare_records(records)
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    assert [a is b for a, b in zip(done.value.value, records, strict=True)] == [True, True]


async def test_order_and_other_records_stay(tmp_path: Path) -> None:
    """Prepared records stand where the given ones stood."""
    (tmp_path / "a.jpg").write_bytes(encoded(picture()))
    records = [{"_id": "1"}, {"_id": "2", "_file": "a.jpg"}, {"_id": "3", "_base64": "AAAA"}]
    new = await prepare_records(records, files_root=tmp_path)
    assert [record["_id"] for record in new] == ["1", "2", "3"]
    assert new[0] is records[0]
    assert "_base64" in new[1]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (
            {"_id": "boot", "_file": "a.jpg"},
            r"^record 2 of 2 \(`_id` 'boot'\): `_file` 'a.jpg': no such",
        ),
        ({"_file": "a.jpg"}, "^record 2 of 2: `_file` 'a.jpg': no such file"),
        ({"_image": 7}, "^record 2 of 2: `_image`: takes bytes"),
    ],
)
async def test_trouble_names_record_and_file(
    tmp_path: Path, record: dict[str, Any], words: str
) -> None:
    """Of a list, the message says which record it is about."""
    with pytest.raises(ImageError, match=words):
        await prepare_records([{"_id": "1"}, record], files_root=tmp_path)


# --- without the extra ----------------------------------------------------------------------------

WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
from ximilar_async.images import ImageOptions, prepare_record
side = int(sys.argv[3]) or None
try:
    record = prepare_record({"_id": "1", "_file": sys.argv[2]}, ImageOptions(max_side=side))
except Exception as error:
    print(type(error).__name__, error)
else:
    print("sent", len(record["_base64"]))
"""


def without(module: str, path: Path, side: int) -> str:
    """Return what a Python without some module prints about a file."""
    command = [sys.executable, "-c", WITHOUT, module, str(path), str(side)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_without_pillow_shrinking_names_the_extra(tmp_path: Path) -> None:
    """Who has not installed the extra is told the line to type, and the way without it."""
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(picture()))
    told = without("PIL", path, 512)
    assert told.startswith("ConfigError shrinking images needs Pillow")
    assert "pip install 'ximilar-async[images]'" in told
    assert "max_side=None" in told


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_without_pillow_common_formats_travel_as_they_are(tmp_path: Path, format: str) -> None:
    """The core alone can send most images, if they need not be shrunk."""
    path = tmp_path / "a.dat"
    path.write_bytes(encoded(picture(), format))
    assert without("PIL", path, 0) == f"sent {(path.stat().st_size + 2) // 3 * 4}\n"


@pytest.mark.parametrize(("module", "format"), [("PIL", "GIF"), ("pillow_heif", "HEIC")])
def test_what_needs_the_extra_names_it(tmp_path: Path, module: str, format: str) -> None:
    """A format that cannot go without the extra says so, for its own record."""
    path = tmp_path / "a.dat"
    path.write_bytes(encoded(picture(), format))
    told = without(module, path, 0)
    assert told.startswith(f"ImageError `_file` {str(path)!r}: reading {format} needs ")
    assert "pip install 'ximilar-async[images]'" in told
