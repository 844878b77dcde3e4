"""A collection as a file: page by page, resumable, whole or not at all."""

from __future__ import annotations

from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, frozen

from ximilar_async._collection import Collection
from ximilar_async._validation import check_whole
from ximilar_async.errors import AnswerError, ConfigError
from ximilar_async.sinks import Conversion, Spool, Terms, format_of

from ._threads import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from os import PathLike

    from ximilar_async._models import PageAnswer
    from ximilar_async.sinks import Format

_ALL: Final = "*"
_ID: Final = "_id"
_PAGE: Final = 500


@frozen(kw_only=True)
class ExportReport:
    """What became of an export, or how far it is."""

    path: Path
    """The file."""
    records: int = 0
    """Records that came."""
    resumed: int = 0
    """How many of them an earlier, interrupted export had brought."""
    before: int = 0
    """Records that the collection counted when the export began."""
    after: int | None = None
    """Records that it counted at the end."""
    written: int = 0
    """Records in the file, while they are brought into its format."""
    restarted: str = ""
    """Why an interrupted export was not gone on with; empty where there was none, or it was."""
    notes: tuple[str, ...] = ()
    """What else there is to know about the file, such as columns of values of several types."""

    @property
    def agrees(self) -> bool:
        """Tell whether as many records came as the collection counts, before or after.

        A collection that was written to meanwhile may count anything between. It is no proof then:
        where one record was deleted and another inserted while pages came, a third may have
        slipped from a page to come to one that was read, and the numbers agree all the same.
        """
        after = self.before if self.after is None else self.after
        return min(self.before, after) <= self.records <= max(self.before, after)


async def export(
    collection: Collection,
    path: str | PathLike[str],
    *,
    fields: Sequence[str] | None = None,
    page_size: int = _PAGE,
    resume: bool = True,
    on_progress: Callable[[ExportReport], object] | None = None,
) -> ExportReport:
    """Write all records of a collection to a file of JSON lines, CSV or Parquet.

    The ending decides: .jsonl, .ndjson, .csv, .tsv, each also with .gz or .zst; or .parquet. The
    file appears under its name when it is whole. Until then the records are gathered as JSON lines
    in `FILE.part`; an export that was interrupted, even killed, goes on from there. It starts anew
    if the collection has moved under the pages, and says so in the report. Memory is bounded by a
    page, and by 20,000 records or 16 MiB of JSON while a table is written.

    Args:
        collection: What to export.
        path: The file to write.
        fields: Names of the fields to fetch; `_id` always comes. None for all. A table has just
            these columns; without them it has all fields that any record has.
        page_size: Records in a request.
        resume: Whether to go on with an interrupted export to the same file.
        on_progress: Called after every page, with the report so far.

    Returns:
        The report; see whether it `agrees`.

    Raises:
        ConfigError: no such ending or folder, or another process is at the same export.
        OSError: the file cannot be written.
        XimilarError: the service refuses, or a page did not come even after retries; what came
            before is kept.

    Example:
        report = await bulk.export(shoes, "all.csv", fields=["price", "product_id"])
        print(report.records, report.agrees)

    Documented in: Visual Search, All Records.
    """
    if not isinstance(collection, Collection):
        raise ConfigError(
            f"export takes a collection, client.collection(…), not {collection!r:.80}"
        )
    check_whole("page_size", page_size, least=1)
    path = Path(path)
    format = _checked(path)
    wanted = wanted_fields(fields)
    work = _Export(collection, path, wanted, page_size, on_progress)
    before = await record_count(collection)
    terms = Terms(collection=collection.id, service=collection.service, fields=tuple(wanted))
    async with _opened(lambda: Spool(path, terms, resume=resume)) as spool:
        await work.gather(spool, before)
        if format.is_spool:
            await in_thread(spool.finish)
        else:
            await work.convert(spool, format, None if wanted == [_ALL] else wanted)
            await in_thread(spool.discard)
    return evolve(work.report, after=await record_count(collection))


async def record_count(collection: Collection) -> int:
    """Return how many records a collection holds.

    Raises:
        AnswerError: the service does not say.
    """
    number = (await collection.get_record_count()).count
    if number is None:
        raise AnswerError("getRecordCount: the answer has no number of records")
    return number


