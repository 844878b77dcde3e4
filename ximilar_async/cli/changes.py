"""`update` and `delete`: records that are stored already."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

from typing import Annotated, Final

from typer import Argument

from ximilar_async import bulk
from ximilar_async.sources import open_source

from .again import Again, origin_words
from .failures import UsageError
from .ids import local_path, open_ids
from .mapping_options import NOTES, Mapped
from .options import Access, Output, Place
from .reading import Delimiter, Encoding, FormatOption
from .run_files import run_files
from .run_options import EXIT_CODES, Run
from .runs import Plan, carry_out

UPDATE_EXAMPLES: Final = (
    """
[bold]Examples[/bold]
  ximilar-async update prices.jsonl -c shoes-id -s fashion
  ximilar-async update prices.jsonl -c shoes-id --journal prices.journal --rejects rejects.jsonl
  ximilar-async update prices.jsonl -c c1 --emulator data/ --dry-run

A line or row holds the _id of a stored record and the fields to change, such as \
{"_id": "sku-17", "price": 75, "season": null}: null removes a field, what is not named stays. \
A cell of CSV that is empty names nothing; with --empty null it removes the field. \
Images cannot be changed: delete such a record and insert it again.
"""
    + NOTES
    + EXIT_CODES
)

DELETE_EXAMPLES: Final = (
    """
[bold]Examples[/bold]
  ximilar-async delete gone.txt -c shoes-id -s fashion
  ximilar-async delete gone.jsonl -c shoes-id --report report.json
  ximilar-async delete gone.txt -c c1 --emulator data/ --dry-run

It asks nothing before it deletes: try --dry-run first. A file that ends in .txt holds one id a \
line, as it stands. In a file of JSON lines (.jsonl) a line is an id, "sku-17", or a record with \
an _id, of which nothing else counts; in other files a row is such a record. A folder of images \
names the ids that `insert` gave them.
"""
    + EXIT_CODES
)


def update(
    source: Annotated[
        str,
        Argument(
            metavar="SOURCE",
            help="A file of _ids and fields to change: JSON lines (.jsonl), a JSON array (.json), "
            ".csv, .tsv, .parquet or .arrow, also with .gz or .zst; a path or an address.",
        ),
    ],
    *,
    format: FormatOption = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    mapped: Mapped,
    run: Run,
    place: Place,
    access: Access,
    output: Output,
) -> int:
    """Change fields of stored records, and account for every record."""
    with run_files(run, {"SOURCE": local_path(source), "--config": mapped.config}, "update"):
        path = local_path(source)
        if path is not None and path.is_dir():
            raise UsageError(
                f"{source!r} is a folder: images cannot be updated; name a file of records with "
                "the fields to change"
            )
        records = mapped.of_changes(
            open_source(source, format=format, encoding=encoding, delimiter=delimiter)
        )
        origin = origin_words(source, mapped, format=format, encoding=encoding, delimiter=delimiter)
        return carry_out(
            Plan(
                f"update {records.name}",
                lambda collection: bulk.update(collection, records, options=run.options),
                run,
                place,
                access,
                output,
                Again(origin=origin),
            )
        )


def delete(
    source: Annotated[
        str,
        Argument(
            metavar="SOURCE",
            help="A file of ids (.txt), a file of records (.jsonl, .json, .csv, .tsv, .parquet or "
            ".arrow, also with .gz or .zst), or a folder of images; a path or an address.",
        ),
    ],
    *,
    format: FormatOption = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    mapped: Mapped,
    run: Run,
    place: Place,
    access: Access,
    output: Output,
) -> int:
    """Delete stored records by their ids, and account for every id."""
    with run_files(run, {"SOURCE": local_path(source), "--config": mapped.config}, "delete"):
        ids = mapped.of_ids(open_ids(source, format=format, encoding=encoding, delimiter=delimiter))
        origin = origin_words(source, mapped, format=format, encoding=encoding, delimiter=delimiter)
        return carry_out(
            Plan(
                f"delete {ids.name}",
                lambda collection: bulk.delete(collection, ids, options=run.options),
                run,
                place,
                access,
                output,
                Again(origin=origin),
            )
        )
