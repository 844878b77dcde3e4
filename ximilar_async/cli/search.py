"""`search`: what a collection holds that looks like an image."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final

from typer import Argument, Option

from ximilar_async._models import Match, Record, SearchAnswer
from ximilar_async.bulk._report_file import write_whole
from ximilar_async.pages import counted

from .connect import find_collection, open_client
from .failures import UsageError
from .found_options import Html, Images, read_names
from .options import ACTION, Access, Output, Place
from .pages import search_page
from .screen import put, put_json, say
from .signals import run
from .tables import matches_view

EXAMPLES: Final = """
[bold]Examples[/bold]
  ximilar-async search boot.jpg -c shoes-id -s fashion
  ximilar-async search id:sku-17 -c shoes-id -k 5 --filter '{"price": {"$lt": 90}}'
  ximilar-async search boot.jpg -c c1 --emulator data/ --html out.html --images photos/
"""

_BY_ID: Final = "id:"
_NAMED: Final = 3
"""Records without an image that are named."""

_LINES: Final = (".jsonl", ".ndjson")

_AROUND: Final = 20
"""Characters of a filter that are quoted where it breaks off."""


def search(
    image: Annotated[
        str,
        Argument(
            metavar="IMAGE",
            help="A file, an http(s) address, or id:ID for a record of the collection.",
        ),
    ],
    *,
    k: Annotated[
        int, Option("-k", metavar="N", min=1, help="Most records to find.", rich_help_panel=ACTION)
    ] = 10,
    filter: Annotated[
        str | None,
        Option(
            metavar="JSON",
            help='Only records whose fields match, such as {"price": {"$lt": 90}}.',
            rich_help_panel=ACTION,
        ),
    ] = None,
    fields: Annotated[
        str | None,
        Option(
            metavar="A,B",
            help="Fields of the records to fetch and show; all are fetched and a few shown "
            "without it.",
            rich_help_panel=ACTION,
        ),
    ] = None,
    html: Html = None,
    images: Images = None,
    place: Place,
    access: Access,
    output: Output,
) -> int:
    """Find the records of a collection that look most like an image."""
    condition = None if filter is None else read_filter(filter)
    names = read_names(fields)
    query = query_record(image)
    check_page(html, images)
    needed = ("_id",) if html is None else ("_id", "_file", "_url")  # to find the images

    async def work(_: object) -> int:
        async with open_client(access) as client:
            collection = find_collection(client, place)
            answer = await collection.visual_knn(
                query, k=k, filter=condition, fields_to_return=[*needed, *names] if names else ["*"]
            )
        if html is None:
            _show(answer, names, output)
            return 0
        words = f"collection {collection.id} of {collection.service}"
        page = await asyncio.to_thread(
            search_page, query, answer.matches, place=words, images=images, fields=names
        )
        write_whole(html, page.html)
        _tell_page(html, answer.matches, output)
        tell_missing(page.missing, images, output)
        return 0

    return run(work)


def _tell_page(page: Path, matches: Sequence[Match], output: Output) -> None:
    if output.json:
        put_json({"page": str(page), "matches": matches_json(matches)})
    else:
        put(f"{counted(len(matches), 'record')} found; page: {page}")


def tell_missing(ids: Sequence[str], images: Path | None, output: Output) -> None:
    """Say which records stand on the page without an image, and what to do about it."""
    if not ids:
        return
    names = ", ".join(ids[:_NAMED]) + (", …" if len(ids) > _NAMED else "")
    lies = "a collection keeps no files" if images is None else f"there is none in {images}"
    say(
        f"no image is shown for {counted(len(ids), 'record')} ({names}): {lies}; name the folder "
        "with the images, or the file of JSON lines that was inserted, with --images",
        output,
    )


def query_record(image: str) -> Record:
    """Return the query for what a user names: a file, an address, or a record's id.

    Raises:
        UsageError: `id:` without an id, or no such file.

    Example:
        >>> query_record("id:sku-17"), query_record("https://example.com/boot.jpg")
        ({'_id': 'sku-17'}, {'_url': 'https://example.com/boot.jpg'})
    """
    if image.startswith(_BY_ID):
        if image == _BY_ID:
            raise UsageError("id: needs the id of a record behind it, such as id:sku-17")
        return {"_id": image.removeprefix(_BY_ID)}
    if image.lower().startswith(("http://", "https://")):
        return {"_url": image}
    if not Path(image).exists():
        raise UsageError(f"no such file: {image!r}; write id:… for the id of a record")
    return {"_file": image}


def read_filter(text: str) -> dict[str, Any]:
    """Return a filter from its JSON text.

    Raises:
        UsageError: it is no JSON, and where; or no object.

    Example:
        >>> read_filter('{"price": {"$lt": 90}}')
        {'price': {'$lt': 90}}
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--filter is no JSON: {_where(text, error)}") from None
    if not isinstance(value, dict):
        raise UsageError(f'--filter must be an object, such as {{"price": 5}}, not {text!r}')
    return value


def matches_json(matches: Sequence[Match]) -> list[dict[str, Any]]:
    """Return search results as plain JSON values."""
    return [{"id": m.id, "distance": m.distance, "record": m.record} for m in matches]


def _where(text: str, error: ValueError) -> str:
    if not isinstance(error, json.JSONDecodeError):
        return str(error)
    before = text[max(0, error.pos - _AROUND) : error.pos]
    after = text[error.pos : error.pos + _AROUND]
    return f"{error.msg} at character {error.pos + 1}: {before} >>> {after or 'the end'}"


def check_page(html: Path | None, images: Path | None) -> None:
    """See before anything is searched whether a page can be written, and has its images.

    Raises:
        UsageError: it cannot, or they are not there.
    """
    if html is None:
        if images is not None:
            raise UsageError("--images goes with --html: it is where the page's images lie")
        return
    if html.is_dir():
        raise UsageError(f"--html {str(html)!r} is a folder: name a file")
    if not html.parent.is_dir():
        raise UsageError(f"--html: there is no folder {str(html.parent)!r}")
    if images is not None and not images.exists():
        raise UsageError(f"--images: there is no folder or file {str(images)!r}")
    if images is not None and images.is_file() and images.suffix.lower() not in _LINES:
        raise UsageError(
            f"--images takes a folder or a file of JSON lines (.jsonl), not {images.name!r}"
        )


def _show(answer: SearchAnswer, names: list[str] | None, output: Output) -> None:
    matches = answer.matches
    if output.json:
        put_json(matches_json(matches))
        return
    put(matches_view(matches, names))
    if not matches:
        say("nothing found", output)
