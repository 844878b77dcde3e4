"""Any bytes to the reader of JSON lines: each line is one entry or none, and nothing is raised."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scripted import ScriptedService

from ximilar_async import Ximilar, bulk
from ximilar_async.errors import SourceError
from ximilar_async.sources import JsonlSource
from ximilar_async.sources._files import PIECE
from ximilar_async.sources._jsonl import LineSplitter

if TYPE_CHECKING:
    from ximilar_async.sources import Entry

EXAMPLES = max(300, settings().max_examples)  # 20,000 with --hypothesis-profile=thorough
IN_A_RUN = max(30, settings().max_examples // 100)
BOM = b"\xef\xbb\xbf"
LONG = 2**30

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["_id", "_url", "x"]) | st.text(max_size=3), inner)
    ),
    max_leaves=6,
)
LINES = (
    JSON.map(lambda value: json.dumps(value).encode())
    | JSON.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    | st.fixed_dictionaries({"_id": st.text(max_size=3), "_url": st.just("u")}).map(orjson.dumps)
    | st.binary(max_size=40)
    | st.sampled_from(
        [
            b"",
            b" \t\r",
            BOM,
            BOM + b"{}",
            b"[NaN]",
            b'{"p": -Infinity}',
            b"1e999",
            b'"\\ud800"',
            '{"_id": "1"}'.encode("utf-16"),
            b'{"_id": "1", "_id": "2"}',
        ]
    )
)
ODD = [
    b'{"_id": "caf\xe9 1234567890123456789"}',
    b"1" * 5000,
    b"[" * 100_000 + b"1" * 19,
    b"[" * 990 + b"1" * 19 + b"]" * 990,
    b'{"a":' * 1000 + b"1" * 19 + b"}" * 1000,
    "[1234567890123456789]".encode("utf-16-le"),
    b'["\\ud800", 1234567890123456789]',
    b'{"price": NaN, "ean": 1234567890123456789}',
]
"""Lines with 19 digits in a row take another way, and these broke it."""


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Return the bytes of a file: lines of all kinds, some of them damaged."""
    data = draw(st.sampled_from([b"\n", b"\r\n", b"\n\n"])).join(draw(st.lists(LINES, max_size=8)))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(max_size=3)) + data[at + draw(st.integers(0, 3)) :]
    return data


def expected(data: bytes, max_line: int = LONG) -> list[tuple[str, bytes | None]]:
    """Return place and bytes of each entry, None for an over-long one: the documented rule.

    Lines end at LF alone. What stands behind the last LF is a line if it is not empty. Blank lines
    count and give no entry; a byte order mark is none of the first line.
    """
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    found: list[tuple[str, bytes | None]] = []
    for number, line in enumerate(lines, 1):
        text = line.removeprefix(BOM) if number == 1 else line
        if len(line) > max_line:
            found.append((f"line {number}", None))
        elif text.strip():
            found.append((f"line {number}", text))
    return found


def check(entries: list[Entry], data: bytes, max_line: int = LONG) -> None:
    """Hold what was read against the lines of the file."""
    lines = expected(data, max_line)
    assert [entry.where for entry in entries] == [where for where, _ in lines]
    for entry, (_, line) in zip(entries, lines, strict=True):
        value = Ellipsis if line is None else value_of(line)
        assert (entry.fault is None) == (value is not ...)
        assert value is ... or entry.record == value


def value_of(line: bytes) -> Any:
    """Return what a line holds, integers in full; Ellipsis where it is no JSON."""
    try:
        orjson.loads(line)
        return json.loads(line.decode())
    except (ValueError, RecursionError):
        return ...


