"""`insert`: whole catalogs, with every record accounted for."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

from functools import partial
from pathlib import Path
from typing import Annotated, Final

from attrs import evolve
from typer import Argument, Option

from ximilar_async import bulk
from ximilar_async._collection import Collection
from ximilar_async.bulk import Job, Options, Report, Stop
from ximilar_async.errors import BulkAborted
from ximilar_async.images import ImageOptions
from ximilar_async.sources import Source, open_path

from . import failures
from .connect import find_collection, open_client
from .options import ACTION, HOW, Access, Output, Place
from .progress import watched
from .screen import complain, put, put_json, say
from .signals import Signals, run
from .tables import report_view

EXAMPLES: Final = """
[bold]Examples[/bold]
  ximilar-async insert photos/ -c shoes-id -s fashion
  ximilar-async insert catalog.jsonl -c shoes-id --near-dups --report report.json
  ximilar-async insert catalog.jsonl -c shoes-id --journal run.journal --rejects rejects.jsonl
  ximilar-async insert photos/ -c c1 --dry-run
  ximilar-async insert photos/ -c c1 --emulator data/

A folder gives one record for each image in it: its _id is the path below the folder. A file of \
JSON lines gives one record a line; _file in it is a path below the file's own folder.

[bold]Exit codes[/bold]  0 every record is decided, 1 some were rejected or failed, 2 usage, \
3 token refused, 4 collection full or credits spent, 5 service unreachable, 130 and 143 \
interrupted.
"""


def insert(
    source: Annotated[
        Path,
        Argument(metavar="SOURCE", help="A folder of images, or a file of JSON lines (.jsonl)."),
    ],
    *,
    near_dups: Annotated[
        bool,
        Option(
            "--near-dups",
            metavar="",
            help="Leave out records whose image is nearly one that is stored. Requests under way "
            "at once do not see each other; with --concurrency 1 none is missed.",
            rich_help_panel=ACTION,
        ),
    ] = False,
    radius: Annotated[
        float | None,
        Option(
            metavar="DISTANCE",
            help="With --near-dups: largest distance of a near-duplicate; the service's default "
            "is 5.",
            rich_help_panel=ACTION,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        Option(
            "--dry-run",
            metavar="",
            help="Read and check everything, images included, and send nothing.",
            rich_help_panel=ACTION,
        ),
    ] = False,
    max_records: Annotated[
        int | None,
        Option(metavar="N", help="Read no more than so many records.", rich_help_panel=ACTION),
    ] = None,
    report: Annotated[
        Path | None,
        Option(metavar="FILE.json", help="Write the report to a file.", rich_help_panel=ACTION),
    ] = None,
    journal: Annotated[
        Path | None,
        Option(
            metavar="FILE",
            help="Write down what is sent and decided: the same command goes on where it stopped.",
            rich_help_panel=ACTION,
        ),
    ] = None,
    rejects: Annotated[
        Path | None,
        Option(
            metavar="FILE.jsonl",
            help="Append rejected and failed records, as they were read, for bulk.replay.",
            rich_help_panel=ACTION,
        ),
    ] = None,
    batch_size: Annotated[
        int, Option(metavar="N", min=1, max=10, help="Records in a request.", rich_help_panel=HOW)
    ] = 10,
    max_side: Annotated[
        int,
        Option(
            metavar="PIXELS",
            help="Larger images are shrunk to this side; 0 sends them as they are.",
            rich_help_panel=HOW,
        ),
    ] = 512,
    give_up_after: Annotated[
        float,
        Option(
            metavar="SECONDS",
            help="End when the service has not answered for so long; until then it is tried again.",
            rich_help_panel=HOW,
        ),
    ] = 900.0,
    files_root: Annotated[
        Path | None,
        Option(
            metavar="FOLDER",
            help="Folder that _file of a record is relative to and must not leave; else that of "
            "SOURCE.",
            rich_help_panel=HOW,
        ),
    ] = None,
    place: Place,
    access: Access,
    output: Output,
) -> int:
    """Insert a folder of images or a file of records, and account for every record."""
    if radius is not None and not near_dups:
        raise failures.UsageError("--radius goes with --near-dups: it is what counts as near")
    check_report_path(report)
    options = Options(
        batch_size=batch_size,
        images=ImageOptions(max_side=max_side or None),
        files_root=files_root,
        retry=evolve(Options().retry, deadline=give_up_after),
        journal=journal,
        rejects=rejects,
        dry_run=dry_run,
        max_records=max_records,
    )
    start = partial(bulk.near_dups_insert, radius=radius) if near_dups else bulk.insert
    records = open_path(source)

    async def work(signals: Signals) -> int:
        async with open_client(access, needs_token=not dry_run) as client:
            collection = find_collection(client, place)
            if not dry_run:
                await collection.ping()  # before anything is read: is it there, is the token right?
            _tell_plan(records, collection, output)
            job = start(collection, records, options=options)
            done = await follow(job, f"insert {records.name}", output, signals, max_records)
        code = conclude(done, output, signals)
        if report is not None:
            done.write(report)
        return code

    return run(work)


def check_report_path(path: Path | None) -> None:
    """See before a long run whether its report can be written.

    Raises:
        UsageError: the file's ending is not .json, or its folder is not there.
    """
    if path is None:
        return
    if path.suffix.lower() != ".json":
        raise failures.UsageError(f"--report takes a file that ends in .json, not {path.name!r}")
    if not path.parent.is_dir():
        raise failures.UsageError(f"--report: there is no folder {str(path.parent)!r}")


async def follow(
    job: Job, title: str, output: Output, signals: Signals, max_records: int | None = None
) -> Report:
    """Run a bulk job to its end, show how it goes, and return its report however it ends."""

    def stop(reason: str) -> None:
        say(f"{reason}: finishing what is under way; once more ends at once", output)
        job.stop(reason)

    async with watched(job, title, output, max_records=max_records):
        with signals.stopping(stop):
            try:
                return await job
            except BulkAborted as aborted:
                report: Report = aborted.report
                return report


def conclude(report: Report, output: Output, signals: Signals) -> int:
    """Print a report and return the exit code that goes with it."""
    if output.json:
        put_json(report.to_dict())
    else:
        put(report_view(report))
    if report.stop is Stop.ASKED:
        complain("stopped", report.stop_reason)
    elif report.stop is not None:
        complain("error", failures.message(BulkAborted(report.summary(), report)))
    return signals.exit_code or int(report.exit_code)


def _tell_plan(source: Source, collection: Collection, output: Output) -> None:
    if output.verbose:
        say(
            f"{source.name} to collection {collection.id} of {collection.service}, "
            f"up to {collection.slots} requests at once",
            output,
        )
