"""The rejects file: what was not brought in, why, and how it is sent once more."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted import ScriptedService

from ximilar_async import Ximilar
from ximilar_async.bulk import Options, Outcome, Result, insert, replay
from ximilar_async.bulk._rejects import (
    Envelope,
    RejectsFile,
    decode_envelope,
    encode_envelope,
    worth_sending_again,
)
from ximilar_async.bulk._replay import open_rejects
from ximilar_async.errors import JournalError, SourceError
from ximilar_async.sources import (
    JsonlSource,
    MappedSource,
    RecordMapping,
    SequenceSource,
    Source,
    open_source,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ximilar_async.sources import Entry

FAILED, REJECTED = Outcome.FAILED, Outcome.REJECTED


def result(seq: int, outcome: Outcome = FAILED, record: Any = None, **more: Any) -> Result:
    made = {"_id": f"g{seq}", "price": seq} if record is None else record
    id_ = made.get("_id") if isinstance(made, dict) else None
    return Result(seq, f"line {seq}", id_, outcome, "503 busy", record=made, **more)


def rejects(path: Path, **more: Any) -> RejectsFile:
    return RejectsFile.open(path, **({"run": "r1", "source": "catalog.jsonl"} | more))


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


async def read(path: Path, **more: Any) -> list[Entry]:
    return [entry async for chunk in open_rejects(path, **more).chunks() for entry in chunk]


async def replayed(path: Path, **more: Any) -> list[Any]:
    entries = await read(path, **more)
    assert [entry.fault for entry in entries] == [None] * len(entries)
    return [entry.record for entry in entries]


def test_a_line_tells_record_and_reason(tmp_path: Path) -> None:
    """An envelope names the record, its place, what became of it, and if to send it again."""
    path = tmp_path / "rejects.jsonl"
    with rejects(path, files_root=tmp_path) as file:
        file.write(result(7, code=503), attempts=8)
    assert lines(path) == [
        {
            "v": 1,
            "run": "r1",
            "source": "catalog.jsonl",
            "root": str(tmp_path),
            "seq": 7,
            "where": "line 7",
            "id": "g7",
            "outcome": "failed",
            "code": 503,
            "reason": "503 busy",
            "attempts": 8,
            "send_again": True,
            "record": {"_id": "g7", "price": 7},
        }
    ]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_file_is_appended_to(tmp_path: Path) -> None:
    """A second run adds to what the first one left; a half line of a dead process stays apart."""
    path = tmp_path / "rejects.jsonl"
    with rejects(path) as file:
        file.write(result(1))
    path.write_bytes(path.read_bytes() + b'{"v":1,"run":"r1","so')
    with rejects(path) as file:
        file.write(result(2))
        file.write(result(3))
        assert file.written == 2
    first, torn, *others = path.read_bytes().splitlines()
    assert torn == b'{"v":1,"run":"r1","so'
    assert [orjson.loads(line)["seq"] for line in (first, *others)] == [1, 2, 3]


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json, st.text() | st.just("photo\udce9.jpg"), st.integers(0, 200))
def test_a_record_is_kept_as_it_was_read_or_not_at_all(
    record: Any, words: str, max_record: int
) -> None:
    """No value changes on the way (NaN does not turn into null); any text can be written."""
    envelope = Envelope(
        run="r1",
        source=words,
        root=words,
        seq=1,
        where=words,
        id=words,
        outcome=REJECTED,
        code=None,
        reason=words,
        attempts=1,
        send_again=False,
        record=record,
    )
    line = encode_envelope(envelope, max_record)
    assert line.count(b"\n") == 1
    read_back = decode_envelope(orjson.loads(line))
    if read_back.omitted is None:
        assert orjson.dumps(read_back.record) == orjson.dumps(record)
        assert read_back.record == record
        assert len(orjson.dumps(record)) <= max_record
    else:
        assert read_back.record is None


@given(json | st.fixed_dictionaries({"v": json, "run": json, "seq": json, "outcome": json}))
def test_anything_else_is_no_envelope(value: Any) -> None:
    """A line of any JSON is an envelope or a ValueError with words for it."""
    with pytest.raises(ValueError, match=r"^(is|has) "):
        decode_envelope(value)


@pytest.mark.parametrize(
    ("outcome", "code", "worth"),
    [
        (FAILED, None, True),
        (Outcome.NOT_ATTEMPTED, None, True),
        (REJECTED, None, False),
        (REJECTED, 400, False),
        (REJECTED, 402, True),
        (REJECTED, 412, True),
        (Outcome.ALREADY_PRESENT, 211, False),
    ],
)
def test_what_is_worth_sending_again(outcome: Outcome, code: int | None, worth: bool) -> None:  # noqa: FBT001 - a case
    """Failures, and what lacked room or credits; never a record that is wrong as it is."""
    assert worth_sending_again(outcome, code) == worth


async def test_replay_gives_the_records_worth_sending_again(tmp_path: Path) -> None:
    """By default what failed, with all its fields and its place; on demand the rest as well."""
    path = tmp_path / "rejects.jsonl"
    with rejects(path) as file:
        file.write(result(1, record={"_id": "g1", "tags": None, "deep": {"n": [1.5, 2**64 - 1]}}))
        file.write(result(2, REJECTED, code=400))
        file.write(result(3, REJECTED, code=400), send_again=True)
    (first, third) = await read(path)
    assert first.record == {"_id": "g1", "tags": None, "deep": {"n": [1.5, 2**64 - 1]}}
    assert (first.where, third.where) == ("catalog.jsonl line 1", "catalog.jsonl line 3")
    assert [r["_id"] for r in await replayed(path, everything=True)] == ["g1", "g2", "g3"]


async def test_a_record_that_was_rejected_twice_comes_once(tmp_path: Path) -> None:
    """A resumed run may decide a record again; other runs have records of their own."""
    path = tmp_path / "rejects.jsonl"
    for run in ("r1", "r1", "r2"):
        with rejects(path, run=run) as file:
            file.write(result(1))
            file.write(result(2))
    assert [r["_id"] for r in await replayed(path)] == ["g1", "g2", "g1", "g2"]


async def test_a_rejects_file_is_a_source_like_any_other(tmp_path: Path) -> None:
    """It has a name, a size and a position, and its records' images are where they were."""
    path = tmp_path / "rejects.jsonl"
    root = tmp_path / "data"
    root.mkdir()
    with rejects(path, files_root=root) as file:
        file.write(result(1, record={"_id": "a", "_file": Path("a.jpg")}))
    source = open_rejects(path)
    assert isinstance(source, Source)
    assert (source.name, source.position, source.files_root) == ("rejects.jsonl", 0, root)
    (chunk,) = [chunk async for chunk in source.chunks()]
    assert chunk[0].record == {"_id": "a", "_file": "a.jpg"}
    assert source.size == source.position == path.stat().st_size


