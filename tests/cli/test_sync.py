"""`sync` as a shop's engineer meets it: what is stored, sent, told, and exited with."""

from __future__ import annotations

import gzip
import json
import math
import os
import signal
import time
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from documented import picture

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable
    from pathlib import Path

HERE = ("-c", "c1", "--emulator", "data")
MIRROR = ("--mode", "mirror")


def write(path: Path, rows: Iterable[Any]) -> Path:
    """Write JSON lines; what is a text already stands as it is."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def product(n: int, **fields: Any) -> dict[str, Any]:
    record = {"_id": f"p{n}", "_url": f"https://shop/{n}.jpg", "price": n, "name": f"Shoe {n}"}
    return {name: value for name, value in (record | fields).items() if value is not None}


def products(*numbers: int) -> list[dict[str, Any]]:
    return [product(n) for n in range(*numbers)]


def changed(count: int = 100) -> list[dict[str, Any]]:
    """Return the catalog a day later: of a hundred, 3 go, 4 come, 10 prices and 5 photos change."""
    after = products(3, count + 4)
    for row in after[:10]:
        row["price"] += 1000
    for row in after[20:25]:
        row["_url"] += "?2"
    return after


def counts(done: Any) -> dict[str, int]:
    """Return the outcomes of a sync that printed its report as JSON; the sums are seen to."""
    report = json.loads(done.out)
    of_source = (
        "unchanged", "inserted", "updated", "replaced", "already_present", "near_duplicate",
        "rejected", "failed", "not_attempted",
    )  # fmt: skip
    of_gone = (
        "deleted", "not_found", "deletions_failed", "deletions_not_attempted",
        "deletions_withheld",
    )  # fmt: skip
    assert sum(report[name] for name in of_source) == report["read"]
    assert sum(report[name] for name in of_gone) == report["gone"]
    return {name: report[name] for name in (*of_source, *of_gone) if report[name]}


@pytest.fixture
def stored(told: Callable[..., Any], tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """Return what tells the fields of the stored records, by their ids."""

    def stored() -> dict[str, Any]:
        assert told("export", "all.jsonl", *HERE, "-q").code == 0
        lines = (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()
        return {record["_id"]: record for record in map(json.loads, lines)}

    return stored


@pytest.fixture
def shop(told: Callable[..., Any], tmp_path: Path) -> Path:
    """Sync a hundred products and return the catalog of the day after."""
    assert told("sync", write(tmp_path / "first.jsonl", products(100)), *HERE).code == 0
    return write(tmp_path / "catalog.jsonl", changed())


def test_a_sync_sends_what_changed_and_the_next_one_nothing(
    told: Callable[..., Any], stored: Callable[[], dict[str, Any]], shop: Path
) -> None:
    """The table tells each outcome; afterwards the collection is as the catalog."""
    done = told("sync", shop, *HERE, *MIRROR)
    assert done.code == 0, done.err
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[0].startswith("mirror: 101 records read in ")
    assert lines[1:] == [
        "82 unchanged", "4 inserted", "10 updated", "5 replaced",
        "3 stored records not in the source:", "3 deleted",
    ]  # fmt: skip
    now = stored()
    assert {id_: record["price"] for id_, record in now.items()} == {
        row["_id"]: row["price"] for row in changed()
    }
    again = told("sync", shop, *HERE, *MIRROR, "--json")
    assert (again.code, counts(again)) == (0, {"unchanged": 101})
    assert json.loads(again.out)["requests"] == 1  # it asked how many records there are


def test_a_dry_run_says_what_would_be_done(
    told: Callable[..., Any], stored: Callable[[], dict[str, Any]], shop: Path
) -> None:
    """Counts, samples with the fields that change, requests, credits, time; nothing happens."""
    write(shop, [product(3, price=1003, name=None), *changed()[1:]])
    words = ("--dry-run", "--rate", 2, "--price-insert", 10, "--price-update", 1)
    done = told("sync", shop, *HERE, *MIRROR, *words, "--price-delete", 0.5)
    assert (done.code, done.err) == (0, "")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[:9] == [
        "mirror of catalog.jsonl: 101 records read, 100 stored",
        "4 to insert",
        "10 to update",
        "5 to replace: delete, then insert with another image",
        "3 to delete",
        "82 unchanged",
        "requests: 6 (2 insert, 1 update, 2 delete, 1 get)",
        "estimated credits: 104",
        "time: 3.0 s at 2 requests a second",
    ]
    assert "update p3: price 3 → 1003, name removed" in lines
    assert "p4: price 4 → 1004" in lines
    assert "and 5 more" in lines
    assert "insert p100, p101, p102, p103" in lines
    assert "delete p0, p1, p2" in lines
    assert stored()["p3"]["price"] == 3


def test_a_dry_run_for_a_script(told: Callable[..., Any], shop: Path) -> None:
    """`--json` holds the plan, its estimates, and the changes of its samples."""
    done = told("sync", shop, *HERE, "--dry-run", "--json", "--price-insert", 2)
    plan = json.loads(done.out)
    assert (plan["insert"], plan["update"], plan["replace"], plan["delete"]) == (4, 10, 5, 0)
    assert plan["changes"]["p3"] == {"price": [3, 1003]}
    assert (plan["credits"], plan["seconds"]) == (18, None)
    assert plan["requests"] == {"insert": 2, "update": 1, "delete": 1, "get": 1}


def test_a_dry_run_says_why_records_are_turned_away(told: Callable[..., Any], shop: Path) -> None:
    """As the sync itself would, with the same exit code."""
    write(shop, [*changed(), "nonsense", {"_id": "new"}])
    for words in ((), ("--dry-run",)):
        done = told("sync", shop, *HERE, *words)
        assert done.code == 1
        assert "2    rejected" in done.out
        assert "line 102 is not JSON" in done.out
        assert "line 103 is new and has no image" in done.out


def test_a_plan_is_applied_once_and_only_if_nothing_moved(
    told: Callable[..., Any], stored: Callable[[], dict[str, Any]], shop: Path, tmp_path: Path
) -> None:
    """It needs no source any more; a second time, torn, or elsewhere it is refused."""
    made = told("sync", shop, *HERE, *MIRROR, "--dry-run", "--plan", "a.plan")
    assert "plan written to a.plan: ximilar-async sync --apply a.plan -c c1" in made.err
    shop.unlink()
    whole = (tmp_path / "a.plan").read_bytes()
    (tmp_path / "torn.plan").write_bytes(whole[:-40])
    torn = told("sync", "--apply", "torn.plan", *HERE)
    assert (torn.code, torn.out) == (2, "")
    assert "torn.plan is no whole plan" in torn.err
    other = told("sync", "--apply", "a.plan", "-c", "c2", "--emulator", "data")
    assert (other.code, other.out) == (2, "")
    assert "for collection 'c1'" in other.err
    done = told("sync", "--apply", "a.plan", *HERE, "--json")
    assert done.code == 0, done.err
    assert counts(done) == {
        "unchanged": 82, "inserted": 4, "updated": 10, "replaced": 5, "deleted": 3
    }  # fmt: skip
    assert len(stored()) == 101
    again = told("sync", "--apply", "a.plan", *HERE)
    assert (again.code, again.out) == (2, "")
    assert "the state has moved since the plan was made" in again.err


# --- guards -------------------------------------------------------------------------------------


def _refused(told: Callable[..., Any], source: Path, *words: object) -> str:
    done = told("sync", source, *HERE, *MIRROR, *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert done.err.count("\n") == 1
    err: str = done.err
    return err


def test_guards_name_numbers_and_options(
    told: Callable[..., Any], stored: Callable[[], dict[str, Any]], shop: Path, tmp_path: Path
) -> None:
    """An empty catalog, another shop's, one with 40 % gone: refused, and nothing is touched."""
    before = stored()
    err = _refused(told, write(tmp_path / "empty.jsonl", []))
    assert "empty.jsonl has no usable record" in err
    err = _refused(told, write(tmp_path / "other.jsonl", products(500, 600)))
    assert "none of the 100 ids of other.jsonl" in err
    assert "(--allow-new-catalog)" in err
    less = write(tmp_path / "less.jsonl", products(60))
    err = _refused(told, less)
    assert "40 of 100 stored records are not in less.jsonl (40.0%)" in err
    assert "5%" in err
    assert "(--max-deletions)" in err
    assert "(--allow-delete)" in err
    assert "39" in _refused(told, less, "--max-deletions", 39)
    assert stored() == before


