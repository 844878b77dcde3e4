"""Files on disk and behind addresses: decompressed, told when cut off or damaged, and closed."""

from __future__ import annotations

import asyncio
import bz2
import gc
import gzip
import lzma
import os
import socket
import threading
import tracemalloc
import warnings
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import pyarrow as pa
import pytest

from ximilar_async.errors import SourceError
from ximilar_async.sources import (
    CsvSource,
    JsonlSource,
    JsonSource,
    SequenceSource,
    fingerprint_of,
    open_source,
)
from ximilar_async.sources._files import PIECE, open_binary
from ximilar_async.sources._places import NOWHERE, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ximilar_async.sources import Entry, Source

LINES = b"".join(b'{"_id": "%d", "x": "%d"}\n' % (n, n * 7919 % 1013) for n in range(5000))
IDS = [str(number) for number in range(5000)]


def packed_by_zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": packed_by_zstd,
}


async def outcome(source: Source) -> tuple[list[Entry], str | None]:
    found: list[Entry] = []
    try:
        async for chunk in source.chunks():
            found += chunk
    except SourceError as error:
        return found, str(error)
    return found, None


def ids(entries: list[Entry]) -> list[Any]:
    return [entry.record["_id"] for entry in entries if entry.fault is None]


# --- compression --------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("parts", [1, 3])
async def test_a_compressed_file_gives_what_was_packed(
    tmp_path: Path, ending: str, parts: int
) -> None:
    """Also where files were packed one by one and put behind each other; the size is the file's."""
    path = tmp_path / f"a.jsonl{ending}"
    pack, step = PACKERS[ending], len(LINES) // parts + 1
    path.write_bytes(b"".join(pack(LINES[at : at + step]) for at in range(0, len(LINES), step)))
    source = open_source(path)
    found, error = await outcome(source)
    assert error is None
    assert ids(found) == IDS
    assert [entry.where for entry in found][-1] == "line 5000"
    assert source.position == source.size == path.stat().st_size < len(LINES)


