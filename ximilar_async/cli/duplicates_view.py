"""Groups of near-duplicates as a table, as JSON and as a list of ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ximilar_async import bulk
from ximilar_async.pages import counted, distance

from .failures import UsageError
from .screen import plain
from .tables import fields_to_show

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import RenderableType

    from ximilar_async._collection import Collection
    from ximilar_async._models import Record
    from ximilar_async.bulk._duplicate_groups import Group, Groups

LINKED: Final = "linked"
"""Stands in the place of the distance of records that are no near-duplicates of the first."""

MOST_ROWS: Final = 30
"""Records of one group that stand in a table."""


def headline(groups: Groups) -> str:
    """Return what was found, in a line.

    Example:
        >>> from ximilar_async.bulk._duplicate_groups import Pairs
        >>> headline(Pairs().groups())
        'no two records are nearly the same'
    """
    if not groups:
        return "no two records are nearly the same"
    records = groups.records
    return (
        f"{counted(len(groups), 'group')} of {counted(records, 'record')}: "
        f"{records - len(groups):,} besides the first of each"
    )


def table_of(
    groups: Sequence[Group], records: Mapping[str, Record], fields: Sequence[str]
) -> RenderableType:
    """Return groups as a table, a row for each record with its distance from the group's first.

    Args:
        groups: The groups.
        records: Their records by id, where fields are to be shown.
        fields: Names of the fields to show.
    """
    names = fields_to_show(records.values(), fields)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("group", justify="right")
    table.add_column("id", overflow="fold")
    table.add_column("distance", justify="right")
    for name in names:
        table.add_column(plain(name), overflow="fold")
    for number, group in enumerate(groups, 1):
        for record in group.records[:MOST_ROWS]:
            is_first = record is group.first
            far = LINKED if record.distance is None else distance(record.distance)
            shown = (records.get(record.id, {}).get(name) for name in names)
            table.add_row(
                str(number) if is_first else "",
                Text(plain(record.id), "bold" if is_first else ""),
                "" if is_first else far,
                *(Text("" if value is None else plain(value)) for value in shown),
            )
        if (left := len(group.records) - MOST_ROWS) > 0:
            table.add_row("", f"and {left:,} more")
    return table


async def fetched(
    collection: Collection, groups: Sequence[Group], fields: Sequence[str], *, most: int | None
) -> dict[str, Record]:
    """Return the records of groups by their ids; those that are gone by now are missing.

    Args:
        collection: Where they are.
        groups: The groups.
        fields: Names of the fields to fetch.
        most: Records of each group that are wanted; None for all.
    """
    records: dict[str, Record] = {}

    def take(result: bulk.Result) -> None:
        if result.outcome is bulk.Outcome.FOUND and result.id is not None:
            records[result.id] = result.answer

    ids = [record.id for group in groups for record in group.records[:most]]
    names = list(dict.fromkeys(["_id", *fields]))
    await bulk.get(collection, ids, fields_to_return=names, options=bulk.Options(on_result=take))
    return records


def group_json(group: Group, records: Mapping[str, Record]) -> Iterator[dict[str, Any]]:
    """Yield the records of a group as JSON values."""
    for each in group.records:
        shown = {"id": each.id, "distance": each.distance, "nearest": each.nearest}
        yield {**shown, "record": records[each.id]} if each.id in records else shown


def id_line(id_: str, path: Path) -> bytes:
    r"""Return a line for the list that `delete` reads.

    Args:
        id_: The id.
        path: The list; in a .txt an id stands as it is, in a .jsonl as JSON.

    Raises:
        UsageError: it cannot stand in a text file.

    Example:
        >>> from pathlib import Path
        >>> id_line("sku-17", Path("a.txt")), id_line(" sku", Path("a.jsonl"))
        (b'sku-17\n', b'" sku"\n')
    """
    if path.suffix.lower() == ".jsonl":
        return orjson.dumps(id_, option=orjson.OPT_APPEND_NEWLINE)
    if id_ != id_.strip() or len(id_.splitlines()) != 1 or id_.startswith(("{", '"')):
        raise UsageError(
            f"the id {id_!r} cannot stand in a .txt file, one a line: let --delete-list end in "
            ".jsonl"
        )
    return f"{id_}\n".encode()
