"""Options of commands that show what was found, also as a page; each declared once."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

from pathlib import Path
from typing import Annotated, TypeAlias

from typer import Option

from .options import ACTION

Html: TypeAlias = Annotated[
    Path | None,
    Option(
        metavar="FILE.html",
        help="Write a page with the images instead of printing a table.",
        rich_help_panel=ACTION,
    ),
]

Images: TypeAlias = Annotated[
    Path | None,
    Option(
        metavar="FOLDER",
        help="With --html: where the images of records lie; a record's is found by its _id, "
        "with or without the ending. Or the file of JSON lines that was inserted: then by its "
        "_file there.",
        rich_help_panel=ACTION,
    ),
]


def read_names(text: str | None) -> list[str] | None:
    """Return the names of fields in a list with commas; None where nothing was said.

    Example:
        >>> read_names("price, name,")
        ['price', 'name']
    """
    if text is None:
        return None
    return [name.strip() for name in text.split(",") if name.strip()]