@settings(max_examples=EXAMPLES, deadline=None)
@given(files(), st.lists(st.integers(0, 200), max_size=6), st.integers(0, 60) | st.just(LONG))
@example(BOM + b"{}\n" + BOM + b"{}", [1, 2, 4], LONG)
@example(b"\n\n{}", [1], LONG)
@example(b"{}\r\x0b\x0c\n\x0b\n\x00\n", [], LONG)
@example(b"x" * 7 + b"\n" + b"{}", [3], 5)
def test_any_bytes_in_any_pieces_are_split_by_the_rule(
    data: bytes, cuts: list[int], max_line: int
) -> None:
    """Lines in are entries out, each with its place, wherever the pieces of the file end."""
    splitter = LineSplitter(max_line)
    at, entries = 0, []
    for cut in sorted({min(cut, len(data)) for cut in cuts} | {len(data)}):
        entries += splitter.feed(data[at:cut])
        at = cut
    check(entries + splitter.end(), data, max_line)


@pytest.mark.parametrize("line", ODD, ids=lambda line: repr(line[:12]))
def test_an_odd_line_costs_that_line(line: bytes) -> None:
    """Wrong bytes, thousands of digits and of brackets are faults of their line, and no more."""
    data = b'{"_id": "1"}\n' + line + b'\n{"_id": "2"}\n'
    entries = LineSplitter(LONG).feed(data)
    assert [entry.where for entry in entries] == ["line 1", "line 2", "line 3"]
    # How deep brackets may be nested depends on the Python; beyond 254 no record is sent.
    assert entries[1].fault is not None or line[:1] in b"[{"
    assert [entries[0].record, entries[2].record] == [{"_id": "1"}, {"_id": "2"}]


async def read(path: Path) -> tuple[JsonlSource, list[Entry]]:
    source = JsonlSource(path)
    return source, [entry async for chunk in source.chunks() for entry in chunk]


@settings(max_examples=EXAMPLES // 5, deadline=None)
@given(files())
def test_a_file_of_any_bytes_is_read_to_its_end(data: bytes) -> None:
    """From the disk too: nothing is raised, nothing left out, and the position ends at the size."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "any.jsonl")
        path.write_bytes(data)
        source, entries = asyncio.run(read(path))
    check(entries, data)
    assert source.position == len(data)


async def test_lines_across_the_pieces_of_a_large_file_stay_whole(tmp_path: Path) -> None:
    """A file is read in pieces of a mebibyte; a line may reach over three of them."""
    before = b'{"_id": "a"}\n' * 7
    long = orjson.dumps({"_id": "long", "x": "y" * (2 * PIECE)})
    for gap in (*range(-3, 4), 500):
        filler = b" " * (PIECE - len(before) - 10 + gap)
        data = before + filler + b'\n{"_id": "b"}\r\n' + long + b"\n\xff\n" + b'{"_id": "c"}'
        path = tmp_path / f"{gap}.jsonl"
        path.write_bytes(data)
        _, entries = await read(path)
        check(entries, data)


async def test_a_file_that_cannot_be_read_is_a_source_error(tmp_path: Path) -> None:
    """What is gone, or is a folder by now, is told by name."""
    (tmp_path / "folder.jsonl").mkdir()
    for name in ("gone.jsonl", "folder.jsonl"):
        with pytest.raises(SourceError, match=f"cannot read {name}"):
            await read(tmp_path / name)


async def run(path: Path) -> tuple[bulk.Report, list[bulk.Result]]:
    service, results = ScriptedService(), list[bulk.Result]()
    async with Ximilar("token", transport=service) as client:
        options = bulk.Options(on_result=results.append)
        report = await bulk.insert(client.collection("c"), path, options=options)
    assert report.inserted == len(service.stored)
    return report, results


@settings(max_examples=IN_A_RUN, deadline=None)
@given(files())
@example(b"\n".join(ODD))
@example(b'{"_id": "1", "_url": "u", "deep": ' + b"[" * 900 + b"]" * 900 + b"}")
def test_a_run_over_any_bytes_accounts_for_every_line(data: bytes) -> None:
    """A line is a record or a rejection, with its number, and the sum is that of the lines."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "any.jsonl")
        path.write_bytes(data)
        report, results = asyncio.run(run(path))
    places = [where for where, _ in expected(data)]
    assert report.stop is None
    assert report.read == sum(report.counts.values()) == len(places)
    assert sorted(result.where for result in results) == sorted(places)
