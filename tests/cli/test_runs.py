"""insert, update, delete and replay as users run them: what is stored, kept, told, exited with."""

from __future__ import annotations

import json
import re
import shlex
import signal
import time
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from documented import picture

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

HERE = ("-c", "c1", "--emulator", "data")
RUNS = ("insert", "update", "delete", "replay")


def write(path: Path, *lines: object) -> Path:
    """Write a file of JSON lines; what is a text already stands as it is."""
    words = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("".join(f"{line}\n" for line in words), encoding="utf-8")
    return path


def record(id_: str, **fields: Any) -> dict[str, Any]:
    return {"_id": id_, "_url": f"https://example.com/{id_}.jpg", **fields}


def counts(done: Any) -> dict[str, int]:
    """Return the outcomes of a command that printed its report as JSON."""
    report = json.loads(done.out)
    assert sum(report["counts"].values()) == report["read"]
    return {name: number for name, number in report["counts"].items() if number}


@pytest.fixture
def stored(told: Callable[..., Any], tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """Return what tells the fields of the stored records, by their ids."""

    def stored() -> dict[str, Any]:
        assert told("export", "all.jsonl", *HERE).code == 0
        lines = (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()
        return {record["_id"]: record for record in map(json.loads, lines)}

    return stored


@pytest.fixture
def filled(told: Callable[..., Any], tmp_path: Path) -> None:
    """Store five records, r0 to r4."""
    source = write(tmp_path / "five.jsonl", *(record(f"r{n}", price=n) for n in range(5)))
    assert told("insert", source, *HERE).code == 0


@pytest.mark.usefixtures("filled")
def test_update_changes_fields(
    told: Callable[..., Any], stored: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """What is named changes, null removes, unknown ids are told; that is no trouble."""
    lines = ({"_id": "r1", "price": 75}, {"_id": "r2", "price": None}, {"_id": "unknown"})
    done = told("update", write(tmp_path / "prices.jsonl", *lines), *HERE, "--json")
    assert (done.code, counts(done)) == (0, {"updated": 2, "not_found": 1})
    now = stored()
    assert (now["r0"]["price"], now["r1"]["price"], now["r2"].get("price")) == (0, 75, None)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("gone.txt", ["\ufeffr1", "", "  r3  ", "unknown"]),
        ("gone.jsonl", ['"r1"', '{"_id": "r3", "price": 5}', '"unknown"']),
    ],
)
@pytest.mark.usefixtures("filled")
def test_delete_takes_plain_ids_and_json_lines(
    told: Callable[..., Any],
    stored: Callable[[], dict[str, Any]],
    tmp_path: Path,
    name: str,
    lines: list[str],
) -> None:
    """The ending tells which; a dry run before it deletes nothing."""
    source = write(tmp_path / name, *lines)
    dry = told("delete", source, *HERE, "--dry-run")
    assert dry.code == 0
    assert "3    ready to be sent" in dry.out
    assert len(stored()) == 5
    done = told("delete", source, *HERE, "--json")
    assert (done.code, counts(done)) == (0, {"deleted": 2, "not_found": 1})
    assert set(stored()) == {"r0", "r2", "r4"}


def test_a_line_that_can_be_no_id_is_rejected(told: Callable[..., Any], tmp_path: Path) -> None:
    """JSON in a file of plain ids, and bytes that are no text, cost their line."""
    path = tmp_path / "gone.txt"
    path.write_bytes(b'{"_id": "r1"}\n"r2"\n\xff\xfe\nr3\n')
    done = told("delete", path, *HERE)
    assert done.code == 1
    assert "3    rejected" in done.out
    for words in ("line 1 is JSON", ".jsonl", "line 3 is not UTF-8"):
        assert words in done.out
    path.write_bytes(b"r1\n" + b"x" * 70_000)
    done = told("delete", path, *HERE)
    assert done.code == 2
    assert "error: source failed: line 2 of gone.txt is too long for an id" in done.err


@pytest.mark.usefixtures("photos")
def test_delete_takes_back_what_insert_of_a_folder_did(
    told: Callable[..., Any], stored: Callable[[], dict[str, Any]]
) -> None:
    """The same folder names the same ids."""
    assert told("insert", "photos", *HERE).code == 0
    assert set(stored()) == {"1.png", "2.png", "3.png", "4.png", "more/5.jpg"}
    assert counts(told("delete", "photos", *HERE, "--json")) == {"deleted": 5}
    assert stored() == {}


def test_replay_sends_what_was_turned_away(
    told: Callable[..., Any], stored: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """By default only what may end otherwise; --everything, once its cause is mended."""
    lines = (record("good"), {"_id": "a", "_file": "a.png"}, {"_id": "none"})
    source = write(tmp_path / "list.jsonl", *lines)
    done = told("insert", source, *HERE, "--rejects", "rejects.jsonl", "--json")
    assert (done.code, counts(done)) == (1, {"inserted": 1, "rejected": 2})
    again = told("replay", "rejects.jsonl", *HERE)
    assert again.code == 1
    assert "0    nothing to do" in again.out
    assert "nothing was sent: 2 records left out, for they were rejected for what" in again.err
    picture(1).save(tmp_path / "a.png")
    words = ("replay", "rejects.jsonl", "--everything", "--rejects", "still.jsonl", "--json")
    done = told(*words, *HERE)
    assert (done.code, counts(done)) == (1, {"inserted": 1, "rejected": 1})
    assert set(stored()) == {"good", "a"}
    (left,) = (tmp_path / "still.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(left)["id"] == "none"


def test_replay_finds_large_records_where_they_came_from(
    told: Callable[..., Any], stored: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """A record that is too large for the rejects file is read from --origin."""
    words = "x" * 70_000
    source = write(tmp_path / "list.jsonl", {"_id": "big", "_file": "a.png", "words": words})
    assert told("insert", source, *HERE, "--rejects", "rejects.jsonl").code == 1
    picture(1).save(tmp_path / "a.png")
    replay = ("replay", "rejects.jsonl", "--everything", *HERE)
    done = told(*replay)
    assert done.code == 1
    assert "name its source with --origin as well" in done.out
    assert told(*replay, "--origin", source).code == 0
    assert stored()["big"]["words"] == words


def test_replay_maps_the_columns_of_where_records_came_from(
    told: Callable[..., Any], stored: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """A catalog that was inserted by --map is read by it again; how to read goes with --origin."""
    (tmp_path / "list.csv").write_text(f"sku;photo;words\nbig;a.png;{'x' * 70_000}\n")
    columns = ("--map", "id=sku", "--map", "image=photo", "--map", "words", "--delimiter", ";")
    insert = ("insert", "list.csv", *columns, *HERE, "--rejects", "rejects.jsonl")
    assert told(*insert).code == 1
    picture(1).save(tmp_path / "a.png")
    replay = ("replay", "rejects.jsonl", "--everything", *HERE)
    done = told(*replay, *columns)
    assert (done.code, done.out) == (2, "")
    assert "go with --origin" in done.err
    done = told(*replay, *columns[:-2])
    assert (done.code, "name its source with --origin as well" in done.out) == (1, True)
    done = told(*replay, "--origin", "list.csv", *columns, "--json")
    assert (done.code, counts(done)) == (0, {"inserted": 1})
    assert stored()["big"]["words"] == "x" * 70_000


@pytest.fixture
def half_mapped(told: Callable[..., Any], tmp_path: Path) -> list[str]:
    """Insert a shop's table of which a price and a line cannot be read; return the columns."""
    lines = ["sku;photo;cost", "1;a.png;5", "2;a.png;9,00", "3;a.png;7;8", "4;b.png;6"]
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    picture(1).save(tmp_path / "a.png")
    columns = ["--map", "id=sku", "--map", "image=photo", "--map", "price:float=cost"]
    done = told("insert", "list.csv", *columns, *HERE, "--rejects", "rejects.jsonl", "--json")
    assert (done.code, counts(done)) == (1, {"inserted": 1, "rejected": 3})
    return columns


def test_replay_sends_rows_with_a_mapping_that_takes_them(
    told: Callable[..., Any],
    stored: Callable[[], dict[str, Any]],
    tmp_path: Path,
    half_mapped: list[str],
) -> None:
    """What was mapped needs no mapping again; what was not says what to do, and can be mapped."""
    picture(2).save(tmp_path / "b.png")
    replay = ("replay", "rejects.jsonl", "--everything", *HERE)
    done = told(*replay, "--rejects", "second.jsonl")
    assert done.code == 1
    assert set(stored()) == {"1", "4"}
    assert "list.csv line 3 is no record: price (column cost) is '9,00', which is no number" in (
        " ".join(done.out.split())
    )
    assert "replay it with a mapping that takes it (--map), or mend it in list.csv" in done.out
    assert "mend it in list.csv if need be; name its source with --origin as well" in done.out
    second = ("replay", "second.jsonl", "--everything", *HERE)
    for words in (replay, second):  # a row is kept by a replay as well
        done = told(*words, *half_mapped, "--decimal", ",", "--json")
        assert counts(done)["rejected"] == 1, done.out
        assert stored()["2"]["price"] == 9.0
        assert told("delete", write(tmp_path / "two.jsonl", {"_id": "2"}), *HERE).code == 0


def test_replay_sends_lines_that_were_mended(
    told: Callable[..., Any],
    stored: Callable[[], dict[str, Any]],
    tmp_path: Path,
    half_mapped: list[str],
) -> None:
    """Also a line that nobody could read an id in, unless it is to be deleted."""
    table = tmp_path / "list.csv"
    table.write_text(table.read_text().replace("9,00", "9").replace(";7;8", ";7"))
    picture(2).save(tmp_path / "b.png")
    words = ("replay", "rejects.jsonl", "--everything", *HERE, "--origin", "list.csv")
    done = told(*words, *half_mapped, "--json", "--operation", "delete")
    assert counts(done) == {"not_found": 2, "rejected": 1}
    done = told(*words, *half_mapped, "--json")
    assert (done.code, counts(done)) == (0, {"inserted": 3})
    assert stored()["2"]["price"] == 9.0
    assert stored()["3"]["price"] == 7.0


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(("operation", "outcome"), [("update", "updated"), ("delete", "deleted")])
def test_replay_maps_columns_as_its_operation_does(
    told: Callable[..., Any], tmp_path: Path, operation: str, outcome: str
) -> None:
    """An update takes no image, and a deletion nothing but ids."""
    (tmp_path / "s.csv").write_text("sku,photo,price\nr1,none.png,9\n")
    envelope = _failed(1, {"_id": "r1"}) | {"source": "s.csv", "omitted": "large", "record": None}
    rejects = write(tmp_path / "rejects.jsonl", envelope)
    columns = ("--map", "id=sku", "--map", "image=photo", "--map", "price")
    words = ("replay", rejects, "--operation", operation, *HERE, "--origin", "s.csv", *columns)
    done = told(*words, "--json")
    assert (done.code, counts(done)) == (0, {outcome: 1})


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("operation", "outcome"),
    [("insert", "already_present"), ("update", "updated"), ("delete", "deleted")],
)
def test_replay_does_what_it_is_told(
    told: Callable[..., Any], tmp_path: Path, operation: str, outcome: str
) -> None:
    """The records of a rejects file can be inserted, updated or deleted."""
    envelope = {
        "v": 1, "run": "0c", "source": "s.jsonl", "root": None, "seq": 1, "where": "line 1",
        "id": "r1", "outcome": "failed", "code": 503, "reason": "busy", "attempts": 8,
        "send_again": True, "record": record("r1", price=9),
    }  # fmt: skip
    rejects = write(tmp_path / "rejects.jsonl", envelope)
    done = told("replay", rejects, "--operation", operation, *HERE, "--json")
    assert (done.code, counts(done)) == (0, {outcome: 1})


@pytest.mark.usefixtures("filled")
def test_a_dry_run_leaves_the_journal_alone(told: Callable[..., Any], tmp_path: Path) -> None:
    """What a dry run rejects is not decided: the real run with the same journal sends it."""
    source = write(tmp_path / "list.jsonl", record("new"), {"_id": "a", "_file": "a.png"})
    words = ("insert", source, *HERE, "--journal", "run.journal", "--json")
    assert counts(told(*words, "--dry-run")) == {"rejected": 1, "not_attempted": 1}
    assert not (tmp_path / "run.journal").exists()
    picture(1).save(tmp_path / "a.png")
    assert counts(told(*words)) == {"inserted": 2}


@pytest.mark.parametrize("durability", ["relaxed", "strict"])
def test_a_journal_makes_each_run_resumable(
    told: Callable[..., Any], tmp_path: Path, durability: str
) -> None:
    """The same command, run again, sends nothing that is decided; another input is refused."""
    source = write(tmp_path / "list.jsonl", *(record(f"r{n}") for n in range(30)))
    for name, outcome in (("insert", "inserted"), ("update", "updated"), ("delete", "deleted")):
        journal = ("--journal", f"{name}.journal", "--durability", durability)
        words = (name, source, *HERE, *journal, "--json")
        for most, requests in ((10, 1), (30, 2), (30, 0)):
            done = told(*words, "--max-records", most)
            assert (done.code, counts(done)) == (0, {outcome: most})
            assert json.loads(done.out)["requests"] == requests
    write(source, record("another"))
    done = told("delete", source, *HERE, "--journal", "delete.journal")
    assert done.code == 2
    assert "delete.journal" in done.err


@pytest.mark.parametrize("name", RUNS)
def test_a_report_is_written_as_it_is_printed(
    told: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    """--report holds what --json prints, also where records were rejected."""
    source = write(tmp_path / "list.jsonl", *(["no record"] if name != "replay" else []))
    done = told(name, source, *HERE, "--report", "report.json", "--json")
    assert done.code == (0 if name == "replay" else 1)
    written = json.loads((tmp_path / "report.json").read_text())
    for beside in ("version", "written", "command", "replay", "records"):
        del written[beside]
    assert written == json.loads(done.out)


@pytest.mark.parametrize("name", RUNS)
def test_a_report_is_a_page_where_its_name_says_so(
    told: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    """--report run.html shows what was rejected, and the command line."""
    lines = ["no record"] if name != "replay" else [_failed(1, record("r1"))]
    source = write(tmp_path / "list.jsonl", *lines)
    done = told(name, source, *HERE, "--report", "run.html")
    assert done.code == (0 if name == "replay" else 1)
    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    assert f"Started by: ximilar-async {name} " in page
    assert ("Rejected: 1" in page) == (name != "replay")


def test_a_report_goes_to_each_file_that_is_named(told: Callable[..., Any], tmp_path: Path) -> None:
    """A page to look at and a file for programs, also of a sync and of its plan."""
    source = write(tmp_path / "list.jsonl", record("r1"))
    both = ("--report", "run.html", "--report", "run.json")
    for words in (("insert",), ("sync", "--state=none", "--dry-run"), ("sync", "--state=none")):
        done = told(*words, source, *HERE, *both)
        assert done.code == 0, done.err
        assert "</html>" in (tmp_path / "run.html").read_text(encoding="utf-8")
        assert json.loads((tmp_path / "run.json").read_text())["version"] == 1
        (tmp_path / "run.html").unlink()
        (tmp_path / "run.json").unlink()
    wrong = told("insert", source, *HERE, "--report", "run.html", "--report", "run.txt")
    assert (wrong.code, "run.txt" in wrong.err) == (2, True)


def test_the_command_on_a_page_can_be_typed(
    told: Callable[..., Any],
    serve: Callable[..., Any],
    addresses: Callable[[int], Path],
    tmp_path: Path,
) -> None:
    """What found no room is stored when the command is run as it stands."""
    source = addresses(40)
    with serve("--capacity", 25) as url:
        place = ("-c", "c1", "--url", url)
        kept = ("--rejects", "my rejects.jsonl", "--report", "run.html")
        how = ("--near-dups", "--radius", 0.5, "--concurrency", 1)
        assert told("insert", source, *place, *kept, *how).code == 4
        page = (tmp_path / "run.html").read_text(encoding="utf-8")
        commands = [unescape(words) for words in re.findall("<code>(.*?)</code>", page)]
        (command,) = [words for words in commands if " replay " in words]
        assert "--operation near_dups_insert --radius 0.5 -c c1 " in command
        assert told("delete", source, *place).code == 0
        done = told(*shlex.split(command)[1:], "--json")
    assert done.code == 0
    assert counts(done)["inserted"] >= 5


def test_a_report_that_cannot_be_written_hides_no_exit_code(
    told: Callable[..., Any], tmp_path: Path
) -> None:
    """The run's own code counts before that of the file."""
    target = tmp_path / "gone" / "report.json"
    target.parent.mkdir()
    target.symlink_to(tmp_path / "nowhere" / "report.json")
    for line, code in ((record("r1"), 1), ("no record", 1)):
        done = told("insert", write(tmp_path / "list.jsonl", line), *HERE, "--report", target)
        assert done.code == code
        assert "error: " in done.err
        assert "No such file" in done.err


def test_a_bound_that_ends_a_run_is_called_as_its_option(
    told: Callable[..., Any], serve: Callable[..., Any], addresses: Callable[[int], Path]
) -> None:
    """Code 1, with what is left to do in the report."""
    source = write(Path("bad.jsonl"), *["no record"] * 5)
    done = told("update", source, *HERE, "--error-budget", 3)
    assert done.code == 1
    assert "error: too many errors: " in done.err
    assert "(--error-budget)" in done.err
    with serve("--latency", 0.2) as url:
        done = told("insert", addresses(5000), "-c", "c1", "--url", url, "--deadline", 0.5)
    assert done.code == 1
    assert "(--deadline)" in done.out
    assert "not attempted" in done.out


# --- exit codes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RUNS)
def test_code_2_for_a_source_that_is_not_there(told: Callable[..., Any], name: str) -> None:
    """Nothing is sent, and the line names it."""
    done = told(name, "nowhere.jsonl", *HERE)
    assert (done.code, done.out) == (2, "")
    assert "'nowhere.jsonl'" in done.err


@pytest.mark.parametrize("name", RUNS)
def test_code_3_for_a_token_that_is_refused(
    told: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    """Before anything is read."""
    source = write(tmp_path / "list.jsonl")
    with serve("--token", "right") as url:
        done = told(name, source, "-c", "c1", "--url", url)
    assert (done.code, done.out) == (3, "")


def test_code_3_for_a_token_that_is_refused_midway(
    told: Callable[..., Any],
    serve: Callable[..., Any],
    addresses: Callable[[int], Path],
    tmp_path: Path,
) -> None:
    """What was stored before is in the report, and so is what was not sent."""
    faults = tmp_path / "faults.toml"
    faults.write_text('[[rule]]\nfault = "unauthorized"\nafter = 5\nmethods = ["insert"]\n')
    with serve("--faults", faults) as url:
        done = told("insert", addresses(500), "-c", "c1", "--url", url, "--json")
    assert done.code == 3
    assert counts(done)["inserted"] == 50
    assert "error: authorization refused" in done.err


def test_code_4_for_a_full_collection(
    told: Callable[..., Any], serve: Callable[..., Any], addresses: Callable[[int], Path]
) -> None:
    """What found no room can be replayed when there is some."""
    source = addresses(40)
    with serve("--capacity", 25) as url:
        place = ("-c", "c1", "--url", url)
        done = told("insert", source, *place, "--rejects", "rejects.jsonl", "--concurrency", 1)
        assert done.code == 4
        assert told("replay", "rejects.jsonl", *place).code == 4
        assert told("delete", source, *place).code == 0
        done = told("replay", "rejects.jsonl", *place, "--json")
    assert done.code == 0
    assert counts(done)["inserted"] >= 5


@pytest.mark.parametrize("name", RUNS)
def test_code_5_for_a_service_that_stops_answering(
    told: Callable[..., Any], serve: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    """It is waited for as long as --give-up-after says."""
    lines = [record(f"r{n}") for n in range(200)]
    if name == "replay":
        lines = [_failed(number, line) for number, line in enumerate(lines, 1)]
    source = write(tmp_path / "list.jsonl", *lines)
    faults = tmp_path / "faults.toml"
    faults.write_text('[[rule]]\nfault = "outage"\nfirst = 2\n')  # the first one is the ping
    with serve("--faults", faults) as url:
        done = told(name, source, "-c", "c1", "--url", url, "--give-up-after", 0.5, "--json")
    assert done.code == 5
    assert "error: service unreachable" in done.err
    assert set(counts(done)) <= {"failed", "not_attempted"}


def _failed(seq: int, line: dict[str, Any]) -> dict[str, Any]:
    """Return the envelope of a record that failed."""
    return {
        "v": 1, "run": "0c", "source": "list.jsonl", "root": None, "seq": seq,
        "where": f"line {seq}", "id": line["_id"], "outcome": "failed", "code": 503,
        "reason": "busy", "attempts": 8, "send_again": True, "record": line,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "number"),
    [("insert", signal.SIGTERM), ("update", signal.SIGINT), ("delete", signal.SIGINT)],
)
def test_codes_130_and_143_and_the_rest_with_the_journal(
    start: Callable[..., subprocess.Popen[str]],
    told: Callable[..., Any],
    serve: Callable[..., Any],
    name: str,
    number: signal.Signals,
) -> None:
    """After a signal the same command goes on: together both runs decide each record once."""
    source = write(Path("all.jsonl").absolute(), *(record(f"r{n}") for n in range(600)))
    journal = Path("run.journal")
    with serve("--latency", 0.03) as url:
        if name != "insert":
            assert told("insert", source, "-c", "c1", "--url", url).code == 0
        words = (name, source, "-c", "c1", "--url", url, "--journal", "run.journal", "--json")
        process = start(*words, "--concurrency", 1, XIMILAR_TOKEN="any")
        while not journal.exists() or journal.stat().st_size < 1000:
            time.sleep(0.01)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        done = told(*words)
    first, second = json.loads(out), json.loads(done.out)
    assert (process.returncode, done.code) == (128 + number, 0)
    assert "interrupted by" in err
    outcome = {"insert": "inserted", "update": "updated", "delete": "deleted"}[name]
    assert 0 < first["counts"][outcome] < 600
    assert second["counts"][outcome] == second["read"] == 600
    assert second["requests"] == (600 - first["counts"][outcome]) // 10
