"""`duplicates`: which records of a collection are nearly the same; it never deletes any."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
from attrs import define, field, frozen
from rich.console import RenderableType
from rich.text import Text
from typer import Option

from ximilar_async import bulk
from ximilar_async._collection import Collection
from ximilar_async._models import Record
from ximilar_async.bulk import _duplicates as library
from ximilar_async.bulk._duplicate_groups import Group, Groups
from ximilar_async.bulk._report_file import write_whole
from ximilar_async.pages import counted

from .connect import find_collection, open_client
from .duplicates_page import MOST_TILES, DuplicatesPage
from .duplicates_view import MOST_ROWS, fetched, group_json, headline, id_line, table_of
from .export import opened
from .failures import UsageError
from .found_options import Html, Images, read_names
from .options import ACTION, Access, Output, Place, read_distance
from .progress import bar_view, live
from .screen import complain, put, put_json, say
from .search import check_page, read_filter, tell_missing
from .signals import run

EXAMPLES: Final = """
[bold]Examples[/bold]
  ximilar-async duplicates -c shoes-id -s fashion
  ximilar-async duplicates -c shoes-id -s fashion --radius 2 --delete-list extra.txt
  ximilar-async duplicates -c c1 --emulator data/ --html out.html --images photos/

Nothing is deleted: look at the groups, then at the list, and give it to `delete`. Records of one \
group are near-duplicates of each other or linked by others that are. One request asks for all \
pairs; where the service cannot do that, each record is asked for, which costs a search each. \
Distances are from a group's first record; "linked" are those near to others of the group alone.
"""

_SHOWN: Final = 20
"""Groups in a table, unless more are asked for."""

_ON_PAGE: Final = 100
"""Groups on a page, unless more are asked for."""

_PART: Final = 100
"""Groups whose records are fetched at once."""


@frozen(kw_only=True)
class Wish:
    """What is to be shown, and how."""

    limit: int | None
    fields: list[str] | None
    html: Path | None
    images: Path | None
    remote: bool
    delete_list: Path | None
    output: Output


def duplicates(
    *,
    radius: Annotated[
        Any,
        Option(
            parser=read_distance,
            metavar="DISTANCE",
            help="Largest distance of a near-duplicate; the service's default is 5.",
            rich_help_panel=ACTION,
        ),
    ] = None,
    filter: Annotated[
        str | None,
        Option(
            metavar="JSON",
            help='Look only at records whose fields match, such as {"shop": "cz"}.',
            rich_help_panel=ACTION,
        ),
    ] = None,
    each: Annotated[
        bool | None,
        Option(
            "--each/--all-pairs",
            help="Ask for each record, a search each; or insist on the one request for all "
            "pairs. Without either, what works.",
            rich_help_panel=ACTION,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        Option(
            metavar="N",
            min=1,
            help=f"Most groups to show, the largest first: {_SHOWN} in a table, {_ON_PAGE} on a "
            "page, all as JSON without it.",
            rich_help_panel=ACTION,
        ),
    ] = None,
    fields: Annotated[
        str | None,
        Option(
            metavar="A,B",
            help="Fields of the records to fetch and show.",
            rich_help_panel=ACTION,
        ),
    ] = None,
    html: Html = None,
    images: Images = None,
    remote_images: Annotated[
        bool,
        Option(
            "--remote-images",
            metavar="",
            help="With --html: have the page load images from their addresses (_url) when it is "
            "opened; else it needs no network.",
            rich_help_panel=ACTION,
        ),
    ] = False,
    delete_list: Annotated[
        Path | None,
        Option(
            metavar="FILE.txt",
            help="Write the ids of all but the first of each group, one a line, for `delete`. The "
            "first is the one with most near-duplicates in the group; see it with --html.",
            rich_help_panel=ACTION,
        ),
    ] = None,
    place: Place,
    access: Access,
    output: Output,
) -> int:
    """List groups of records whose images are nearly the same."""
    condition = None if filter is None else read_filter(filter)
    names = read_names(fields)
    check_page(html, images)
    if remote_images and html is None:
        raise UsageError("--remote-images goes with --html: it is the page that loads them")
    _check_list(delete_list, html)
    wish = Wish(
        limit=limit,
        fields=names,
        html=html,
        images=images,
        remote=remote_images,
        delete_list=delete_list,
        output=output,
    )

    async def work(_: object) -> int:
        async with open_client(access) as client:
            collection = find_collection(client, place)
            telling = Telling(f"duplicates {collection.id}", output)
            with live(output) as show:
                found = await library.duplicates(
                    collection,
                    radius=radius,
                    filter=condition,
                    each=each,
                    on_progress=lambda search: telling.look(search, show),
                )
            await present(collection, found, wish)
        return conclude(found.search)

    return run(work)


@define
class Telling:
    """What is said while near-duplicates are looked for.

    Args:
        title: What to call it.
        output: Whether anything is to be said.
    """

    title: str
    output: Output
    _said: bool = field(default=False, init=False)
    _start: float = field(factory=time.monotonic, init=False)

    def look(self, search: library.Search, show: Callable[[RenderableType], object]) -> None:
        """Take how far it is: say once that each record is asked for, show the rest."""
        if search.refused and search.total is not None and not self._said:
            self._said = True
            number = counted(search.total, "record")
            words = (
                f"allNearDupPairs cannot be used ({search.refused}): asking for each of {number}"
            )
            say(words, self.output)
        words = f"{counted(search.pairs, 'pair')}"
        share = min(search.asked / search.total, 1.0) if search.total else None
        if search.method == "each":
            words = f"{counted(search.asked, 'record')} asked for, {words}"
        show(bar_view(self.title, share, time.monotonic() - self._start, words))


async def present(collection: Collection, found: library.Duplicates, wish: Wish) -> None:
    """Print or write what was found."""
    groups, output = found.groups, wish.output
    if wish.delete_list is not None:
        await asyncio.to_thread(write_list, groups, wish.delete_list, output)
    if wish.html is not None:
        await _write_page(collection, groups, wish)
    elif output.json:
        await _put_groups(collection, found, wish)
    else:
        shown = groups[: wish.limit or _SHOWN]
        records = (
            await fetched(collection, shown, wish.fields, most=MOST_ROWS) if wish.fields else {}
        )
        put(Text(headline(groups), "bold"))
        if shown:
            put(table_of(shown, records, wish.fields or []))
        if len(groups) > len(shown):
            left = counted(len(groups) - len(shown), "further group")
            say(f"{left}: --limit shows more, --json all of them", output)


def conclude(search: library.Search) -> int:
    """Return the exit code; complain where groups may be incomplete."""
    if not search.failed:
        return bulk.ExitCode.DECIDED
    number = counted(search.failed, "record")
    complain("error", f"{number} could not be asked for: groups may be incomplete")
    return bulk.ExitCode.TROUBLE


# --- the page -----------------------------------------------------------------------------------


async def _write_page(collection: Collection, groups: Groups, wish: Wish) -> None:
    html, shown = wish.html, groups[: wish.limit or _ON_PAGE]
    assert html is not None
    names = ["_file", "_url", *wish.fields] if wish.fields is not None else ["*"]
    page = DuplicatesPage(
        place=f"collection {collection.id} of {collection.service}",
        groups=groups,
        shown=shown,
        records=await fetched(collection, shown, names, most=MOST_TILES),
        images=wish.images,
        fields=wish.fields,
        remote=wish.remote,
    )
    made = await asyncio.to_thread(page.render)
    write_whole(html, made.html)
    if wish.output.json:
        put_json({"page": str(html), "groups": len(groups), "records": groups.records})
    else:
        put(f"{headline(groups)}; page: {html}")
    tell_missing(made.missing, wish.images, wish.output)


# --- JSON ---------------------------------------------------------------------------------------


async def _put_groups(collection: Collection, found: library.Duplicates, wish: Wish) -> None:
    """Print groups as JSON, some at a time: there may be millions."""
    search, groups = found.search, found.groups
    head = {
        "collection": collection.id,
        "service": collection.service,
        "method": search.method,
        "refused": search.refused,
        "failed": search.failed,
        "count": len(groups),
        "records": groups.records,
    }
    sys.stdout.write(orjson.dumps(head).decode()[:-1] + ',"groups":[')
    before = "\n"
    async for group, records in _with_records(collection, groups, wish):
        line = orjson.dumps({"records": list(group_json(group, records))}).decode()
        sys.stdout.write(f"{before}{line}")
        before = ",\n"
    sys.stdout.write("\n]}\n")


async def _with_records(
    collection: Collection, groups: Groups, wish: Wish
) -> AsyncIterator[tuple[Group, dict[str, Record]]]:
    most = len(groups) if wish.limit is None else min(wish.limit, len(groups))
    for start in range(0, most, _PART):
        part = groups[start : min(start + _PART, most)]
        records = await fetched(collection, part, wish.fields, most=None) if wish.fields else {}
        for group in part:
            yield group, records


# --- the list for `delete` ----------------------------------------------------------------------


def _check_list(path: Path | None, html: Path | None) -> None:
    """See before a long search whether the list can be written, and then be read by `delete`."""
    if path is None:
        return
    if path.suffix.lower() not in (".txt", ".jsonl"):
        raise UsageError(
            f"--delete-list: name a file that `delete` reads, .txt or .jsonl, not {path.name!r}"
        )
    if not path.parent.is_dir():
        raise UsageError(f"--delete-list: there is no folder {str(path.parent)!r}")
    if path == html:
        raise UsageError("--html and --delete-list are the same file")


def write_list(groups: Groups, path: Path, output: Output) -> None:
    """Write the ids of all but the first record of each group, and say what is special in them.

    Raises:
        UsageError: an id cannot stand in a text file.
        OSError: it cannot be written.
    """
    written = linked = 0
    with opened(str(path)) as target:
        for group in groups:
            for record in group.others:
                target.write(id_line(record.id, path))
                written += 1
                linked += record.distance is None
    say(f"{counted(written, 'id')} for `delete` in {path}", output)
    if linked:
        say(
            f"{linked:,} of them are no near-duplicates of the record that stays, only of others "
            "in their group: a smaller --radius would separate them",
            output,
        )
