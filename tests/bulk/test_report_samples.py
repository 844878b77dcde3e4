"""What a report keeps of single records and shows on its page: bounded, with both images."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from bulk.test_report_page import photo, written
from PIL import Image

from ximilar_async import Limits, Match, Ximilar, bulk
from ximilar_async.bulk import Outcome
from ximilar_async.bulk._origin import Origin
from ximilar_async.bulk._report_samples import FEW, MOST, OTHER_REASONS, Samples, kind_of
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from pathlib import Path


def like(*distances: float) -> tuple[Match, ...]:
    """Return stored records, with more than their ids."""
    return tuple(
        Match(f"stored-{far:g}", far, {"_id": f"stored-{far:g}", "price": 5, "text": "x" * 999})
        for far in distances
    )


def near_duplicate(n: int, **record: Any) -> bulk.Result:
    words = f"line {n}: like '{n}.jpg'"
    return bulk.Result(
        n,
        f"line {n}",
        f"{n}",
        Outcome.NEAR_DUPLICATE,
        words,
        211,
        like(*range(30, 0, -1)),
        {"_id": f"{n}", "name": "Boot " * 1000, **record},
    )


def test_a_run_keeps_so_many_results_and_counts_all_reasons() -> None:
    """500 of an outcome, ten for those with little room, none of a wanted one; all are counted."""
    samples = Samples()
    for n in range(3 * MOST):
        samples.add(near_duplicate(n))
        samples.add(bulk.Result(n, "", f"{n}", Outcome.INSERTED))
    assert set(samples.kept) == {Outcome.NEAR_DUPLICATE}
    kept = samples.kept[Outcome.NEAR_DUPLICATE]
    assert [result.seq for result in kept] == list(range(MOST))
    assert samples.few == {Outcome.NEAR_DUPLICATE: kept[:FEW]}
    assert samples.reasons == {Outcome.NEAR_DUPLICATE: {"211: like '…'": 3 * MOST}}


def test_what_is_kept_of_a_result_is_small() -> None:
    """Of the record its image, of the stored ones the nearest ten and their ids, few long words."""
    samples = Samples()
    image = "A" * 60_000
    for n in range(MOST):
        samples.add(near_duplicate(n, _base64=image))
    kept = samples.kept[Outcome.NEAR_DUPLICATE]
    images = [result.record.get("_base64", "") for result in kept]
    assert images[0] == image
    assert sum(map(len, images)) <= 2 * 2**20
    assert all(result.record.keys() <= {"_id", "_base64"} for result in kept)
    for result in kept:
        assert [match.distance for match in result.near_duplicates] == list(range(1, 11))
        assert all(match.record.keys() == {"_id"} for match in result.near_duplicates)
    samples.add(bulk.Result(1, "w" * 9999, "i" * 9999, Outcome.FAILED, "r" * 9999))
    (failed,) = samples.kept[Outcome.FAILED]
    assert len(failed.where) == len(failed.id or "") == len(failed.reason) == 2000


def test_reasons_without_end_are_counted_together() -> None:
    """However many there are, fifty are told apart, and the sum is right."""
    samples = Samples()
    for n in range(200):
        samples.add(bulk.Result(n, "", None, Outcome.FAILED, f"reason {chr(0x4E00 + n)}"))
    counts = samples.reasons[Outcome.FAILED]
    assert len(counts) == 51
    assert counts[OTHER_REASONS] == 150
    assert sum(counts.values()) == 200


def page_of_near_duplicates(count: int, folder: Path) -> Any:
    samples = Samples()
    for n in range(count):
        samples.add(near_duplicate(n))
    report = bulk.Report(
        operation="near_dups_insert",
        read=count,
        counts=Counter({Outcome.NEAR_DUPLICATE: count}),
        samples=samples.few,
        kept=samples.kept,
        reasons=samples.reasons,
        origin=Origin(source="catalog.csv"),
    )
    report.write(folder / "report.json")
    return written(report, folder)


def test_near_duplicates_are_shown_as_completely_as_what_is_rejected(tmp_path: Path) -> None:
    """500 of them, each beside the nearest stored one, and how many are not shown."""
    page = page_of_near_duplicates(1203, tmp_path)
    assert "Near duplicate: 1,203" in page.text
    assert "500 are shown, 703 not:" in page.text
    # Both images' cells, record, place, what it is like, distance.
    assert len(page.all("td")) == 6 * MOST
    assert page.text.count("stored-1, also stored-2, stored-3") == MOST
    assert "1.00" in page.text
    facts = json.loads((tmp_path / "report.json").read_text())
    records = facts["records"]["near_duplicate"]
    assert len(records) == MOST
    assert records[0]["near_duplicates"][0] == {"id": "stored-1", "distance": 1}
    assert len(facts["samples"]["near_duplicate"]) == FEW


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
async def test_both_images_of_a_near_duplicate_are_shown(tmp_path: Path, ending: str) -> None:
    """Also where the stored one's file is not called like it, if a file of JSON lines names it."""
    for n in range(30):
        data = photo(f"hsl({n * 12}, 90%, 50%)")
        (tmp_path / f"first-{n}.jpg").write_bytes(data)
        (tmp_path / f"second-{n}.jpg").write_bytes(data)
    records = [
        {"_id": f"{which[0]}{n}", "_file": f"{which}-{n}.jpg"}
        for which in ("first", "second")
        for n in range(30)
    ]
    source = tmp_path / f"catalog.{ending}"
    if ending == "jsonl":
        source.write_text("".join(f"{json.dumps(record)}\n" for record in records))
    else:
        lines = ["_id,_file", *(f"{record['_id']},{record['_file']}" for record in records)]
        source.write_text("\n".join(lines) + "\n")
    options = bulk.Options(batch_size=1, near_dup_order="strict")
    async with Emulator() as emulator:
        client = Ximilar("any", transport=emulator.transport(), limits=Limits(concurrency=1))
        async with client:
            report = await bulk.near_dups_insert(
                client.collection("c1"), source, radius=0.001, options=options
            )
    assert report.near_duplicate >= 30
    page = written(report, tmp_path)
    shown = Counter(str(image["alt"]) for image in page.all("img"))
    assert sum(shown[f"s{n}"] for n in range(30)) == 30
    stored = sum(shown[f"f{n}"] for n in range(30))
    assert stored >= 30 if ending == "jsonl" else stored == 0


