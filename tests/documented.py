"""Runs code that stands in documentation, beside a small emulated collection.

Code may await at its top level. It finds the names that `names_for` lists, and the files that
`lay_out_files` makes in the current folder.
"""

from __future__ import annotations

import ast
import asyncio
import base64
import inspect
import io
import json
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageDraw

import ximilar_async
from ximilar_async import Service, Ximilar, bulk
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from types import CodeType

    from ximilar_async._models import Record

COLOURS = ["crimson", "navy", "olive", "gold", "black"]


def picture(number: int) -> Image.Image:
    """Return a small image that looks like no other number's."""
    image = Image.new("RGB", (96, 96), "white")
    draw = ImageDraw.Draw(image)
    dice = Random(number)
    for colour in COLOURS:
        left, top = dice.randrange(60), dice.randrange(60)
        draw.rectangle(
            (left, top, left + dice.randrange(9, 36), top + dice.randrange(9, 36)), colour
        )
    return image


def _encoded(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def seed_records() -> list[Record]:
    """Return the records of `shoes`: ids from "1", prices from 20, tags and an image."""
    return [
        {
            "_id": str(number),
            "_base64": _encoded(picture(number)),
            "_tags_simple": ["boot", "leather"] if number % 2 else ["sandal"],
            "price": 20 * number,
            "product_id": f"p{number // 2}",
        }
        for number in range(1, 6)
    ]


def lay_out_files(folder: Path) -> None:
    """Write the files that examples read: `boot.jpg`, `photos`, `catalog.jsonl`, `catalog.csv`."""
    picture(6).save(folder / "boot.jpg")
    (folder / "photos").mkdir()
    for number in (7, 8, 9):
        picture(number).save(folder / "photos" / f"{number}.jpg")
    lines = (
        {"_id": f"c{number}", "_url": f"https://example.com/{number}.jpg", "price": number}
        for number in range(25)
    )
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "catalog.jsonl").write_text(text, encoding="utf-8")
    rows = (f"s{number},https://example.com/{number}.jpg,{number}.90\n" for number in range(25))
    (folder / "catalog.csv").write_text("sku,photo,cost\n" + "".join(rows), encoding="utf-8")


@asynccontextmanager
async def names_for() -> AsyncIterator[dict[str, Any]]:
    """Yield the names that documented code finds, and end what they hold open."""
    async with Emulator() as emulator, Ximilar("token", base_url=emulator.url) as ximilar:
        shoes = ximilar.collection("shoes-id", Service.FASHION)
        await shoes.insert(seed_records())
        public = {name: getattr(ximilar_async, name) for name in ximilar_async.__all__}
        yield {
            **public,
            "bulk": bulk,
            "emulator": emulator,
            "ximilar": ximilar,
            "client": ximilar,
            "shoes": shoes,
            "__name__": "__main__",
        }


def compiled(source: str, where: str) -> CodeType:
    """Compile code that may await at its top level."""
    code: CodeType = compile(
        source, where, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True
    )
    return code


async def run_code(source: str, names: dict[str, Any], where: str = "<documentation>") -> None:
    """Run code here, or in a thread when it awaits nothing, so that it may start its own loop."""
    code = compiled(source, where)
    if code.co_flags & inspect.CO_COROUTINE:
        await eval(code, names)
    else:
        await asyncio.to_thread(exec, code, names)