@pytest.mark.parametrize("words", [("--allow-delete",), ("--max-deletions", "40%")])
def test_guards_are_lifted_by_what_they_name(
    told: Callable[..., Any], shop: Path, tmp_path: Path, words: tuple[object, ...]
) -> None:
    """What the message says is what helps."""
    less = write(tmp_path / "less.jsonl", products(60))
    done = told("sync", less, *HERE, *MIRROR, *words, "--json")
    assert (done.code, counts(done)) == (0, {"unchanged": 60, "deleted": 40})
    new = write(tmp_path / "new.jsonl", products(500, 503))
    assert told("sync", new, *HERE, "--allow-new-catalog").code == 0


def test_a_source_that_broke_off_deletes_nothing(
    told: Callable[..., Any], stored: Callable[[], dict[str, Any]], shop: Path, tmp_path: Path
) -> None:
    """What was read before is synced; the exit code is 1 and the message says what to do."""
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(shop.read_bytes())[:-100])
    done = told("sync", cut, *HERE, *MIRROR)
    assert done.code == 1
    assert "not deleted" in done.out
    assert "error: source failed: cut.jsonl.gz is cut off" in done.err
    assert "nothing was deleted: sync again with the whole source" in done.err
    assert "run the same command" not in done.err
    assert {"p0", "p1", "p2"} <= stored().keys()


