"""Tables that are text: each row is a record or a fault of that row, or the source breaks off."""

from __future__ import annotations

import asyncio
import csv
import io
import tempfile
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ximilar_async.errors import ConfigError, SourceError
from ximilar_async.sources import CsvSource
from ximilar_async.sources._dialect import tell_dialect
from ximilar_async.sources._files import PIECE

if TYPE_CHECKING:
    from ximilar_async.sources import Entry

EXAMPLES = max(100, settings().max_examples // 5)


async def entries(source: CsvSource) -> list[Entry]:
    return [entry async for chunk in source.chunks() for entry in chunk]


async def read(folder: Path, data: bytes | str, **options: Any) -> list[Entry]:
    path = folder / "a.csv"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return await entries(CsvSource(path, **options))


async def records(folder: Path, data: bytes | str, **options: Any) -> list[Any]:
    found = await read(folder, data, **options)
    assert [entry.fault for entry in found if entry.fault] == []
    return [entry.record for entry in found]


# --- rows ---------------------------------------------------------------------------------------


async def test_rows_are_records_by_the_names_of_the_header(tmp_path: Path) -> None:
    """Values stay text, an empty cell is no field, and each row knows its first line."""
    data = (
        '_id,name,price\r\n1,"Boots, black",75\r\n\r\n2,"two\r\nlines, ""quoted""",\r\n03,,1e5\r\n'
    )
    found = await read(tmp_path, data)
    assert [(entry.where, entry.record) for entry in found] == [
        ("line 2", {"_id": "1", "name": "Boots, black", "price": "75"}),
        ("line 4", {"_id": "2", "name": 'two\r\nlines, "quoted"'}),
        ("line 6", {"_id": "03", "price": "1e5"}),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
async def test_lines_may_end_in_any_way(tmp_path: Path, end: str) -> None:
    """Windows, Unix and old Macs, with or without an end of the last line."""
    for last in ("", end):
        data = end.join(["_id,name", "1,a", "2,b"]) + last
        assert await records(tmp_path, data) == [
            {"_id": "1", "name": "a"},
            {"_id": "2", "name": "b"},
        ]


async def test_a_row_with_too_many_or_too_few_cells_costs_that_row(tmp_path: Path) -> None:
    """Nobody can tell which cell is missing or one too many."""
    found = await read(tmp_path, "_id,name\n1,a,b\n2\n3,c\n")
    assert [entry.fault for entry in found] == [
        "has 3 cells, the header 2",
        "has 1 cells, the header 2",
        None,
    ]
    assert found[2][:3] == ("line 4", {"_id": "3", "name": "c"}, None)


async def test_a_row_that_breaks_the_rules_of_quoting_costs_its_line(tmp_path: Path) -> None:
    """A quote that is not closed, or closed too early, does not swallow the rows behind it."""
    data = '_id,name\n1,"5" nails\n2,b\n3,"boots\n4,"d"\n5,e\n'
    found = await read(tmp_path, data)
    assert [entry.where for entry in found] == [f"line {number}" for number in range(2, 7)]
    assert [entry.fault is None for entry in found] == [False, True, False, True, True]
    assert "rules of quoting" in (found[0].fault or "")
    assert found[3].record == {"_id": "4", "name": "d"}


async def test_a_quoted_cell_that_does_not_end_breaks_the_source_off(tmp_path: Path) -> None:
    """A file that is cut within quotes is not taken for whole; what came before counts."""
    path = tmp_path / "a.csv"
    path.write_text('_id,name\n1,a\n2,"cut\n3,c\n')
    chunks = CsvSource(path).chunks()
    assert [entry.record["_id"] for entry in await anext(chunks)] == ["1"]
    with pytest.raises(SourceError, match="quoted cell that begins in line 3 does not end"):
        await anext(chunks)


async def test_a_quoted_cell_that_goes_on_for_ever_breaks_the_source_off(tmp_path: Path) -> None:
    """What one stray quote can swallow is bounded, and so is the memory."""
    path = tmp_path / "a.csv"
    path.write_text('_id,name\n1,a\n2,"stray\n' + "3,c\n" * 1000)
    source = CsvSource(path, max_row=500)
    chunks = source.chunks()
    assert len(await anext(chunks)) == 1
    with pytest.raises(SourceError, match="line 3 does not end within 500 characters"):
        await anext(chunks)


async def test_an_overlong_line_costs_that_line(tmp_path: Path) -> None:
    """Whether it fits into a piece of the file or spans several of them."""
    for length in (600, 3 * PIECE):
        data = f"_id,name\n1,a\n2,{'x' * length}\n3,c\n"
        found = await read(tmp_path, data, max_row=500)
        assert [entry.where for entry in found] == ["line 2", "line 3", "line 4"]
        assert found[1].fault == "is longer than 500 characters"
        assert found[2].record == {"_id": "3", "name": "c"}


async def test_a_cell_may_be_longer_than_the_module_allows_by_itself(tmp_path: Path) -> None:
    """An image in base64 is longer than 131,072 characters."""
    (record,) = await records(tmp_path, "_id,_base64\n1," + "A" * 2_000_000 + "\n")
    assert len(record["_base64"]) == 2_000_000


# --- the header ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "is empty: its first line must name the columns"),
        ("\n\n", "is empty"),
        ("_id,price,_id\n1,2,3\n", "has the column '_id' twice"),
        ("_id,,price\n1,2,3\n", "column 2 of a.csv has no name"),
        ("_id, \n1,2\n", "column 2 of a.csv has no name"),
        ('_id,"name\n1,2\n', "quoted cell that begins in line 1 does not end|header"),
        ('_id,"na"me\n1,2\n', "the header of a.csv cannot be read"),
        (b"_id,caf\xe9\n1,2\n", "the header of a.csv holds the byte 0xe9 at offset 7"),
        (b"_\0i\0d\0\n\0", "the header of a.csv holds NUL at offset 1; is it UTF-16"),
    ],
)
async def test_a_header_that_names_no_columns_is_refused(
    tmp_path: Path, data: str | bytes, words: str
) -> None:
    """Blank and repeated names, no header at all, or one that cannot be read."""
    with pytest.raises(SourceError, match=words):
        await read(tmp_path, data)


