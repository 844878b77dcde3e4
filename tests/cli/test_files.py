"""What the command line writes: exports, pages, the demo's folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from documented import picture

from ximilar_async._models import Match
from ximilar_async.cli import run
from ximilar_async.cli.demo import start_afresh
from ximilar_async.cli.export import agreement, opened
from ximilar_async.cli.failures import UsageError
from ximilar_async.cli.pages import find_image, make_tile, search_page
from ximilar_async.pages import Images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    """Until the block ends the old file stands; then the new one does, with usual permissions."""
    path = tmp_path / "all.jsonl"
    path.write_text("old")
    path.chmod(0o640)
    with opened(str(path)) as target:
        target.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    (tmp_path / "plain").touch()
    with opened(str(tmp_path / "fresh")) as target:
        target.write(b"new")
    assert (tmp_path / "fresh").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_file_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    """An error, or a cancellation, leaves the old file and nothing else."""
    path = tmp_path / "all.jsonl"
    path.write_text("old")
    writing = opened(str(path))
    writing.__enter__().write(b"half")
    assert writing.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None) is False
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("done", "before", "after", "code"),
    [(5, 5, 5, 0), (5, 4, 6, 0), (5, 6, 4, 0), (4, 5, 5, 1), (6, 5, 5, 1), (0, 0, 0, 0)],
)
def test_an_export_agrees_with_the_count(
    capsys: pytest.CaptureFixture[str], done: int, before: int, after: int, code: int
) -> None:
    """Too few or too many records are an error; a collection that changed meanwhile is none."""
    assert agreement(done, before, after) == code
    assert ("but the collection counts" in capsys.readouterr().err) == bool(code)


def test_images_are_found_by_file_or_id(tmp_path: Path) -> None:
    """Below the folder that was named, with or without the ending; `_file` comes first."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for name in ("a.jpg", "b.png", "more/c.jpg"):
        picture(1).save(folder / name)
    assert find_image({"_id": "a.jpg"}, folder) == folder / "a.jpg"
    assert find_image({"_id": "b"}, folder) == folder / "b.png"
    assert find_image({"_id": "more/c"}, folder) == folder / "more/c.jpg"
    assert find_image({"_id": "a", "_file": "b.png"}, folder) == folder / "b.png"
    assert find_image({"_id": "more"}, folder) is None
    assert find_image({"_file": str(folder / "a.jpg")}) == folder / "a.jpg"
    assert find_image({"_id": str(folder / "a.jpg")}) is None


@pytest.mark.parametrize(
    "name", ["../secret.jpg", "/etc/hostname", "more/../../secret.jpg", "\0", "x" * 5000, 5, ""]
)
def test_nothing_outside_the_folder_is_shown(tmp_path: Path, name: object) -> None:
    """What a collection says about its files cannot lead out of the folder that was named."""
    picture(1).save(tmp_path / "secret.jpg")
    (tmp_path / "photos").mkdir()
    assert find_image({"_file": name, "_id": name}, tmp_path / "photos") is None


def test_a_file_that_is_no_image_is_not_shown(tmp_path: Path) -> None:
    """A tile holds a picture or nothing."""
    (tmp_path / "a.jpg").write_text("password")
    assert make_tile({"_id": "a.jpg"}, Images(tmp_path)).image is None


def test_a_stored_record_names_no_file_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who writes records, or is the service, puts no image of the reader's disk on a page."""
    monkeypatch.chdir(tmp_path)
    secret = tmp_path / "private" / "secret.png"
    secret.parent.mkdir()
    picture(1).save(secret)
    (tmp_path / "catalog.jsonl").write_text('{"_id": "1", "_file": "one.png"}\n')
    picture(2).save(tmp_path / "one.png")
    names = (str(secret), "private/secret.png")
    records = [{"_id": name, key: name} for name in names for key in ("_file", "_url")]
    matches = [Match(str(n), 1.0, record) for n, record in enumerate([*records, {"_id": "1"}])]
    for images, shown in ((None, 0), (tmp_path / "catalog.jsonl", 1)):
        page = search_page({"_id": "1"}, matches, place="collection c1", images=images).html
        assert page.count('src="data:image/') == 2 * shown  # the query's and the match's
        assert all(make_tile(record, Images.of(images, names)).image is None for record in records)


def test_the_page_of_a_search_holds_no_secrets_of_the_address_that_was_typed() -> None:
    """A page is sent around: neither its words nor its links hold a password or a signature."""
    for url, linked in (
        ("https://me:s3cret@shop.example/boot.jpg?X-Sig=abcdef", False),
        ("https://shop.example/boot.jpg", True),
    ):
        page = search_page({"_url": url}, [], place="collection c1").html
        assert "s3cret" not in page
        assert "abcdef" not in page
        assert "shop.example/boot.jpg" in page
        assert (f'href="{url}"' in page) == linked


