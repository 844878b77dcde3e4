"""From a path or an address to the source that reads it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from attrs import frozen

from ximilar_async.errors import ConfigError, SourceError

from ._arrow import ArrowFileSource, ParquetSource
from ._csv import CsvSource
from ._json import JsonSource
from ._jsonl import JsonlSource
from ._mapped import MappedSource
from ._paths import FolderSource
from ._places import COMPRESSED, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._base import Source
    from ._mapping import RecordMapping

Format: TypeAlias = Literal["jsonl", "json", "csv", "tsv", "parquet", "arrow", "images"]
"""What is read here."""

FORMATS: Final[dict[str, Format]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
"""Formats by the endings of files."""

_TABLES: Final = ("csv", "tsv", "parquet", "arrow")


def open_source(
    place: str | os.PathLike[str],
    *,
    format: Format | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    columns: Sequence[str] | None = None,
    mapping: RecordMapping | None = None,
    files_root: str | os.PathLike[str] | None = None,
) -> Source:
    """Return the source that reads a file or a folder of images; nothing is read yet.

    JSON lines, JSON arrays, CSV, TSV, Parquet and Arrow files are told by their endings (`.jsonl`,
    `.json`, `.csv`, `.tsv`, `.parquet`, `.arrow`, `.feather`), also below one that says how they
    are compressed (`.gz`, `.bz2`, `.xz`, `.zst`). A pipe without such an ending holds JSON lines.

    Args:
        place: A path, or as text an address that fsspec knows, such as `s3://bucket/shop.csv.gz`.
        format: What it holds, whatever its ending.
        encoding: Of CSV and TSV without a byte order mark; UTF-8 unless given.
        delimiter: The character between the cells of CSV; told by the file unless given.
        columns: The columns of a table to read; all unless given.
        mapping: What becomes of columns or fields; records are as they are unless given.
        files_root: The folder that `_file` of the records may not leave; the file's own unless
            given, and none for an address.

    Raises:
        ConfigError: an option cannot be, or is none of this format.
        SourceError: there is no such path, or nothing says what it holds.

    Example:
        >>> open_source("s3://bucket/shop.csv.gz").name
        'shop.csv.gz'
        >>> open_source("no-such.jsonl")
        Traceback (most recent call last):
        ximilar_async.errors.SourceError: no such file or folder: 'no-such.jsonl'
    """
    if not os.fspath(place):
        raise SourceError("the path of the source is empty: name a file, a folder or an address")
    found = Place.of(place)
    kind = _kind(found, format)
    options = _Options(
        encoding, delimiter, columns, None if files_root is None else Path(files_root)
    )
    options.check(kind)
    source = _source(place, found, kind, options)
    return source if mapping is None else MappedSource(source, mapping)


@frozen
class _Options:
    encoding: str | None
    delimiter: str | None
    columns: Sequence[str] | None
    files_root: Path | None

    def check(self, kind: Format) -> None:
        """Refuse an option that this format does not have, for it would change nothing."""
        text = kind in ("csv", "tsv")
        for name, value, fits, where in (
            ("encoding", self.encoding, text, "CSV and TSV"),
            ("delimiter", self.delimiter, text, "CSV and TSV"),
            ("columns", self.columns, kind in _TABLES, "CSV, TSV, Parquet and Arrow"),
            ("files_root", self.files_root, kind != "images", "files"),
        ):
            if value is not None and not fits:
                raise ConfigError(f"{name} is an option of {where}, and this is {kind}")


def _kind(place: Place, format: Format | None) -> Format:
    """Tell what a place holds."""
    if format is not None and format not in get_args(Format):
        known = ", ".join(get_args(Format))
        raise ConfigError(f"there is no format {format!r}; there are {known}")
    path = place.path
    if path is not None and not path.exists():
        hint = "; an address must be text, not a Path" if place.is_mangled else ""
        raise SourceError(f"no such file or folder: {place.shown!r}{hint}")
    is_folder = path is not None and path.is_dir()
    if format is None and is_folder:
        return "images"
    if format is not None and is_folder != (format == "images"):
        what = "a folder" if is_folder else "no folder on this machine"
        raise ConfigError(f"{place.shown!r} is {what}: it cannot be read as {format}")
    if format is not None:
        return format
    if found := FORMATS.get(place.ending):
        return found
    if path is not None and not path.is_file():
        return "jsonl"  # a pipe
    raise SourceError(
        f"{place.shown!r} is neither a folder of images nor a file that ends in one of "
        f"{', '.join(FORMATS)}, each also with {', '.join(COMPRESSED)}; name its format"
    )


def _source(place: str | os.PathLike[str], found: Place, kind: Format, options: _Options) -> Source:
    root, columns = options.files_root, options.columns
    if kind == "images":
        assert found.path is not None
        return FolderSource(found.path)
    if kind == "jsonl":
        return JsonlSource(place, files_root=root)
    if kind == "json":
        return JsonSource(place, files_root=root)
    if kind == "parquet":
        return ParquetSource(place, files_root=root, columns=columns)
    if kind == "arrow":
        return ArrowFileSource(place, files_root=root, columns=columns)
    return CsvSource(
        place,
        delimiter=options.delimiter or ("\t" if kind == "tsv" else None),
        encoding=options.encoding,
        columns=columns,
        files_root=root,
    )
