"""`replay`: what an earlier run turned away, once more."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

from pathlib import Path
from typing import Annotated, Final, Literal

from typer import Argument, Option

from ximilar_async import bulk
from ximilar_async._collection import Collection
from ximilar_async.sources import open_source

from .ids import local_path, open_ids
from .options import ACTION, Access, Output, Place
from .run_options import EXIT_CODES, Insertion, Run
from .runs import Plan, carry_out, check_files

EXAMPLES: Final = (
    """
[bold]Examples[/bold]
  ximilar-async insert catalog.jsonl -c shoes-id --rejects rejects.jsonl
  ximilar-async replay rejects.jsonl -c shoes-id --rejects still-rejected.jsonl
  ximilar-async replay rejects.jsonl -c shoes-id --everything --origin catalog.jsonl
  ximilar-async replay rejects.jsonl -c c1 --operation delete --emulator data/

Records that failed, or found no room, are sent once more, as they were read; --everything sends \
those too that were rejected for what they are, such as a missing image that is there now. Records \
that are too large for a rejects file are read from where they came from: --origin.
"""
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
            help="What the earlier run read, for records that are too large for the rejects file.",
            rich_help_panel=ACTION,
        ),
    ] = None,
    insertion: Insertion,
    run: Run,
    place: Place,
    access: Access,
    output: Output,
) -> int:
    """Send the records of a rejects file once more, and account for every record."""
    near_dups = operation == "near_dups_insert"
    insertion.check("--operation near_dups_insert", near_dups=near_dups)
    check_files(
        run, {"REJECTS": source, "--origin": None if origin is None else local_path(origin)}
    )
    came_from = None
    if origin is not None:
        came_from = open_ids(origin) if operation == "delete" else open_source(origin)

    def start(collection: Collection) -> bulk.Job:
        return bulk.replay(
            collection,
            source,
            operation=operation,
            radius=insertion.radius,
            everything=everything,
            origin=came_from,
            options=insertion.applied(run.options),
        )

    return carry_out(Plan(f"replay {source.name}", start, run, place, access, output))