def test_the_images_of_a_page_are_shared_among_its_tables(tmp_path: Path) -> None:
    """Very many near-duplicates leave room for the images of what failed."""
    for n in range(20):
        (tmp_path / f"{n}.jpg").write_bytes(photo("teal"))
    samples = Samples()
    for n in range(400):
        samples.add(near_duplicate(n, _file=f"{n % 20}.jpg"))
        samples.add(
            bulk.Result(n, "", f"f{n}", Outcome.FAILED, "503", record={"_file": f"{n % 20}.jpg"})
        )
    report = bulk.Report(
        operation="near_dups_insert",
        read=800,
        counts={Outcome.NEAR_DUPLICATE: 400, Outcome.FAILED: 400},
        kept=samples.kept,
        reasons=samples.reasons,
        origin=Origin(root=str(tmp_path)),
    )
    names = Counter(str(image["alt"])[0] == "f" for image in written(report, tmp_path).all("img"))
    assert names[True] >= 100
    assert names[False] >= 100


def test_a_page_is_bounded_whatever_its_records_say(tmp_path: Path) -> None:
    """500 records of each outcome, each with words that grow in HTML, stay below 3 MB."""
    samples = Samples()
    for outcome in Outcome:
        for n in range(MOST):
            words = f"{n}" + '"<&>"' * 100
            samples.add(bulk.Result(n, words, words, outcome, f"{words}!", 400, like(1.0)))
    report = bulk.Report(
        operation="insert",
        read=10 * MOST,
        counts=dict.fromkeys(Outcome, MOST),
        kept=samples.kept,
        reasons=samples.reasons,
    )
    page = written(report, tmp_path)
    assert (tmp_path / "report.html").stat().st_size < 3_000_000
    for name in ("Rejected", "Failed", "Not attempted", "Near duplicate", "Not found"):
        assert f"{name}: 500" in page.text


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("`_file` 'a.jpg': no such file", "`_file` '…': no such file"),
        ("503 busy", "503 busy"),
        ("answered 503 twice", "answered 503 twice"),
        ("is truncated (114 bytes not processed)", "is truncated (… bytes not processed)"),
    ],
)
def test_reasons_that_differ_in_one_record_are_one(reason: str, kind: str) -> None:
    """What is one record's own does not make another reason; a code does."""
    assert kind_of(reason) == kind


def test_transparent_images_do_not_make_a_page_large(tmp_path: Path) -> None:
    """They compress badly; a page stays below 3 MB, and most of them are shown."""
    noise = Image.effect_noise((600, 600), 90).convert("RGBA")
    noise.putalpha(Image.effect_noise((600, 600), 60))
    noise.save(tmp_path / "cut.png")
    samples = Samples()
    for n in range(150):
        record = {"_file": "cut.png"}
        samples.add(bulk.Result(n, "", f"{n}", Outcome.FAILED, "503", record=record))
    report = bulk.Report(
        operation="insert",
        read=150,
        counts={Outcome.FAILED: 150},
        kept=samples.kept,
        origin=Origin(root=str(tmp_path)),
    )
    page = written(report, tmp_path)
    assert (tmp_path / "report.html").stat().st_size < 3_000_000
    assert len(page.all("img")) > 50
