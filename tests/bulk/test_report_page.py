"""The report of a run as a page: what happened, what to do, and no more than a page may hold."""

from __future__ import annotations

import io
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from attrs import evolve
from pages.reading import read
from PIL import Image

from ximilar_async import Limits, Match, Retry, Ximilar, bulk
from ximilar_async.bulk import Outcome
from ximilar_async.bulk._origin import Origin
from ximilar_async.bulk._rejects import RejectsFile
from ximilar_async.bulk._report_pictures import MOST_IMAGES
from ximilar_async.bulk._report_samples import MOST
from ximilar_async.emulator import Emulator, Faults, faults
from ximilar_async.errors import BulkAborted, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from pages.reading import Page

EVIL = "<script>alert(1)</script>"


def photo(colour: str) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(stream, "JPEG")
    return stream.getvalue()


def written(report: bulk.Report | bulk.SyncReport, folder: Path, **words: str) -> Page:
    path = folder / "report.html"
    report.write(path, **words)
    return read(path.read_text(encoding="utf-8"))


async def run_of_all_kinds(folder: Path) -> bulk.Report:
    """Return the report of a run with every outcome that an insert can have."""
    lines: list[Any] = [{"_id": f"r{n}", "_file": f"r{n}.jpg"} for n in range(40)]
    for n in range(40):
        (folder / f"r{n}.jpg").write_bytes(photo(f"hsl({n * 9}, 80%, {30 + n}%)"))
    (folder / "twin.jpg").write_bytes((folder / "r0.jpg").read_bytes())
    lines += [{"_id": "twin", "_file": "twin.jpg"}, {"_id": EVIL}, {"_id": "r1", "_file": "r1.jpg"}]
    source = folder / "catalog.jsonl"
    source.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    plan = Faults(faults.poison({"r5"}, status=500), faults.throttled(first=1, last=1))
    options = bulk.Options(
        rejects=folder / "rejects.jsonl",
        retry=Retry(attempts=2, base=0.01, cap=0.05),
        near_dup_order="strict",
        batch_size=1,
    )
    async with Emulator(faults=plan) as emulator:
        client = Ximilar("any", transport=emulator.transport(), limits=Limits(concurrency=1))
        async with client:
            collection = client.collection("c1")
            return await bulk.near_dups_insert(collection, source, radius=0.5, options=options)


async def test_the_page_shows_every_outcome_with_images(tmp_path: Path) -> None:
    """Bars, charts, what to do, tables and images of what was not brought in."""
    report = await run_of_all_kinds(tmp_path)
    assert {outcome for outcome, n in report.counts.items() if n} == {
        Outcome.INSERTED,
        Outcome.ALREADY_PRESENT,
        Outcome.NEAR_DUPLICATE,
        Outcome.REJECTED,
        Outcome.FAILED,
    }
    page = written(report, tmp_path)
    for words in ("Near duplicate: 1", "Rejected: 1", "Failed: 1", "Already present: 1"):
        assert words in page.text
    for words in ("What to do", "Outcomes", "Over time", "Where the time went", "Retries and"):
        assert words in page.text
    assert "operation='near_dups_insert'" in page.text
    assert {"twin", "r0", "r5", "r1"} <= {image["alt"] for image in page.all("img")}
    assert len(page.all("svg")) >= 2
    assert EVIL in page.text


async def test_the_page_loads_and_runs_nothing(tmp_path: Path) -> None:
    """Its policy forbids all but its own style and images, and it has nothing else."""
    page = written(await run_of_all_kinds(tmp_path), tmp_path)
    assert not {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "form"}
    (policy,) = [one["content"] for one in page.all("meta") if "http-equiv" in one]
    assert str(policy).startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert all(str(image["src"]).startswith("data:image/") for image in page.all("img"))


async def test_json_holds_what_the_report_holds(tmp_path: Path) -> None:
    """The same facts, with version, time and command lines."""
    report = await run_of_all_kinds(tmp_path)
    report.write(tmp_path / "r.json", command="ximilar-async insert", replay="ximilar-async replay")
    facts = json.loads((tmp_path / "r.json").read_text())
    assert facts | json.loads(json.dumps(report.to_dict())) == facts
    assert facts["version"] == 1
    assert (facts["command"], facts["replay"]) == ("ximilar-async insert", "ximilar-async replay")
    assert sum(facts["timeline"]["points"]["decided"]) == report.read


def test_another_ending_is_refused(tmp_path: Path) -> None:
    """Nothing is guessed, and nothing written."""
    report = bulk.Report(operation="insert", read=0, counts={})
    with pytest.raises(ConfigError, match=r"\.html or \.json, not 'r\.txt'"):
        report.write(tmp_path / "r.txt")
    assert not list(tmp_path.iterdir())


