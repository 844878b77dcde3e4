"""Options that say which column of SOURCE is what, declared once; see `options`."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

from pathlib import Path
from typing import Annotated, Final, Literal

from attrs import fields, frozen
from typer import Option

from ximilar_async.errors import ConfigError
from ximilar_async.sources import (
    MappedSource,
    RecordMapping,
    Source,
    load_mapping,
    parse_mapping,
)

from .failures import UsageError, in_options
from .found_options import read_names
from .ids import IdLines

COLUMNS: Final = "Columns of SOURCE"

NOTES: Final = """
[bold]Columns[/bold]
  --map id=sku --map image=photo_url      which column is the id, which the image
  --map tags=labels --tags-separator ";"  a list of tags, cut at the separator
  --map brand                             a column that is kept; without such all are kept
  --map price:float=cost                  a field, its type and its column
  --map price:float=cost --decimal ,      the same where numbers are written as 9,90
  --map shop=:cz                          a field that is the same in each record
  --map -notes                            a column that is left out
  --map "*"                               all columns that are not named

Types: text, int, float, bool, json, list, list(|) with its own separator, base64. An image is an \
address, a path below SOURCE's folder, or bytes, told by its value; image:url, image:file, \
image:bytes and image:base64 say so. What has one of : = " in its name is written in double \
quotes within the entry: '"g:price"=cost'.
"""
"""The part of a command's help that explains `--map`."""


@frozen(kw_only=True)
class Mapped:
    """What becomes of the columns of a command's input."""

    map: Annotated[
        list[str] | None,
        Option(
            "--map",
            metavar="FIELD[:TYPE]=COLUMN",
            help="What a column becomes; may be given again and again. See Columns below.",
            rich_help_panel=COLUMNS,
        ),
    ] = None
    tags_separator: Annotated[
        str | None,
        Option(
            "--tags-separator",
            metavar="TEXT",
            help="What stands between the tags of one cell, and the parts of other lists; a comma "
            "if nothing else is said.",
            rich_help_panel=COLUMNS,
        ),
    ] = None
    decimal: Annotated[
        Literal[".", ","] | None,
        Option(
            "--decimal",
            help="What stands before the decimals where a field has the type int or float: with a "
            "comma 9,90 is read as 9.9. A point if nothing else is said.",
            rich_help_panel=COLUMNS,
        ),
    ] = None
    thousands: Annotated[
        str | None,
        Option(
            "--thousands",
            metavar="CHARACTER",
            help="What stands between the thousands in them, such as ' ' (which a no-break space "
            "is as well) or '.'; nothing if nothing else is said.",
            rich_help_panel=COLUMNS,
        ),
    ] = None
    true_values: Annotated[
        str | None,
        Option(
            "--true-values",
            metavar="A,B",
            help="Words for true where a field has the type bool, such as ano or ja, besides true, "
            "yes, on, 1.",
            rich_help_panel=COLUMNS,
        ),
    ] = None
    false_values: Annotated[
        str | None,
        Option(
            "--false-values",
            metavar="A,B",
            help="Words for false, such as ne or nein, besides false, no, off, 0.",
            rich_help_panel=COLUMNS,
        ),
    ] = None
    empty: Annotated[
        Literal["drop", "null", "keep"] | None,
        Option(
            "--empty",
            help="What becomes of a blank cell: drop leaves the field out, which is what happens "
            "unless something else is said; null makes it null, and a NaN too, which removes the "
            "field in an update; keep keeps an empty text.",
            rich_help_panel=COLUMNS,
        ),
    ] = None
    config: Annotated[
        Path | None,
        Option(
            "--config",
            metavar="FILE.toml",
            help="File with a mapping: the table \\[tool.ximilar-async.mapping], or \\[mapping]. "
            "Options given here are added to it.",
            rich_help_panel=COLUMNS,
        ),
    ] = None

    @property
    def mapping(self) -> RecordMapping | None:
        """Return what was said; None if nothing was.

        Raises:
            UsageError: an entry cannot be read, or they do not go together.
            ConfigError: the file has no such mapping.
        """
        if all(getattr(self, one.name) in (None, []) for one in fields(Mapped)):
            return None
        base = None if self.config is None else load_mapping(self.config)
        if self.tags_separator == "":
            raise UsageError("--tags-separator must be text that stands between tags")
        try:
            return parse_mapping(
                self.map or (),
                base,
                tags_separator=self.tags_separator,
                decimal=self.decimal,
                thousands=self.thousands,
                true_values=read_names(self.true_values),
                false_values=read_names(self.false_values),
                empty=self.empty,
            )
        except ConfigError as error:
            words = in_options(str(error))
            raise UsageError(words if words.startswith("--") else f"--map {words}") from None

    def mapping_for(self, operation: str) -> RecordMapping | None:
        """Return what was said, as far as an operation needs it: an update takes no images.

        Args:
            operation: "insert", "near_dups_insert", "update" or "delete".
        """
        mapping = self.mapping
        if mapping is None or operation not in ("update", "delete"):
            return mapping
        if operation == "update":
            return mapping.without_image()
        return RecordMapping(id=mapping.id, fields=())

    def of_records(self, source: Source) -> Source:
        """Return the source with its rows made records, where a mapping is given."""
        return source if self.mapping is None else MappedSource(source, self.mapping)

    def of_changes(self, source: Source) -> Source:
        """Return the same for an update, which takes no images."""
        mapping = self.mapping_for("update")
        return source if mapping is None else MappedSource(source, mapping)

    def of_ids(self, source: Source) -> Source:
        """Return the same for what needs no more than ids: nothing else has to be there.

        Raises:
            UsageError: it is a file of plain ids.
        """
        mapping = self.mapping_for("delete")
        if mapping is None:
            return source
        if isinstance(source, IdLines):
            raise UsageError(f"{source.name} has ids and no columns: leave --map and --config out")
        return MappedSource(source, mapping)