async def test_columns_can_be_chosen(tmp_path: Path) -> None:
    """What is not asked for is left out; what is not there is an error with the names there are."""
    data = "_id,name,price\n1,a,2\n"
    assert await records(tmp_path, data, columns=["price", "_id"]) == [{"_id": "1", "price": "2"}]
    with pytest.raises(SourceError, match=r"'colour'.*it has _id, name, price"):
        await read(tmp_path, data, columns=["_id", "colour"])


# --- delimiters ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "delimiter"),
    [
        ("_id,name\n1,a\n", ","),
        ("_id;name;price\n1;Boots, black;1,5\n2;a, b, c;2,5\n", ";"),
        ("_id\tname\n1\ta, b; c\n", "\t"),
        ("_id|name\n1|a\n", "|"),
        ("_id\nsku;1\nsku;2\n", ","),
        ("_id\nhttps://a.b/c?d=e&f=g\n", ","),
        ("_id\ndon't\nwon't\n", ","),
        ("name, with comma;price\nBoots, black;1\nShoes;2\n", ";"),
        ('"_id";"na;me"\n"1";"x;y;z"\n', ";"),
        ("", ","),
        ("_id\n", ","),
        ("_id,name", ","),
    ],
)
def test_the_delimiter_is_told_by_the_file(sample: str, delimiter: str) -> None:
    """It is in the header, and rows come out even with it; in a table of one column it is none."""
    assert tell_dialect(sample).delimiter == delimiter


async def test_excels_line_with_the_delimiter_is_none_of_the_table(tmp_path: Path) -> None:
    """`sep=;` in front of the header is obeyed and left out."""
    data = "sep=;\r\n_id;name\r\n1;a,b\r\n"
    assert await records(tmp_path, data) == [{"_id": "1", "name": "a,b"}]


