"""JSON arrays: the values of the json module, element by element, in bounded memory."""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ximilar_async.errors import SourceError
from ximilar_async.sources import JsonSource
from ximilar_async.sources._files import PIECE

if TYPE_CHECKING:
    from ximilar_async.sources import Entry

EXAMPLES = max(100, settings().max_examples // 5)


async def outcome(path: Path, **options: Any) -> tuple[list[Entry], str | None]:
    found: list[Entry] = []
    try:
        async for chunk in JsonSource(path, **options).chunks():
            assert chunk
            found += chunk
    except SourceError as error:
        return found, str(error)
    return found, None


async def read(folder: Path, data: bytes | str, **options: Any) -> tuple[list[Entry], str | None]:
    path = folder / "a.json"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return await outcome(path, **options)


async def test_elements_are_records_with_their_numbers(tmp_path: Path) -> None:
    """Values are those of the json module: whole numbers stay whole, however long."""
    data = (
        '\ufeff [ {"_id": "1", "n": [12345678901234567890123, -0, 1.0, 1e5]} ,\n 5, [ ], null ] \n'
    )
    found, error = await read(tmp_path, data)
    assert error is None
    assert [(entry.where, repr(entry.record)) for entry in found] == [
        ("record 1", repr({"_id": "1", "n": [12345678901234567890123, 0, 1.0, 1e5]})),
        ("record 2", "5"),
        ("record 3", "[]"),
        ("record 4", "None"),
    ]


async def test_an_empty_array_has_no_records(tmp_path: Path) -> None:
    """It is a whole file."""
    assert await read(tmp_path, " [ ] ") == ([], None)


@pytest.mark.parametrize(
    ("data", "count", "words"),
    [
        ("", 0, "a.json is empty"),
        (" \n", 0, "a.json is empty"),
        ('{"_id": "1"}\n{"_id": "2"}', 0, r"does not begin with \[.*JSON lines.*\.jsonl"),
        ("[", 0, "breaks off at record 1"),
        ('[{"_id": "1"}', 1, "breaks off at record 2: a comma or ] is missing"),
        ('[{"_id": "1"},', 1, "breaks off at record 2"),
        ('[{"_id": "1"}, {"_id": "2", "pr', 1, "breaks off at record 2: Unterminated string"),
        ('[{"_id": "1"}, {"_id": "2" "x"}, {"_id": "3"}]', 1, "record 2: Expecting ',' delimiter"),
        ('[{"_id": "1"} {"_id": "2"}]', 1, "breaks off at record 2: a comma or ] is missing"),
        ('[{"_id": "1"},]', 1, "breaks off at record 2: Expecting value"),
        ('[{"_id": "1"}] [', 1, "something stands behind the array"),
        ("[" + '[{"a":' * 100_000, 0, "nested too deeply"),
    ],
)
async def test_what_is_no_json_costs_what_is_behind_it(
    tmp_path: Path, data: str, count: int, words: str
) -> None:
    """What came before counts, and the error names the record."""
    found, error = await read(tmp_path, data)
    assert [entry.record for entry in found] == [{"_id": "1"}] * count
    assert error is not None
    assert re.search(words, error)


@pytest.mark.parametrize(
    ("element", "words"),
    [
        (b'{"_id": "2", "price": NaN}', "holds NaN or Infinity"),
        (b"[-Infinity]", "holds NaN or Infinity"),
        (b'{"ean": ' + b"1" * 5000 + b"}", "a number of 5000 digits"),
        (b'{"name": "caf\xe9"}', "holds the byte 0xe9, which is not utf-8"),
    ],
)
async def test_what_json_cannot_carry_costs_its_record(
    tmp_path: Path, element: bytes, words: str
) -> None:
    """NaN, a number of thousands of digits and wrong bytes do not stop what is behind them."""
    found, error = await read(tmp_path, b'[{"_id": "1"}, ' + element + b', {"_id": "3"}]')
    assert error is None
    assert [entry.record for entry in found] == [{"_id": "1"}, None, {"_id": "3"}]
    assert words in (found[1].fault or "")


async def test_an_overlong_record_breaks_the_source_off(tmp_path: Path) -> None:
    """A string that never ends is not kept for ever."""
    data = b'[{"_id": "1"}, "' + b"x" * (3 * PIECE) + b'", 3]'
    found, error = await read(tmp_path, data, max_record=PIECE)
    assert [entry.record for entry in found] == [{"_id": "1"}]
    assert "record 2: it is longer than" in (error or "")
    found, error = await read(tmp_path, data)
    assert (len(found), error) == (3, None)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
async def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str) -> None:
    """As for tables."""
    found, error = await read(tmp_path, '[{"_id": "kůň 👢"}]'.encode(encoding))
    assert [entry.record for entry in found] == [{"_id": "kůň 👢"}]
    assert error is None


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(VALUES, max_size=8), st.booleans(), st.sampled_from([None, 1]))
def test_any_array_comes_back(values: list[Any], ascii_only: bool, indent: int | None) -> None:  # noqa: FBT001 - hypothesis gives it by position
    """As the json module wrote it, with the types that the module reads."""
    data = json.dumps(values, ensure_ascii=ascii_only, indent=indent)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.json")
        path.write_bytes(data.encode("utf-8", "surrogatepass"))
        found, error = asyncio.run(outcome(path))
    assert error is None
    assert [repr(entry.record) for entry in found] == [repr(value) for value in json.loads(data)]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["[", "]", "{", "}", ",", ":", '"', "\\", "1", "-", "1e", "null", "NaN", " ", '"a":1']
        ).map(str.encode)
        | st.binary(max_size=2)
        | VALUES.map(lambda value: json.dumps(value).encode()),
        max_size=12,
    ).map(b"".join)
)
@example(b"[1,2]]")
@example(b"[1e")
@example(b'["\\u12')
def test_any_bytes_are_an_array_or_break_off(rest: bytes) -> None:
    """Whatever is wrong, it is told: what the json module takes is read, all else is an error."""
    data = b"[" + rest
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.json")
        path.write_bytes(data)
        found, error = asyncio.run(outcome(path))
    assert [entry.where for entry in found] == [f"record {n}" for n in range(1, len(found) + 1)]
    try:
        values = json.loads(data.decode("utf-8", "replace"))
    except ValueError:
        assert error is not None
    else:
        assert error is None
        assert len(found) == len(values)
        for entry, value in zip(found, values, strict=True):
            assert entry.fault is not None or repr(entry.record) == repr(value)


