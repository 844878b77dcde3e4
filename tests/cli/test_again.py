"""The command lines that pages and messages show do what they say, pasted into a shell."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from cli.conftest import environment
from documented import picture

from ximilar_async.cli.again import NAME, TYPED, lacks_records, own_command, without_secrets
from ximilar_async.cli.options import Access, Place
from ximilar_async.cli.run_options import Run
from ximilar_async.cli.runs import is_written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BASH = shutil.which("bash") or ""
LINUX = sys.platform == "linux"
"""Where the name of a file can be any bytes."""

needs_bash = pytest.mark.skipif(not BASH, reason="there is no bash")

AWKWARD = (
    "my  file.jsonl",
    'it\'s $HOME `pwd` "x" \\ * ~ !! #.jsonl',
    "kraťasy č. 1.jsonl",
    "fa\u200crsi\u00a0.jsonl",
    "two\nlines\ttabs\\'.jsonl",
    "bl\udce51 & co.jsonl",
    "",
)
UGLY = "-" + "".join(word.removesuffix(".jsonl") for word in AWKWARD[: None if LINUX else -2])
"""A name of a file, with all of it."""


def pasted(command: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command line as a shell does, in a folder, with nothing of ours in the environment."""
    program = f'{NAME}() {{ "{sys.executable}" -m ximilar_async "$@"; }}\n'
    return subprocess.run(
        [BASH, "-c", program + command],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(**settings),
        timeout=60,
        check=False,
    )


def commands_on(page: Path) -> list[str]:
    """Return the commands that a page shows to be copied."""
    text = page.read_text(encoding="utf-8")
    return [unescape(words) for words in re.findall("<code>(.*?)</code>", text, re.DOTALL)]


def large(id_: str) -> dict[str, Any]:
    """Return a record that no rejects file takes in."""
    out = io.BytesIO()
    picture(1).save(out, "PNG")
    return {"_id": id_, "_base64": base64.b64encode(out.getvalue()).decode(), "t": "x" * 70_000}


def small(id_: str) -> dict[str, Any]:
    return {"_id": id_, "_url": f"https://example.com/{id_}.jpg"}


@contextmanager
def typed(*words: str) -> Iterator[None]:
    """Let these words be the command line that is carried out."""
    token = TYPED.set(words)
    try:
        yield
    finally:
        TYPED.reset(token)


@needs_bash
def test_a_shell_gets_the_words_that_were_typed() -> None:
    """Blanks, quotes, what a shell would do something with, and what no page can show."""
    words = (*AWKWARD, "-dash", "--option=a b", UGLY)
    with typed(*words):
        command = own_command()
    assert command.isprintable()
    program = f"{NAME}() {{ printf '%s\\0' \"$@\"; }}\n{command}"
    done = subprocess.run([BASH, "-c", program], capture_output=True, timeout=30, check=True)
    assert tuple(map(os.fsdecode, done.stdout.split(b"\0")[:-1])) == words


# --- replay --------------------------------------------------------------------------------------


