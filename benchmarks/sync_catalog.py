"""A shop's night by the command line: what a sync sends, by the service's own count.

    python benchmarks/sync_catalog.py [--products 10000] [--only jsonl csv parquet polars guards]

A catalog of products with photos goes into an empty collection; then 300 prices and 40 photos
change, 25 products go, 60 come. For each form of the catalog: the dry run says just that, the plan
that it wrote sends just that, a further sync sends no write. Then the guards: an empty file, a
truncated one, another shop's, one with 40 % gone. The emulator counts requests and records; each
sync is a process of its own, but the one of the Polars frame.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import gzip
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field
from PIL import Image

from ximilar_async import Ximilar, bulk
from ximilar_async.emulator import Emulator
from ximilar_async.sources import RecordMapping

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ximilar_async._protocol import Request

PRICES, PHOTOS, GONE, NEW = 300, 40, 25, 60
PATIENCE: Final = 600.0
"""Seconds after which a command is given up."""

SIDE: Final = 64
FORMS: Final = ("jsonl", "csv", "parquet", "polars", "guards")
MAPPING: Final = {
    "jsonl": (),
    "csv": ("--map", "id=sku", "--map", "image:file=photo", "--map", "price:float", "--map", "*"),
    "parquet": ("--map", "id=sku", "--map", "image:file=photo"),
}

Product = dict[str, Any]


@define
class Counting:
    """Counts what the emulator gets; a plan of faults that never happen."""

    requests: Counter[str] = field(factory=Counter)
    records: Counter[str] = field(factory=Counter)

    def __call__(self, request: Request, _: int) -> None:
        """Note a request."""
        method = request.url.split("?")[0].rsplit("/", 1)[1]
        self.requests[method] += 1
        if method in ("insert", "update", "delete"):
            self.records[method] += len(json.loads(request.body)["records"])

    def taken(self) -> str:
        """Return what came since the last time, and forget it."""
        words = ", ".join(
            f"{count} {method}" + (f" ({self.records[method]:,})" if self.records[method] else "")
            for method, count in sorted(self.requests.items())
        )
        self.requests.clear()
        self.records.clear()
        return words or "none"


def draw(path: Path, dice: random.Random) -> None:
    """Write a small photo that is like no other one."""
    path.parent.mkdir(exist_ok=True)
    Image.frombytes("RGB", (4, 4), dice.randbytes(48)).resize((SIDE, SIDE)).save(path, quality=80)


def first_night(folder: Path, count: int) -> list[Product]:
    """Draw the photos of so many products and return them."""
    dice, products = random.Random(1), []
    for number in range(count):
        photo = f"photos/{number}.jpg"
        draw(folder / photo, dice)
        products.append(
            {
                "sku": f"sku-{number}",
                "photo": photo,
                "price": number % 500 + 0.5,
                "name": f"Shoe {number}",
            }
        )
    return products


def second_night(folder: Path, products: list[Product]) -> list[Product]:
    """Return what the catalog is a day later."""
    dice = random.Random(2)
    after = [dict(product) for product in products]
    dice.shuffle(after)
    for product in after[:PRICES]:
        product["price"] += 10
    for product in after[PRICES : PRICES + PHOTOS]:
        product["photo"] = product["photo"].replace(".jpg", "-new.jpg")
        draw(folder / product["photo"], dice)
    for number in range(NEW):
        photo = f"photos/new-{number}.jpg"
        draw(folder / photo, dice)
        after.append(
            {"sku": f"new-{number}", "photo": photo, "price": 1.5, "name": f"New {number}"}
        )
    return after[: len(products) - GONE] + after[len(products) :]


def write(path: Path, products: Iterable[Product]) -> Path:
    """Write a catalog in the form that its name's ending says."""
    products = list(products)
    if path.suffix == ".jsonl":
        lines = ({"_id": p["sku"], "_file": p["photo"], **_others(p)} for p in products)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(products[0]))
            writer.writeheader()
            writer.writerows(products)
    else:
        import pyarrow as pa  # noqa: PLC0415 - of one form alone
        import pyarrow.parquet as pq  # noqa: PLC0415 - as above

        pq.write_table(pa.Table.from_pylist(products), path)
    return path


def _others(product: Product) -> Product:
    return {name: product[name] for name in ("price", "name")}


@define
class Shop:
    """A folder, a collection, and what the emulator counts."""

    folder: Path
    url: str
    collection: str
    counting: Counting

    async def run(self, *words: object) -> tuple[int, dict[str, Any], str, float]:
        """Run a command; return its exit code, its JSON, its last words, and the seconds."""
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ximilar_async", *map(str, words), "-c", self.collection),
            *("--state", str(self.folder / f"{self.collection}.state"), "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "XIMILAR_URL": self.url, "XIMILAR_TOKEN": "any", "NO_COLOR": "1"},
        )
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
        told = json.loads(out) if out else {}
        return process.returncode or 0, told, err.decode().strip(), time.monotonic() - began


