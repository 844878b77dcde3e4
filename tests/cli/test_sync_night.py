"""A shop's night, small: photos in files, and what the service itself counts."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from attrs import define, field
from documented import picture

from ximilar_async import Ximilar, bulk
from ximilar_async.emulator import Emulator
from ximilar_async.sources import RecordMapping

if TYPE_CHECKING:
    from pathlib import Path

    from ximilar_async.emulator import Request

MAP = ("--map", "id=sku", "--map", "image:file=photo", "--map", "price:float")
PLANNED = ("insert", "update", "replace", "delete", "unchanged")
DONE = ("inserted", "updated", "replaced", "deleted", "unchanged")
CHANGED = [8, 30, 4, 6, 160]
WRITES = {"insert": 2, "update": 3, "delete": 2}
"""8 new in one request, 4 photos in one delete and one insert, 30 updates, 6 deletes."""


@define
class Counting:
    """Counts the writing requests that the emulator gets."""

    writes: Counter[str] = field(factory=Counter)

    def __call__(self, request: Request, _: int) -> None:
        method = request.url.split("?")[0].rsplit("/", 1)[1]
        if method in ("insert", "update", "delete"):
            self.writes[method] += 1

    def taken(self) -> dict[str, int]:
        writes = dict(self.writes)
        self.writes.clear()
        return writes


def first_day(folder: Path) -> list[dict[str, Any]]:
    (folder / "photos").mkdir()
    return [_product(folder, n) for n in range(200)]


def _product(folder: Path, n: int) -> dict[str, Any]:
    picture(n).save(folder / f"photos/{n}.png")
    return {"sku": f"{n:03}", "photo": f"photos/{n}.png", "price": n + 0.5}


def second_day(folder: Path, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Change 30 prices and 4 photos, under their names; 6 products go, 8 come."""
    after = [dict(row) for row in rows]
    for row in after[:30]:
        row["price"] += 1
    for n in range(50, 54):
        picture(1000 + n).save(folder / f"photos/{n}.png")
    return after[:100] + after[106:] + [_product(folder, n) for n in range(200, 208)]


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
async def test_a_night_by_the_command_line(tmp_path: Path, ending: str) -> None:
    """The dry run says what will be sent, the plan sends just that, a further run nothing."""
    counting, catalog = Counting(), tmp_path / f"shop.{ending}"

    async def sync(*words: object) -> list[int]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ximilar_async", "sync", *map(str, words)),
            *("-c", "shop", "--json", "-q"),
            stdout=asyncio.subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, "XIMILAR_URL": emulator.url, "XIMILAR_TOKEN": "any"},
        )
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode == 0
        report = json.loads(out)
        return [report[name] for name in (PLANNED if "--dry-run" in words else DONE)]

    async with Emulator(faults=counting) as emulator:
        rows = first_day(tmp_path)
        write(catalog, rows)
        mirror = (catalog, "--mode", "mirror", *MAP)
        assert await sync(*mirror) == [200, 0, 0, 0, 0]
        assert counting.taken() == {"insert": 20}
        write(catalog, second_day(tmp_path, rows))
        assert await sync(*mirror, "--dry-run", "--plan", "night.plan") == CHANGED
        assert counting.taken() == {}
        assert await sync("--apply", "night.plan") == CHANGED
        assert counting.taken() == WRITES
        assert await sync(*mirror) == [0, 0, 0, 0, 202]
        assert counting.taken() == {}


async def test_a_night_with_a_polars_frame(tmp_path: Path) -> None:
    """A frame is a catalog, too."""
    counting = Counting()
    settings: dict[str, Any] = {
        "mode": "mirror",
        "mapping": RecordMapping(id="sku", image="photo", image_kind="file"),
        "state": tmp_path / "shop.state",
        "options": bulk.Options(files_root=tmp_path),
    }
    async with (
        Emulator(faults=counting) as emulator,
        Ximilar("any", base_url=emulator.url) as client,
    ):
        shop = client.collection("shop")
        rows = first_day(tmp_path)
        assert (await bulk.sync(shop, pl.DataFrame(rows), **settings)).inserted == 200
        counting.taken()
        frame = pl.DataFrame(second_day(tmp_path, rows))
        with await bulk.plan_sync(shop, frame, **settings) as plan:
            assert [getattr(plan, name) for name in PLANNED] == CHANGED
        report = await bulk.sync(shop, frame, **settings)
        assert [getattr(report, name) for name in DONE] == CHANGED
        assert counting.taken() == WRITES
        assert (await bulk.sync(shop, frame, **settings)).unchanged == 202
        assert counting.taken() == {}
