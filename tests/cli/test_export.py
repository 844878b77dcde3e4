"""`export` as users meet it: formats, what is told, and what a killed process leaves behind."""

from __future__ import annotations

import csv
import json
import signal
import time
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow.parquet as pq
import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

HERE = ("-c", "c1", "--emulator=data")


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*all*"))


def pages_of(path: Path) -> int:
    """Return how many pages an export has finished."""
    try:
        pages: int = orjson.loads(path.with_name(f"{path.name}.progress").read_bytes())["mark"][
            "pages"
        ]
    except FileNotFoundError:
        return 0
    return pages


def wait_for_page(path: Path, page: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 30
    while pages_of(path) < page and process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)


@pytest.fixture
def filled(told: Callable[..., Any], addresses: Callable[[int], Path]) -> int:
    """Fill the collection c1 of the folder `data`; return how many records it holds."""
    assert told("insert", addresses(57), *HERE, "-q").code == 0
    return 57


def test_each_ending_makes_the_file_that_it_names(
    told: Callable[..., Any], filled: int, tmp_path: Path
) -> None:
    """JSON lines, CSV and Parquet hold the same records, and nothing lies beside them."""
    for name in ("all.jsonl", "all.csv", "all.parquet"):
        done = told("export", name, *HERE, "--page-size", 10)
        assert (done.code, done.out) == (0, f"57 records exported to {name}\n")
    lines = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert pq.read_table(tmp_path / "all.parquet").to_pylist() == lines
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = [{**row, "price": int(row["price"])} for row in csv.DictReader(file)]
    assert rows == lines
    assert names_in(tmp_path) == ["all.csv", "all.jsonl", "all.parquet"]


@pytest.mark.parametrize("file", ["all.csv", "-"])
def test_fields_are_chosen(
    told: Callable[..., Any], filled: int, tmp_path: Path, file: str
) -> None:
    """The id always comes."""
    done = told("export", file, *HERE, "--fields", "price, nowhere")
    assert done.code == 0
    if file == "-":
        assert json.loads(done.out.splitlines()[3]) == {"_id": "r3", "price": 3}
    else:
        assert (tmp_path / file).read_text().splitlines()[:2] == ["_id,price,nowhere", "r0,0,"]


def test_the_summary_for_a_script(told: Callable[..., Any], filled: int) -> None:
    """`--json` tells file, records, and how many an earlier export had brought."""
    done = told("export", "all.jsonl", *HERE, "--json")
    assert json.loads(done.out) == {"file": "all.jsonl", "records": 57, "resumed": 0, "notes": []}


def test_an_unknown_ending_ends_with_those_that_are_known(told: Callable[..., Any]) -> None:
    """Nothing is asked of the service before."""
    done = told("export", "all.xlsx", *HERE)
    assert (done.code, done.out) == (2, "")
    assert all(ending in done.err for ending in ("'all.xlsx'", ".jsonl", ".csv", ".parquet"))


@pytest.mark.parametrize("name", ["all.jsonl", "all.parquet"])
def test_killed_again_and_again_it_ends_with_the_same_file(
    start: Callable[..., subprocess.Popen[str]],
    serve: Callable[..., Any],
    cli: Callable[..., subprocess.CompletedProcess[str]],
    addresses: Callable[[int], Path],
    name: str,
) -> None:
    """Killed at three moments; the last run goes on, and the file is that of a single run."""
    with serve("--latency", 0.01) as url:
        settings = {"XIMILAR_URL": url, "XIMILAR_TOKEN": "any", "XIMILAR_COLLECTION": "c1"}
        source = addresses(400)
        folder = source.parent
        assert cli("insert", source, **settings).returncode == 0
        assert cli("export", f"whole-{name}", **settings).returncode == 0
        path, words = folder / name, ("export", name, "--page-size", 5)
        reached = 0
        for page in (7, 25, 55):
            process = start(*words, **settings)
            wait_for_page(path, page, process)
            process.kill()
            assert process.wait(timeout=30) == -signal.SIGKILL
            assert not path.exists()
            assert pages_of(path) >= page > reached
            reached = pages_of(path)
        done = cli(*words, **settings)
        assert done.returncode == 0, done.stderr
        assert f"going on after {(reached - 1) * 5} records" in done.stderr
        assert done.stdout == f"400 records exported to {name}\n"
    assert path.read_bytes() == (folder / f"whole-{name}").read_bytes()
    assert names_in(folder) == [name, f"whole-{name}"]


def test_interrupted_it_says_how_to_go_on(
    start: Callable[..., subprocess.Popen[str]],
    serve: Callable[..., Any],
    cli: Callable[..., subprocess.CompletedProcess[str]],
    addresses: Callable[[int], Path],
    tmp_path: Path,
) -> None:
    """Ctrl-C keeps what came, and the file's name stays free; `--restart` begins anew."""
    with serve("--latency", 0.02) as url:
        settings = {"XIMILAR_URL": url, "XIMILAR_TOKEN": "any", "XIMILAR_COLLECTION": "c1"}
        assert cli("insert", addresses(300), **settings).returncode == 0
        process = start("export", "all.jsonl", "--page-size", 1, **settings)
        wait_for_page(tmp_path / "all.jsonl", 3, process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "are kept in all.jsonl.part: the same command goes on from there" in err
        assert names_in(tmp_path) == ["all.jsonl.part", "all.jsonl.progress"]
        done = cli("export", "all.jsonl", "--restart", **settings)
        assert (done.returncode, done.stderr) == (0, "")
        assert len((tmp_path / "all.jsonl").read_bytes().splitlines()) == 300
        assert names_in(tmp_path) == ["all.jsonl"]


def test_a_collection_that_was_emptied_meanwhile_is_read_anew(
    start: Callable[..., subprocess.Popen[str]],
    serve: Callable[..., Any],
    cli: Callable[..., subprocess.CompletedProcess[str]],
    addresses: Callable[[int], Path],
    tmp_path: Path,
) -> None:
    """It says so, and the file holds what is there now."""
    with serve("--latency", 0.02) as url:
        settings = {"XIMILAR_URL": url, "XIMILAR_TOKEN": "any", "XIMILAR_COLLECTION": "c1"}
        assert cli("insert", addresses(300), **settings).returncode == 0
        process = start("export", "all.jsonl", "--page-size", 10, **settings)
        wait_for_page(tmp_path / "all.jsonl", 5, process)
        process.kill()
        process.wait(timeout=30)
        (tmp_path / "gone.txt").write_text("".join(f"r{n}\n" for n in range(280)))
        assert cli("delete", "gone.txt", **settings).returncode == 0
        done = cli("export", "all.jsonl", "--page-size", 10, **settings)
        assert "started anew: the collection counts 20 records, fewer than were read" in done.stderr
        assert (done.returncode, done.stdout) == (0, "20 records exported to all.jsonl\n")
