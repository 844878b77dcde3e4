"""Opening: the ending tells the format, options must fit, and runs take any of it."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from scripted import ScriptedService

from ximilar_async import Retry, Ximilar, bulk
from ximilar_async.errors import BulkAborted, ConfigError, JournalError, SourceError
from ximilar_async.sources import (
    ArrowFileSource,
    CsvSource,
    FolderSource,
    JsonlSource,
    JsonSource,
    MappedSource,
    ParquetSource,
    RecordMapping,
    as_source,
    open_source,
)

if TYPE_CHECKING:
    from ximilar_async.sources import Entry, Source

ENDINGS: list[tuple[str, type]] = [
    (".jsonl", JsonlSource),
    (".ndjson", JsonlSource),
    (".json", JsonSource),
    (".csv", CsvSource),
    (".tsv", CsvSource),
    (".tab", CsvSource),
    (".parquet", ParquetSource),
    (".pq", ParquetSource),
    (".arrow", ArrowFileSource),
    (".arrows", ArrowFileSource),
    (".feather", ArrowFileSource),
    (".ipc", ArrowFileSource),
]


async def entries(source: Source) -> list[Entry]:
    return [entry async for chunk in source.chunks() for entry in chunk]


@pytest.mark.parametrize(("ending", "kind"), ENDINGS, ids=[ending for ending, _ in ENDINGS])
def test_the_ending_tells_the_format(tmp_path: Path, ending: str, kind: type) -> None:
    """In any case, below an ending that says how it is compressed, and behind an address."""
    for name in ("shop" + ending, "SHOP" + ending.upper(), f"a.csv.b{ending}.gz", f"a{ending}.zst"):
        (tmp_path / name).touch()
        assert type(open_source(tmp_path / name)) is kind
        assert type(open_source(str(tmp_path / name))) is kind
        assert type(open_source(f"memory://shop/{name}")) is kind
        assert type(as_source(f"memory://shop/{name}")) is kind


def test_a_folder_is_one_of_images(tmp_path: Path) -> None:
    """Whatever its name; and nothing else is."""
    folder = tmp_path / "shop.csv"
    folder.mkdir()
    (tmp_path / "shop.jsonl").touch()
    assert isinstance(open_source(folder), FolderSource)
    assert isinstance(open_source(folder, format="images"), FolderSource)
    with pytest.raises(ConfigError, match="is a folder: it cannot be read as csv"):
        open_source(folder, format="csv")
    for place in (tmp_path / "shop.jsonl", "s3://bucket/photos/"):
        with pytest.raises(ConfigError, match="no folder on this machine"):
            open_source(place, format="images")


async def test_a_format_that_is_named_counts_more_than_the_ending(tmp_path: Path) -> None:
    """A file of any name can be read; without a name of the format it cannot."""
    path = tmp_path / "export.txt"
    path.write_text("_id;name\n1;a\n")
    with pytest.raises(SourceError, match=r"neither a folder of images nor.*name its format"):
        open_source(path)
    (entry,) = await entries(open_source(path, format="csv"))
    assert entry.record == {"_id": "1", "name": "a"}
    wrong: Any = "xlsx"
    with pytest.raises(ConfigError, match="no format 'xlsx'; there are jsonl, json, csv"):
        open_source(path, format=wrong)


async def test_a_tsv_has_tabs_unless_something_else_is_named(tmp_path: Path) -> None:
    """Its cells are not guessed."""
    path = tmp_path / "a.tsv"
    path.write_text("a,b\tc,d\n1,2\t3,4\n")
    (entry,) = await entries(open_source(path))
    assert entry.record == {"a,b": "1,2", "c,d": "3,4"}
    (entry,) = await entries(open_source(path, delimiter=","))
    assert entry.record == {"a": "1", "b\tc": "2\t3", "d": "4"}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jsonl", {"encoding": "utf-8"}),
        ("a.json", {"delimiter": ","}),
        ("a.jsonl", {"columns": ["_id"]}),
        ("a.parquet", {"delimiter": ","}),
        ("photos", {"files_root": "."}),
    ],
)
def test_an_option_of_another_format_is_refused(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    """It would change nothing, and nobody would notice."""
    path = tmp_path / name
    path.touch() if "." in name else path.mkdir()
    with pytest.raises(ConfigError, match="is an option of"):
        open_source(path, **options)


async def test_options_reach_the_source(tmp_path: Path) -> None:
    """Encoding, columns, the folder of images and the mapping."""
    path = tmp_path / "a.csv"
    path.write_bytes("sku,name,note\n1,kůň,\n2,,x\n".encode("cp1250"))
    mapping = RecordMapping(id="sku")
    source = open_source(
        path, encoding="cp1250", columns=["sku", "name"], files_root=tmp_path / "x", mapping=mapping
    )
    assert isinstance(source, MappedSource)
    assert source.files_root == tmp_path / "x"
    assert [entry.record for entry in await entries(source)] == [
        {"_id": "1", "name": "kůň"},
        {"_id": "2"},
    ]


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """At once, not when it is read."""
    with pytest.raises(SourceError, match=r"no such file or folder: .*none\.csv"):
        open_source(tmp_path / "none.csv")


async def test_a_pipe_holds_json_lines_unless_something_else_is_named(tmp_path: Path) -> None:
    """Of what has an ending the ending counts."""
    cases: list[tuple[str, dict[str, Any], bytes]] = [
        ("pipe", {}, b'{"_id": "1"}\n'),
        ("pipe", {"format": "csv"}, b"_id\n1\n"),
        ("pipe.csv", {}, b"_id\n1\n"),
        ("pipe.csv.gz", {}, gzip.compress(b"_id\n1\n")),
        ("pipe.json", {}, b'[{"_id": "1"}]'),
    ]
    for name, options, data in cases:
        path = tmp_path / name
        os.mkfifo(path)
        writer = threading.Thread(target=path.write_bytes, args=(data,))
        writer.start()
        source = open_source(path, **options)
        assert [entry.record for entry in await entries(source)] == [{"_id": "1"}]
        assert source.size is None
        writer.join()
        path.unlink()


def test_formats_of_text_need_no_extra(tmp_path: Path) -> None:
    """JSON, JSON lines, CSV, gzip and folders are read without pyarrow and fsspec."""
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"_id\n1\n"))
    (tmp_path / "a.json").write_text('[{"_id": "1"}]')
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"_id": "1"}'))
    for name in ("a.csv.zst", "a.parquet"):
        (tmp_path / name).touch()
    script = """
