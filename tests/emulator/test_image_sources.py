"""From a record to its pixels: `_base64`, `_file`, `_url`, and what is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
from emulated import PlaneExtractor, at, pixels

from ximilar_async.emulator import ImageRefused
from ximilar_async.emulator.images import MAX_IMAGE_BYTES, Images, decode_base64, read_below

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with an image, beside a secret outside it."""
    folder = tmp_path / "images"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.jpg").write_text("3 4")
    (folder / "deep" / "b.jpg").write_text("5 6")
    (tmp_path / "secret").write_text("7 8")
    (folder / "out.jpg").symlink_to(tmp_path / "secret")
    (folder / "in.jpg").symlink_to(folder / "a.jpg")
    (folder / "loop.jpg").symlink_to(folder / "loop.jpg")
    os.mkfifo(folder / "pipe.jpg")
    return folder


def test_files_below_the_root_are_read(root: Path) -> None:
    """A relative path, an absolute one and a link that all stay below the root are read."""
    images = Images(PlaneExtractor(), files_root=root)
    for name in ("a.jpg", "deep/../a.jpg", str(root / "a.jpg"), "in.jpg"):
        assert images.vector({"_file": name}).tolist() == [3, 4]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../secret", "not below files_root"),
        ("/etc/hostname", "not below files_root"),
        ("out.jpg", "not below files_root"),
        ("pipe.jpg", "not a regular file"),
        ("deep", "cannot be read|not a regular file"),
        ("gone.jpg", "No such file"),
        ("loop.jpg", "cannot be read"),
        ("a.jpg\0x", "_file must be a path"),
        (5, "_file must be a path"),
        ("", "_file must be a path"),
    ],
)
def test_nothing_else_is_read(root: Path, name: Any, words: str) -> None:
    """No name leads out of the root or to anything but a regular file, and none hangs."""
    with pytest.raises(ImageRefused, match=words):
        read_below(root, name)


def test_large_files_are_not_read(root: Path) -> None:
    """A file over the cap is refused by its size, unread."""
    with (root / "large.jpg").open("wb") as file:
        file.truncate(MAX_IMAGE_BYTES + 1)
    with pytest.raises(ImageRefused, match="larger than"):
        read_below(root, "large.jpg")


@pytest.mark.parametrize(
    "text",
    [
        "AAEC",
        "data:image/png;base64,AAEC",
        "DATA:image/svg+xml;base64,AAEC",
        "AA\nEC\r\n",
        " AAEC ",
    ],
)
def test_base64(text: str) -> None:
    """Base64 is taken with or without a head, with or without line breaks."""
    assert decode_base64(text) == b"\0\1\2"


@pytest.mark.parametrize("text", ["", "A", "AAE", "A%EC", "data:image/png,AAEC", "AAEC" * 9 + "ö"])
def test_bad_base64(text: str) -> None:
    """What is no base64 is refused, not read as something else."""
    with pytest.raises(ImageRefused, match="_base64"):
        decode_base64(text)


def test_what_counts(root: Path) -> None:
    """`_base64` counts before `_file`, `_file` before `_url` where files may be read."""
    record = {"_base64": pixels(1), "_file": "a.jpg", "_url": at(9)}
    images = Images(PlaneExtractor(), files_root=root)
    assert images.vector(record).tolist() == [1, 0]
    assert images.vector({**record, "_base64": None}).tolist() == [3, 4]
    closed = Images(PlaneExtractor())
    assert closed.vector({**record, "_base64": None}).tolist() == [9, 0]


def test_urls_are_derived_fetched_or_refused() -> None:
    """By its address alone a record gets a derived descriptor, a fetched image, or a refusal."""
    record = {"_url": at(1)}
    assert Images(PlaneExtractor()).vector(record).tolist() == [1, 0]
    fetched = Images(PlaneExtractor(), "fetch", lambda url: b"8 8" if url == at(1) else b"")
    assert fetched.vector(record).tolist() == [8, 8]
    with pytest.raises(ImageRefused, match="takes no images by _url"):
        Images(PlaneExtractor(), "refuse").vector(record)


def test_what_takes_time(root: Path) -> None:
    """Only an image to be decoded, read or fetched is worth a thread of its own."""
    plain = Images(PlaneExtractor())
    assert plain.takes_time({"_base64": ""})
    assert not plain.takes_time({"_file": "a", "_url": "b"})
    assert Images(PlaneExtractor(), files_root=root).takes_time({"_file": "a"})
    assert Images(PlaneExtractor(), "fetch", lambda _: b"").takes_time({"_url": "b"})