async def test_a_space_behind_the_delimiter_is_the_cells_own_unless_quotes_follow(
    tmp_path: Path,
) -> None:
    """Rows decide: if they come out even only without the space, it is none of the cells."""
    assert await records(tmp_path, "_id,name\n1, a\n") == [{"_id": "1", "name": " a"}]
    data = '_id, name\n1, "a, b"\n2, "c, d"\n'
    assert await records(tmp_path, data) == [
        {"_id": "1", "name": "a, b"},
        {"_id": "2", "name": "c, d"},
    ]


async def test_a_delimiter_can_be_named(tmp_path: Path) -> None:
    """A named delimiter counts whatever the file looks like; what can be none is refused."""
    data = "_id,name^x\n1,a^y\n"
    assert await records(tmp_path, data, delimiter="^") == [{"_id,name": "1,a", "x": "y"}]
    for wrong in ("", "::", "\n", '"', "\ud800"):
        with pytest.raises(ConfigError, match="delimiter"):
            CsvSource("a.csv", delimiter=wrong)


# --- encodings ----------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32", "utf-32-be"])
async def test_a_byte_order_mark_tells_the_encoding(tmp_path: Path, encoding: str) -> None:
    """It counts more than the encoding that was named."""
    text = "_id\tname\n1\tkůň 👢\n"
    text = text if encoding in ("utf-8-sig", "utf-16", "utf-32") else "\ufeff" + text
    data = text.encode(encoding)
    for named in (None, "cp1250"):
        assert await records(tmp_path, data, encoding=named) == [{"_id": "1", "name": "kůň 👢"}]


@pytest.mark.parametrize("encoding", ["cp1250", "iso8859-2", "utf-16-le", "utf-8"])
async def test_an_encoding_can_be_named(tmp_path: Path, encoding: str) -> None:
    """Files without a byte order mark are read in the encoding that is named."""
    data = "_id,name\n1,žluťoučký kůň\n".encode(encoding)
    found = await records(tmp_path, data, encoding=encoding)
    assert found == [{"_id": "1", "name": "žluťoučký kůň"}]


@pytest.mark.parametrize("wrong", ["utf-99", "base64", "a\0b", ""])
def test_an_encoding_that_is_none_is_refused(wrong: str) -> None:
    """At once, not in the middle of the file; the empty name is none that was given."""
    if not wrong:
        assert CsvSource("a.csv", encoding=wrong)
        return
    with pytest.raises(ConfigError, match="there is no text encoding"):
        CsvSource("a.csv", encoding=wrong)


async def test_wrong_bytes_cost_their_row(tmp_path: Path) -> None:
    """The fault names line, offset and byte, and what to do."""
    data = b'_id,name\n1,a\n2,caf\xe9\n3,"two\nlin\xffes"\n4,d\0\n5,\xc5\xafe\n'
    found = await read(tmp_path, data)
    assert [entry.where for entry in found] == ["line 2", "line 3", "line 4", "line 6", "line 7"]
    advice = "; name the encoding if it is another, such as cp1250"
    assert [entry.fault for entry in found] == [
        None,
        f"holds the byte 0xe9 at offset 5, which is not utf-8{advice}",
        f"holds the byte 0xff at offset 3, which is not utf-8{advice} (in line 5)",
        "holds NUL at offset 3; is it UTF-16? then name the encoding",
        None,
    ]
    assert found[4].record == {"_id": "5", "name": "ůe"}


async def test_wrong_utf_16_costs_its_row(tmp_path: Path) -> None:
    """Half a pair of surrogates, and half a character at the end."""
    data = "\ufeff_id,name\n1,a\n2,X\n3,c".encode("utf-16-le").replace(b"X\0", b"\x00\xd8") + b"x"
    found = await read(tmp_path, data)
    assert [entry.fault is None for entry in found] == [True, False, False]
    assert found[0].record == {"_id": "1", "name": "a"}


# --- any bytes ----------------------------------------------------------------------------------

CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=6)
LINES = st.lists(
    st.sampled_from(['"', ",", ";", "a", "\n", "\r", "\r\n", '""', ' "', "é", "1,2", "x\n"]).map(
        str.encode
    )
    | st.sampled_from([b"\xff", b"\0", b"\xe9", b"\xef\xbb\xbf"]),
    max_size=30,
).map(b"".join)