@pytest.mark.parametrize("ending", PACKERS)
async def test_a_compressed_file_that_is_cut_off_is_told(tmp_path: Path, ending: str) -> None:
    """Wherever it is cut, down to nothing: what came before counts, and it is an error."""
    path = tmp_path / f"a.jsonl{ending}"
    whole = PACKERS[ending](LINES)
    counts = []
    for length in (0, 3, 10, len(whole) // 2, len(whole) * 9 // 10, len(whole) - 1):
        path.write_bytes(whole[:length])
        found, error = await outcome(open_source(path))
        assert error is not None
        assert f"a.jsonl{ending} is cut off: the end is missing" in error
        assert ids(found) == IDS[: len(ids(found))]
        counts.append(len(found))
    assert counts == sorted(counts)
    if ending in (".gz", ".xz"):  # the others come in blocks larger than this file
        assert counts[3] > 1000


@pytest.mark.parametrize("ending", PACKERS)
async def test_a_compressed_file_that_is_damaged_is_told(tmp_path: Path, ending: str) -> None:
    """Other bytes in the middle, other bytes from the beginning on."""
    path = tmp_path / f"a.jsonl{ending}"
    whole = bytearray(PACKERS[ending](LINES))
    whole[len(whole) // 2 : len(whole) // 2 + 50] = b"\xff" * 50
    for data in (bytes(whole), LINES):
        path.write_bytes(data)
        _, error = await outcome(open_source(path))
        assert error is not None
        assert f"a.jsonl{ending} is damaged" in error or "is cut off" in error


@pytest.mark.parametrize("ending", PACKERS)
async def test_damage_behind_a_whole_stream_is_told(tmp_path: Path, ending: str) -> None:
    """Files of several streams: a damaged, torn or overwritten second one is not the end."""
    path = tmp_path / f"a.jsonl{ending}"
    half = LINES.index(b'{"_id": "2500"')
    first, second = PACKERS[ending](LINES[:half]), PACKERS[ending](LINES[half:])
    for rest in (b"\xff" + second[1:], second[:3], b"\n", b"records"):
        path.write_bytes(first + rest)
        found, error = await outcome(open_source(path))
        assert f"a.jsonl{ending} is damaged" in (error or "") or "is cut off" in (error or "")
        assert ids(found) == IDS[: len(ids(found))]


async def test_zero_bytes_behind_a_stream_of_bz2_are_damage(tmp_path: Path) -> None:
    """Its format has none: they stand where another stream was."""
    path = tmp_path / "a.jsonl.bz2"
    path.write_bytes(bz2.compress(LINES) + bytes(4000))
    _, error = await outcome(open_source(path))
    assert "a.jsonl.bz2 is damaged" in (error or "")


async def test_zero_bytes_may_stand_behind_a_stream_of_xz(tmp_path: Path) -> None:
    """Its format allows them by the four, between streams and at the end, however many."""
    path = tmp_path / "a.jsonl.xz"
    half = LINES.index(b'{"_id": "2500"')
    first, second = lzma.compress(LINES[:half]), lzma.compress(LINES[half:])
    path.write_bytes(first + bytes(40_000) + second + bytes(4))
    found, error = await outcome(open_source(path))
    assert (ids(found), error) == (IDS, None)
    path.write_bytes(first + bytes(4002))
    _, error = await outcome(open_source(path))
    assert "a.jsonl.xz is damaged" in (error or "")


@pytest.mark.parametrize("ending", PACKERS)
async def test_every_text_format_may_be_compressed(tmp_path: Path, ending: str) -> None:
    """CSV and JSON arrays as well, and they break off in the same way."""
    array = b"[" + LINES.strip().replace(b"\n", b",") + b"]"
    table = b"_id,x\n" + b"".join(b"%d,a\n" % number for number in range(5000))
    for name, data in (("a.json", array), ("a.csv", table), ("a.tsv", table.replace(b",", b"\t"))):
        path = tmp_path / (name + ending)
        packed = PACKERS[ending](data)
        path.write_bytes(packed)
        found, error = await outcome(open_source(path))
        assert (ids(found), error) == (IDS, None)
        path.write_bytes(packed[:-3])
        found, error = await outcome(open_source(path))
        assert "is cut off" in (error or "")
        assert ids(found) == IDS[: len(ids(found))]


@pytest.mark.parametrize("kind", ["csv", "json", "jsonl"])
async def test_a_file_that_unpacks_to_much_takes_little_memory(tmp_path: Path, kind: str) -> None:
    """What is packed to a thousandth is read piece by piece, and long rows come in small chunks."""
    path = tmp_path / f"a.{kind}.gz"
    row = {"csv": b"1,%s\n", "json": b'{"_id": "1", "x": "%s"},\n', "jsonl": b'{"_id": "%s"}\n'}[
        kind
    ]
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write({"csv": b"_id,x\n", "json": b"[", "jsonl": b""}[kind])
        for _ in range(640):
            file.write(row % (b"a" * (PIECE // 10)))
        file.write({"csv": b"", "json": b"1]", "jsonl": b""}[kind])
    source, count = open_source(path), 0
    tracemalloc.start()
    try:
        async for chunk in source.chunks():
            count += len(chunk)
            assert len(chunk) <= 12
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 640 + (kind == "json")
    assert peak < 15 * PIECE


# --- addresses ----------------------------------------------------------------------------------


@pytest.fixture
def memory() -> Any:
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.mark.parametrize("ending", ["", *PACKERS])
async def test_an_address_is_read_like_a_file(memory: Any, ending: str) -> None:
    """Through fsspec, decompressed, with its size and no folder for `_file`."""
    data = PACKERS[ending](LINES) if ending else LINES
    memory.pipe(f"/shop/a.jsonl{ending}", data)
    source = open_source(f"memory://shop/a.jsonl{ending}")
    found, error = await outcome(source)
    assert (ids(found), error) == (IDS, None)
    assert source.position == source.size == len(data)
    assert source.name == f"a.jsonl{ending}"
    assert source.path is None
    assert source.files_root == NOWHERE


class Whole(BaseHTTPRequestHandler):
    """Gives every address the same lines, always from the first byte on."""

    body = LINES * 80

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        with suppress(OSError):  # the reader has enough
            self.wfile.write(self.body)


class Shrinking(Whole):
    """Gives ranges; after the first of them the file has been replaced by a quarter of it."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()

    def do_GET(self) -> None:
        first, last = (int(n) for n in self.headers["Range"].removeprefix("bytes=").split("-"))
        body = self.body if first == 0 else self.body[: len(self.body) // 4]
        part = body[first : last + 1]
        self.send_response(206 if part else 416)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)


class Missing(Whole):
    """Has nothing."""

    def do_HEAD(self) -> None:
        self.send_error(404)

    def do_GET(self) -> None:
        self.send_error(404)


@contextmanager
def served(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/a.jsonl?key=secret"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


async def test_a_file_that_is_replaced_by_a_shorter_one_is_told() -> None:
    """Behind an address that gives ranges each request may see another file."""
    with served(Shrinking) as address:
        found, error = await outcome(open_source(address))
    assert len(found) < len(IDS) * 80
    assert "a.jsonl has changed while it was read: it ended after" in (error or "")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
async def test_a_file_that_becomes_shorter_is_told(tmp_path: Path, kind: str) -> None:
    """Cut at the end of a line by somebody else, while it is read."""
    path = tmp_path / f"a.{kind}"
    line = b"%07d,aaaaaaaaaaaa\n" if kind == "csv" else b'{"_id":"%010d"}\n'
    rows = b"".join(line % number for number in range(400_000))
    path.write_bytes((b"_id,x\n" if kind == "csv" else b"") + rows)
    whole = path.stat().st_size
    chunks = open_source(path).chunks()
    await anext(chunks)
    os.truncate(path, whole - 10 * len(line % 0))
    with pytest.raises(SourceError, match=f"{path.name} has changed while it was read: it ended"):
        async for _ in chunks:
            pass


async def test_a_server_without_ranges_is_read_as_a_whole() -> None:
    """Many give a file only from its beginning on; then a copy on disk is read."""
    with served(Whole) as address:
        source = open_source(address)
        found, error = await outcome(source)
    assert len(Whole.body) > 5 * PIECE  # fsspec reads so much at once
    assert (ids(found), error) == (IDS * 80, None)
    assert source.position == source.size == len(Whole.body)
    assert source.name == "a.jsonl"


async def test_an_address_where_nothing_is_is_named(memory: Any) -> None:
    """No such object, a file system that nobody knows, one whose package is missing."""
    for address, words in (
        ("memory://shop/none.csv", "cannot read none.csv: no such file"),
        ("nosuch://shop/none.csv", "cannot read none.csv: Protocol not known: nosuch"),
        ("hdfs+nope://shop/none.csv", "cannot read none.csv"),
    ):
        _, error = await outcome(open_source(address))
        assert words in (error or "")


async def test_a_server_that_does_not_answer_is_no_missing_file() -> None:
    """Nobody listens there, or nothing is there: two causes, and two remedies."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # and does not listen
        address = f"http://me:secret@127.0.0.1:{reserved.getsockname()[1]}/a.jsonl?key=secret"
        _, error = await outcome(open_source(address))
    assert "cannot read a.jsonl: Cannot connect to host 127.0.0.1" in (error or "")
    assert "secret" not in (error or "")
    with served(Missing) as address:
        _, error = await outcome(open_source(address))
    assert error == "cannot read a.jsonl: no such file"


def test_an_empty_path_is_not_the_current_folder() -> None:
    """An unset variable of a shell would else bring in whatever lies where it runs."""
    with pytest.raises(SourceError, match="the path of the source is empty: name a file"):
        open_source("")


def test_what_is_secret_in_an_address_is_not_shown() -> None:
    """Neither passwords nor signatures reach a name or a message."""
    place = Place.of("https://user:secret@shop.example/a/b.csv.gz?X-Signature=secret#secret")
    assert place.name == "b.csv.gz"
    assert place.shown == "https://shop.example/a/b.csv.gz"
    assert (place.ending, place.compression) == (".csv", "gzip")
    assert Place.of("ftp://me:p@secret@shop/b.csv").shown == "ftp://shop/b.csv"
    _, error = asyncio.run(outcome(CsvSource("nosuch://user:p@secret@shop/b.csv?sig=secret")))
    assert error is not None
    assert "secret" not in error


@pytest.mark.parametrize(
    ("text", "name", "is_local"),
    [
        ("a/b.csv", "b.csv", True),
        ("C:\\shop\\b.csv", "", True),
        ("file:///a/b.csv", "b.csv", True),
        ("s3://bucket/a/b.csv", "b.csv", False),
        ("simplecache::s3://bucket/b.csv", "b.csv", False),
        ("zip://b.csv::s3://bucket/a.zip", "b.csv", False),
        ("a::b.csv", "a::b.csv", True),
        ("https://shop.example", "shop.example", False),
    ],
)
def test_addresses_are_told_from_paths(text: str, name: str, is_local: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """A scheme makes an address; `file://` is a path."""
    place = Place.of(text)
    assert (place.path is not None) == is_local
    assert not name or place.name == name


def test_an_address_that_became_a_path_is_noticed(tmp_path: Path) -> None:
    """`Path("s3://…")` loses a slash: the error says what to do."""
    with pytest.raises(SourceError, match="an address must be text, not a Path"):
        open_source(Path("s3://bucket/a.csv"))


def test_binary_files_can_be_sought_in(tmp_path: Path, memory: Any) -> None:
    """As Parquet needs it, on disk and behind an address; what is compressed is unpacked."""
    (tmp_path / "a.bin").write_bytes(b"0123456789")
    (tmp_path / "a.bin.gz").write_bytes(gzip.compress(b"0123456789"))
    memory.pipe("/a.bin", b"0123456789")
    for place in (tmp_path / "a.bin", "memory://a.bin"):
        with open_binary(place) as file:
            assert file.seek(-3, os.SEEK_END) == 7
            assert file.read() == b"789"
    with open_binary(tmp_path / "a.bin.gz") as file:
        assert file.read() == b"0123456789"
    with pytest.raises(SourceError, match=r"cannot read none\.bin"):
        open_binary(tmp_path / "none.bin")


# --- closing ------------------------------------------------------------------------------------


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def leave_early(path: Path) -> None:
    """Leave a source after its first piece, then cancel somebody who reads all of it."""
    chunks = open_source(path).chunks()
    await anext(chunks)
    await chunks.aclose()
    reading = asyncio.ensure_future(outcome(open_source(path)))
    await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors as Linux does")
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.csv.zst", "a.json.xz"])
async def test_a_source_that_is_left_early_closes_its_file(tmp_path: Path, name: str) -> None:
    """Neither leaving nor cancelling leaves a file open, nor a warning about one."""
    path = tmp_path / name
    data = {".jsonl": LINES * 20, ".csv": b"_id\n" + b"1\n" * 200_000}.get(
        Place.of(path).ending, b"[" + b'{"_id": "1"},' * 50_000 + b"0]"
    )
    pack = PACKERS.get(path.suffix)
    path.write_bytes(pack(data) if pack else data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await leave_early(path)  # what stays open after the first time belongs to the loop
        gc.collect()
        before = descriptors()
        for _ in range(3):
            await leave_early(path)
        for _ in range(200):
            if descriptors() <= before:
                break
            await asyncio.sleep(0.05)
        gc.collect()
    assert descriptors() <= before


async def test_the_event_loop_goes_on_while_a_file_is_opened(tmp_path: Path) -> None:
    """A pipe that nobody writes to yet holds up nobody but its reader."""
    path = tmp_path / "a.csv"
    os.mkfifo(path)
    reading = asyncio.ensure_future(outcome(CsvSource(path)))
    await asyncio.sleep(0.05)
    assert not reading.done()
    writer = threading.Thread(target=path.write_bytes, args=(b"_id\n1\n",))
    writer.start()
    found, error = await reading
    writer.join()
    assert (ids(found), error) == (["1"], None)


# --- fingerprints -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [CsvSource, JsonSource, JsonlSource])
def test_another_content_is_another_fingerprint(
    tmp_path: Path, kind: type[CsvSource | JsonSource | JsonlSource]
) -> None:
    """On disk every byte of the file as it is stored counts."""
    path = tmp_path / "a.gz"
    path.write_bytes(b"1")
    first = fingerprint_of(kind(path))
    path.write_bytes(b"2")
    assert fingerprint_of(kind(path)) not in (first, None)
    path.write_bytes(b"1")
    assert kind(path).fingerprint() == first


def test_an_address_has_the_fingerprint_that_its_file_system_tells(memory: Any) -> None:
    """A new object is another input; what is not there is an error; some tell nothing."""
    memory.pipe("/a.csv", b"_id\n1\n")
    first = fingerprint_of(CsvSource("memory://a.csv"))
    assert first is not None
    assert fingerprint_of(CsvSource("memory://a.csv")) == first
    memory.pipe("/a.csv", b"_id\n2\n")
    assert fingerprint_of(CsvSource("memory://a.csv")) not in (first, None)
    with pytest.raises(SourceError, match=r"cannot read b\.csv"):
        fingerprint_of(CsvSource("memory://b.csv"))


def test_folders_have_a_fingerprint_and_the_programs_records_none(tmp_path: Path) -> None:
    """Names of images number the records of a folder; a list could be anything."""
    (tmp_path / "a.jpg").touch()
    first = fingerprint_of(open_source(tmp_path))
    (tmp_path / "b.jpg").touch()
    assert fingerprint_of(open_source(tmp_path)) not in (first, None)
    assert fingerprint_of(SequenceSource([])) is None
