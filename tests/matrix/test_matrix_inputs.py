"""The fault matrix, what stands in the input: a bulk run past hostile records, files and words."""

from __future__ import annotations

import base64
import gc
import io
import json
import os
import resource
import zlib
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from brittle import Brittle, instead, to
from fakes import TOKEN, http
from PIL import Image

from ximilar_async import Retry, Ximilar, bulk
from ximilar_async.bulk import Outcome
from ximilar_async.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matrix_row import Row

MIB = 2**20


def image(number: int, kind: str = "PNG") -> bytes:
    """Return a small image unlike any other number's."""
    buffer = io.BytesIO()
    shape = Image.effect_mandelbrot((64, 64), (-2 + number / 10, -1.5, 1, 1.5), 30)
    shape.convert("RGB").save(buffer, kind)
    return buffer.getvalue()


def reasons(row: Row, outcome: Outcome = Outcome.REJECTED) -> dict[str, str]:
    """Return why records ended in this outcome, by their place in the source."""
    return {result.where: result.reason for result in row.results if result.outcome is outcome}


# --- images -------------------------------------------------------------------------------------


def _bomb() -> bytes:
    """Return a PNG of a few bytes that would be 40,000 x 40,000 pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return len(body).to_bytes(4) + kind + body + zlib.crc32(kind + body).to_bytes(4)

    size = (40_000).to_bytes(4)
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size + size + b"\x08\x02\0\0\0")
    return head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


BAD_IMAGES: dict[str, tuple[bytes, str]] = {
    "cut.jpg": (image(1, "JPEG")[:-400], "truncated or damaged"),
    "head.png": (image(2)[:40], "truncated or damaged"),
    "flipped.png": (image(3)[:-60] + bytes(60), "truncated or damaged"),
    "empty.jpg": (b"", "empty"),
    "text.jpg": (b"no image at all", "not an image"),
    "vector.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
    "paper.jpg": (b"%PDF-1.7 ...", "PDF"),
    "new.jpg": (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "AVIF"),
    "bomb.png": (_bomb(), "40000 x 40000 pixels"),
}


async def test_corrupt_bomb_and_unsupported_images(row: Row) -> None:
    """Each costs itself and is told by name and cause; the good ones of its batch are stored."""
    folder = row.folder / "photos"
    folder.mkdir()
    for name, (data, _) in BAD_IMAGES.items():
        (folder / name).write_bytes(data)
    good = {f"good{number}.png" for number in range(30)}
    for number, name in enumerate(sorted(good)):
        (folder / name).write_bytes(image(number))
    async with Brittle(lambda *_: None) as service, row.client(service.url) as client:
        report = await row.run(bulk.insert(client.collection("c"), folder, options=row.options()))
        stored = await service.stored()
    assert (report.inserted, report.rejected) == (30, len(BAD_IMAGES))
    told = reasons(row)
    assert {name for name, (_, words) in BAD_IMAGES.items() if words not in told[name]} == set()
    assert stored == good
    row.agree(stored)


async def test_images_that_only_the_service_can_refuse(row: Row) -> None:
    """What travels as base64 is judged by the service, record by record."""
    damaged = base64.b64encode(BAD_IMAGES["cut.jpg"][0]).decode()
    records = [
        {"_id": str(n), "_base64": base64.b64encode(image(n)).decode() if n % 3 else damaged}
        for n in range(30)
    ]
    async with Brittle(lambda *_: None) as service, row.client(service.url) as client:
        report = await row.run(bulk.insert(client.collection("c"), records, options=row.options()))
        stored = await service.stored()
    assert (report.inserted, report.rejected) == (20, 10)
    assert all("damaged" in reason for reason in reasons(row).values())
    row.agree(stored)


# --- paths --------------------------------------------------------------------------------------


def _escape_hatches(outside: Path, root: Path) -> dict[str, object]:
    """Return values of `_file` that try to leave the root, or lead to what is no image file."""
    (root / "link.png").symlink_to(outside)
    (root / "door").symlink_to(outside.parent)
    os.mkfifo(root / "pipe.png")
    return {
        "up": f"../{outside.name}",
        "down and up": f"photos/../../{outside.name}",
        "absolute": str(outside),
        "link": "link.png",
        "linked folder": f"door/{outside.name}",
        "home": "~/.ssh/id_rsa",
        "system": "/etc/passwd",
        "endless": "/dev/zero",
        "process": "/proc/self/environ",
        "pipe": "pipe.png",
        "folder": "photos",
        "itself": ".",
        "empty": "",
        "null byte": f"photos/good.png\0{outside.name}",
        "long": "a" * 5000,
        "number": 3,
        "address": f"file://{outside}",
    }


async def test_path_traversal(row: Row) -> None:
    """No file outside the catalog's folder is sent, however a record names it."""
    root = row.folder / "catalog"
    (root / "photos").mkdir(parents=True)
    (root / "photos" / "good.png").write_bytes(image(1))
    outside = row.folder / "secret.png"
    outside.write_bytes(image(2))
    hatches = _escape_hatches(outside, root)
    lines = [{"_id": name, "_file": path} for name, path in hatches.items()]
    lines.insert(5, {"_id": "good", "_file": "photos/good.png"})
    catalog = root / "catalog.jsonl"
    catalog.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    async with Brittle(lambda *_: None) as service, row.client(service.url) as client:
        report = await row.run(bulk.insert(client.collection("c"), catalog, options=row.options()))
        stored = await service.stored()
        bodies = b"".join(request.body for request in service.server.requests)
    assert (report.inserted, report.rejected) == (1, len(hatches))
    assert stored == {"good"}
    assert base64.b64encode(outside.read_bytes()) not in bodies
    row.agree(stored)


# --- lines --------------------------------------------------------------------------------------