async def outcome(path: Path, **options: Any) -> tuple[list[Entry], str | None]:
    found: list[Entry] = []
    try:
        async for chunk in CsvSource(path, **options).chunks():
            assert chunk
            found += chunk
    except SourceError as error:
        return found, str(error)
    return found, None


def lines_of(data: bytes) -> list[str]:
    text = data.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    return io.StringIO(text, newline="").readlines()


@settings(max_examples=EXAMPLES, deadline=None)
@given(LINES, st.integers(8, 200))
@example(b'"\n', 50)
@example(b'\n"\na\n,"\n\xff', 50)
@example(b'"a"x\n"b\n"c\n', 50)
def test_no_line_of_any_bytes_is_lost_in_silence(rest: bytes, max_row: int) -> None:
    """Every line is of an entry or blank, places rise, or the source breaks off."""
    data = b"a,b\n" + rest
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_bytes(data)
        found, error = asyncio.run(outcome(path, delimiter=",", max_row=max_row))
    lines = lines_of(data)
    starts = [int(entry.where.removeprefix("line ")) for entry in found]
    assert starts == sorted(set(starts))
    assert all(start <= len(lines) for start in starts)
    if error is not None:
        assert "a quoted cell that begins in line" in error
        return
    bounds = [*starts, len(lines) + 1]
    assert "".join(lines[1 : bounds[0] - 1]).strip("\r\n") == ""
    for entry, (start, following) in zip(found, pairwise(bounds), strict=True):
        if entry.fault is None:
            assert entry.record == one_record("".join(lines[start - 1 : following - 1]))
        elif "rules of quoting" in entry.fault:
            assert "".join(lines[start : following - 1]).strip("\r\n") == ""


def one_record(rows: str) -> dict[str, str]:
    """Return the record that some lines hold, by the rules of the module itself."""
    text = rows.encode("latin-1").decode()
    (row,) = (row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row)
    return {name: cell for name, cell in zip(("a", "b"), row, strict=True) if cell}


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=20),
    st.sampled_from([",", ";", "\t", "|"]),
    # The module leaves a CR unquoted where lines end with LF.
    st.sampled_from([("\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_ALL), ("\r\n", csv.QUOTE_MINIMAL)]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_the_module_writes_comes_back(
    table: list[list[str]], delimiter: str, style: tuple[str, int], encoding: str
) -> None:
    """Any cells, written with any delimiter that is told from the file again."""
    text, (end, quoting) = io.StringIO(newline=""), style
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerow(["_id", "name", "note"])
    writer.writerows(table)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_bytes(text.getvalue().encode(encoding))
        found, error = asyncio.run(outcome(path, delimiter=delimiter))
    assert error is None
    names = ("_id", "name", "note")
    assert [entry.record for entry in found] == [
        {name: cell for name, cell in zip(names, row, strict=True) if cell} for row in table
    ]


async def test_rows_across_the_pieces_of_a_large_file_stay_whole(tmp_path: Path) -> None:
    """Wherever a piece ends: in a cell, in quotes, between CR and LF, in a character."""
    text = "".join(f'{number},"kůň {number}\r\nx",y\r\n' for number in range(60_000))
    for shift in range(3):
        data = ("_id,name,note" + "x" * shift + "\r\n" + text).encode()
        assert len(data) > PIECE
        found = await records(tmp_path, data)
        assert [record["_id"] for record in found] == [str(number) for number in range(60_000)]
        assert {record["name"].partition(" ")[2].partition("\r\n")[0] for record in found} == {
            str(number) for number in range(60_000)
        }


async def test_a_table_tells_how_far_it_is(tmp_path: Path) -> None:
    """The position grows with the rows handed on and ends at the file's size."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"_id,name\n" + b"12345678,abcdefghij\n" * 5000)
    source, positions, read = CsvSource(path), [], 0
    async for chunk in source.chunks():
        read += len(chunk)
        positions.append(source.position)
        assert source.position == pytest.approx(9 + 20 * read, abs=25)
    assert len(positions) == 10
    assert source.position == source.size == path.stat().st_size