@needs_bash
def test_what_found_no_room_is_sent_by_the_command_on_the_page(
    told: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path
) -> None:
    """Also records that are too large for the rejects file, whatever the files are called."""
    source, rejects = tmp_path / f"{UGLY}.jsonl", tmp_path / f"{UGLY}.rejects"
    source.write_text("".join(json.dumps(large(id_)) + "\n" for id_ in "ab"))
    (tmp_path / "token").write_text("secret")
    (tmp_path / "ids.txt").write_text("a\nb\n")
    with serve("--capacity", 1) as url:
        place = ("-c", "c1", "-s", "fashion", "--url", url, "--token-file", "token", "--rate", 500)
        kept = (f"--rejects={rejects.name}", "--report", "run.html", "--batch-size", 1)
        assert told("insert", f"./{source.name}", *place, *kept, "--concurrency", 1).code == 4
        assert lacks_records(rejects)
        (command,) = [words for words in commands_on(tmp_path / "run.html") if " replay " in words]
        assert command.endswith(
            f" -c c1 -s fashion --token-file token --url {url} --rate 500 --concurrency 1 "
            "--batch-size 1"
        )
        assert told("delete", "ids.txt", *place).code == 0
        again = pasted(f"{command} --json", tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["counts"]["inserted"] == 1


@needs_bash
def test_the_columns_of_the_source_are_named_where_it_is_read_again(
    told: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path
) -> None:
    """A table is read as it was: its mapping, encoding and delimiter, other options too."""
    rows = [f"{n};https://example.com/{n}.jpg;1,5;{'č' * 70_000};x" for n in range(2)]
    text = "\n".join(["sku;photo's address;cost;words;notes", *rows])
    (tmp_path / "list.csv").write_bytes(text.encode("cp1250"))
    columns = ("--map", "id=sku", "--map", "image=photo's address", "--map", "price:float=cost")
    columns += ("--map", "words", "--map", "-notes", "--decimal", ",")
    columns += ("--encoding", "cp1250", "--delimiter", ";", "--near-dups", "--radius", 0)
    with serve("--capacity", 1) as url:
        kept = ("--rejects", "r.jsonl", "--report", "run.html", "--batch-size", 1)
        how = ("--concurrency", 1, "-c", "c1", "--url", url)
        assert told("insert", "list.csv", *columns, *kept, *how).code == 4
        (command,) = [words for words in commands_on(tmp_path / "run.html") if " replay " in words]
        (tmp_path / "ids.txt").write_text("0\n1\n")
        assert told("delete", "ids.txt", "-c", "c1", "--url", url).code == 0
        again = pasted(f"{command} --json", tmp_path, XIMILAR_TOKEN="token")
        assert told("export", "all.jsonl", "-c", "c1", "--url", url).code == 0
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["counts"]["inserted"] == 1
    (stored,) = map(json.loads, (tmp_path / "all.jsonl").read_text().splitlines())
    assert (stored["price"], stored["words"], "notes" in stored) == (1.5, "č" * 70_000, False)


def test_a_source_is_named_only_where_records_are_missing(
    told: Callable[..., Any], tmp_path: Path
) -> None:
    """A catalog that is gone next morning stops nothing that can do without it."""
    (tmp_path / "list.jsonl").write_text(json.dumps({"_id": "a"}) + "\n")
    kept = ("--rejects", "r.jsonl", "--report", "r.json")
    assert told("insert", "list.jsonl", "-c", "c1", "--emulator=data", *kept).code == 1
    command = json.loads((tmp_path / "r.json").read_text())["replay"]
    assert command == f"{NAME} replay r.jsonl -c c1 --emulator data"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_not_read_again(told: Callable[..., Any], tmp_path: Path) -> None:
    """What could be read once only is not named: the rest can be sent all the same."""
    os.mkfifo(tmp_path / "pipe")
    feeder = subprocess.Popen(
        [sys.executable, "-c", "import sys; open('pipe', 'w').write(sys.argv[1])",
         json.dumps({"_id": "a", "words": "x" * 70_000}) + "\n"],
        cwd=tmp_path,
    )  # fmt: skip
    kept = ("--rejects", "r.jsonl", "--report", "r.json", "--format", "jsonl")
    assert told("insert", "pipe", "-c", "c1", "--emulator=data", *kept).code == 1
    assert feeder.wait(timeout=30) == 0
    assert lacks_records(tmp_path / "r.jsonl")
    command = json.loads((tmp_path / "r.json").read_text())["replay"]
    assert command == f"{NAME} replay r.jsonl -c c1 --emulator data"


def test_where_nothing_failed_there_is_nothing_to_send_again(
    told: Callable[..., Any], tmp_path: Path
) -> None:
    """A program that goes on as long as there is a command comes to an end."""
    (tmp_path / "list.jsonl").write_text(json.dumps(small("a")) + "\n")
    kept = ("--rejects", "r.jsonl", "--report", "r.json")
    assert told("insert", "list.jsonl", "-c", "c1", "--emulator=data", *kept).code == 0
    assert json.loads((tmp_path / "r.json").read_text())["replay"] is None


def test_what_a_replay_could_not_send_is_where_it_was(
    told: Callable[..., Any], tmp_path: Path
) -> None:
    """A record that no rejects file took is found by the same replay, not by one of its rejects."""
    (tmp_path / "list.jsonl").write_text(json.dumps({"_id": "a", "words": "x" * 70_000}) + "\n")
    place = ("-c", "c1", "--emulator=data")
    assert told("insert", "list.jsonl", *place, "--rejects", "r.jsonl").code == 1
    words = ("replay", "r.jsonl", "--everything", "--origin", "list.jsonl", *place)
    kept = ("--rejects", "still.jsonl", "--report", "r.json")
    assert told(*words, *kept).code == 1
    facts = json.loads((tmp_path / "r.json").read_text())
    assert facts["replay"] == facts["command"] == " ".join([NAME, *words, *kept])


def test_a_rejects_file_is_searched_whole(tmp_path: Path) -> None:
    """Also where what tells that a record is missing lies across two blocks."""
    path = tmp_path / "r.jsonl"
    for before in range(2**20 - 12, 2**20 + 2):
        path.write_bytes(b"x" * before + b'"omitted":')
        assert lacks_records(path)
    path.write_bytes(b"x" * 2**20 + b'"omitte')
    assert not lacks_records(path)
    assert not lacks_records(tmp_path / "none")


# --- plans ---------------------------------------------------------------------------------------


@needs_bash
def test_a_plan_is_carried_out_where_it_was_made(
    told: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path
) -> None:
    """The command on its page, in its JSON and on stderr is the same, and goes to that service."""
    (tmp_path / "list.jsonl").write_text(json.dumps(small("a")) + "\n")
    (tmp_path / "token").write_text("secret")
    with serve() as url:
        place = ("-c", "c 1", "-s", "fashion", "--url", url, "--token-file", "token", "--rate", 500)
        words = (
            "sync",
            "list.jsonl",
            *place,
            "--dry-run",
            f"--plan={UGLY}.plan",
            "--state",
            "my s",
        )
        done = told(*words, "--report", "plan.html")
        assert done.code == 0, done.err
        (command,) = commands_on(tmp_path / "plan.html")
        assert command in done.err
        assert told(*words, "--report", "plan.json").code == 0
        assert json.loads((tmp_path / "plan.json").read_text())["apply"] == command
        applied = pasted(f"{command} --json", tmp_path)
        assert applied.returncode == 0, applied.stderr
        assert json.loads(applied.stdout)["inserted"] == 1
        assert '"count": 1' in told("count", *place, "--json").out


@needs_bash
def test_a_plan_for_an_emulators_folder_needs_no_token(
    told: Callable[..., Any], tmp_path: Path
) -> None:
    """The folder is named, so that nothing goes to the real service."""
    (tmp_path / "list.jsonl").write_text(json.dumps(small("a")) + "\n")
    place = ("-c", "c1", "--emulator", "my data", "--max-side", "0", "--processes", "1")
    words = ("sync", "list.jsonl", *place, "--dry-run", "--plan", "a.plan", "--report", "p.html")
    assert told(*words).code == 0
    (command,) = commands_on(tmp_path / "p.html")
    assert "--max-side 0" in command
    assert "--processes 1" in command
    applied = pasted(f"{command} --json", tmp_path)
    assert applied.returncode == 0, applied.stderr
    assert json.loads(applied.stdout)["inserted"] == 1


# --- the environment, and secrets ----------------------------------------------------------------


@needs_bash
def test_what_came_from_the_environment_is_said(
    told: Callable[..., Any],
    serve: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In another shell, next morning, the command still goes to the same place."""
    (tmp_path / "list.jsonl").write_text(json.dumps(small("a")) + "\n")
    with serve() as url:
        monkeypatch.setenv("XIMILAR_URL", url)
        monkeypatch.setenv("XIMILAR_COLLECTION", "c1")
        words = ("sync", "list.jsonl", "--dry-run", "--plan", "a.plan", "--report", "p.json")
        assert told(*words).code == 0
        facts = json.loads((tmp_path / "p.json").read_text())
        assert facts["command"] == f"{NAME} {' '.join(words)} --url {url} -c c1"
        applied = pasted(f"{facts['apply']} --json", tmp_path, XIMILAR_TOKEN="token")
        assert applied.returncode == 0, applied.stderr
        assert json.loads(applied.stdout)["inserted"] == 1
        assert told("insert", "-c", "c2", "--report", "r.json", "--", "list.jsonl").code == 0
    command = json.loads((tmp_path / "r.json").read_text())["command"]
    assert command == f"{NAME} insert -c c2 --report r.json --url {url} -- list.jsonl"


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("https://shop.example/list.csv", "https://shop.example/list.csv"),
        ("https://me:pa@ss@shop.example/a@b.csv", "https://…@shop.example/a@b.csv"),
        ("--origin=ftp://me@shop.example/a", "--origin=ftp://…@shop.example/a"),
        ("s3://b/a.csv?X-Sig=1&b=2#c", "s3://b/a.csv?…"),
        ("https://shop.example/a.csv#token=1", "https://shop.example/a.csv#…"),
        ("zip://a.csv::https://me:pw@h/x.zip?sig=1", "zip://a.csv::https://…@h/x.zip?…"),
        ("what?.csv", "what?.csv"),
        ("me@home.csv", "me@home.csv"),
    ],
)
def test_secrets_of_an_address_are_left_out(word: str, shown: str) -> None:
    """User, password, query and fragment go; the rest stays, and that they went is told."""
    assert without_secrets(word) == shown
    with typed("insert", word):
        command = own_command()
    assert ("# … stands for a user, password or query" in command) == (shown != word)


def test_no_page_holds_the_secrets_of_an_address(told: Callable[..., Any], tmp_path: Path) -> None:
    """Neither the page nor the JSON: they are sent around and kept."""
    source = "http://user:s3cret@127.0.0.1:9/list.jsonl?X-Amz-Signature=abcdef"
    for name in ("r.html", "r.json"):
        kept = ("--rejects", "r.jsonl", "--report", name)
        assert told("insert", source, "-c", "c1", "--emulator=data", *kept).code != 0
        text = (tmp_path / name).read_text(encoding="utf-8")
        assert "s3cret" not in text
        assert "abcdef" not in text
        assert "stands for a user, password or query" in text


def test_a_token_file_that_is_not_there_is_called_by_its_option(told: Callable[..., Any]) -> None:
    """So that nobody looks for a catalog of that name."""
    done = told("count", "-c", "c1", "--url", "http://127.0.0.1:9", "--token-file", "nowhere")
    assert done.code == 2
    assert "--token-file: 'nowhere': No such file" in done.err


# --- what is printed -----------------------------------------------------------------------------


def test_names_that_are_no_utf8_stop_neither_json_nor_the_report(
    cli: Callable[..., Any], tmp_path: Path
) -> None:
    """Such a file is a rejected record, and everything else is as it is."""
    folder = tmp_path / "photos"
    folder.mkdir()
    picture(1).save(folder / "a.png")
    try:
        shutil.copy(folder / "a.png", os.fsencode(folder) + b"/bl\xe5.png")
    except OSError:
        pytest.skip("the file system takes no such name")
    words = ("insert", "photos", "-c", "c1", "--emulator=data", "--report", "r.json", "--json")
    # In a process of its own: pytest's cannot tell each other what is logged of such a name.
    done = cli(*words)
    report = json.loads(done.stdout)
    counts = report["counts"]
    assert (done.returncode, counts["inserted"], counts["rejected"]) == (1, 1, 1)
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["counts"] == report["counts"]


class Broken:
    """A report that cannot be written to its first file."""

    def __init__(self) -> None:
        self.written: list[Path] = []

    def write(self, path: Path, **_: str) -> None:
        if not self.written:
            self.written.append(path)
            raise RuntimeError("a defect")
        self.written.append(path)


def test_a_page_that_fails_hides_nothing_of_what_was_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told in a line; the other file is written, and the run has its own exit code."""
    report: Any = Broken()
    run = Run(report=[tmp_path / "a.html", tmp_path / "b.json"])
    assert not is_written(report, run, Place(), Access(), operation=None)
    assert report.written == list(run.reports)
    assert "a.html: the report cannot be written, which is a defect of ours" in (
        capsys.readouterr().err
    )


@needs_bash
def test_a_report_is_written_though_nobody_reads_what_is_printed(tmp_path: Path) -> None:
    """As where the output goes to `head`."""
    lines = [json.dumps({"_id": str(n)}) for n in range(20)]
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    words = f"{NAME} insert list.jsonl -c c1 --emulator=data --report r.json"
    pasted(f"{words} | :", tmp_path)
    assert json.loads((tmp_path / "r.json").read_text())["read"] == 20
