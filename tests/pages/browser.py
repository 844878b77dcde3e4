"""A headless Chromium that looks at a page, where one is installed."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
from attrs import define, field, frozen

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""

_MEASURES = """JSON.stringify({
  wide: document.documentElement.scrollWidth,
  high: document.documentElement.scrollHeight,
  ground: getComputedStyle(document.body).backgroundColor,
  ink: getComputedStyle(document.body).color,
  smallest: Math.min(...[...document.querySelectorAll("td, dt, dd b, .xs span, p")]
    .map(one => parseFloat(getComputedStyle(one).fontSize))),
  broken: [...document.images].filter(one => !one.complete || !one.naturalWidth).length,
  took: performance.timing.loadEventEnd - performance.timing.navigationStart,
})"""


@frozen
class Look:
    """What a browser saw of a page."""

    told: list[str]
    """What it said on its console, and what broke the page's policy."""
    measures: dict[str, Any]
    """Widths, colours and times."""
    picture: bytes
    """The page as PNG."""


@define
class Browser:
    """A running browser with one page."""

    _socket: aiohttp.ClientWebSocketResponse
    _number: int = 0
    _told: list[str] = field(factory=list)
    _session: str = ""

    async def look(self, url: str, width: int, *, dark: bool, phone: bool = False) -> Look:
        """Open a page as a device of this width would, and return what there is to see.

        Args:
            url: The page.
            width: Of the device, in CSS pixels.
            dark: Whether it prefers dark colours.
            phone: Whether it is a phone.
        """
        self._told.clear()
        wish = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self._call("Emulation.setEmulatedMedia", features=[wish])
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": phone}
        await self._call("Emulation.setDeviceMetricsOverride", **size)
        await self._call("Page.navigate", url=url)
        for _ in range(200):
            state = await self._value("document.readyState + performance.timing.loadEventEnd")
            if state.startswith("complete") and not state.endswith("e0"):
                break
            await asyncio.sleep(0.05)
        measures = json.loads(await self._value(_MEASURES))
        area = {"x": 0, "y": 0, "width": width, "height": min(measures["high"], 6000), "scale": 1}
        shot = await self._call("Page.captureScreenshot", captureBeyondViewport=True, clip=area)
        return Look(list(self._told), measures, base64.b64decode(shot["data"]))

    async def attach(self) -> None:
        """Open an empty page and listen to it."""
        target = await self._call("Target.createTarget", url="about:blank")
        session = await self._call("Target.attachToTarget", flatten=True, **target)
        self._session = session["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Audits"):
            await self._call(f"{domain}.enable")

    async def _value(self, expression: str) -> str:
        done = await self._call("Runtime.evaluate", expression=expression)
        return str(done["result"]["value"])

    async def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        call: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            call["sessionId"] = self._session
        await self._socket.send_json(call)
        while True:
            answer = await self._socket.receive_json(timeout=30)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            if answer.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
                self._told.append(str(answer["params"]))
            if answer.get("method") in ("Log.entryAdded", "Audits.issueAdded"):
                self._told.append(str(answer["params"]))


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Browser]:
    """Yield a running browser.

    Args:
        folder: Where it keeps its files.
    """
    process = await asyncio.create_subprocess_exec(
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        port, path = await _address(folder / "DevToolsActivePort")
        url = f"ws://127.0.0.1:{port}{path}"
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, max_msg_size=0) as socket,
        ):
            page = Browser(socket)
            await page.attach()
            yield page
    finally:
        process.kill()
        await process.wait()


async def _address(file: Path) -> tuple[str, str]:
    for _ in range(600):
        lines = await asyncio.to_thread(_lines, file)
        if len(lines) == 2:
            return lines[0], lines[1]
        await asyncio.sleep(0.1)
    raise TimeoutError("the browser does not start")


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