async def test_images_below_another_folder_are_not_taken_from_this_one(tmp_path: Path) -> None:
    """Two runs with images in two folders: the second's are refused unless the folder is named."""
    path = tmp_path / "rejects.jsonl"
    for name in ("one", "two"):
        with rejects(path, run=name, files_root=tmp_path / name) as file:
            file.write(result(1, record={"_id": "a", "_file": "a.jpg"}))
            file.write(result(2, record={"_id": "b", "_url": "https://example.com/b.jpg"}))
    faults = [entry.fault for entry in await read(path)]
    assert [bool(fault) for fault in faults] == [False, False, True, False]
    assert "name files_root as well" in str(faults[2])
    elsewhere = open_rejects(path, files_root=tmp_path)
    assert elsewhere.files_root == tmp_path
    assert all([entry.fault is None async for chunk in elsewhere.chunks() for entry in chunk])


class Odd:
    """A value without JSON form."""


async def test_large_and_odd_records_are_found_in_their_source(tmp_path: Path) -> None:
    """What is not in the file is taken from the source by its number, and told apart if changed."""
    records: list[dict[str, Any]] = [{"_id": str(n), "text": "x" * 10 * n} for n in range(1, 251)]
    records[9]["_image"] = Odd()
    path = tmp_path / "rejects.jsonl"
    with rejects(path, source="records", max_record=500) as file:
        for seq in (120, 3, 10, 249):
            file.write(Result(seq, f"record {seq}", str(seq), FAILED, record=records[seq - 1]))
    assert "_image" in lines(path)[2]["omitted"]
    found = await replayed(path, origin=SequenceSource(records))
    assert [record["_id"] for record in found] == ["3", "10", "120", "249"]
    assert found[1] is records[9]

    records[119] = {"_id": "another"}
    del records[248:]
    _, _, changed, gone = await read(path, origin=SequenceSource(records))
    assert changed.fault == "is another record now: its _id was '120' and is 'another'"
    assert (gone.where, gone.fault) == ("records record 249", "is not in records any more")


