"""The rendered catalog: what is on disk is what it says, and the same numbers make it again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageChops, ImageStat

from ximilar_async.demo import make_catalog
from ximilar_async.errors import ConfigError, ImageError
from ximilar_async.images import image_format, prepare_record

if TYPE_CHECKING:
    from pathlib import Path

    from ximilar_async.demo import Catalog

PRODUCTS = 36


@pytest.fixture(scope="module")
def told() -> list[tuple[int, int]]:
    return []


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory, told: list[tuple[int, int]]) -> Catalog:
    folder = tmp_path_factory.mktemp("demo") / "new" / "catalog"
    return make_catalog(folder, products=PRODUCTS, on_image=lambda *done: told.append(done))


@pytest.fixture(scope="module")
def records(catalog: Catalog) -> dict[str, dict[str, Any]]:
    lines = catalog.records_path.read_text(encoding="utf-8").splitlines()
    return {record["_id"]: record for record in map(json.loads, lines)}


def data_of(catalog: Catalog, id_: str, records: dict[str, dict[str, Any]]) -> bytes:
    return (catalog.folder / records[id_]["_file"]).read_bytes()


def test_each_line_is_a_record_with_an_image(
    catalog: Catalog, records: dict[str, dict[str, Any]]
) -> None:
    """Ids are unique, `_file` is a name beside the records, and every field is there."""
    assert len(records) == catalog.count
    assert catalog.records_path == catalog.folder / "catalog.jsonl"
    for record in records.values():
        assert (catalog.folder / record["_file"]).is_file()
        assert "/" not in record["_file"]
        assert set(record) == {
            *("_id", "_file", "name", "category", "color", "pattern", "price", "tags"),
        }
        assert record["price"] > 0
        assert {record["category"], record["color"], record["pattern"]} <= set(record["tags"])


def test_the_folder_holds_nothing_else(
    catalog: Catalog, records: dict[str, dict[str, Any]]
) -> None:
    """Taking the folder's images gives the same as taking its records."""
    names = {path.name for path in catalog.folder.iterdir() if path.is_file()}
    assert names == {"catalog.jsonl", *(record["_file"] for record in records.values())}


def test_there_are_many_kinds_and_looks(records: dict[str, dict[str, Any]]) -> None:
    """Kinds of products, colours, patterns and file formats all vary."""
    values = list(records.values())
    assert len({record["category"] for record in values}) >= 8
    assert len({record["color"] for record in values}) >= 8
    assert {record["pattern"] for record in values} >= {"plain", "striped", "dotted", "checked"}
    endings = [record["_file"].rpartition(".")[2] for record in values]
    assert {"jpg", "png", "webp"} <= set(endings)
    assert endings.count("jpg") > len(endings) / 2


def test_exact_copies_have_the_same_bytes(
    catalog: Catalog, records: dict[str, dict[str, Any]]
) -> None:
    """A duplicate is another id for the very same file content."""
    assert catalog.duplicates
    for copy, original in catalog.duplicates.items():
        assert data_of(catalog, copy, records) == data_of(catalog, original, records)


def test_near_duplicates_look_the_same(
    catalog: Catalog, records: dict[str, dict[str, Any]]
) -> None:
    """A near-duplicate has other bytes and, to the eye, the same picture."""
    assert catalog.near_duplicates
    for copy, original in catalog.near_duplicates.items():
        assert data_of(catalog, copy, records) != data_of(catalog, original, records)
        pictures = []
        for id_ in (copy, original):
            with Image.open(catalog.folder / records[id_]["_file"]) as image:
                pictures.append(image.convert("RGB").resize((64, 64), Image.Resampling.BOX))
        assert max(ImageStat.Stat(ImageChops.difference(*pictures)).mean) < 6


def test_spoilt_files_are_refused_and_all_others_taken(
    catalog: Catalog, records: dict[str, dict[str, Any]]
) -> None:
    """Exactly the two records that it names cannot be sent, each for the reason it names."""
    refused = {}
    for id_, record in records.items():
        try:
            prepare_record(record, files_root=catalog.folder)
        except ImageError as error:
            refused[id_] = str(error)
    assert set(refused) == set(catalog.refused)
    words = {"damaged": "truncated or damaged", "AVIF": "AVIF is not supported"}
    assert all(words[catalog.refused[id_]] in told for id_, told in refused.items())
    assert sorted(catalog.refused.values()) == ["AVIF", "damaged"]


def test_the_query_is_not_in_the_catalog(
    catalog: Catalog, records: dict[str, dict[str, Any]]
) -> None:
    """The image to search with is a file of its own, ready to be sent, with no id."""
    data = catalog.query_path.read_bytes()
    assert image_format(data) == "JPEG"
    assert all(data_of(catalog, id_, records) != data for id_ in records)
    assert "_id" not in catalog.query_record
    assert prepare_record(dict(catalog.query_record))["_base64"]
    look = {"category": "shoe", "color": "red", "pattern": "striped"}
    assert look.items() <= dict(catalog.query_record).items()
    assert any(look.items() <= record.items() for record in records.values())


def test_progress_counts_to_the_end(catalog: Catalog, told: list[tuple[int, int]]) -> None:
    """Each image is told once, and the total announced is the number that is made."""
    total = catalog.count + 1
    assert told == [(done, total) for done in range(1, total + 1)]


def test_the_same_numbers_make_the_same_catalog(tmp_path: Path) -> None:
    """The seed decides everything, also over what lay in the folder before."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in (*folders, folders[0]):
        make_catalog(folder, products=12, seed=3)
    contents = [
        {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in folders
    ]
    assert contents[0] == contents[1]


def test_without_spoilt_files_all_others_are_the_same(tmp_path: Path) -> None:
    """What can be sent is the same with and without them, and progress still counts to its end."""
    told: list[tuple[int, int]] = []
    whole = make_catalog(tmp_path / "whole", products=12)
    sound = make_catalog(
        tmp_path / "sound",
        products=12,
        spoilt=False,
        on_image=lambda done, total: told.append((done, total)),
    )
    assert (len(whole.refused), sound.refused) == (2, {})
    lines = whole.records_path.read_text("utf-8").splitlines()
    assert sound.records_path.read_text("utf-8").splitlines() == lines[:-2]
    assert sound.count == whole.count - 2
    assert told[-1] == (sound.count + 1, sound.count + 1)


def test_another_seed_makes_another_catalog(tmp_path: Path) -> None:
    """Two seeds share no picture."""
    images = []
    for seed in (1, 2):
        make_catalog(tmp_path / str(seed), products=12, seed=seed)
        paths = (path for path in (tmp_path / str(seed)).rglob("*.*") if path.is_file())
        images.append({path.read_bytes() for path in paths if path.suffix != ".jsonl"})
    assert not images[0] & images[1]


def test_too_few_products_are_refused(tmp_path: Path) -> None:
    """A catalog without one of each kind is no catalog."""
    with pytest.raises(ConfigError, match="at least 12 products, not 11"):
        make_catalog(tmp_path, products=11)
