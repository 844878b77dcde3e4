"""What a page says is to be done: the next command, and nothing that helps nobody."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bulk.test_report_page import written

from ximilar_async import Limits, Retry, Ximilar, bulk
from ximilar_async.bulk import Outcome
from ximilar_async.bulk._origin import Origin
from ximilar_async.bulk._report_file import write_whole
from ximilar_async.bulk._report_samples import OTHER_REASONS
from ximilar_async.emulator import Emulator, Faults, faults
from ximilar_async.errors import BulkAborted

if TYPE_CHECKING:
    from pages.reading import Page

COMMAND = "ximilar-async insert all.jsonl -c c1"
RECORDS = [{"_id": f"{n}", "_url": "https://example.com/a.jpg"} for n in range(300)]


def report_of(counts: dict[Outcome, int], **facts: Any) -> bulk.Report:
    facts = {"operation": "insert", **facts}
    return bulk.Report(read=sum(counts.values()), counts=Counter(counts), **facts)


async def stopped(folder: Path, *, hard: bool, **settings: Any) -> bulk.Report:
    """Return the report of a run that was stopped, or aborted, in the middle."""
    options = bulk.Options(batch_size=1, **settings)
    async with (
        Emulator(faults=Faults(faults.slow(0.02))) as emulator,
        Ximilar("any", transport=emulator.transport(), limits=Limits(concurrency=2)) as client,
    ):
        job = bulk.insert(client.collection("c1"), RECORDS, options=options)
        count = 0
        async for _ in job.results():
            count += 1
            if count == 20:
                (job.abort if hard else job.stop)("interrupted by SIGINT")
        return await job


@pytest.mark.parametrize("journal", [True, False])
async def test_a_stopped_run_says_what_is_left_and_how_to_go_on(
    tmp_path: Path, *, journal: bool
) -> None:
    """How many were read and not sent, that there may be more, and the command, by its journal."""
    files = {"journal": tmp_path / "run.journal"} if journal else {}
    report = await stopped(tmp_path, hard=False, **files)
    assert report.not_attempted
    page = written(report, tmp_path, command=COMMAND)
    left = f"{report.not_attempted} record" + "s" * (report.not_attempted > 1)
    assert f"Ended early: interrupted by SIGINT. {left} read and not sent; what" in page.text
    assert f"after its first {report.read} records was not looked at" in page.text
    assert f"Not attempted: {report.not_attempted}" in page.text
    assert f"Run it again for the rest. {'With its journal' if journal else 'It begins anew'}" in (
        page.text
    )
    assert page.text.count(COMMAND) == 2
    assert "bulk.insert(collection, source" in written(report, tmp_path).text


async def test_an_aborted_run_says_what_nobody_knows(tmp_path: Path) -> None:
    """What was sent and not answered is taken up by the same run, and is in no rejects file."""
    report = await stopped(
        tmp_path, hard=True, journal=tmp_path / "run.journal", rejects=tmp_path / "r.jsonl"
    )
    assert report.failed
    page = written(report, tmp_path, command=COMMAND)
    assert f"{report.failed} sent and not answered" in page.text
    assert "after the same run, which takes up what was not answered" in page.text


async def test_an_outage_says_to_go_on_when_it_is_over(tmp_path: Path) -> None:
    """What is left, why, and the command, with the reason in the headline."""
    plan = Faults(faults.outage(first=6))
    options = bulk.Options(retry=Retry(attempts=2, base=0.01, cap=0.02, deadline=0.1))
    async with (
        Emulator(faults=plan) as emulator,
        Ximilar("any", transport=emulator.transport()) as client,
    ):
        with pytest.raises(BulkAborted) as caught:
            await bulk.insert(client.collection("c1"), RECORDS, options=options)
    report = caught.value.report
    page = written(report, tmp_path, command=COMMAND)
    assert "Ended early: service unreachable: " in page.text
    assert "Run it again when the service answers." in page.text
    assert page.text.count(COMMAND) >= 2


def test_what_was_never_sent_is_no_speed() -> None:
    """A run that ends early was as fast as it was before."""
    report = report_of({Outcome.INSERTED: 100, Outcome.NOT_ATTEMPTED: 900}, elapsed=2.0)
    assert report.records_per_second == 50


def advice(page: Page) -> str:
    """Return what stands below "What to do"."""
    _, _, rest = page.text.partition("What to do")
    return rest.partition("Outcomes")[0]


def test_a_full_collection_is_told_from_bad_records(tmp_path: Path) -> None:
    """What found no room is sent again; nothing is said of failures where none failed."""
    counts = {Outcome.INSERTED: 3, Outcome.REJECTED: 7}
    report = report_of(
        counts,
        stop=bulk.Stop.CAPACITY,
        stop_reason="412 hard capacity exceeded",
        origin=Origin(rejects="r.jsonl"),
    )
    words = advice(written(report, tmp_path))
    assert "When there is room, send again what found none." in words
    assert "bulk.replay(collection, 'r.jsonl')" in words
    assert "Mend in the source what was rejected for another reason" in words
    assert "0 records" not in words


def test_what_fails_in_a_replay_is_still_where_it_was(tmp_path: Path) -> None:
    """Nobody has to bring in a whole source again."""
    report = report_of({Outcome.FAILED: 1}, origin=Origin(source="rej.jsonl"))
    words = advice(written(report, tmp_path, command="ximilar-async replay rej.jsonl -c c1"))
    assert "1 record failed once more, and are still in rej.jsonl" in words
    assert "whole source" not in words


@pytest.mark.parametrize(("size", "named"), [(10, False), (70_000, True)])
async def test_a_record_that_the_rejects_file_lacks_needs_its_source(
    tmp_path: Path, size: int, *, named: bool
) -> None:
    """The call that sends again what failed names the source where it has to."""
    records = [{**RECORDS[0], "text": "x" * size}]
    options = bulk.Options(
        rejects=tmp_path / "r.jsonl", retry=Retry(attempts=1, base=0.01, cap=0.02)
    )
    async with (
        Emulator(faults=Faults(faults.poison({"0"}, status=500))) as emulator,
        Ximilar("any", transport=emulator.transport()) as client,
    ):
        report = await bulk.insert(client.collection("c1"), records, options=options)
    words = advice(written(report, tmp_path))
    assert ("origin=source" in words) == named
    assert ("too large for the file" in words) == named


@pytest.mark.parametrize(("operation", "told"), [("update", True), ("delete", False)])
def test_what_is_not_found_is_told_where_it_should_be_there(
    tmp_path: Path, operation: str, *, told: bool
) -> None:
    """What is to be deleted need not be there; what is to be updated must."""
    report = report_of({Outcome.NOT_FOUND: 100}, operation=operation)
    page = written(report, tmp_path)
    assert ("Read to the end; 100 not found" in page.text) == told
    assert ("100 records not found" in advice(page)) == told


def test_most_often_comes_first(tmp_path: Path) -> None:
    """Someone in a hurry reads the commonest reason beside what to do."""
    reasons = {Outcome.REJECTED: {"has no image": 40_000, "is no object": 2}}
    kept = {Outcome.REJECTED: (bulk.Result(1, "line 1", "1", Outcome.REJECTED, "has no image"),)}
    report = report_of({Outcome.REJECTED: 40_002}, reasons=reasons, kept=kept)
    page = written(report, tmp_path)
    assert "Most often, 40,000 times: has no image." in advice(page)


def test_no_reason_is_called_the_most_frequent_where_nobody_knows(tmp_path: Path) -> None:
    """Beyond so many reasons the others are counted together: one of them may be commoner."""
    reasons = {Outcome.REJECTED: {"has no image": 5, OTHER_REASONS: 900}}
    kept = {Outcome.REJECTED: (bulk.Result(1, "line 1", "1", Outcome.REJECTED, "has no image"),)}
    page = written(report_of({Outcome.REJECTED: 905}, reasons=reasons, kept=kept), tmp_path)
    assert "Most often" not in advice(page)


def test_a_command_that_only_a_shell_understands_costs_no_page(tmp_path: Path) -> None:
    """What is quoted for a shell need not be words to anybody else."""
    command = r"ximilar-async insert $'it\'s\t.jsonl' -c c1"
    page = written(report_of({Outcome.FAILED: 1}), tmp_path, command=command)
    assert "1 record failed" in advice(page)


def test_what_a_sync_notes_is_no_small_print(tmp_path: Path) -> None:
    """Nobody else asks whether a field was to go from all records."""
    report = bulk.SyncReport(mode="mirror", read=2, updated=2, notes=("2 records lose `price`",))
    page = written(report, tmp_path)
    assert "look at what is noted below" in page.text
    assert "See whether this was meant: 2 records lose `price`." in page.text


async def test_figures_lead_to_the_records(tmp_path: Path) -> None:
    """Each that has a table leads to it by its place in the page, and no place is there twice."""
    options = bulk.Options(batch_size=1)
    async with Emulator() as emulator, Ximilar("any", transport=emulator.transport()) as client:
        records = [RECORDS[0], {"_id": "no image"}, RECORDS[0]]
        report = await bulk.insert(client.collection("c1"), records, options=options)
    page = written(report, tmp_path)
    places = [section["id"] for section in page.all("section")]
    assert len(set(places)) == len(places)
    leads = [str(link["href"]) for link in page.all("a")]
    assert leads[:2] == ["#already-present-1", "#rejected-1"]
    assert {lead[1:] for lead in leads[:2]} <= set(places)
    assert leads[2:] == [RECORDS[0]["_url"]]  # an image that the page does not load


def test_a_report_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    """The whole of it or nothing, beside nothing else; a link keeps leading to its file."""
    path, link = tmp_path / "report.json", tmp_path / "link.json"
    good = report_of({Outcome.INSERTED: 1})
    good.write(path)
    path.chmod(0o640)
    link.symlink_to(path)
    before = path.read_bytes()
    bad = report_of({Outcome.INSERTED: 1}, anomalies={"odd": object()})
    with pytest.raises(TypeError):
        bad.write(path)
    with pytest.raises(OSError, match="too long"):
        good.write(tmp_path / f"{'x' * 300}.json")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "half of it \ud800")
    assert path.read_bytes() == before
    report_of({Outcome.INSERTED: 7}).write(link)
    assert json.loads(path.read_text())["read"] == 7
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link.json", "report.json"]


async def test_a_stopped_sync_says_what_is_left(tmp_path: Path) -> None:
    """How many were not sent, and that the next one goes on."""
    async with (
        Emulator(faults=Faults(faults.slow(0.02))) as emulator,
        Ximilar("any", transport=emulator.transport(), limits=Limits(concurrency=2)) as client,
    ):
        options = bulk.Options(batch_size=1)
        job = bulk.sync(
            client.collection("c1"), RECORDS, state=tmp_path / "s", mode="mirror", options=options
        )
        count = 0
        async for _ in job.results():
            count += 1
            if count == 20:
                job.stop("interrupted by SIGINT")
        report = await job
    assert report.not_attempted > 100
    page = written(report, tmp_path, command="ximilar-async sync all.jsonl -c c1")
    words = f"Ended early: interrupted by SIGINT. {report.not_attempted} records not sent"
    assert words in page.text
    assert "Run it again for the rest. The next sync goes on from there." in page.text
    assert page.text.count("ximilar-async sync all.jsonl -c c1") == 2


async def test_a_sync_shows_its_records_by_what_became_of_them(tmp_path: Path) -> None:
    """Whatever stage told of them, in one table each, as the report counts them; JSON has them."""
    rejects = tmp_path / "r.jsonl"
    retry = Retry(attempts=2, base=0.01, cap=0.02)
    options = bulk.Options(rejects=rejects, retry=retry, batch_size=1)
    settings: Any = {"state": tmp_path / "s", "mode": "mirror", "options": options}
    plan = Faults(faults.poison({"5"}, status=500, methods="update"))
    async with (
        Emulator(faults=plan) as emulator,
        Ximilar("any", transport=emulator.transport()) as client,
    ):
        collection = client.collection("c1")
        await bulk.sync(collection, RECORDS[:50], **settings)
        changed = [record | {"price": 5} for record in RECORDS[:49]]
        changed += [{"_id": "no image"}, changed[0]]
        report = await bulk.sync(collection, changed, allow_delete=True, **settings)
    assert (report.rejected, report.failed, report.already_present) == (1, 1, 1)
    page = written(report, tmp_path)
    assert "Rejected: 1" in page.text
    assert "Failed: 1" in page.text
    report.write(tmp_path / "r.json")
    records = json.loads((tmp_path / "r.json").read_text())["records"]
    assert {name: [one["id"] for one in some] for name, some in records.items()} == {
        "rejected": ["no image"],
        "failed": ["5"],
    }


def test_settings_are_called_as_they_were_set(tmp_path: Path) -> None:
    """A page of a command line names its options, one of a program the arguments."""
    report = bulk.SyncReport(mode="mirror", read=2, withheld="allow them (allow_delete)")
    assert "(allow_delete)" in written(report, tmp_path).text
    page = written(report, tmp_path, command="ximilar-async sync a.csv")
    assert "(--allow-delete)" in page.text
    assert "allow_delete" not in page.text


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="as on Unix")
def test_a_page_to_stdout_goes_where_stdout_leads(tmp_path: Path) -> None:
    """A file that a shell has opened is not exchanged for another under its descriptor."""
    code = (
        "from pathlib import Path; from ximilar_async.bulk._report_file import write_whole; "
        "write_whole(Path('/dev/stdout'), 'page')"
    )
    with (tmp_path / "out").open("wb+") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
        assert out.read() == b"page"
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
