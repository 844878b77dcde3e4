"""What separates the cells of a table that somebody wrote as text."""

from __future__ import annotations

import csv
import io
import re
from itertools import islice
from typing import TYPE_CHECKING, Final

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SAMPLE: Final = 2**16
"""Characters that are looked at."""

_ROWS: Final = 100
_DELIMITERS: Final = ",;\t|"
_NAMED: Final = re.compile(r'"?sep=(.)"?(?:\r\n?|\n)', re.IGNORECASE)


@frozen
class Dialect:
    """How the cells of a row are told apart; quotes are `"`, doubled within quotes."""

    delimiter: str = ","
    skips_space: bool = False
    """Whether a space behind the delimiter is none of the cell."""
    is_named: bool = False
    """Whether the first line names the delimiter, as Excel writes it: `sep=;`."""


def tell_dialect(sample: str) -> Dialect:
    r"""Return the dialect with which most rows have as many cells as the header.

    `csv.Sniffer` guesses from letters and single quotes too, and finds a delimiter in a table of
    one column; here a delimiter must be in the header, and without one it is a comma.

    Args:
        sample: The beginning of the file, up to the end of a line.

    Example:
        >>> tell_dialect("id;name\n1;Boots, black\n").delimiter
        ';'
        >>> tell_dialect("id\nsku;1\nsku;2\n").delimiter
        ','
    """
    if named := _NAMED.match(sample):
        return Dialect(named[1], is_named=True)
    # A space behind the delimiter is the cell's own unless rows come out even only without it.
    found = [
        (*_evenness(sample, dialect), not dialect.skips_space, dialect)
        for dialect in (Dialect(sign, space) for space in (False, True) for sign in _DELIMITERS)
    ]
    best = max((one for one in found if one[1] > 1), key=lambda one: one[:3], default=None)
    return Dialect() if best is None else best[3]


def _evenness(sample: str, dialect: Dialect) -> tuple[float, int]:
    """Return which share of the rows has as many cells as the first, and how many that are."""
    counts: list[int] = []
    rows = islice(rows_of(io.StringIO(sample, newline=""), dialect), _ROWS)
    try:
        counts.extend(len(row) for row in rows if row)
    except csv.Error:  # a row that breaks the rules, or that the sample cuts
        counts.append(0)
    if not counts:
        return 0.0, 0
    return counts.count(counts[0]) / len(counts), counts[0]


def rows_of(lines: Iterable[str], dialect: Dialect) -> Iterator[list[str]]:
    """Return the rows of some lines; it is strict, for it must not guess what a cell is."""
    return csv.reader(
        lines, delimiter=dialect.delimiter, skipinitialspace=dialect.skips_space, strict=True
    )