async def test_what_several_runs_rejected_at_one_place_is_accounted_for(tmp_path: Path) -> None:
    """Two nights kept one file: the same record comes once, and another in its place is told."""
    path = tmp_path / "rejects.jsonl"
    nights: list[list[dict[str, Any]]] = [
        [{"_id": "a"}, {"_id": "b"}],
        [{"_id": "a"}, {"_id": "c"}],
    ]
    for night, records in enumerate(nights):
        with rejects(path, run=f"{night}", source="records", max_record=5) as file:
            for seq, record in enumerate(records, 1):
                file.write(Result(seq, f"record {seq}", record["_id"], FAILED, record=record))
    source = open_rejects(path, origin=SequenceSource(nights[1]))
    entries = [entry async for chunk in source.chunks() for entry in chunk]
    assert [entry.record for entry in entries if entry.fault is None] == nights[1]
    assert [entry.fault for entry in entries if entry.fault is not None] == [
        "is another record now: its _id was 'b' and is 'c'"
    ]
    assert source.left_out == 1


async def test_what_cannot_be_had_is_accounted_for(tmp_path: Path) -> None:
    """Without the source, or with another one, a large record is a fault that says what to do."""
    path = tmp_path / "rejects.jsonl"
    with rejects(path, max_record=5) as file:
        file.write(result(1))
    (entry,) = await read(path)
    assert entry.where == "catalog.jsonl line 1"
    assert "is not in rejects.jsonl (22 bytes of JSON, more than 5); name its" in str(entry.fault)
    (entry,) = await read(path, origin=SequenceSource([]))
    assert entry.fault == "stands in catalog.jsonl, and the source named is records"


async def test_the_source_of_a_file_is_the_file(tmp_path: Path) -> None:
    """Numbers count lines that hold something, bad ones too, as the run did that wrote them."""
    catalog, path = tmp_path / "catalog.jsonl", tmp_path / "rejects.jsonl"
    catalog.write_bytes(b'\n{"_id": "g1"}\nbad\n{"_id": "g3", "n": 12345678901234567890}\n')
    with rejects(path, max_record=20) as file:
        file.write(result(3, record={"_id": "g3", "n": 12345678901234567890}))
    assert await replayed(path, origin=JsonlSource(catalog)) == [
        {"_id": "g3", "n": 12345678901234567890}
    ]


async def test_a_bad_line_costs_that_line(tmp_path: Path) -> None:
    """Torn lines and foreign ones are faults with their place; the others are read."""
    path = tmp_path / "rejects.jsonl"
    with rejects(path) as file:
        file.write(result(1))
    good = path.read_bytes()
    other_version = good.replace(b'"v":1', b'"v":2')
    path.write_bytes(good[:40] + b"\n" + good + b'{"_id":"x"}\n\n' + other_version + good[:-5])
    entries = await read(path)
    assert [entry.where for entry in entries if entry.fault] == [
        f"rejects.jsonl line {number}" for number in (1, 3, 5, 6)
    ]
    assert entries[2 - 1].record == {"_id": "g1", "price": 1}
    assert [str(entry.fault)[:30] for entry in entries][2:4] == [
        "is no envelope of a rejects fi",
        "has version 2 of the envelope,",
    ]


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    """Plain records are no rejects; the message says where they go."""
    path = tmp_path / "catalog.jsonl"
    path.write_bytes(b'{"_id": "1"}\n')
    with pytest.raises(SourceError, match=r"its first line is no envelope .*\(insert, update"):
        open_rejects(path)
    with pytest.raises(SourceError, match=r"cannot read .*missing"):
        open_rejects(tmp_path / "missing")


