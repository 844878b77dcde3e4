"""`export`: a collection as a file of JSON lines, CSV or Parquet, whole or not at all."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Final

import orjson
from attrs import define, field
from rich.console import RenderableType
from typer import Argument, Option

from ximilar_async._collection import Collection
from ximilar_async._models import Record
from ximilar_async.bulk import ExitCode
from ximilar_async.bulk import _export as library
from ximilar_async.pages import counted
from ximilar_async.sinks import replaced

from .connect import find_collection, open_client
from .failures import UsageError
from .found_options import read_names
from .options import ACTION, HOW, Access, Output, Place
from .pace import Pace
from .progress import bar_view, live
from .screen import complain, put, put_json, say
from .signals import run

EXAMPLES: Final = """
[bold]Examples[/bold]
  ximilar-async export all.jsonl -c shoes-id -s fashion
  ximilar-async export prices.csv -c shoes-id -s fashion --fields price,name
  ximilar-async export all.parquet -c shoes-id -s fashion
  ximilar-async export - -c c1 --emulator data/ | head

The ending decides: .jsonl, .ndjson, .csv, .tsv, each also with .gz or .zst; or .parquet. The file \
appears under its name when it is whole, and then takes the place of one that was there. An export \
that was interrupted leaves FILE.part and \
FILE.progress: the same command goes on from there. In CSV, texts stand as they are and all else \
as JSON; a column of Parquet whose values have several types holds JSON.
"""

STDOUT: Final = "-"

_PAGE: Final = 500
"""Records in a request."""


def export(
    file: Annotated[
        str,
        Argument(
            metavar="FILE",
            help="The file to write, such as all.jsonl, all.csv.gz or all.parquet; - for JSON "
            "lines on stdout.",
        ),
    ],
    *,
    fields: Annotated[
        str | None,
        Option(
            metavar="A,B",
            help="Fields to fetch, and the columns of a table, besides _id; all without it.",
            rich_help_panel=ACTION,
        ),
    ] = None,
    restart: Annotated[
        bool,
        Option(
            "--restart",
            metavar="",
            help="Start anew instead of going on with an export that was interrupted.",
            rich_help_panel=HOW,
        ),
    ] = False,
    page_size: Annotated[
        int, Option(metavar="N", min=1, help="Records in a request.", rich_help_panel=HOW)
    ] = _PAGE,
    place: Place,
    access: Access,
    output: Output,
) -> int:
    """Write all records of a collection with all their fields to a file; resumable."""
    if file == STDOUT and output.json:
        raise UsageError("--json prints a summary to stdout: name a file to export to")
    names = read_names(fields)

    async def work(_: object) -> int:
        async with open_client(access) as client:
            collection = find_collection(client, place)
            if file == STDOUT:
                return await _to_stdout(collection, names, page_size, output)
            is_there = await asyncio.to_thread(Path(file).is_file)
            telling = Telling(f"export {collection.id}", file, output)
            with telling.of_what_is_kept(), live(output) as show:
                report = await library.export(
                    collection,
                    file,
                    fields=names,
                    page_size=page_size,
                    resume=not restart,
                    on_progress=lambda report: telling.look(report, show),
                )
        return conclude(report, file, output, replaced=is_there)

    return run(work)


@define
class Telling:
    """What is said while an export goes on.

    Args:
        title: What to call it.
        file: The file.
        output: Whether anything is to be said.
    """

    title: str
    file: str
    output: Output
    _records: int = field(default=0, init=False)
    _said: bool = field(default=False, init=False)
    _pace: Pace = field(factory=Pace, init=False)
    _start: float = field(factory=time.monotonic, init=False)

    def look(self, report: library.ExportReport, show: Callable[[RenderableType], object]) -> None:
        """Take the report as it stands: say once what it begins with, show how far it is."""
        if not self._said:
            self._said = True
            if report.restarted:
                say(f"started anew: {report.restarted}", self.output)
            if report.resumed:
                say(f"going on after {counted(report.resumed, 'record')}", self.output)
        self._records = report.records
        elapsed = time.monotonic() - self._start
        done, total = report.records, report.before
        rate = self._pace.add(elapsed, done - report.resumed)
        words = f"{counted(done, 'record')}, {rate:,.0f}/s"
        if report.written:
            done, total = report.written, report.records
            words = f"{done:,} of {counted(total, 'record')} written"
        share = min(done / total, 1.0) if total else None
        show(bar_view(self.title, share, elapsed, words))

    @contextmanager
    def of_what_is_kept(self) -> Iterator[None]:
        """Say, if the block breaks off, what the next one begins with."""
        try:
            yield
        except BaseException:
            if self._records:
                number = counted(self._records, "record")
                say(
                    f"{number} are kept in {self.file}.part: the same command goes on from there",
                    self.output,
                )
            raise


def conclude(
    report: library.ExportReport, file: str, output: Output, *, replaced: bool = False
) -> int:
    """Print what became of an export and return the exit code.

    Args:
        report: What was exported.
        file: To which file.
        output: How to print.
        replaced: Whether a file of that name was there before.
    """
    for note in report.notes:
        say(note, output)
    if output.json:
        summary = {"file": file, "records": report.records, "resumed": report.resumed}
        put_json({**summary, "notes": report.notes})
    else:
        before = ", in the place of the file that was there" if replaced else ""
        put(f"{counted(report.records, 'record')} exported to {file}{before}")
    after = report.before if report.after is None else report.after
    return agreement(report.records, report.before, after)


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
        raise UsageError(f"{file!r} is a folder: name a file")
    with replaced(path) as target:
        yield target


async def _to_stdout(
    collection: Collection, names: list[str] | None, page_size: int, output: Output
) -> int:
    """Write JSON lines to stdout, as they come."""
    before = await library.record_count(collection)
    with opened(STDOUT) as target:
        done = await write_records(
            collection, target, before, page_size=page_size, names=names, output=output
        )
    say(f"{counted(done, 'record')} exported", output)
    return agreement(done, before, await library.record_count(collection))


async def write_records(
    collection: Collection,
    target: IO[bytes],
    total: int,
    *,
    page_size: int,
    names: list[str] | None,
    output: Output,
) -> int:
    """Write every record of a collection as a line of JSON and return how many there were.

    Args:
        collection: The collection.
        target: What to write to.
        total: How many there should be, to tell the time that is left.
        page_size: Records a request.
        names: Names of the fields besides `_id`; None for all.
        output: Whether progress is to be shown.
    """
    done, pace, start = 0, Pace(), time.monotonic()
    with live(output) as show:
        async for page in _pages(collection, page_size, library.wanted_fields(names)):
            lines = b"".join(orjson.dumps(record) + b"\n" for record in page)
            await asyncio.to_thread(target.write, lines)
            done += len(page)
            elapsed = time.monotonic() - start
            words = f"{counted(done, 'record')}, {pace.add(elapsed, done):,.0f}/s"
            share = min(done / total, 1.0) if total else None
            show(bar_view(f"export {collection.id}", share, elapsed, words))
    return done


async def _pages(
    collection: Collection, size: int, fields: list[str]
) -> AsyncIterator[list[Record]]:
    """Yield the collection's records, some at a time."""
    page: list[Record] = []
    async for record in collection.iter_records(fields_to_return=fields, page_size=size):
        page.append(record)
        if len(page) == size:
            yield page
            page = []
    if page:
        yield page