def shift(kept: int, before: Sequence[Any], now: Sequence[Any], count: int) -> str:
    """Return why pages that were read before do not fit to those that come now; "" if they do.

    Records that are inserted or deleted behind the pages that were read do no harm: then the last
    of these pages still begins with the same records.

    Args:
        kept: Records that were read before the last page.
        before: Ids of the last page, as it was read.
        now: Ids of the records at that place of the collection now.
        count: Records that the collection counts now.

    Example:
        >>> shift(2, ["c", "d"], ["c", "d", "e"], 5), shift(2, ["c"], ["d"], 4)
        ('', 'the collection has changed under the pages that were read')
    """
    if count < kept:
        return f"the collection counts {count:,} records, fewer than were read"
    same = min(len(before), len(now))
    if list(before[:same]) != list(now[:same]) or (before and not now):
        return "the collection has changed under the pages that were read"
    return ""


class _Export:
    """One export under way."""

    def __init__(
        self,
        collection: Collection,
        path: Path,
        wanted: list[str],
        size: int,
        on_progress: Callable[[ExportReport], object] | None,
    ) -> None:
        self.report = ExportReport(path=path)
        self._collection, self._wanted, self._size = collection, wanted, size
        self._tell = on_progress or (lambda _: None)

    async def gather(self, spool: Spool, count: int) -> None:
        """Bring all records into the spool, from where it ended on."""
        answer = await self._go_on(spool, count)
        if answer is None:
            await in_thread(lambda: spool.begin(count=count, size=self._size))
            self._note(restarted=spool.refused, before=count)
            answer = await self._page(1)
        while True:
            records = answer.records
            await in_thread(lambda: spool.add(records))  # noqa: B023 - awaited before the next
            self._note(records=spool.mark.records)
            if not answer.has_next or not records:
                break
            answer = await self._page(spool.mark.pages + 1)

    async def _go_on(self, spool: Spool, count: int) -> PageAnswer | None:
        """Return the last page of an interrupted export, read again; None to start anew."""
        mark = spool.mark
        if not mark.records:
            return None
        if mark.offset % self._size:
            spool.refused = f"its pages had {mark.size:,} records, and {self._size:,} do not fit"
            return None
        answer = await self._page(mark.offset // self._size + 1)
        now = [record.get(_ID) for record in answer.records]
        spool.refused = shift(mark.records - mark.last, spool.last_ids(), now, count)
        if spool.refused:
            return None
        await in_thread(lambda: spool.rewind(self._size))
        self._note(resumed=spool.mark.records, records=spool.mark.records, before=mark.count)
        return answer

    async def convert(self, spool: Spool, format: Format, columns: Sequence[str] | None) -> None:
        """Write the file from the records that were gathered."""
        conversion = Conversion(spool.part, spool.path, format, fields=columns)
        with _closing(conversion.steps()) as steps:
            while (written := await in_thread(lambda: next(steps, None))) is not None:
                self._note(written=written)
        self.report = evolve(self.report, notes=tuple(conversion.notes))

    async def _page(self, number: int) -> PageAnswer:
        return await self._collection.all_records(
            size=self._size, page=number, fields_to_return=self._wanted
        )

    def _note(self, **changes: Any) -> None:
        self.report = evolve(self.report, **changes)
        self._tell(self.report)


@asynccontextmanager
async def _opened(open_: Callable[[], Spool]) -> AsyncIterator[Spool]:
    """Open a spool in a thread; one that is opened while it is cancelled is closed again."""
    with ExitStack() as spools:
        yield await in_thread(lambda: spools.enter_context(open_()))


@contextmanager
def _closing(steps: Iterator[int]) -> Iterator[Iterator[int]]:
    """Have a generator remove its half-written file now, and not when it is collected."""
    try:
        yield steps
    finally:
        close = getattr(steps, "close", None)
        if close is not None:
            close()


def _checked(path: Path) -> Format:
    if not path.parent.is_dir():
        raise ConfigError(f"there is no folder {str(path.parent)!r} to write {path.name!r} to")
    if path.is_dir():
        raise ConfigError(f"{str(path)!r} is a folder: name a file to export to")
    return format_of(path)


def wanted_fields(fields: Sequence[str] | None) -> list[str]:
    """Return the fields to ask for, the id first.

    Raises:
        ConfigError: it is one name instead of a list.

    Example:
        >>> wanted_fields(["price", "_id"]), wanted_fields(None)
        (['_id', 'price'], ['*'])
    """
    if fields is None or (not isinstance(fields, str) and _ALL in fields):
        return [_ALL]
    if isinstance(fields, str):
        raise ConfigError(f"fields takes a list of names: [{fields!r}]")
    return [_ID, *dict.fromkeys(name for name in fields if name != _ID)]
