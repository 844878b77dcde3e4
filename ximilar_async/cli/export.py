"""`export`: a collection as JSON lines, whole or not at all."""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Final

import orjson
from typer import Argument, Option

from ximilar_async._collection import Collection
from ximilar_async._models import Record
from ximilar_async.bulk import ExitCode

from .connect import find_collection, open_client
from .failures import UsageError
from .info import record_count
from .options import HOW, Access, Output, Place
from .pace import Pace
from .progress import bar_view, live
from .screen import complain, put, put_json, say
from .signals import run
from .tables import counted

EXAMPLES: Final = """
[bold]Examples[/bold]
  ximilar-async export all.jsonl -c shoes-id -s fashion
  ximilar-async export - -c c1 --emulator data/ | head

The file appears under its name when it is whole; an export that was interrupted leaves none.
"""

STDOUT: Final = "-"

_PAGE: Final = 500
"""Records in a request."""


def export(
    file: Annotated[
        str, Argument(metavar="FILE", help="The file to write, one record a line; - for stdout.")
    ],
    *,
    page_size: Annotated[
        int, Option(metavar="N", min=1, help="Records in a request.", rich_help_panel=HOW)
    ] = _PAGE,
    place: Place,
    access: Access,
    output: Output,
) -> int:
    """Write all records of a collection with all their fields to a file of JSON lines."""
    if file == STDOUT and output.json:
        raise UsageError("--json prints a summary to stdout: name a file to export to")

    async def work(_: object) -> int:
        async with open_client(access) as client:
            collection = find_collection(client, place)
            before = await record_count(collection)
            with opened(file) as target:
                done = await write_records(collection, target, before, page_size, output)
            after = await record_count(collection)
        _tell(file, done, output)
        return agreement(done, before, after)

    return run(work)


def agreement(done: int, before: int, after: int) -> int:
    """Return the exit code; complain if fewer or more records came than the collection holds.

    Args:
        done: Records exported.
        before: Records that the collection counted before.
        after: Records that it counted afterwards.
    """
    if min(before, after) <= done <= max(before, after):
        return ExitCode.DECIDED
    held = f"{before:,}" if before == after else f"{before:,} to {after:,}"
    complain("error", f"{counted(done, 'record')} came, but the collection counts {held}")
    return ExitCode.TROUBLE


@contextmanager
def opened(file: str) -> Iterator[IO[bytes]]:
    """Yield what to write to; a file gets its name only when the block ends well.

    Args:
        file: Its path; "-" for stdout.

    Raises:
        UsageError: there is no such folder, or the path is a folder.
        OSError: it cannot be written.
    """
    if file == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(file)
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {str(path.parent)!r} to write {path.name!r} to")
    if path.is_dir():
        raise UsageError(f"{file!r} is a folder: name a file to export to")
    number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    beside = Path(name)
    try:
        with os.fdopen(number, "wb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        beside.chmod(_mode_of(path))
        beside.replace(path)
    except BaseException:
        beside.unlink()
        raise


async def write_records(
    collection: Collection, target: IO[bytes], total: int, page_size: int, output: Output
) -> int:
    """Write every record of a collection as a line of JSON and return how many there were.

    Args:
        collection: The collection.
        target: What to write to.
        total: How many there should be, to tell the time that is left.
        page_size: Records a request.
        output: Whether progress is to be shown.
    """
    done, pace, start = 0, Pace(), time.monotonic()
    with live(output) as show:
        async for page in _pages(collection, page_size):
            lines = b"".join(orjson.dumps(record) + b"\n" for record in page)
            await asyncio.to_thread(target.write, lines)
            done += len(page)
            elapsed = time.monotonic() - start
            words = f"{counted(done, 'record')}, {pace.add(elapsed, done):,.0f}/s"
            share = min(done / total, 1.0) if total else None
            show(bar_view(f"export {collection.id}", share, elapsed, words))
    return done


async def _pages(collection: Collection, size: int) -> AsyncIterator[list[Record]]:
    """Yield the collection's records, some at a time."""
    page: list[Record] = []
    async for record in collection.iter_records(fields_to_return=["*"], page_size=size):
        page.append(record)
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page


def _mode_of(path: Path) -> int:
    """Return the permissions of a file that is there, or those of a new one."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _tell(file: str, done: int, output: Output) -> None:
    if file == STDOUT:
        say(f"{counted(done, 'record')} exported", output)
    elif output.json:
        put_json({"file": file, "records": done})
    else:
        put(f"{counted(done, 'record')} exported to {file}")