def test_a_line_without_an_id_withholds_deletions(
    told: Callable[..., Any], shop: Path, tmp_path: Path
) -> None:
    """It may be the record that seems gone; the rejects file keeps it."""
    write(shop, [*changed(), "nonsense", {"_url": "https://shop/x.jpg"}])
    done = told("sync", shop, *HERE, *MIRROR, "--rejects", "rejects.jsonl")
    assert done.code == 1
    assert "line 102 is not JSON" in done.out
    assert "nothing was deleted" in done.err
    assert "(--allow-delete)" in done.err
    assert len((tmp_path / "rejects.jsonl").read_text().splitlines()) == 2
    done = told("sync", shop, *HERE, *MIRROR, "--allow-delete", "--json")
    assert (done.code, counts(done)) == (1, {"unchanged": 101, "rejected": 2, "deleted": 3})


# --- where the state is -------------------------------------------------------------------------


def test_the_state_lies_in_the_current_folder_and_is_named_when_it_is_new(
    told: Callable[..., Any], shop: Path, tmp_path: Path
) -> None:
    """It is named after the collection; a first sync says where it is, later ones do not."""
    assert (tmp_path / "ximilar-c1.state").exists()
    done = told("sync", shop, "-c", "c2", "--emulator", "data")
    assert f"the state is new: {tmp_path / 'ximilar-c2.state'}" in done.err
    assert told("sync", shop, "-c", "c2", "--emulator", "data").err == ""