def _peak() -> int:
    """Return the most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


LONG_LINES: dict[str, Callable[[], list[bytes]]] = {
    "100 MB of a record": lambda: [b'{"_id": "long", "_url": "', b"x" * 100 * MIB, b'"}\n'],
    "100 MB of no JSON": lambda: [b"x" * 100 * MIB, b"\n"],
    "200 MB without an end": lambda: [b"x" * 100 * MIB, b"x" * 100 * MIB, b"\n"],
}


@pytest.mark.parametrize("kind", LONG_LINES)
async def test_100_mb_line(row: Row, kind: str) -> None:
    """A line too long for any record costs that line, and memory of its size at most thrice."""
    catalog = row.folder / "catalog.jsonl"
    good = [f'{{"_id": "g{n}", "_url": "https://example.com/{n}.jpg"}}\n' for n in range(30)]
    with catalog.open("wb") as file:
        file.writelines(line.encode() for line in good[:15])
        file.writelines(LONG_LINES[kind]())
        file.writelines(line.encode() for line in good[15:])
    gc.collect()
    before = _peak()
    async with Brittle(lambda *_: None) as service, row.client(service.url) as client:
        report = await row.run(bulk.insert(client.collection("c"), catalog, options=row.options()))
        stored = await service.stored()
    assert (report.read, report.inserted, report.rejected) == (31, 30, 1)
    assert list(reasons(row)) == ["line 16"]
    assert _peak() - before < 500 * MIB
    assert row.rejects.stat().st_size < 10_000, "a large record is named there, not copied"
    row.agree(stored)
    catalog.unlink()  # the fixture reads what lies about


# --- words --------------------------------------------------------------------------------------

EVIL = "\r\nX-Injected: yes\r\n\r\n"


async def test_header_injection(row: Row) -> None:
    """Line ends in ids and fields stay in the body; in what becomes a header they are refused."""
    records = [
        {"_id": f"{n}{EVIL}", "_url": f"https://example.com/{n}.jpg{EVIL}", f"f{EVIL}": EVIL}
        for n in range(30)
    ]
    async with Brittle(lambda *_: None) as service, row.client(service.url) as client:
        for collection in (f"c{EVIL}", "c\n", "c\0", "ć"):
            with pytest.raises(ConfigError):
                client.collection(collection)
        for token in (f"t{EVIL}", "t\n\tx"):
            with pytest.raises(ConfigError) as refused:
                Ximilar(token)
            assert "Injected" not in str(refused.value)
        report = await row.run(bulk.insert(client.collection("c"), records, options=row.options()))
        stored = await service.records()
        names = {name for request in service.server.requests for name in request.headers}
    assert report.inserted == 30
    assert set(stored) == {record["_id"] for record in records}
    assert all(record[f"f{EVIL}"] == EVIL for record in stored.values())
    assert not [name for name in names if "injected" in name]
    row.agree(stored)


def _answer(code: int, text: str, **fields: Any) -> bytes:
    return orjson.dumps({"status": {"code": code, "text": text}, **fields})


def _skipping(text: str) -> bytes:
    """Return an answer that skips every record for a reason in these words."""
    skipped = [
        {"_id": str(n), "_reason": {"status": {"code": 400, "text": text}}} for n in range(30)
    ]
    return _answer(411, text, answer_records=[], skipped_records=skipped, answer_count=0)


QUOTED = f"we do not like Authorization: Token {TOKEN} at all"
ECHOES: dict[str, bytes] = {
    "in the words of a 400": http(400, _answer(400, QUOTED)),
    "in the words of a 500": http(500, _answer(500, QUOTED)),
    "in the detail of a 401": http(401, orjson.dumps({"detail": QUOTED})),
    "in the words of a 412": http(412, _answer(412, QUOTED)),
    "in a page": http(502, f"<html>{QUOTED}</html>".encode()),
    "in a page that says 200": http(200, f"<html>{QUOTED}</html>".encode()),
    "in the reason of a record": http(200, _skipping(QUOTED)),
    "in an id that nobody sent": http(
        200, _answer(210, "x", answer_records=[{"_id": TOKEN}], answer_count=1)
    ),
    "in a name of the answer": http(200, _answer(210, "x", **{TOKEN: 1})),
    "in the kind of a field": http(200, _answer(210, "x", answer_records=QUOTED)),
    "in where a redirect leads": http(302, b"", location=f"http://{TOKEN}.invalid/{TOKEN}"),
    "in the name of the request": http(500, b"", x_request_id=TOKEN),
    "in Retry-After": http(503, b"", retry_after=TOKEN),
    "in a header of its own": http(500, b"", x_echo=QUOTED, set_cookie=f"token={TOKEN}"),
    "in the status line": http(500, b"").replace(b"Words", QUOTED.encode(), 1),
    "in garbage": f"NOT HTTP {QUOTED}\r\n\r\n".encode(),
}


@pytest.mark.parametrize("place", ECHOES)
async def test_token_canary(row: Row, place: str) -> None:
    """A service that quotes the token brings it into no report, file, log or error."""
    patience = Retry(attempts=2, base=0.01, throttled_base=0.01, cap=0.05, deadline=0.4)
    records = [{"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(30)]
    echo = instead(ECHOES[place], apply=False)
    async with (
        Brittle(to("insert", None, echo)) as service,
        row.client(service.url) as client,
    ):
        options = row.options(retry=patience, batch_size=5)
        report = await row.run(bulk.insert(client.collection("c"), records, options=options))
        assert TOKEN in service.server.requests[0].headers["authorization"]
        stored = await service.stored()
    assert (stored, report.inserted) == (set(), 0)
    assert report.rejected + report.failed + report.not_attempted == report.read > 0
    row.agree(stored)