def rejecting(folder: Path, count: int) -> bulk.Report:
    """Return a report of rejected records that are all in a file, after those of another run."""
    path = folder / "rejects.jsonl"
    for run in ("before", "now"):
        with RejectsFile.open(path, run=run, source="catalog.jsonl") as rejects:
            began = rejects.began
            for n in range(count):
                record = {"_id": f"{run}-{n}", "name": "Boot " * 20}
                rejects.write(
                    bulk.Result(
                        n + 1,
                        f"line {n + 1}",
                        record["_id"],
                        Outcome.REJECTED,
                        f"line {n + 1} (`_id` {record['_id']!r}) has no image",
                        None,
                        (),
                        record,
                    )
                )
    return bulk.Report(
        operation="insert",
        read=count,
        counts={Outcome.REJECTED: count},
        origin=Origin(rejects=str(path), rejects_from=began, run="now"),
    )


def test_the_page_of_very_many_rejected_records_stays_small(tmp_path: Path) -> None:
    """The first 500 are shown, and it says how many are not, and where they are."""
    report = rejecting(tmp_path, 2000)
    page = written(report, tmp_path)
    assert (tmp_path / "report.html").stat().st_size < 300_000
    rows = len(page.all("td")) // 3
    assert rows == MOST
    assert f"500 are shown, 1,500 not: all of them are in {report.origin.rejects}." in page.text
    assert "before-1" not in page.text
    assert "now-499" in page.text
    assert "has no image 500" in page.text  # by reason


def test_images_and_words_of_records_are_bounded(tmp_path: Path) -> None:
    """Neither long reasons nor large images make a page large."""
    image = "data:" * 3
    noise = Image.effect_noise((800, 800), 90).convert("RGB")
    noise.save(tmp_path / "noise.png")
    path = tmp_path / "rejects.jsonl"
    with RejectsFile.open(path, run="now", source="s", files_root=tmp_path) as rejects:
        for n in range(600):
            record = {"_id": f"{n}", "_file": "noise.png", "x": image}
            result = bulk.Result(
                n, "w" * 5000, f"{n}", Outcome.FAILED, "why" * 5000, None, (), record
            )
            rejects.write(result)
    origin = Origin(rejects=str(path), run="now", root=str(tmp_path))
    report = bulk.Report(operation="insert", read=600, counts={Outcome.FAILED: 600}, origin=origin)
    page = written(report, tmp_path)
    assert 0 < len(page.all("img")) <= MOST_IMAGES
    assert (tmp_path / "report.html").stat().st_size < 3_000_000


def test_no_path_of_a_record_leads_out_of_its_folder(tmp_path: Path) -> None:
    """`_file` stays below the root, and an address is never taken for a path."""
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.jpg").write_bytes(photo("red"))
    for record in ({"_file": "../secret.jpg"}, {"_url": str(tmp_path / "secret.jpg")}):
        result = bulk.Result(1, "line 1", "1", Outcome.REJECTED, "bad", record=record)
        for root in (str(tmp_path / "in"), None):
            report = bulk.Report(
                operation="insert",
                read=1,
                counts={Outcome.REJECTED: 1},
                samples={Outcome.REJECTED: (result,)},
                origin=Origin(root=root),
            )
            assert not written(report, tmp_path).all("img")