async def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    """A run without rejects leaves a file that can be replayed."""
    path = tmp_path / "rejects.jsonl"
    rejects(path).close()
    assert await read(path) == []


def test_no_room_is_told_at_the_very_call() -> None:
    """A full disk is an error of the write, never a lost envelope."""
    file = rejects(Path("/dev/full"))
    with pytest.raises(JournalError, match=r"cannot write the rejects file /dev/full: No space"):
        file.write(result(1))
    assert file.written == 0
    file.close()
    file.close()


def test_a_pipe_is_taken(tmp_path: Path) -> None:
    """Envelopes can go to another process; there is nothing to sync then."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with rejects(path) as file:
        file.write(result(1))
        file.sync()
    assert orjson.loads(os.read(reader, 10_000))["seq"] == 1
    os.close(reader)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """A file that cannot be made is told before anything is sent."""
    with pytest.raises(JournalError, match=r"cannot open the rejects file .*missing.r: No such"):
        rejects(tmp_path / "missing" / "r")


LIMITED = """
import resource, sys
from pathlib import Path
from ximilar_async.bulk import Outcome, Result
from ximilar_async.bulk._rejects import RejectsFile
from ximilar_async.errors import JournalError

file = RejectsFile.open(sys.argv[1], run="r1", source="s")
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
for seq in range(1, 100):
    try:
        file.write(Result(seq, f"record {seq}", "a", Outcome.FAILED, record={"_id": "a"}))
    except JournalError:
        break
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
file.write(Result(seq, f"record {seq}", "a", Outcome.FAILED, record={"_id": "a"}))
file.close()
"""


@pytest.mark.parametrize("limit", [1000, 1001, 1100])
def test_a_line_that_did_not_fit_is_written_again(tmp_path: Path, limit: int) -> None:
    """Half a line costs nothing but itself: with new room the same record is written whole."""
    path = tmp_path / "rejects.jsonl"
    subprocess.run([sys.executable, "-c", LIMITED, path, str(limit)], check=True)
    entries = asyncio.run(read(path))
    whole = [entry.where for entry in entries if entry.fault is None]
    assert whole == [f"s record {seq}" for seq in range(1, len(whole) + 1)]
    assert len(entries) - len(whole) <= 1


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_can_be_replayed(content: bytes) -> None:
    """Whatever is in the file, reading it ends, with a fault a line or a SourceError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rejects.jsonl")
        path.write_bytes(content)
        try:
            entries = asyncio.run(read(path))
        except SourceError:
            return
        assert all(entry.fault for entry in entries)


PRICES = RecordMapping(id="sku", image="photo", fields=["price"], types={"price": "float"})


@pytest.mark.parametrize(
    ("ids", "sent", "rejected"),
    [(["a", "b"], ["a", "b"], 0), (["new", "a", "b"], [], 2), (["b", "a"], [], 2)],
)
async def test_a_row_is_found_in_its_source_by_its_id(
    tmp_path: Path, ids: list[str], sent: list[str], rejected: int
) -> None:
    """What stands in the place of a row that was refused is not sent in its stead."""
    catalog, path = tmp_path / "shop.csv", tmp_path / "rejects.jsonl"

    def write(skus: Iterable[str]) -> None:
        rows = [f'{sku},https://e.com/{sku}.jpg,"1,5"' for sku in skus]
        catalog.write_text("\n".join(["sku,photo,price", *rows]))

    write(["a", "b"])
    service, options = ScriptedService(), Options(rejects=path)
    shop = Ximilar("token", transport=service).collection("shop")
    rows = MappedSource(open_source(catalog), PRICES)
    assert (await insert(shop, rows, options=options)).rejected == 2
    write(ids)
    origin = MappedSource(open_source(catalog), evolve(PRICES, decimal=","))
    report = await replay(shop, path, everything=True, origin=origin)
    assert sorted(service.stored) == sent
    assert (report.rejected, report.inserted) == (rejected, len(sent))
