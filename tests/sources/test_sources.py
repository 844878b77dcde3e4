"""Sources: streams of entries, each with its place; a bad line costs that line."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ximilar_async.errors import ConfigError, SourceError
from ximilar_async.sources import (
    AsyncIterableSource,
    FolderSource,
    IterableSource,
    JsonlSource,
    SequenceSource,
    as_source,
)
from ximilar_async.sources._iterables import _Pump
from ximilar_async.sources._jsonl import LineSplitter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from ximilar_async.sources import (
        Entry,
        Source,
    )


async def entries(source: Source) -> list[Entry]:
    return [entry async for chunk in source.chunks() for entry in chunk]


# --- JSON lines ---------------------------------------------------------------------------------


async def test_a_file_of_json_lines_gives_its_records_with_their_lines(tmp_path: Path) -> None:
    """Records come in order, blank lines are passed over and still counted."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"_id": "1"}\r\n\n  \n{"_id": "2"}\n{"_id": "caf\xc3\xa9"}')
    source = JsonlSource(path)
    found = await entries(source)
    assert [(entry.where, entry.record) for entry in found] == [
        ("line 1", {"_id": "1"}),
        ("line 4", {"_id": "2"}),
        ("line 5", {"_id": "café"}),
    ]
    assert source.position == source.size == path.stat().st_size
    assert source.files_root == tmp_path


async def test_a_file_tells_how_far_it_is_between_two_parts(tmp_path: Path) -> None:
    """The position grows with the lines handed on, not with the pieces read from the disk."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"_id": "12345678"}\n' * 5000)
    source, positions, read = JsonlSource(path), [], 0
    async for chunk in source.chunks():
        read += len(chunk)
        positions.append(source.position)
        assert source.position == pytest.approx(20 * read, abs=1)
    assert len(positions) == 10


async def test_a_bad_line_costs_that_line(tmp_path: Path) -> None:
    """Wrong bytes, broken JSON, NaN and over-long lines are faults of their own line only."""
    lines = [b'{"_id": "1"}', b"\xff\xfe", b'{"_id":', b'{"p": NaN}', b"x" * 200, b'{"_id": "2"}']
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    found = await entries(JsonlSource(path, max_line=100))
    assert [entry.fault is None for entry in found] == [True, False, False, False, False, True]
    assert "200 bytes long, more than 100" in (found[4].fault or "")
    assert "not JSON" in (found[1].fault or "")


async def test_a_long_file_is_read_in_pieces_and_chunks_stay_small(tmp_path: Path) -> None:
    """A file larger than one piece gives every line once."""
    path = tmp_path / "a.ndjson"
    with path.open("wb") as file:
        for number in range(40_000):
            file.write(b'{"_id":"%d","text":"%s"}\n' % (number, b"x" * 60))
    found = await entries(as_source(path))
    assert [entry.record["_id"] for entry in found] == [str(n) for n in range(40_000)]


@given(st.binary(max_size=200), st.lists(st.integers(1, 40), max_size=20), st.integers(1, 60))
def test_any_bytes_cut_anywhere_give_the_same_lines(
    data: bytes, cuts: list[int], max_line: int
) -> None:
    """Where the pieces end changes nothing; every non-blank line is one entry."""
    splitter = LineSplitter(max_line)
    found, rest = [], data
    for cut in cuts:
        found += splitter.feed(rest[:cut])
        rest = rest[cut:]
    found += splitter.feed(rest) + splitter.end()
    whole = LineSplitter(max_line)
    assert found == whole.feed(data) + whole.end()
    lines = data.split(b"\n")
    expected = [
        f"line {number}"
        for number, line in enumerate(lines, 1)
        if len(line) > max_line
        or (line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line).strip()
    ]
    assert [entry.where for entry in found] == expected


async def test_a_file_that_vanishes_is_a_source_error(tmp_path: Path) -> None:
    """What cannot be opened or read is named."""
    path = tmp_path / "gone.jsonl"
    path.touch()
    source = as_source(path)
    path.unlink()
    with pytest.raises(SourceError, match=r"cannot read gone\.jsonl"):
        await entries(source)


# --- folders ------------------------------------------------------------------------------------


async def test_a_folder_gives_its_images_by_name(tmp_path: Path) -> None:
    """Every image below the folder is a record whose `_id` is its path; other files are not."""
    for name in ("b.JPG", "a/c.png", "a/d.avif", "notes.txt", ".hidden.jpg", ".git/e.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    source = FolderSource(tmp_path)
    found = await entries(source)
    assert [entry.record for entry in found] == [
        {"_id": name, "_file": name} for name in ("a/c.png", "a/d.avif", "b.JPG")
    ]
    assert (source.position, source.size, source.files_root) == (3, 3, tmp_path)


async def test_a_linked_folder_is_passed_over(tmp_path: Path) -> None:
    """It may lead in a circle, or out of the folder; a linked file is a record as any other."""
    (tmp_path / "shoes").mkdir()
    (tmp_path / "shoes" / "a.jpg").write_bytes(b"")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "shoes" / "a.jpg")
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    source = FolderSource(tmp_path)
    found = [entry.record["_id"] async for chunk in source.chunks() for entry in chunk]
    assert found == ["b.jpg", "shoes/a.jpg"]


# --- the program's own records ------------------------------------------------------------------


async def test_sequences_know_their_size() -> None:
    """A list's length is known before it is read."""
    source = as_source([{"_id": str(n)} for n in range(250)])
    assert isinstance(source, SequenceSource)
    assert source.size == 250
    assert [entry.where for entry in await entries(source)][-1] == "record 250"
    assert source.position == 250