def like(folder: Path, stored: str, *, where: str, source: str) -> Page:
    """Return the page of a record that was left out because of a stored one."""
    near = (Match(stored, 0.1, {"_file": stored, "_url": "https://example.com/1.jpg"}),)
    result = bulk.Result(
        1, where, "mine", Outcome.NEAR_DUPLICATE, "", None, near, {"_id": "m", "_file": "mine.jpg"}
    )
    report = bulk.Report(
        operation="near_dups_insert",
        read=1,
        counts={Outcome.NEAR_DUPLICATE: 1},
        samples={Outcome.NEAR_DUPLICATE: (result,)},
        origin=Origin(source=source, root=str(folder / "shop")),
    )
    return written(report, folder)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Lay out a folder with an image, some that are nobody's business, and a catalog."""
    folder = tmp_path / "shop"
    for name in ("mine.jpg", "named.jpg", "private/secret.jpg", ".hidden/secret.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(photo("red"))
    lines = [{"_id": "named", "_file": "named.jpg"}, {"_id": "private/secret.jpg"}]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    (folder / "catalog.jsonl").write_text(text)
    return tmp_path


@pytest.mark.parametrize("source", ["catalog.jsonl", "catalog.csv", "shop", "records"])
def test_no_id_of_a_stored_record_is_a_path(shop: Path, source: str) -> None:
    """Anybody may have stored it: only what the catalog names for it is put onto a page."""
    for stored in ("private/secret.jpg", "private/secret", "mine", "../secret.jpg"):
        page = like(shop, stored, where="line 1", source=source)
        assert [image["alt"] for image in page.all("img")] == ["mine"]
        assert "https://example.com/1.jpg" in {str(link["href"]) for link in page.all("a")}
    page = like(shop, "named", where="line 1", source=source)
    is_named = source == "catalog.jsonl"
    assert [image["alt"] for image in page.all("img")] == ["mine"] + ["named"] * is_named


def test_a_folder_of_images_shows_those_that_are_stored(shop: Path) -> None:
    """Its ids are its files; what is hidden or elsewhere is none of them."""
    (shop / "other.jpg").write_bytes(photo("red"))
    for stored, seen in {"named.jpg": 1, ".hidden/secret.jpg": 0, "../other.jpg": 0}.items():
        page = like(shop, stored, where="mine.jpg", source="shop")
        assert [image["alt"] for image in page.all("img")] == ["mine"] + [stored] * seen


def test_samples_are_shown_where_no_rejects_file_is(tmp_path: Path) -> None:
    """It says what would have kept the others."""
    samples = tuple(bulk.Result(n, f"line {n}", f"{n}", Outcome.FAILED, "503") for n in range(10))
    report = bulk.Report(
        operation="update",
        read=30,
        counts={Outcome.FAILED: 30},
        samples={Outcome.FAILED: samples},
    )
    page = written(report, tmp_path)
    assert "10 are shown, 20 not: a rejects file" in page.text
    assert "no rejects file kept them" in page.text


@pytest.mark.parametrize("stop", bulk.Stop)
def test_an_early_end_says_what_to_do(tmp_path: Path, stop: bulk.Stop) -> None:
    """Every reason has a remedy, and the command to run again is there."""
    report = bulk.Report(
        operation="insert",
        read=5,
        counts=Counter({Outcome.NOT_ATTEMPTED: 5}),
        stop=stop,
        stop_reason="it broke",
    )
    page = written(report, tmp_path, command="ximilar-async insert all.jsonl -c c1")
    said = "" if stop in (bulk.Stop.ASKED, bulk.Stop.DEADLINE) else f"{stop.value}: "
    assert f"Ended early: {said}it broke. 5 records read and not sent; what" in page.text
    assert "un it again" in page.text
    assert "ximilar-async insert all.jsonl -c c1" in page.text


def test_a_run_without_trouble_leaves_nothing_to_do(tmp_path: Path) -> None:
    """Neither does a dry run that finds nothing."""
    good = bulk.Report(operation="insert", read=2, counts={Outcome.INSERTED: 2})
    assert "Nothing: every record is decided." in written(good, tmp_path).text
    counts = {Outcome.NOT_ATTEMPTED: 2}
    dry = evolve(good, counts=counts, dry_run=True)
    page = written(dry, tmp_path)
    assert "Dry run: 2 records read, nothing sent" in page.text
    assert "Nothing: every record is decided." in page.text


async def test_the_page_of_a_sync_shows_its_plan(tmp_path: Path) -> None:
    """What was to be done and what was, and what each stage did."""
    source = [{"_id": f"{n}", "_url": f"https://example.com/{n}.jpg", "price": n} for n in range(9)]
    async with Emulator() as emulator, Ximilar("any", transport=emulator.transport()) as client:
        collection, state = client.collection("c1"), tmp_path / "c1.state"
        first = await bulk.sync(collection, source, state=state, mode="mirror")
        changed = [source[0] | {"price": 99}, *source[1:8], {"_id": "no image"}]
        settings: Any = {"mode": "mirror", "allow_delete": True}
        second = await bulk.sync(collection, changed, state=state, **settings)
    assert first.planned == {"insert": 9}
    page = written(second, tmp_path)
    assert "to records done update 1 1 delete 1 1" in page.text
    for words in ("unchanged 7", "Stored records that the source does not have", "Rejected: 1"):
        assert words in page.text
    second.write(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text())["planned"] == second.planned


async def test_a_run_that_is_stopped_by_the_service_has_a_page(tmp_path: Path) -> None:
    """`BulkAborted` carries a report that can be written."""
    plan = Faults(faults.unauthorized(after=1))
    async with (
        Emulator(faults=plan) as emulator,
        Ximilar("any", transport=emulator.transport()) as client,
    ):
        records = [{"_id": f"{n}", "_url": "https://example.com/a.jpg"} for n in range(200)]
        with pytest.raises(BulkAborted) as caught:
            await bulk.insert(client.collection("c1"), records)
    page = written(caught.value.report, tmp_path)
    assert "Ended early: authorization refused" in page.text
    assert "Get a token" in page.text
