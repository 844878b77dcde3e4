"""`duplicates` as users meet it: table, JSON, page, and the list for `delete`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from documented import picture

from ximilar_async.bulk._duplicate_groups import Pairs
from ximilar_async.cli.duplicates import write_list
from ximilar_async.cli.duplicates_page import MOST_TILES, DuplicatesPage
from ximilar_async.cli.duplicates_view import id_line, table_of
from ximilar_async.cli.failures import UsageError
from ximilar_async.cli.options import Output

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HERE = ("-c", "c1", "--emulator=data")


@pytest.fixture
def catalog(told: Callable[..., Any], tmp_path: Path) -> Path:
    """Insert ten images, one of them three times and one twice; return their folder."""
    folder = tmp_path / "photos"
    folder.mkdir()
    lines = []
    for number in range(10):
        for copy in range({3: 3, 7: 2}.get(number, 1)):
            name = f"{number}-{copy}"
            picture(number).save(folder / f"{name}.png")
            lines.append({"_id": name, "_file": f"{name}.png", "price": number})
    (folder / "all.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert told("insert", folder / "all.jsonl", *HERE, "-q").code == 0
    return folder


@pytest.mark.parametrize("way", ["--each", "--all-pairs"])
def test_the_table_names_each_record_of_each_group(
    told: Callable[..., Any], catalog: Path, way: str
) -> None:
    """Largest group first, its first record without a distance, fields where they are asked for."""
    done = told("duplicates", *HERE, way, "--fields", "price", "--radius", 0.5)
    assert done.code == 0
    assert done.out.splitlines()[0] == "2 groups of 5 records: 3 besides the first of each"
    rows = [line.split() for line in done.out.splitlines() if "-" in line]
    assert rows == [
        ["1", "3-0", "3"],
        ["3-1", "0.00", "3"],
        ["3-2", "0.00", "3"],
        ["2", "7-0", "7"],
        ["7-1", "0.00", "7"],
    ]


def test_a_limit_is_told(told: Callable[..., Any], catalog: Path) -> None:
    """What is left out is said; the count is of all."""
    done = told("duplicates", *HERE, "--limit", 1)
    assert "7-0" not in done.out
    assert done.out.startswith("2 groups of 5 records")
    assert "1 further group: --limit shows more" in done.err


def test_json_holds_all_groups(told: Callable[..., Any], catalog: Path) -> None:
    """Ids, distances, and records where fields are asked for."""
    answer = json.loads(told("duplicates", *HERE, "--json", "--fields", "price").out)
    assert (answer["method"], answer["count"], answer["records"]) == ("pairs", 2, 5)
    ids = [[record["id"] for record in group["records"]] for group in answer["groups"]]
    assert ids == [["3-0", "3-1", "3-2"], ["7-0", "7-1"]]
    assert answer["groups"][1]["records"][1]["record"] == {"_id": "7-1", "price": 7}


def test_a_collection_without_any_says_so(told: Callable[..., Any], catalog: Path) -> None:
    """Table, JSON and page are then empty, and the exit code is 0."""
    nothing = ("--filter", '{"price": 1}')
    assert told("duplicates", *HERE, *nothing).out == "no two records are nearly the same\n"
    assert json.loads(told("duplicates", *HERE, *nothing, "--json").out)["groups"] == []
    done = told("duplicates", *HERE, *nothing, "--html", "out.html")
    assert (done.code, done.out.endswith("; page: out.html\n")) == (0, True)
    page = (catalog.parent / "out.html").read_text(encoding="utf-8")
    assert "No two records are nearly the same." in page


def test_the_page_shows_the_images_that_can_be_had(told: Callable[..., Any], catalog: Path) -> None:
    """By the folder, or by the file that was inserted; without either it says what is missing."""
    page = catalog.parent / "out.html"
    for images, shown in ((catalog, 5), (catalog / "all.jsonl", 5), (None, 0)):
        more = () if images is None else ("--images", images)
        done = told("duplicates", *HERE, "--html", page, *more)
        assert done.code == 0
        assert page.read_text(encoding="utf-8").count('src="data:image/') == shown
        assert ("no image is shown for 5 records" in done.err) == (shown == 0)
    summary = json.loads(told("duplicates", *HERE, "--html", page, "--json", "-q").out)
    assert summary == {"page": str(page), "groups": 2, "records": 5}


def test_the_list_is_what_delete_takes(told: Callable[..., Any], catalog: Path) -> None:
    """It holds all but the first of each group; deleting them leaves no near-duplicates."""
    done = told("duplicates", *HERE, "--delete-list", "extra.txt", "--limit", 1)
    path = catalog.parent / "extra.txt"
    assert path.read_text() == "3-1\n3-2\n7-1\n"
    assert "3 ids for `delete` in extra.txt" in done.err
    assert told("count", *HERE).out == "13\n"  # nothing is deleted by looking
    assert told("delete", path, *HERE, "-q").code == 0
    assert told("duplicates", *HERE).out == "no two records are nearly the same\n"
    assert told("count", *HERE).out == "10\n"


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--images", "."), ["--images goes with --html"]),
        (("--remote-images",), ["--remote-images goes with --html"]),
        (("--html", "no/out.html"), ["no folder 'no'"]),
        (("--delete-list", "extra.csv"), ["--delete-list", ".txt or .jsonl", "extra.csv"]),
        (("--delete-list", "no/extra.txt"), ["--delete-list", "no folder 'no'"]),
        (("--delete-list", "a.txt", "--html", "a.txt"), ["the same file"]),
        (("--html", "."), ["--html '.' is a folder"]),
        (("--radius", "-1"), ["distance of at least 0"]),
        (("--filter", "[]"), ["--filter must be an object"]),
    ],
)
def test_what_cannot_be_meant_is_told_first(
    told: Callable[..., Any], words: tuple[str, ...], parts: list[str]
) -> None:
    """One line, exit code 2, and nothing is written."""
    done = told("duplicates", *HERE, *words)
    assert (done.code, done.out) == (2, "")
    assert all(part in done.err for part in parts)


def linked() -> Pairs:
    """Return pairs that make one chain: a, b, c, d, e at distances of 1."""
    pairs = Pairs()
    for one, other in ("ab", "bc", "cd", "de"):
        pairs.add(one, other, 1.0)
    return pairs


def test_a_list_says_what_is_linked_through_others_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Such a record is deleted although the one that stays is no near-duplicate of it."""
    write_list(linked().groups(), tmp_path / "a.jsonl", Output())
    assert [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()] == [
        "a",
        "c",
        "d",
        "e",
    ]
    assert "2 of them are no near-duplicates of the record that stays" in capsys.readouterr().err


