"""The spool: pages that survive whatever ends the process that gathers them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ximilar_async.errors import ConfigError
from ximilar_async.sinks import Spool, Terms

if TYPE_CHECKING:
    from pathlib import Path

TERMS = Terms(collection="c1", service="photos", fields=("*",))


def page(*ids: int) -> list[dict[str, str]]:
    return [{"_id": str(id_)} for id_ in ids]


def begun(folder: Path, pages: int = 2) -> Path:
    """Leave an export of some pages of two records unfinished."""
    path = folder / "all.jsonl"
    with Spool(path, TERMS) as spool:
        spool.begin(count=9, size=2)
        for number in range(pages):
            spool.add(page(2 * number, 2 * number + 1))
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_was_gathered_is_found_again(tmp_path: Path) -> None:
    """Count, position and the last page's ids are those of the process before."""
    with Spool(begun(tmp_path), TERMS) as spool:
        assert spool.refused == ""
        assert (spool.mark.count, spool.mark.records, spool.mark.offset) == (9, 4, 2)
        assert spool.last_ids() == ["2", "3"]
    assert names(tmp_path) == ["all.jsonl.part", "all.jsonl.progress"]


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_a_page_that_was_half_written_is_cut_off(tmp_path: Path, cut: int) -> None:
    """Bytes behind the mark, or a mark that never came, change nothing: the page comes again."""
    path = begun(tmp_path)
    part = tmp_path / "all.jsonl.part"
    part.write_bytes(part.read_bytes() + (b'{"_id":"4"}\n{"_id":"5"' * 3)[:cut])
    with Spool(path, TERMS) as spool:
        spool.rewind(2)
        spool.add(page(2, 3))
        spool.add(page(4))
        spool.finish()
    assert [json.loads(line)["_id"] for line in path.read_text().splitlines()] == [
        "0",
        "1",
        "2",
        "3",
        "4",
    ]
    assert names(tmp_path) == ["all.jsonl"]


def test_a_smaller_page_can_go_on(tmp_path: Path) -> None:
    """The position is one of records, so that pages of another size can begin there."""
    with Spool(begun(tmp_path, 3), TERMS) as spool:
        assert spool.mark.offset == 4
        spool.rewind(1)
        assert (spool.mark.pages, spool.mark.records) == (4, 4)
        spool.add(page(4))
        assert spool.mark.offset == 4


@pytest.mark.parametrize(
    "terms",
    [
        Terms(collection="c2", service="photos", fields=("*",)),
        Terms(collection="c1", service="fashion", fields=("*",)),
        Terms(collection="c1", service="photos", fields=("_id",)),
    ],
)
def test_nothing_else_goes_on_with_it(tmp_path: Path, terms: Terms) -> None:
    """Another collection, service or choice of fields starts anew, and says why."""
    with Spool(begun(tmp_path), terms) as spool:
        assert spool.mark.records == 0
        assert "another collection" in spool.refused


@settings(deadline=None, max_examples=60)
@given(data=st.binary(max_size=60) | st.sampled_from([b"{}", b"null", b'{"v":1,"terms":{}}']))
def test_a_damaged_progress_is_told(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Whatever stands in the progress file, opening ends with an empty mark and a reason."""
    folder = tmp_path_factory.mktemp("any")
    path = begun(folder)
    (folder / "all.jsonl.progress").write_bytes(data)
    with Spool(path, TERMS) as spool:
        assert spool.mark.records == 0
        assert spool.refused


@pytest.mark.parametrize("change", [{"v": 2}, {"end": 10**6}, {"start": -1}, {"size": 0}])
def test_a_progress_that_cannot_be_is_told(tmp_path: Path, change: dict[str, int]) -> None:
    """Another version, and marks beyond the records, are not gone on with."""
    path = begun(tmp_path)
    progress = tmp_path / "all.jsonl.progress"
    body = json.loads(progress.read_bytes())
    (body if "v" in change else body["mark"]).update(change)
    progress.write_text(json.dumps(body))
    with Spool(path, TERMS) as spool:
        assert (spool.mark.records, spool.refused) == (0, "what was begun is damaged")


def test_a_part_that_is_none_of_ours_stays(tmp_path: Path) -> None:
    """A browser's half download is not overwritten, unless that is asked for."""
    part = tmp_path / "all.jsonl.part"
    part.write_text("mine")
    with pytest.raises(ConfigError, match="move it away"):
        Spool(tmp_path / "all.jsonl", TERMS)
    assert part.read_text() == "mine"
    with Spool(tmp_path / "all.jsonl", TERMS, resume=False) as spool:
        spool.begin(count=0, size=1)
    assert part.read_text() == ""


def test_two_cannot_gather_the_same(tmp_path: Path) -> None:
    """The second is refused and harms nothing."""
    path = begun(tmp_path)
    with Spool(path, TERMS) as spool:
        with pytest.raises(ConfigError, match="in use by another process"):
            Spool(path, TERMS)
        assert spool.last_ids() == ["2", "3"]


def test_nothing_gathered_leaves_nothing(tmp_path: Path) -> None:
    """An export that ends before its first page leaves no files about."""

    def lose() -> None:
        with Spool(tmp_path / "a.jsonl", TERMS) as spool:
            spool.begin(count=3, size=1)
            raise OSError("lost")

    with pytest.raises(OSError, match="lost"):
        lose()
    assert names(tmp_path) == []


def test_records_are_private_until_they_are_whole(tmp_path: Path) -> None:
    """The part can be read by its owner alone; the file has the permissions of its forerunner."""
    path = tmp_path / "all.jsonl"
    path.write_text("old")
    path.chmod(0o604)
    with Spool(path, TERMS) as spool:
        spool.begin(count=1, size=1)
        spool.add(page(1))
        assert spool.part.stat().st_mode & 0o777 == 0o600
        assert path.read_text() == "old"
        spool.finish()
    assert path.stat().st_mode & 0o777 == 0o604