import asyncio, sys
sys.modules.update(dict.fromkeys(("pyarrow", "fsspec")))
from ximilar_async.errors import SourceError
from ximilar_async.sources import open_source

async def read(place):
    return [entry.record async for chunk in open_source(place).chunks() for entry in chunk]

for name in ("a.csv.gz", "a.json", "a.jsonl.gz"):
    assert asyncio.run(read(name)) == [{"_id": "1"}], name
for name in ("a.csv.zst", "a.parquet", "s3://bucket/a.csv"):
    try:
        asyncio.run(read(name))
    except (SourceError, Exception) as error:
        print(type(error).__name__, error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("pip install 'ximilar-async[sources]'") == 3, done.stdout


# --- runs ---------------------------------------------------------------------------------------

KILLED = """
import asyncio, os, signal, sys
from scripted import ScriptedService
from ximilar_async import Ximilar, bulk

catalog, journal, told = sys.argv[1:]
out = os.open(told, os.O_WRONLY | os.O_CREAT)
count = 0

def tell(result):
    global count
    count += 1
    os.write(out, f"{result.id}\\n".encode())
    if count == 700:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with Ximilar("token", transport=ScriptedService(delay=0.001)) as client:
        options = bulk.Options(journal=journal, on_result=tell, workers=4)
        await bulk.insert(client.collection("c"), catalog, options=options)

asyncio.run(main())
"""


def table(count: int, price: int = 1) -> bytes:
    rows = "".join(f'{n},https://shop.example/{n}.jpg,"kůň\n{n}",{price}\n' for n in range(count))
    return ("_id,_url,name,price\n" + rows).encode()


def array(count: int, price: int = 1) -> bytes:
    rows = [
        {"_id": str(n), "_url": f"https://shop.example/{n}.jpg", "price": str(price)}
        for n in range(count)
    ]
    return json.dumps(rows).encode()


@pytest.mark.parametrize(("name", "content"), [("a.csv.gz", table), ("a.json.gz", array)])
async def test_a_killed_run_goes_on_in_a_compressed_file(
    tmp_path: Path, name: str, content: Any
) -> None:
    """What the killed process told of is not sent again, and nothing is left out; another catalog
    is refused by its fingerprint.
    """
    path, journal, told = tmp_path / name, tmp_path / "run.journal", tmp_path / "told"
    path.write_bytes(gzip.compress(content(2000), mtime=0))
    process = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", KILLED, str(path), str(journal), str(told)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        check=False,
    )
    assert process.returncode == -signal.SIGKILL
    before = {line for line in told.read_text().splitlines() if line}
    assert len(before) == 700

    service, options = ScriptedService(), bulk.Options(journal=journal, retry=Retry(attempts=1))
    async with Ximilar("token", transport=service) as client:
        path.write_bytes(gzip.compress(content(2000, price=2), mtime=0))
        with pytest.raises(
            JournalError, match=r"belongs to another input.* skip and send the wrong records"
        ):
            await bulk.insert(client.collection("c"), path, options=options)
        assert not service.requests
        path.write_bytes(gzip.compress(content(2000), mtime=0))
        report = await bulk.insert(client.collection("c"), path, options=options)
    assert (report.read, report.inserted, report.ok) == (2000, 2000, True)
    after = set(service.stored)
    assert before | after == {str(number) for number in range(2000)}
    assert len(before & after) <= 40  # at most what was under way


async def test_a_run_over_a_table_accounts_for_every_row(tmp_path: Path) -> None:
    """Good rows are inserted, each bad one is rejected with its line; a broken-off file is told."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"_id,_url\n1,u\n2\n3,caf\xe9\n4,u,x\n5,u\n,u\n")
    service, results = ScriptedService(), list[bulk.Result]()
    async with Ximilar("token", transport=service) as client:
        options = bulk.Options(on_result=results.append)
        report = await bulk.insert(client.collection("c"), path, options=options)
        assert (report.read, report.inserted, report.rejected) == (6, 2, 4)
        rejected = {result.where for result in results if result.outcome is bulk.Outcome.REJECTED}
        assert rejected == {"line 3", "line 4", "line 5", "line 7"}
        path.write_bytes(b'_id,_url\n6,u\n7,"u\n')
        with pytest.raises(BulkAborted, match="quoted cell that begins in line 3"):
            await bulk.insert(client.collection("c"), path)
    assert set(service.stored) == {"1", "5", "6"}
