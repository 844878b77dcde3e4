"""What bad use gets: one line on stderr that a person would want, and the right exit code."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from ximilar_async.cli.connect import warn_of_clear_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _one_error(done: Any) -> str:
    """Return the one line that a failed command printed."""
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    return done.err


HERE = ("-c", "c1", "--emulator")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("count", "--emulator"), ["no collection", "-c", "XIMILAR_COLLECTION"]),
        (("count", "-s", "fashin", *HERE), ["'fashin'", "did you mean 'fashion'"]),
        (("insert", "nowhere", *HERE), ["no such file or folder", "'nowhere'"]),
        (("search", "nowhere.jpg", *HERE), ["no such file", "'nowhere.jpg'", "id:"]),
        (("search", "id:", *HERE), ["id:sku-17"]),
        (("search", "id:x", "--filter", '{"a": {"$lt" 9}}', *HERE), ["character 14", ">>> 9}}"]),
        (("search", "id:x", "--filter", "[]", *HERE), ["--filter must be an object"]),
        (("search", "id:x", "--images", ".", *HERE), ["--images goes with --html"]),
        (("search", "id:x", "--html", "no/out.html", *HERE), ["no folder 'no'"]),
        (("search", "id:x", "--html", "o.html", "--images", "no", *HERE), ["--images", "'no'"]),
        (("export", "no/all.jsonl", *HERE), ["no folder 'no'", "all.jsonl"]),
        (("export", ".", *HERE), ["is a folder"]),
        (("export", "-", "--json", *HERE), ["name a file"]),
        (("insert", ".", "--report", "r.txt", *HERE), [".html or .json", "r.txt"]),
        (("insert", ".", "--report", "no/r.json", *HERE), ["no folder 'no'"]),
        (("insert", ".", "--radius", 3, *HERE), ["--near-dups"]),
        (("insert", ".", "--batch-size", 11, *HERE), ["--batch-size", "10"]),
        (("insert", ".", "--report", ".", *HERE), ["--report", "is a folder"]),
        (("insert", ".", "--journal", "no/j", *HERE), ["--journal", "no folder 'no'"]),
        (("insert", "a", "--rejects", "a", *HERE), ["SOURCE and --rejects are the same file: 'a'"]),
        (
            ("delete", "a", "--journal", "b", "--rejects", "./b", *HERE),
            ["--journal and --rejects are the same file"],
        ),
        (("replay", "a", "--rejects", "a", *HERE), ["REJECTS and --rejects are the same file"]),
        (("replay", "nowhere", *HERE), ["'nowhere'", "No such file"]),
        (("replay", "a", "--radius", 3, *HERE), ["--radius", "--operation near_dups_insert"]),
        (("replay", "a", "--operation", "get", *HERE), ["--operation", "'get'"]),
        (("insert", ".", "--near-dup-order", "strict", *HERE), ["--near-dup-order", "--near-dups"]),
        (
            ("insert", ".", "--near-dups", "--near-dup-group", "product", *HERE),
            ["--near-dup-group goes with --near-dup-order grouped"],
        ),
        (("insert", ".", "--error-budget", "0.5", *HERE), ["--error-budget", "such as 5%"]),
        (("insert", ".", "--error-budget", "200%", *HERE), ["--error-budget", "such as 5%"]),
        (("insert", ".", "--deadline", 0, *HERE), ["--deadline", "above 0"]),
        (("update", ".", *HERE), ["is a folder", "images cannot be updated"]),
        (("update", "nowhere.jsonl", *HERE), ["no such file or folder", "'nowhere.jsonl'"]),
        (("delete", "nowhere.txt", *HERE), ["no such file or folder", "'nowhere.txt'"]),
        (("insert", ".", "--near-dups", "--radius", "nan", *HERE), ["--radius", "'nan'"]),
        (("insert", ".", "--near-dups", "--radius", "inf", *HERE), ["--radius", "'inf'"]),
        (("insert", ".", "--near-dups", "--radius=-1", *HERE), ["--radius", "at least 0", "'-1'"]),
        (("insert", ".", "--rate", 0, *HERE), ["--rate", "above 0", "'0'"]),
        (("insert", ".", "--rate", "inf", *HERE), ["--rate", "finite"]),
        (("insert", ".", "--rate", "fast", *HERE), ["--rate", "give a number, not 'fast'"]),
        (("insert", ".", "--give-up-after", "nan", *HERE), ["--give-up-after", "above 0"]),
        (("insert", ".", "--max-records=-1", *HERE), ["--max-records"]),
        (("insert", ".", "--max-side=-1", *HERE), ["--max-side"]),
        (("insert", ".", "--durability", "total", *HERE), ["--durability", "'total'"]),
        (("insert", ".", "--concurrency", "many", *HERE), ["--concurrency", "auto", "'many'"]),
        (("insert", ".", "--url", "http://localhost", *HERE), ["--url", "--emulator"]),
        (("insert", "--emulator", "photos", "-c", "c1"), ["SOURCE", "'photos'", "--emulator="]),
        (("insrt", "."), ["'insert'", "ximilar-async --help"]),
        (("count", "--colection", "c1"), ["--collection", "ximilar-async count --help"]),
        (("count", "-c", "c1", "--url", "ftp://x"), ["error: --url 'ftp://x' is not an address"]),
        (("count", "-c", "c1", "--token-file", "nowhere"), ["nowhere", "No such file"]),
        (("emulator", "--url-images", "fetch"), ["--url-allow", "https://"]),
        (("emulator", "--latency=-1"), ["error: --latency must be", "-1"]),
        (("emulator", "--rate-limit", 0), ["error: --rate-limit must be"]),
        (("demo", "--products", 3), ["--products", "12"]),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_meant_is_said_in_a_line(
    told: Callable[..., Any], words: tuple[object, ...], parts: list[str]
) -> None:
    """Bad use exits with 2 and names the thing and what to do about it."""
    done = told(*words)
    assert done.code == 2
    line = _one_error(done)
    assert [part for part in parts if part not in line] == []


def test_a_missing_token_is_named(
    told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a token the message says where it may come from; an empty file is no token."""
    monkeypatch.delenv("XIMILAR_TOKEN")
    for words in (("account",), ("count", "-c", "c1"), ("insert", tmp_path, "-c", "c1")):
        done = told(*words)
        assert done.code == 2
        assert "XIMILAR_TOKEN" in _one_error(done)
        assert "--token-file" in done.err
    (tmp_path / "empty").write_text("\n")
    assert "empty" in _one_error(told("account", "--token-file", tmp_path / "empty"))


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1:1", "http://example.com", "http://localhost.example.com"]
)
def test_a_token_in_the_clear_is_remarked_upon(
    capsys: pytest.CaptureFixture[str], url: str
) -> None:
    """By http to another machine everybody on the way can read it."""
    warn_of_clear_text(url)
    assert capsys.readouterr().err.startswith(f"warning: {url} is not encrypted: the token")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1", "http://[::1]:1", "http://LOCALHOST:1", "https://10.0.0.1"]
)
def test_a_token_that_nobody_can_read_is_not(capsys: pytest.CaptureFixture[str], url: str) -> None:
    """Neither on this machine nor where it travels encrypted."""
    warn_of_clear_text(url)
    assert capsys.readouterr().err == ""