def tell(what: str, code: object, outcome: str, requests: str, seconds: float) -> None:
    """Print a line of the table."""
    print(
        f"{what:24} {code!s:>2}  {seconds:6.1f} s  {outcome}\n{'':38}requests: {requests}",
        flush=True,
    )


def of(told: dict[str, Any], *names: str) -> str:
    """Return the counts of a report or plan."""
    return ", ".join(f"{told[name]:,} {name}" for name in names if told.get(name)) or "nothing"


PLANNED = ("insert", "update", "replace", "delete", "unchanged", "rejected")
DONE = ("inserted", "updated", "replaced", "deleted", "unchanged", "rejected", "failed")


async def by_command(shop: Shop, form: str, before: list[Product], after: list[Product]) -> None:
    """Go through two nights with one form of the catalog."""
    words = ("--mode", "mirror", *MAPPING[form])
    file, plan = shop.folder / f"catalog.{form}", shop.folder / f"{form}.plan"
    steps = [
        ("first sync", before, ("sync", file, *words), DONE),
        ("dry run", after, ("sync", file, *words, "--dry-run", "--plan", plan), PLANNED),
        ("apply", after, ("sync", "--apply", plan), DONE),
        ("second run", after, ("sync", file, *words), DONE),
    ]
    for name, products, command, counts in steps:
        write(file, products)
        code, told, _, seconds = await shop.run(*command)
        tell(f"{form}: {name}", code, of(told, *counts), shop.counting.taken(), seconds)


async def by_frame(shop: Shop, before: list[Product], after: list[Product]) -> None:
    """Go through the same with frames of Polars, which no command takes."""
    import polars as pl  # noqa: PLC0415 - of one form alone

    mapping = RecordMapping(id="sku", image="photo", image_kind="file")
    settings: dict[str, Any] = {
        "mode": "mirror",
        "mapping": mapping,
        "state": shop.folder / "polars.state",
        "options": bulk.Options(files_root=shop.folder),
    }
    async with Ximilar("any", base_url=shop.url) as client:
        collection = client.collection(shop.collection)
        for name, products in (
            ("first sync", before),
            ("dry run", after),
            ("sync", after),
            ("second run", after),
        ):
            frame, began = pl.DataFrame(products), time.monotonic()
            if name == "dry run":
                with await bulk.plan_sync(collection, frame, **settings) as plan:
                    code, outcome = 0, of(plan.to_dict(), *PLANNED)
            else:
                report = await bulk.sync(collection, frame, **settings)
                code, outcome = int(report.exit_code), of(report.to_dict(), *DONE)
            tell(f"polars: {name}", code, outcome, shop.counting.taken(), time.monotonic() - began)


async def guards(shop: Shop, products: list[Product]) -> None:
    """Show what is refused, and that nothing is sent then."""
    whole = write(shop.folder / "whole.jsonl", products)
    await shop.run("sync", whole)
    shop.counting.taken()
    cut = shop.folder / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(whole.read_bytes())[:-2000])
    cases = {
        "empty file": write(shop.folder / "empty.jsonl", []),
        "truncated gzip": cut,
        "another shop's": write(
            shop.folder / "other.jsonl", ({**p, "sku": f"x{p['sku']}"} for p in products)
        ),
        "40 % gone": write(shop.folder / "less.jsonl", products[: len(products) * 6 // 10]),
    }
    for name, file in cases.items():
        code, told, words, seconds = await shop.run("sync", file, "--mode", "mirror")
        tell(f"guards: {name}", code, of(told, *DONE), shop.counting.taken(), seconds)
        print(f"{'':38}{words}")


async def main(given: argparse.Namespace, folder: Path) -> None:
    """Draw the catalogs, run everything, print a line a step."""
    began = time.monotonic()
    before = first_night(folder, given.products)
    after = second_night(folder, before)
    print(f"{len(before):,} and {len(after):,} products, drawn in {time.monotonic() - began:.0f} s")
    for form in given.only:
        counting = Counting()
        async with Emulator(folder / f"{form}-emulator", faults=counting) as emulator:
            shop = Shop(folder, emulator.url, form, counting)
            if form == "guards":
                await guards(shop, before[:1000])
            elif form == "polars":
                await by_frame(shop, before, after)
            else:
                await by_command(shop, form, before, after)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--products", type=int, default=10_000)
    parser.add_argument("--only", nargs="+", choices=FORMS, default=FORMS)
    with tempfile.TemporaryDirectory() as passing:
        asyncio.run(main(parser.parse_args(), Path(passing)))