async def test_an_async_iterable_hands_on_each_record_at_once() -> None:
    """No record waits for the next one."""
    gate = asyncio.Event()

    async def trickle() -> AsyncIterator[dict[str, Any]]:
        yield {"_id": "1"}
        await gate.wait()
        yield {"_id": "2"}

    source = as_source(trickle())
    assert isinstance(source, AsyncIterableSource)
    chunks = source.chunks()
    assert [entry.record for entry in await anext(chunks)] == [{"_id": "1"}]
    gate.set()
    assert [entry.record for entry in await anext(chunks)] == [{"_id": "2"}]
    with pytest.raises(StopAsyncIteration):
        await anext(chunks)


async def test_an_iterable_that_raises_gives_what_it_had() -> None:
    """Records drawn before the error come first, then the error itself."""

    def breaking() -> Iterator[dict[str, Any]]:
        yield {"_id": "1"}
        yield {"_id": "2"}
        raise LookupError("cursor")

    chunks = as_source(breaking()).chunks()
    assert [entry.record["_id"] for entry in await anext(chunks)] == ["1", "2"]
    with pytest.raises(LookupError, match="cursor"):
        await anext(chunks)


async def test_a_late_sign_of_a_record_is_no_end() -> None:
    """Word of records that were taken already does not end the source before the next come."""
    release = threading.Event()

    def slow() -> Iterator[str]:
        yield "1"
        release.wait(60)
        yield "2"

    pump = _Pump(slow())
    assert await pump.next() == ["1"]
    assert pump._draw is not None
    pump._draw._note_first()
    following = asyncio.ensure_future(pump.next())
    await asyncio.sleep(0.05)
    assert not following.done()
    release.set()
    assert await following == ["2"]
    assert await pump.next() == []
    pump.stop()


async def test_a_draw_that_was_taken_in_parts_is_no_end() -> None:
    """Records that were handed on before their draw is over leave nothing at its end, and more."""
    release = threading.Event()

    def slow() -> Iterator[str]:
        yield "1"
        release.wait(60)
        yield "2"
        yield "3"

    pump = _Pump(slow())
    assert await pump.next() == ["1"]
    draw = pump._draw
    assert draw is not None
    release.set()
    await asyncio.wait({draw.over})
    assert draw.take() == ["2"]  # as a reader would have who came between record and end
    assert await pump.next() == ["3"]
    pump.stop()


async def test_an_iterable_that_cannot_start_raises() -> None:
    """An error of `__iter__` itself reaches the reader."""

    class Broken:
        def __iter__(self) -> Iterator[dict[str, Any]]:
            raise LookupError("closed")

    with pytest.raises(LookupError, match="closed"):
        await entries(IterableSource(Broken()))


async def test_a_generator_left_early_is_closed_in_its_own_thread() -> None:
    """Leaving a source runs the generator's clean-up where the generator ran."""
    closed: list[bool] = []
    done = threading.Event()

    def endless() -> Iterator[dict[str, Any]]:
        mine = threading.get_ident()
        try:
            while True:
                yield {"_id": "x"}
        finally:
            closed.append(threading.get_ident() == mine)
            done.set()

    chunks = IterableSource(endless()).chunks()
    await anext(chunks)
    await chunks.aclose()
    assert await asyncio.to_thread(done.wait, 10)
    assert closed == [True]


async def test_a_generator_that_blocks_for_ever_does_not_hold_the_reader() -> None:
    """Reading can be cancelled although the thread is stuck."""
    release = threading.Event()

    def stuck() -> Iterator[dict[str, Any]]:
        release.wait(60)
        yield {"_id": "late"}

    chunks = IterableSource(stuck()).chunks()
    reading = asyncio.ensure_future(anext(chunks))
    await asyncio.sleep(0.01)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    release.set()


# --- telling what is what -----------------------------------------------------------------------


def test_inputs_are_told_apart(tmp_path: Path) -> None:
    """Paths, sequences, iterables and sources each get their own reader; others are refused."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(orjson.dumps({"_id": "1"}))
    assert isinstance(as_source(str(path)), JsonlSource)
    assert isinstance(as_source(tmp_path), FolderSource)
    assert isinstance(as_source(iter(())), IterableSource)
    source = SequenceSource([])
    assert as_source(source) is source
    (tmp_path / "x.doc").touch()
    with pytest.raises(SourceError, match="neither a folder of images nor a file that ends in"):
        as_source(tmp_path / "x.doc")
    wrong: Any
    for wrong in (3, None):
        with pytest.raises(ConfigError, match=type(wrong).__name__):
            as_source(wrong)


async def test_a_pipe_can_be_read_like_a_file(tmp_path: Path) -> None:
    """A named pipe is a file of JSON lines of unknown size."""
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        path.write_bytes(b'{"_id": "1"}\n')

    writer = threading.Thread(target=write)
    writer.start()
    source = as_source(path)
    assert [entry.record for entry in await entries(source)] == [{"_id": "1"}]
    assert source.size is None
    writer.join()
