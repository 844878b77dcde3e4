"""`replay`: what an earlier run turned away, once more."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

from pathlib import Path
from typing import Annotated, Final, Literal

from typer import Argument, Option

from ximilar_async import bulk
from ximilar_async._collection import Collection
from ximilar_async.bulk import ExitCode
from ximilar_async.pages import counted
from ximilar_async.sources import Source, open_source
from ximilar_async.sources._open import Format

from .again import Again
from .failures import UsageError
from .ids import local_path, open_ids
from .mapping_options import NOTES, Mapped
from .options import ACTION, Access, Output, Place
from .reading import Delimiter, Encoding, FormatOption
from .run_files import run_files
from .run_options import EXIT_CODES, Insertion, Run
from .runs import Plan, carry_out
from .screen import complain

EXAMPLES: Final = (
    """
[bold]Examples[/bold]
  ximilar-async insert catalog.jsonl -c shoes-id --rejects rejects.jsonl
  ximilar-async replay rejects.jsonl -c shoes-id --rejects still-rejected.jsonl
  ximilar-async replay rejects.jsonl -c shoes-id --everything --origin catalog.jsonl
  ximilar-async replay rejects.jsonl -c shoes-id --everything --map id=sku --map price:float \
--decimal ,
  ximilar-async replay rejects.jsonl -c shoes-id --origin catalog.csv --map id=sku --map image=photo
  ximilar-async replay rejects.jsonl -c c1 --operation delete --emulator data/

Records that failed, or found no room, are sent once more, as they were read; --everything sends \
those too that were rejected for what they are, such as a missing image that is there now. Rows \
that a mapping did not take are sent with one that does: --map, --config. Records that are too \
large for a rejects file, and lines that were mended, are read from where they came from: \
--origin, with --map, --config and other options about its columns as in the earlier run. Where \
all were left out, the exit code is 1.
"""
    + NOTES
    + EXIT_CODES
)


def replay(
    source: Annotated[
        Path,
        Argument(metavar="REJECTS", help="The file that --rejects of an earlier run named."),
    ],
    *,
    operation: Annotated[
        Literal["insert", "near_dups_insert", "update", "delete"],
        Option(
            metavar="NAME",
            help="What to do with the records, as the earlier run did: insert, near_dups_insert, "
            "update or delete.",
            rich_help_panel=ACTION,
        ),
    ] = "insert",
    everything: Annotated[
        bool,
        Option(
            "--everything",
            metavar="",
            help="Send records too that were rejected for what they are.",
            rich_help_panel=ACTION,
        ),
    ] = False,
    origin: Annotated[
        str | None,
        Option(
            metavar="SOURCE",
            help="What the earlier run read, for records that are too large for the rejects file, "
            "and for what was mended there.",
            rich_help_panel=ACTION,
        ),
    ] = None,
    format: FormatOption = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    mapped: Mapped,
    insertion: Insertion,
    run: Run,
    place: Place,
    access: Access,
    output: Output,
) -> int:
    """Send the records of a rejects file once more, and account for every record."""
    near_dups = operation == "near_dups_insert"
    insertion.check("--operation near_dups_insert", near_dups=near_dups)
    inputs = {"--origin": None if origin is None else local_path(origin), "--config": mapped.config}
    with run_files(run, {"REJECTS": source, **inputs}, operation):
        came_from = _came_from(
            origin, operation, mapped, format=format, encoding=encoding, delimiter=delimiter
        )
        jobs: list[bulk.Job] = []

        def start(collection: Collection) -> bulk.Job:
            job = bulk.replay(
                collection,
                source,
                operation=operation,
                radius=insertion.radius,
                everything=everything,
                origin=came_from,
                mapping=mapped.mapping_for(operation) if came_from is None else None,
                options=insertion.applied(run.options),
            )
            jobs.append(job)
            return job

        title = f"replay {source.name}"
        again = Again(options=insertion.words, origin=None)
        code = carry_out(Plan(title, start, run, place, access, output, again))
        return code or _nothing_sent(jobs)


def _nothing_sent(jobs: list[bulk.Job]) -> int:
    """Return the exit code of a replay that did well; complain if it had nothing to send."""
    for report in (job.stats for job in jobs):
        if report.left_out and not report.read:
            complain(
                "error",
                f"nothing was sent: {counted(report.left_out, 'record')} left out, for they were "
                "rejected for what they are. Mend that, and say --everything",
            )
            return ExitCode.TROUBLE
    return ExitCode.DECIDED


def _came_from(
    origin: str | None,
    operation: str,
    mapped: Mapped,
    *,
    format: Format | None,
    encoding: str | None,
    delimiter: str | None,
) -> Source | None:
    """Return what the earlier run read, as it read it.

    Raises:
        UsageError: options say how to read it, and it is not named.
    """
    if origin is None:
        if (format, encoding, delimiter) != (None, None, None):
            raise UsageError("options about how to read a source go with --origin: name it")
        return None
    open_ = open_ids if operation == "delete" else open_source
    records = open_(origin, format=format, encoding=encoding, delimiter=delimiter)
    take = {"update": mapped.of_changes, "delete": mapped.of_ids}.get(operation, mapped.of_records)
    return take(records)