@pytest.mark.parametrize("gap", [*range(-6, 7), 40])
async def test_elements_across_the_pieces_of_a_large_file_stay_whole(
    tmp_path: Path, gap: int
) -> None:
    """Wherever a piece ends: in a number, an escape, a constant, a character, between elements."""
    middle = '12345e2, -12.5e-3, "kůň\\u0041\\\\", true, {"a": [null, 1234567890123456789012]}'
    data = ("[" + " " * (PIECE - 20 + gap) + middle + "]").encode()
    expected = json.loads(data)
    for shift in range(0, len(middle), 7):
        found, error = await read(tmp_path, b"[" + data[1 + shift :])
        assert error is None
        assert [entry.record for entry in found] == expected


async def test_an_array_is_read_in_bounded_memory(tmp_path: Path) -> None:
    """Pieces are dropped as they are done with, and the position grows to the file's size."""
    path = tmp_path / "a.json"
    with path.open("w") as file:
        file.write("[")
        file.writelines(f'{{"_id": "{number}", "x": "{"y" * 200}"}},\n' for number in range(40_000))
        file.write("0]")
    source, positions, count = JsonSource(path), [], 0
    tracemalloc.start()
    try:
        async for chunk in source.chunks():
            count += len(chunk)
            positions.append(source.position)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 40_001
    assert positions == sorted(positions)
    assert source.position == source.size == path.stat().st_size > 8 * PIECE
    assert peak < 7 * PIECE
