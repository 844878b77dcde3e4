"""Which file a catalog names for a stored record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ximilar_async.pages import Images

if TYPE_CHECKING:
    from pathlib import Path


def catalog(folder: Path, *records: Any) -> Path:
    path = folder / "catalog.jsonl"
    path.write_text("".join(f"{json.dumps(record)}\n" for record in records) + "no JSON\n")
    return path


def test_of_an_id_that_comes_twice_the_first_counts(tmp_path: Path) -> None:
    """That is the one that was stored."""
    path = catalog(tmp_path, {"_id": "a", "_file": "1.jpg"}, {"_id": "a", "_file": "2.jpg"})
    assert Images.of(path, {"a"}).named({"_id": "a"})["_file"] == "1.jpg"


def test_records_that_are_none_cost_no_page(tmp_path: Path) -> None:
    """An id that is a list, a record that is a number: they are passed over."""
    odd = [{"_id": ["a"], "_file": "1.jpg"}, {"_id": {}, "_file": "2.jpg"}, 5, None, ["_id"]]
    path = catalog(tmp_path, *odd, {"_id": "a", "_file": "3.jpg"})
    assert Images.of(path, {"a"}).named({"_id": "a"})["_file"] == "3.jpg"
