"""Options that say how SOURCE is to be read, declared once for the commands that read one."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

from typing import Annotated, Final, TypeAlias

from typer import Option

from ximilar_async.sources._open import Format

READING: Final = "How SOURCE is read"

FormatOption: TypeAlias = Annotated[
    Format | None,
    Option(
        help="What SOURCE holds, whatever its ending: for a pipe, or a file of another name.",
        rich_help_panel=READING,
    ),
]

Encoding: TypeAlias = Annotated[
    str | None,
    Option(
        metavar="NAME",
        help="Encoding of CSV or TSV that begins with no byte order mark, such as cp1250; UTF-8 "
        "if nothing is said.",
        rich_help_panel=READING,
    ),
]

Delimiter: TypeAlias = Annotated[
    str | None,
    Option(
        metavar="CHARACTER",
        help="What stands between the cells of CSV, such as ';' or tab; told by the file if "
        "nothing is said.",
        rich_help_panel=READING,
    ),
]
