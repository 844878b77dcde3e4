"""Which format a file's ending asks for."""

from __future__ import annotations

import gzip
from contextlib import contextmanager
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Final, Literal, TypeAlias, cast

from attrs import frozen

from ximilar_async.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from os import PathLike

Kind: TypeAlias = Literal["jsonl", "csv", "tsv", "parquet"]
Compression: TypeAlias = Literal["", "gzip", "zstd"]

_KINDS: Final[Mapping[str, Kind]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
_PLAIN: Final[Compression] = ""
_COMPRESSIONS: Final[Mapping[str, Compression]] = {".gz": "gzip", ".zst": "zstd"}

NEEDS_PYARROW: Final = "{what} needs pyarrow: pip install 'ximilar-async[sources]'"


@frozen
class Format:
    """How records are written."""

    kind: Kind
    compression: Compression = ""
    """How the text is compressed; Parquet is so in itself."""

    @property
    def is_spool(self) -> bool:
        """Tell whether plain JSON lines are asked for, as which records are gathered anyway."""
        return self.kind == "jsonl" and not self.compression


def format_of(path: str | PathLike[str]) -> Format:
    """Return the format that a file's ending asks for; that pyarrow is there if it needs that.

    Args:
        path: The file: .jsonl, .ndjson, .csv, .tsv, each also with .gz or .zst; or .parquet.

    Raises:
        ConfigError: the ending is none of these, or pyarrow is missing.

    Example:
        >>> format_of("all.jsonl"), format_of("shoes.CSV.gz")
        (Format(kind='jsonl', compression=''), Format(kind='csv', compression='gzip'))
    """
    name = PurePath(path).name
    stem = PurePath(name.lower())
    compression: Compression = _COMPRESSIONS.get(stem.suffix, _PLAIN)
    kind = _KINDS.get(stem.with_suffix("").suffix if compression else stem.suffix)
    if kind is None:
        known = ", ".join(_KINDS)
        raise ConfigError(
            f"{name!r} has no ending that is written here: {known}, or one of the first four "
            "with .gz or .zst behind it"
        )
    if kind == "parquet" and compression:
        raise ConfigError(f"Parquet is compressed in itself: let {name!r} end in .parquet")
    found = Format(kind, compression)
    _check_pyarrow(found)
    return found


def _check_pyarrow(format: Format) -> None:
    if format.kind != "parquet" and format.compression != "zstd":
        return
    what = "Parquet" if format.kind == "parquet" else ".zst"
    try:
        import pyarrow as pa  # noqa: F401, PLC0415 - an extra
    except ImportError:
        raise ConfigError(NEEDS_PYARROW.format(what=what)) from None


@contextmanager
def compressed(target: IO[bytes], compression: Compression) -> Iterator[IO[bytes]]:
    """Yield what compresses into a file; the file is whole, and may be closed, after the block.

    Args:
        target: The file.
        compression: How; "" for not at all.
    """
    if compression == "gzip":
        # No name and no time in it: the same records make the same file.
        with gzip.GzipFile("", "wb", compresslevel=6, fileobj=target, mtime=0) as stream:
            yield cast("IO[bytes]", stream)
    elif compression == "zstd":
        import pyarrow as pa  # noqa: PLC0415 - an extra

        with pa.CompressedOutputStream(pa.PythonFile(target, "w"), "zstd") as stream:
            yield stream
    else:
        yield target