def test_the_remark_comes_before_the_token_travels(
    told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also where the address comes from the variable; not where nothing is sent to it."""
    monkeypatch.setenv("XIMILAR_URL", "http://0.0.0.0:1")  # this machine, but not by its name
    first, second = told("ping").err.splitlines()
    assert first.startswith("warning: http://0.0.0.0:1 is not encrypted")
    assert second.startswith("error: ")
    assert told("insert", tmp_path, "-c", "c1", "--dry-run").err == ""
    assert told("count", "-c", "c1", "--emulator").err == ""


def test_an_unreachable_service_is_named(told: Callable[..., Any], tmp_path: Path) -> None:
    """Nothing listens there: code 5 and the address, from a single call and from a bulk run."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    for words in (("ping",), ("insert", tmp_path, "-c", "c1", "--give-up-after", 0.1, "-q")):
        done = told(*words, "--url", f"http://{address}")
        assert done.code == 5
        assert address in _one_error(done)


def test_a_wrong_token_is_told_before_anything_is_read(
    told: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path
) -> None:
    """A refused token exits with 3 and says where the token came from; it never shows it."""
    with serve("--token", "right") as url:
        for words in (("count",), ("insert", tmp_path)):
            done = told(*words, "-c", "c1", "--url", url)
            assert done.code == 3
            assert "XIMILAR_TOKEN or --token-file" in _one_error(done)
            assert "'token'" not in done.err
        (tmp_path / "token.txt").write_text("right\n")
        assert told("count", "-c", "c1", "--url", url, "--token-file", "token.txt").code == 0


def test_a_full_collection_ends_with_its_report(
    told: Callable[..., Any], serve: Callable[..., Any], addresses: Callable[[int], Path]
) -> None:
    """What fitted in is in the report; the code is 4."""
    with serve("--capacity", 25) as url:
        done = told("insert", addresses(200), "-c", "c1", "--url", url, "--concurrency", 1)
        assert done.code == 4
        assert "25    inserted" in done.out
        assert "error: capacity exceeded" in done.err


def test_a_port_in_use_is_named(told: Callable[..., Any]) -> None:
    """The emulator says which address is taken, and what to do."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        done = told("emulator", "--port", port)
    assert done.code == 2
    assert f"127.0.0.1:{port} is in use" in _one_error(done)


def test_a_folder_in_use_is_named(
    told: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path
) -> None:
    """Two emulators never write to one folder: the second says who has it."""
    with serve(tmp_path / "data"):
        done = told("count", "-c", "c1", "--emulator", tmp_path / "data")
        assert done.code == 2
        assert "in use by another emulator" in _one_error(done)


def test_bad_records_cost_themselves_only(told: Callable[..., Any], tmp_path: Path) -> None:
    """Each record that cannot be sent is in the report with its reason; the code is 1."""
    lines = [
        '{"_id": "good", "_url": "https://example.com/1.jpg", "price": 5}',
        '{"_id": "no image"}',
        '{"_url": "https://example.com/2.jpg"}',
        '{"_id": "gone", "_file": "gone.jpg"}',
        '{"_id": "text", "_file": "text.jpg"}',
        '{"_id": "nan", "_url": "https://example.com/3.jpg", "price": NaN}',
        "no record",
    ]
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    done = told("insert", "list.jsonl", *HERE)
    assert done.code == 1
    assert "1    inserted" in done.out
    assert "6    rejected" in done.out
    for part in ("line 2", "line 3 has no `_id`", "gone.jpg", "text file", "line 6", "line 7"):
        assert part in done.out
    assert done.err == ""


def test_a_deprecated_service_is_remarked_upon(told: Callable[..., Any]) -> None:
    """The old prefix works, and stderr names its successor."""
    done = told("count", "-s", "photo/search", *HERE)
    assert done.err.startswith("warning: ")
    assert "similarity/photos" in done.err


def test_verbose_shows_where_an_error_came_from(told: Callable[..., Any]) -> None:
    """With -v there is a traceback above the line; without it there is none."""
    done = told("count", "-s", "fashin", "-v", *HERE)
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1].startswith("error: unknown service")


def test_without_a_command_there_is_help(told: Callable[..., Any]) -> None:
    """Called with nothing, it shows what can be called, and exits as for bad use."""
    done = told()
    assert done.code == 2
    assert "insert" in done.out
    assert done.err == ""


def test_a_remedy_is_told_once(told: Callable[..., Any], tmp_path: Path) -> None:
    """What is turned into an option stays as it is, in what is printed and on the page."""
    (tmp_path / "row.csv").write_bytes(
        "_id,_url,name\n1,https://e.com/1.jpg,Sch\xfch\n".encode("latin-1")
    )
    (tmp_path / "head.csv").write_bytes(
        "_id,_url,n\xfc\n1,https://e.com/1.jpg,a\n".encode("latin-1")
    )
    for command in ("insert", "sync"):
        for name in ("row.csv", "head.csv"):
            done = told(command, name, "-c", "c1", "--emulator", "--report", "r.json")
            shown = done.out + done.err + (tmp_path / "r.json").read_text("utf-8")
            assert "name the encoding (--encoding) if" in shown
            assert "(--encoding) (--encoding)" not in shown
