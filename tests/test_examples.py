"""Each example runs by itself, offline, and says in its first lines how and what is to be seen."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import os
import runpy
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from socket import socket

import pytest

from ximilar_async.emulator import Emulator

ROOT = Path(__file__).parent.parent
EXAMPLES_DIR = ROOT / "examples"
EXAMPLES = sorted(EXAMPLES_DIR.glob("*.py"))
SHOWS = {
    "aiohttp_service": [
        '/health/ready: 200 {"ready": true}',
        '/similar: 200 [{"id": "shoe-0001", "distance": 0.0}',
        "/products/gone/similar: 404",
        'POST /search: 200 [{"id": "shoe-0001"',
        "POST /search: 422",
        "POST /search: 415 send the image itself, not a form: curl --data-binary @boot.jpg",
    ],
    "bulk_load": [
        "record 1001: rejected record 1001 (`_id` 'no image') has no image",
        "stopped: to show what comes of it",
        "1002 records read: 1000 inserted, 1 already present, 1 rejected",
        "were decided by the first load",
    ],
    "dataframe": ["19 inserted, 1 rejected", "row 13 (`_id` '13') has no image", "nearest"],
    "fastapi_service": [
        '/health/ready: 200 {"ready":true}',
        '/similar: 200 [{"id":"shoe-0001","distance":0.0}',
        "/products/gone/similar: 404",
        'POST /search: 200 [{"id":"shoe-0001"',
        "POST /search: 422",
        "POST /search: 415",
    ],
    "nightly_sync": [  # it plays nightly_sync_nights
        "night 2 again: it mends what was under way: exit code 0",
        "night 3, the export was empty: exit code 2",
        "300 products",
    ],
    "opentelemetry_console": ["bulk insert products", "nightly load", "ximilar.bulk.records 60"],
    "search_service": ["no answer for gone: 404", "50 searches", "record 0 is most like"],
    "similar_products": [
        "insert: 65 records read: 65 inserted",
        "update: 65 records read: 65 updated",
        "is most like shoe-",
    ],
    "trickle": ["photo 7 came twice: inserted, already_present", "60 inserted"],
}
"""What is to be seen of an example, besides that it ends well."""

NEEDS_A_SERVICE = {
    "bulk_load": ["catalog.jsonl", "shop"],
    "dataframe": ["catalog.csv", "shop"],
    "nightly_sync": ["catalog.csv", "shop", "--patience", "0.5"],
    "opentelemetry_console": ["shop", "1"],
    "similar_products": ["shop"],
    "trickle": ["shop", "https://example.com/1.jpg"],
}
"""What examples that begin with a request are called with, to run against the real service."""


def _needed(path: Path) -> list[str]:
    """Return the modules that an example imports and that are not here."""
    names = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
        elif isinstance(node, ast.Try):
            names |= {
                inner.module or "" for inner in node.body if isinstance(inner, ast.ImportFrom)
            }
    return sorted(name for name in names if not _is_here(name))


def _is_here(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def run(name: str, *words: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run an example in a folder, with these settings of the environment and no others."""
    path = EXAMPLES_DIR / f"{name}.py"
    if missing := _needed(path):
        pytest.skip(f"needs {', '.join(missing)}; `nox -s examples` installs it")
    kept = {key: text for key, text in os.environ.items() if not key.startswith("XIMILAR")}
    return subprocess.run(
        [sys.executable, path, *words],
        cwd=folder,
        env=kept | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


@pytest.fixture
def nobody() -> str:
    """Return an address where nobody listens."""
    with closing(socket()) as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def test_of_every_example_it_is_known_what_it_shows() -> None:
    """A new example is run as well."""
    assert {*SHOWS, "nightly_sync_nights"} == {path.stem for path in EXAMPLES}


@pytest.mark.parametrize("name", SHOWS)
def test_examples_run_by_themselves(name: str, tmp_path: Path) -> None:
    """In an empty folder, without token and address, each ends well and shows what it should."""
    done = run(name, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [text for text in SHOWS[name] if text not in done.stdout] == []
    assert "rejected, " not in done.stdout  # what a demonstration turns away it names
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_first_lines_say_how_and_what(path: Path) -> None:
    """The docstring tells how to install and run it, and what is to be seen."""
    words = _docstring(path)
    assert f"python examples/{path.name}" in words
    assert "pip install" in words
    assert "To be seen:" in words
    assert "XIMILAR_TOKEN=..." in words or "nothing to be run against the real service" in words


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_can_be_read_at_one_sitting(path: Path) -> None:
    """None is longer than 150 lines."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_help_is_the_first_lines(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--help` prints the docstring and the options, and starts nothing."""
    if missing := _needed(path):
        pytest.skip(f"needs {', '.join(missing)}; `nox -s examples` installs it")
    monkeypatch.setattr(sys, "argv", [str(path), "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(path), run_name="__main__")
    assert ended.value.code == 0
    assert _docstring(path) in capsys.readouterr().out


def _lay_out(folder: Path) -> None:
    (folder / "catalog.jsonl").write_text('{"_id": "1", "_url": "https://example.com/1.jpg"}\n')
    text = "sku,photo,cost,brand\n1,https://example.com/1.jpg,9,Acme\n"
    (folder / "catalog.csv").write_text(text)


async def _run_all(
    calls: dict[str, list[str]], folder: Path, **settings: str
) -> dict[str, subprocess.CompletedProcess[str]]:
    """Run examples side by side: they mostly wait."""
    here = {
        name: words for name, words in calls.items() if not _needed(EXAMPLES_DIR / f"{name}.py")
    }
    ended = await asyncio.gather(
        *(
            asyncio.to_thread(run, name, *words, folder=folder, **settings)
            for name, words in here.items()
        )
    )
    return dict(zip(here, ended, strict=True))


async def test_a_service_that_is_not_there_costs_one_line(tmp_path: Path, nobody: str) -> None:
    """Where nobody listens, each example says so without a traceback; its exit code is not 0."""
    _lay_out(tmp_path)
    settings = {"XIMILAR_TOKEN": "s3cret", "XIMILAR_URL": nobody}
    for name, done in (await _run_all(NEEDS_A_SERVICE, tmp_path, **settings)).items():
        assert done.returncode != 0, name
        assert "cannot connect" in done.stderr.splitlines()[-2 if name == "nightly_sync" else -1]
        assert "Traceback" not in done.stderr
        assert "s3cret" not in done.stdout + done.stderr


async def test_a_missing_token_costs_one_line(tmp_path: Path) -> None:
    """Without a token nothing is sent, and what is missing is named without a traceback."""
    _lay_out(tmp_path)
    calls = {"aiohttp_service": ["shop"], "search_service": ["shop", "1"], "trickle": ["shop"]}
    for name, done in (await _run_all(calls, tmp_path)).items():
        assert done.returncode != 0, name
        assert "XIMILAR_TOKEN" in done.stderr
        assert "Traceback" not in done.stderr


async def test_a_night_is_told_once_and_kept_as_a_page(tmp_path: Path) -> None:
    """A sync that went well ends with 0, is summed up in one line of the log, and has its page."""
    _lay_out(tmp_path)
    text = "sku;photo;price;name\n1;https://example.com/1.jpg;9;Boot\n"
    (tmp_path / "shop.csv").write_text(text)
    async with Emulator() as local:
        settings = {"XIMILAR_TOKEN": "any", "XIMILAR_URL": local.url}
        words = ("nightly_sync", "shop.csv", "shop")
        done = await asyncio.to_thread(run, *words, folder=tmp_path, **settings)
    assert done.returncode == 0
    assert done.stderr.count("mirror: 1 records read: 1 inserted") == 1
    assert "inserted" in (tmp_path / "report.html").read_text("utf-8")


def test_a_night_without_a_catalog_is_nobodys_outage(tmp_path: Path) -> None:
    """A missing file ends with 2, not with the code of an outage, and last night's page goes."""
    (tmp_path / "report.html").write_text("all is well")
    done = run("nightly_sync", "gone.csv", "shop", folder=tmp_path, XIMILAR_TOKEN="any")
    assert done.returncode == 2
    assert "no such file" in done.stderr
    assert "no such file" in (tmp_path / "report.html").read_text("utf-8")
