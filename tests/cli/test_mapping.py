"""`--map`, `--tags-separator`, `--empty` and `--config` on the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ximilar_async.cli.failures import UsageError
from ximilar_async.cli.mapping_options import Mapped
from ximilar_async.sources import RecordMapping, SequenceSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS: list[dict[str, Any]] = [
    {"sku": 17, "photo": "photos/1.png", "labels": "red; warm", "cost": "19.90", "notes": "x"},
    {"sku": "18", "photo": "photos/2.png", "labels": "", "cost": "", "notes": ""},
    {"sku": "", "photo": "photos/3.png", "labels": "", "cost": "5", "notes": ""},
    {"sku": "20", "photo": "photos/4.png", "labels": "", "cost": "1,5", "notes": ""},
]
MAP = ["--map", "id=sku", "--map", "image=photo", "--map", "tags=labels", "--tags-separator", ";"]
MAP += ["--map", "price:float=cost", "--map", "shop=:cz"]


@pytest.fixture
def catalog(tmp_path: Path, photos: Path) -> Path:
    """Return a catalog with columns of its own, beside a folder of photos."""
    path = tmp_path / "catalog.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    return path


def test_a_catalog_of_other_columns_is_inserted_updated_and_deleted(
    told: Callable[..., Any], catalog: Path
) -> None:
    """What is stored is what the mapping says; a bad row is rejected by its line."""
    at = ["-c", "c1", "--emulator", "data", "-q"]
    done = told("insert", catalog, *MAP, *at, "--json")
    assert done.code == 1, done.err
    report = json.loads(done.out)
    assert report["counts"]["inserted"] == 2
    assert report["counts"]["rejected"] == 2
    stored = {record["_id"]: record for record in exported(told, at)}
    assert stored["17"]["tags"] == ["red", "warm"]
    assert (stored["17"]["price"], stored["17"]["shop"]) == (19.9, "cz")
    assert {*stored["18"]} & {"tags", "price", "shop"} == {"shop"}
    assert not {"sku", "photo", "labels", "cost", "notes"} & {*stored["17"], *stored["18"]}

    catalog.write_text(json.dumps({**ROWS[0], "cost": "21"}) + "\n", encoding="utf-8")
    assert told("update", catalog, *MAP, *at).code == 0
    stored = {record["_id"]: record for record in exported(told, at)}
    assert stored["17"]["price"] == 21

    assert told("delete", catalog, "--map", "id=sku", *at).code == 0
    assert [record["_id"] for record in exported(told, at)] == ["18"]


def exported(told: Callable[..., Any], at: list[str]) -> list[dict[str, Any]]:
    done = told("export", "all.jsonl", *at)
    assert done.code == 0, done.err
    with open("all.jsonl", encoding="utf-8") as file:  # noqa: PTH123 - where the command ran
        return [json.loads(line) for line in file]


def test_an_update_and_a_delete_need_less_of_the_mapping(
    told: Callable[..., Any], catalog: Path, tmp_path: Path
) -> None:
    """One file serves all commands: an update sends no image, a delete needs the id alone."""
    config = tmp_path / "ximilar-async.toml"
    config.write_text('[mapping]\nid = "sku"\nimage = "photo"\ndrop = ["notes"]\n')
    at = ["-c", "c1", "--emulator", "-q", "--dry-run", "--json", "--config", config]
    catalog.write_text('{"sku": 17, "photo": "photos/none.png", "cost": 5}\n', encoding="utf-8")
    done = told("update", catalog, *at)
    assert (done.code, json.loads(done.out)["counts"]["not_attempted"]) == (0, 1), done.err
    catalog.write_text('{"sku": 17}\n', encoding="utf-8")
    done = told("delete", catalog, *at)
    assert (done.code, json.loads(done.out)["counts"]["not_attempted"]) == (0, 1)
    done = told("insert", catalog, *at)
    assert "no column 'photo'" in done.err
    assert done.code == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--map", "price:flaot=cost"], "--map 'price:flaot=cost': there is no type 'flaot'"),
        (["--map", "a=b", "--map", "a=c"], "--map 'a=c': an entry before it names the same field"),
        (["--tags-separator", ""], "--tags-separator must be text"),
        (["--empty", "none"], "keep"),
        (["--decimal", ","], "--decimal is for fields of the type float or int"),
        (["--map", "cost:float", "--thousands", "x"], "--thousands must be the one character"),
        (["--config", "none.toml"], "cannot read 'none.toml'"),
    ],
)
def test_what_cannot_be_read_is_a_usage_error(
    told: Callable[..., Any], catalog: Path, words: list[str], message: str
) -> None:
    """It is told in a line, before anything is sent."""
    done = told("insert", catalog, *words, "-c", "c1", "--emulator")
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err


def test_a_file_of_ids_takes_no_mapping(told: Callable[..., Any], tmp_path: Path) -> None:
    """Its lines have no columns."""
    (tmp_path / "gone.txt").write_text("1\n")
    done = told("delete", "gone.txt", "--map", "id=sku", "-c", "c1", "--emulator")
    assert (done.code, "has ids and no columns" in done.err) == (2, True)


def test_misspelt_columns_are_told_with_those_there_are(
    told: Callable[..., Any], catalog: Path
) -> None:
    """Nothing is sent, and the message names the likely one."""
    wrong = ("insert", catalog, "--map", "id=skuu", "-c", "c1", "--emulator")
    done = told(*wrong)
    assert (done.code, "nothing done" in done.out) == (2, True)
    done = told(*wrong, "--json")
    assert "has no column 'skuu' (is it 'sku'?)" in done.err
    assert "its columns are sku, photo, labels, cost, notes" in done.err
    assert json.loads(done.out)["requests"] == 0


def test_options_are_added_to_the_file(tmp_path: Path) -> None:
    """What the command line says counts, and what it leaves open the file says."""
    config = tmp_path / "m.toml"
    config.write_text('[mapping]\nid = "sku"\ntags-separator = ";"\nempty = "drop"\n')
    said = Mapped(config=config, map=["tags=labels"], empty="null")
    assert said.mapping == RecordMapping(id="sku", tags="labels", tags_separator=";", empty="null")


def test_without_options_nothing_changes() -> None:
    """A source is handed on as it is."""
    source = SequenceSource([])
    assert Mapped().of_records(source) is source
    assert Mapped().of_changes(source) is source
    assert Mapped().of_ids(source) is source
    with pytest.raises(UsageError):
        Mapped(map=["x="]).of_records(source)


def test_numbers_and_truths_are_read_as_a_shop_writes_them(
    told: Callable[..., Any], tmp_path: Path
) -> None:
    """`--decimal`, `--thousands`, `--true-values` and `--false-values`."""
    lines = ["kod;cena;aktivni", "1;1 299,50;Ano", "2;9,00;ne"]
    (tmp_path / "zbozi.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    at = ["-c", "c1", "--emulator", "data", "-q"]
    ids = tmp_path / "ids.jsonl"
    ids.write_text(
        "".join(f'{{"_id": "{n}", "_url": "https://e.com/{n}.jpg"}}\n' for n in (1, 2)),
        encoding="utf-8",
    )
    assert told("insert", ids, *at).code == 0
    mapped = ["--map", "id=kod", "--map", "price:float=cena", "--map", "active:bool=aktivni"]
    done = told("update", "zbozi.csv", *mapped, *at)
    assert "or say that ',' stands before the decimals (--decimal)" in done.out
    written = ["--decimal", ",", "--thousands", " ", "--true-values", "ano,ja"]
    done = told("update", "zbozi.csv", *mapped, *written, *at)
    assert "name the words for them (--true-values, --false-values)" in done.out
    assert told("update", "zbozi.csv", *mapped, *written, "--false-values", "ne", *at).code == 0
    stored = {record["_id"]: record for record in exported(told, at)}
    assert (stored["1"]["price"], stored["1"]["active"]) == (1299.5, True)
    assert (stored["2"]["price"], stored["2"]["active"]) == (9.0, False)