def test_a_state_that_is_not_where_it_was_is_not_made_anew_by_itself(
    told: Callable[..., Any], shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cron job in the wrong folder is told so; naming a new state reads the collection first."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    there = ("-c", "c1", "--emulator", "../data")
    for words in ((), ("--dry-run",)):
        done = told("sync", shop, *there, *words)
        assert (done.code, done.out) == (2, "")
        assert f"there is no file '{tmp_path / 'elsewhere' / 'ximilar-c1.state'}'" in done.err
        assert "100 records" in done.err
        assert "name that file (--state ximilar-c1.state)" in done.err
    done = told("sync", shop, *there, "--state", "ximilar-c1.state", *MIRROR)
    assert done.code == 0
    assert "made of what is stored" in done.err
    assert "10    updated" in done.out


@pytest.mark.parametrize("state", ["remote", "none"])
def test_a_fresh_machine_knows_without_a_file(
    told: Callable[..., Any], tmp_path: Path, state: str
) -> None:
    """With the state in the records, or none at all, the second run still sends no write."""
    source = write(tmp_path / "first.jsonl", products(30))
    words = (*HERE, *MIRROR, "--state", state)
    assert told("sync", source, *words).code == 0
    rows = [product(0, price=5), *products(1, 30)]
    made = told("sync", write(source, rows), *words, "--dry-run", "--plan", "a.plan")
    assert f"--state {state}" in made.err
    wrong = told("sync", "--apply", "a.plan", *HERE)
    assert (wrong.code, wrong.out) == (2, "")
    named = (
        "it (--state remote?)" if state == "remote" else "what the plan was made with (--state F"
    )
    assert f"name {named}" in wrong.err
    done = told("sync", "--apply", "a.plan", *HERE, "--state", state, "--json")
    assert (done.code, counts(done)) == (0, {"unchanged": 29, "updated": 1})
    done = told("sync", source, *words, "--json")
    assert (done.code, counts(done)) == (0, {"unchanged": 30})
    assert not list(tmp_path.glob("*.state"))
    assert not (tmp_path / state).exists()


def test_a_second_sync_at_the_same_time_is_refused(
    start: Callable[..., subprocess.Popen[str]],
    told: Callable[..., Any],
    serve: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """The state is the lock: the message says who holds it."""
    source = write(tmp_path / "all.jsonl", products(2000))
    with serve("--latency", 0.05) as url:
        words = ("sync", source, "-c", "c1", "--url", url, "--state", "c1.state")
        first = start(*words, "--concurrency", 1, XIMILAR_TOKEN="any")
        until = time.monotonic() + 30
        while not (tmp_path / "c1.state-owner").exists() and time.monotonic() < until:
            time.sleep(0.01)
        second = told(*words)
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=30)
    assert (second.code, second.out) == (2, "")
    assert f"in use by process {first.pid}" in second.err
    assert first.returncode == 143


def test_a_plan_is_a_page_where_a_report_is_asked_for(
    told: Callable[..., Any], tmp_path: Path
) -> None:
    """What would be done, and the command that does it."""
    source = write(tmp_path / "all.jsonl", products(3))
    words = ("sync", source, "-c", "c1", "--emulator", "data", "--dry-run", "--plan", "all.plan")
    assert told(*words, "--report", "plan.html").code == 0
    page = (tmp_path / "plan.html").read_text(encoding="utf-8")
    assert "this is what a sync would do" in page
    assert "<code>ximilar-async sync --apply all.plan -c c1 --emulator data</code>" in page
    assert told(*words, "--report", "plan.json").code == 0
    assert json.loads((tmp_path / "plan.json").read_text())["insert"] == 3


def test_what_failed_in_a_sync_is_not_to_be_replayed(
    told: Callable[..., Any], tmp_path: Path
) -> None:
    """What is replayed would be inserted, and may have been updates: the next sync tries again."""
    source = write(tmp_path / "all.jsonl", products(3))
    kept = ("--rejects", "rejects.jsonl", "--report", "night.json")
    assert told("sync", source, *HERE, *kept).code == 0
    written = json.loads((tmp_path / "night.json").read_text())
    assert written["command"].startswith("ximilar-async sync ")
    assert written["replay"] is None


# --- ends ---------------------------------------------------------------------------------------


def test_interrupted_it_says_how_to_go_on(
    start: Callable[..., subprocess.Popen[str]],
    told: Callable[..., Any],
    serve: Callable[..., Any],
    tmp_path: Path,
) -> None:
    """Ctrl-C finishes what is under way, exits with 130, and the next run sends the rest."""
    source = write(tmp_path / "all.jsonl", products(600))
    with serve("--latency", 0.03) as url:
        words = ("sync", source, "-c", "c1", "--url", url, "--json", "--report", "report.json")
        process = start(*words, "--concurrency", 1, XIMILAR_TOKEN="any")
        until = time.monotonic() + 30
        while (
            told("count", "-c", "c1", "--url", url).out in ("0\n", "") and time.monotonic() < until
        ):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "finishing what is under way" in err
        assert "run the same command again: it goes on from there" in err
        written = json.loads((tmp_path / "report.json").read_text())
        assert written | json.loads(out) == written
        inserted = json.loads(out)["inserted"]
        done = told(*words)
        assert told("count", "-c", "c1", "--url", url).out == "600\n"
    assert 0 < inserted < 600
    assert (done.code, counts(done)) == (0, {"unchanged": inserted, "inserted": 600 - inserted})


def test_interrupted_while_it_reads_it_has_sent_nothing(
    start: Callable[..., subprocess.Popen[str]], told: Callable[..., Any], tmp_path: Path
) -> None:
    """Nothing is known yet of what there is to do, and still it says how to go on."""
    os.mkfifo(tmp_path / "catalog")
    words = ("sync", "catalog", "--format", "jsonl", "-c", "c1", "--emulator", "data")
    process = start(*words, "--state", "c1.state")
    with (tmp_path / "catalog").open("w") as pipe:  # opens when it is read
        pipe.write(json.dumps(product(1)) + "\n")
        pipe.flush()
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "inserted" not in out
    assert "run the same command again" in err
    assert told("count", *HERE).out == "0\n"


def test_out_of_time_it_says_how_to_go_on(told: Callable[..., Any], tmp_path: Path) -> None:
    """What was not attempted is left for the same command, and the exit code is 1."""
    source = write(tmp_path / "all.jsonl", products(400))
    done = told("sync", source, *HERE, "--rate", 20, "--deadline", 0.5)
    assert done.code == 1
    assert "not attempted" in done.out
    assert "(--deadline)" in done.err
    assert "run the same command again: it goes on from there" in done.err


def test_a_service_that_is_not_there_exits_with_5(told: Callable[..., Any], tmp_path: Path) -> None:
    """It ends once nobody has answered for as long as was said."""
    source = write(tmp_path / "all.jsonl", products(5))
    words = ("sync", source, "-c", "c1", "--url", "http://127.0.0.1:1", "--give-up-after", 0.1)
    done = told(*words)
    assert (done.code, done.out) == (5, "")
    assert "cannot connect" in done.err


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ((), ["no SOURCE", "--apply"]),
        (("a.jsonl", "--apply", "b.plan"), ["leave SOURCE out"]),
        (("a.jsonl", "--plan", "b.plan"), ["--plan goes with --dry-run"]),
        (("a.jsonl", "--price-insert", 3), ["go with --dry-run"]),
        (("--apply", "b.plan", "--dry-run"), ["exclude each other"]),
        (("--apply", "b.plan", *MIRROR), ["--mode is in the plan already"]),
        (("--apply", "b.plan", "--map", "id=sku"), ["--map is in the plan already"]),
        (("--apply", "b.plan", "--max-deletions", 9), ["--max-deletions is in the plan"]),
        (("--apply", "b.plan", "--near-dup-order", "strict"), ["--near-dup-order is in the plan"]),
        (("--apply", "b.plan", "--fields", "price"), ["--fields is in the plan already"]),
        (("--apply", "no.plan"), ["cannot read the plan no.plan"]),
        (("--apply", "a.jsonl"), ["a.jsonl is no plan"]),
        (("a.jsonl", "--mode", "delete"), ["--mode", "'delete'"]),
        (("a.jsonl", "--max-deletions", "much"), ["--max-deletions", "5%", "'much'"]),
        (("a.jsonl", "--state", "no/x"), ["--state", "no folder 'no'"]),
        (("a.jsonl", "--state", "."), ["--state", "name a file"]),
        (("a.jsonl", "--state", "a.jsonl"), ["SOURCE and --state are the same file"]),
        (("a.jsonl", "--dry-run", "--plan", "no/p"), ["--plan", "no folder 'no'"]),
        (("a.jsonl", "--dry-run", "--plan", "a.jsonl"), ["SOURCE and --plan are the same"]),
        (("a.jsonl", "--radius", 3), ["--radius goes with --near-dups"]),
        (("a.jsonl", "--journal", "x"), ["--journal"]),
        (("a.jsonl", "--max-records", 3), ["--max-records"]),
        (("nowhere.csv",), ["no such file or folder", "'nowhere.csv'"]),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_meant_is_said_in_a_line(
    told: Callable[..., Any], tmp_path: Path, words: tuple[object, ...], parts: list[str]
) -> None:
    """Bad use exits with 2 and names the thing and what to do about it."""
    write(tmp_path / "a.jsonl", products(3))
    done = told("sync", *words, "-c", "c1", "--emulator=")
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert [part for part in parts if part not in done.err] == []


# --- images and odd rows --------------------------------------------------------------------------


def test_near_duplicates_are_left_out_and_remembered(
    told: Callable[..., Any], photos: Path
) -> None:
    """A new photo that is stored already is told as such, and is not sent again."""
    assert told("sync", photos, *HERE).code == 0
    picture(1).save(photos / "copy.png")
    done = told("sync", photos, *HERE, "--near-dups", "--json")
    assert (done.code, counts(done)) == (0, {"unchanged": 5, "near_duplicate": 1})
    done = told("sync", photos, *HERE, "--near-dups", "--json")
    assert json.loads(done.out)["requests"] == 1


def test_odd_rows_of_parquet_become_what_the_page_of_sources_says(
    told: Callable[..., Any], stored: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    """A decimal, a structure, a list and a date are stored, and known again; NaN costs its row."""
    names = ("_id", "_url", "price", "score", "size", "labels", "since")
    rows = [
        (
            "a",
            "https://shop/a.jpg",
            Decimal("19.90"),
            0.5,
            {"eu": 42},
            ["x", "y"],
            date(2026, 3, 1),
        ),
        ("b", "https://shop/b.jpg", Decimal("5.00"), math.nan, None, [], None),
        ("c", "https://shop/c.jpg", None, None, None, None, None),
    ]
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])
    pq.write_table(table, tmp_path / "odd.parquet")
    done = told("sync", "odd.parquet", *HERE)
    assert done.code == 1
    assert "row 2 is no record: score is nan" in done.out
    assert stored() == {
        "a": {
            "_id": "a", "_url": "https://shop/a.jpg", "price": 19.9, "score": 0.5,
            "size": {"eu": 42}, "labels": ["x", "y"], "since": "2026-03-01",
        },
        "c": {"_id": "c", "_url": "https://shop/c.jpg"},
    }  # fmt: skip
    again = told("sync", "odd.parquet", *HERE, "--json")
    assert (again.code, counts(again)) == (1, {"unchanged": 2, "rejected": 1})


def test_a_row_of_wrong_encoding_costs_that_row(told: Callable[..., Any], tmp_path: Path) -> None:
    """It is named, and what is stored under its id is not taken for gone."""
    rows = [f"{n};https://shop/{n}.jpg;boty\n".encode() for n in range(4)]
    (tmp_path / "shop.csv").write_bytes(b"_id;_url;kind\n" + b"".join(rows))
    assert told("sync", "shop.csv", *HERE, *MIRROR).code == 0
    rows[2] = b"2;https://shop/2.jpg;kozen\xe9\n"
    (tmp_path / "shop.csv").write_bytes(b"_id;_url;kind\n" + b"".join(rows))
    done = told("sync", "shop.csv", *HERE, *MIRROR)
    assert done.code == 1
    assert "line 4 holds the byte 0xe9" in done.out
    assert "not deleted" in done.out
    assert "nothing was deleted" in done.err