@pytest.mark.parametrize("id_", [" a", "a\n", "a\x85b", '{"a', '"a"', "a\u2028b", ""])
def test_an_id_that_a_text_file_cannot_hold_is_refused(tmp_path: Path, id_: str) -> None:
    """The list would name another record, or none; as JSON it names just this one."""
    with pytest.raises(UsageError, match=r"\.jsonl"):
        id_line(id_, tmp_path / "a.txt")
    assert json.loads(id_line(id_, tmp_path / "a.jsonl")) == id_


def test_a_huge_group_is_cut(tmp_path: Path) -> None:
    """Table and page say how many more there are."""
    pairs = Pairs()
    for number in range(200):
        pairs.add("first", f"r{number:03}", float(number))
    groups = pairs.groups()
    table = table_of(groups, {}, [])
    assert getattr(table, "row_count", 0) == 31
    page = DuplicatesPage(place="c1", groups=groups, shown=groups[:], records={}).render()
    assert page.html.count("<figure>") == MOST_TILES
    assert f"{201 - MOST_TILES} more are not shown" in page.html
    assert len(page.missing) == MOST_TILES


@pytest.mark.parametrize("remote", [False, True])
def test_a_page_loads_nothing_unless_it_is_told_to(*, remote: bool) -> None:
    """Addresses are links; images only with the option, and the policy says so."""
    pairs = Pairs()
    pairs.add("a", "b", 1.0)
    groups = pairs.groups()
    records = {id_: {"_id": id_, "_url": f"https://example.com/{id_}.jpg"} for id_ in "ab"}
    html = (
        DuplicatesPage(place="c1", groups=groups, shown=groups[:], records=records, remote=remote)
        .render()
        .html
    )
    assert ('<img alt="a" loading="lazy" src="https://example.com/a.jpg">' in html) == remote
    assert ("img-src data:;" in html) != remote
    assert ('<a href="https://example.com/a.jpg"' in html) != remote


def test_records_linked_through_others_are_marked_on_the_page() -> None:
    """They bear a word where the others have their distance."""
    groups = linked().groups()
    html = DuplicatesPage(place="c1", groups=groups, shown=groups[:], records={}).render().html
    assert html.count(">linked</div>") == 2
    assert html.count(">first</div>") == 1
    assert "2 only through others of the group" in html