def test_a_page_that_cannot_be_written_leaves_the_one_before(
    told: Callable[..., Any], serve: Callable[..., Any], photos: Path, tmp_path: Path
) -> None:
    """A page of a search is there whole, or as it was."""
    resource = pytest.importorskip("resource")
    page = tmp_path / "out.html"
    page.write_text("the page before")
    size = resource.getrlimit(resource.RLIMIT_FSIZE)
    with serve() as url:
        place = ("-c", "c1", "--url", url)
        assert told("insert", photos, *place).code == 0
        for command in (("search", photos / "1.png"), ("duplicates", "--radius", 100)):
            try:
                resource.setrlimit(resource.RLIMIT_FSIZE, (3000, size[1]))
                done = told(*command, *place, "--html", page, "--images", photos)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, size)
            assert (done.code, done.out) == (2, "")
            assert "File too large" in done.err
            assert page.read_text() == "the page before"
            assert not list(tmp_path.glob(".*"))


def test_the_page_of_a_search_holds_query_and_matches(tmp_path: Path) -> None:
    """Images are part of the page, in the order of the ranks, with distances and fields."""
    for number in (1, 2):
        picture(number).save(tmp_path / f"{number}.png")
    matches = [Match("1", 0.0, {"_id": "1", "price": 5}), Match("2", 7.25, {"_id": "2"})]
    query = {"_file": str(tmp_path / "1.png")}
    page = search_page(query, matches, place="collection c1", images=tmp_path).html
    assert page.count('src="data:image/') == 3
    assert page.index("price: 5") < page.index("7.2")


def test_search_writes_the_page(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`search --html` makes a page of a folder that was inserted, with its images."""
    place = ["-c", "c1", "--emulator", str(tmp_path / "data")]
    assert run(["insert", str(photos), *place]) == 0
    page = tmp_path / "out.html"
    words = ["search", str(photos / "2.png"), "--html", str(page), "--images", str(photos)]
    assert run([*words, *place]) == 0
    text = page.read_text(encoding="utf-8")
    assert text.count('src="data:image/') == 6
    assert "more/5.jpg" in text
    assert capsys.readouterr().out.endswith(f"5 records found; page: {page}\n")


def test_search_finds_the_images_of_a_catalog(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where ids are no file names: by the file that was inserted; else it says what is missing."""
    lines = [
        {"_id": "sku-1", "_file": "photos/1.png", "price": 5},
        {"_id": "sku-2", "_file": "photos/more/5.jpg", "price": 6},
    ]
    catalog = tmp_path / "catalog.jsonl"
    catalog.write_text("\n".join([*map(json.dumps, lines), "no record", "[]"]))
    place = ["-c", "c1", "--emulator", str(tmp_path / "data")]
    assert run(["insert", str(catalog), *place]) == 1
    page = tmp_path / "out.html"
    words = ["search", "id:sku-2", "--html", str(page), *place, "--fields", "price"]
    for more, images in (["--images", str(catalog)], 3), (["--images", str(photos)], 0), ([], 0):
        capsys.readouterr()
        assert run([*words, *more]) == 0
        assert page.read_text(encoding="utf-8").count('src="data:image/') == images
        err = capsys.readouterr().err
        assert ("no image is shown for 2 records (sku-2, sku-1)" in err) == (images == 0)
        assert ("--images" in err) == (images == 0)


def test_the_demo_never_empties_a_folder_of_the_users(tmp_path: Path) -> None:
    """Only what an earlier demo made is replaced."""
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog/mine.jpg").touch()
    with pytest.raises(UsageError, match="holds something that no demo made"):
        start_afresh(tmp_path)
    assert (tmp_path / "catalog/mine.jpg").exists()
    fresh = tmp_path / "new" / "demo"
    start_afresh(fresh)
    (fresh / "catalog").mkdir()
    start_afresh(fresh)
    assert not (fresh / "catalog").exists()
    with pytest.raises(UsageError, match="is a file"):
        start_afresh(tmp_path / "catalog/mine.jpg")


def test_the_demo_shows_everything_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Copies are found, spoilt files refused, the nearest image is right; twice the same."""
    folder = tmp_path / "demo"
    for _ in range(2):
        assert run(["demo", str(folder), "--products", "12", "--json", "-q"]) == 0
        told = json.loads(capsys.readouterr().out)
        counts = told["report"]["counts"]
        assert (counts["inserted"], counts["near_duplicate"], counts["rejected"]) == (12, 2, 2)
        assert told["matches"][0]["id"].startswith("shoe-")
        text = (folder / "demo.html").read_text(encoding="utf-8")
        assert told["page"] == str(folder / "demo.html")
        assert "AVIF is not supported" in text
        assert "same image" in text
        assert text.count('src="data:image/') == 1 + 12 + 2 * 2


def test_repeated_ids_and_other_fields_can_stay_at_home(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--remember-ids` spends no request on a repeated id, `--fields` sends what it names."""
    lines = [{"_id": str(n % 20), "_url": f"https://e.com/{n}", "a": n, "b": 2} for n in range(60)]
    catalog, data, out = tmp_path / "all.jsonl", tmp_path / "data", tmp_path / "out.jsonl"
    catalog.write_text("".join(json.dumps(line) + "\n" for line in lines))
    place = ["-c", "c1", f"--emulator={data}", "-q"]
    flags = ["--remember-ids", "--fields", "a,c", "--concurrency", "1", "--json"]
    assert run(["insert", str(catalog), *place, *flags]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["counts"]["already_present"] == 40
    assert report["requests"] == 2
    assert run(["export", str(out), *place]) == 0
    for line in out.read_text().splitlines():
        assert {"_id", "a"} <= json.loads(line).keys()
        assert "b" not in json.loads(line)
