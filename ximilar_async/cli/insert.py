"""`insert`: whole catalogs, with every record accounted for."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

from functools import partial
from typing import Annotated, Final

from typer import Argument, Option

from ximilar_async import bulk
from ximilar_async.sources import open_source

from .again import Again, origin_words
from .ids import local_path
from .mapping_options import NOTES, Mapped
from .options import ACTION, Access, Output, Place
from .reading import Delimiter, Encoding, FormatOption
from .run_files import run_files
from .run_options import EXIT_CODES, Insertion, Run
from .runs import Plan, carry_out

EXAMPLES: Final = (
    """
[bold]Examples[/bold]
  ximilar-async insert photos/ -c shoes-id -s fashion
  ximilar-async insert catalog.jsonl -c shoes-id --near-dups --report report.json
  ximilar-async insert catalog.jsonl -c shoes-id --journal run.journal --rejects rejects.jsonl
  ximilar-async insert s3://shop/catalog.csv.gz -c shoes-id --map id=sku --map image=photo_url
  ximilar-async insert photos/ -c c1 --dry-run
  ximilar-async insert photos/ -c c1 --emulator data/

A folder gives one record for each image in it: its _id is the path below the folder. A file \
gives one record a line, element or row; _file in it is a path below the file's own folder. The \
ending tells the format; CSV tells its delimiter, and its encoding if it is UTF-8 or begins with a \
byte order mark. Addresses (s3://, gs://, https://), .parquet, .arrow and .zst need \
pip install 'ximilar-async\\[sources]'.
"""
    + NOTES
    + EXIT_CODES
)


def insert(
    source: Annotated[
        str,
        Argument(
            metavar="SOURCE",
            help="A folder of images, or a file of records: JSON lines (.jsonl), a JSON array "
            "(.json), .csv, .tsv, .parquet or .arrow, also with .gz or .zst; a path or an address.",
        ),
    ],
    *,
    near_dups: Annotated[
        bool,
        Option(
            "--near-dups",
            metavar="",
            help="Leave out records whose image is nearly one that is stored. Requests under way "
            "at once do not see each other's: see --near-dup-order.",
            rich_help_panel=ACTION,
        ),
    ] = False,
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
    """Insert a folder of images or a file of records, and account for every record."""
    insertion.check("--near-dups", near_dups=near_dups)
    with run_files(run, {"SOURCE": local_path(source), "--config": mapped.config}, "insert"):
        records = mapped.of_records(
            open_source(source, format=format, encoding=encoding, delimiter=delimiter)
        )
        start = (
            partial(bulk.near_dups_insert, radius=insertion.radius) if near_dups else bulk.insert
        )
        options = insertion.applied(run.options)
        origin = origin_words(source, mapped, format=format, encoding=encoding, delimiter=delimiter)
        return carry_out(
            Plan(
                f"insert {records.name}",
                lambda collection: start(collection, records, options=options),
                run,
                place,
                access,
                output,
                Again(options=insertion.words, origin=origin),
            )
        )
