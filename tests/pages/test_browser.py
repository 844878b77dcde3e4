"""Reports and galleries in headless Chromium, at the widths of a phone and a desktop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bulk.test_report_page import rejecting, run_of_all_kinds
from pages.browser import CHROMIUM, browser
from pages.test_gallery import full_page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from pages.browser import Look

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")

PHONE, DESKTOP = 420, 1280


async def looked_at(page: Path, folder: Path) -> dict[tuple[int, bool], Look]:
    """Return what a browser sees of a page at each width, light and dark."""
    async with browser(folder) as device:
        return {
            (width, dark): await device.look(page.as_uri(), width, dark=dark, phone=width == PHONE)
            for width in (PHONE, DESKTOP)
            for dark in (False, True)
        }


async def _of_all_kinds(folder: Path) -> Path:
    report = await run_of_all_kinds(folder)
    report.write(folder / "report.html", command="ximilar-async insert " + "long-name" * 30)
    return folder / "report.html"


async def _of_many(folder: Path) -> Path:
    rejecting(folder, 50_000).write(folder / "report.html")
    assert (folder / "report.html").stat().st_size < 3_000_000
    return folder / "report.html"


async def _gallery(folder: Path) -> Path:
    (folder / "page.html").write_text(full_page())
    return folder / "page.html"


@pytest.mark.parametrize("make", [_of_all_kinds, _of_many, _gallery])
async def test_a_page_fits_every_screen_and_breaks_nothing(
    tmp_path: Path, make: Callable[[Path], Awaitable[Path]]
) -> None:
    """No word on the console, no image broken, nothing beside the screen, two palettes."""
    page = await make(tmp_path)
    looks = await looked_at(page, tmp_path / "profile")
    for (width, _), look in looks.items():
        assert look.told == []
        assert look.measures["wide"] <= width
        assert look.measures["broken"] == 0
        assert look.measures["smallest"] >= 12
    light, dark = looks[PHONE, False].measures, looks[PHONE, True].measures
    assert light["ground"] != dark["ground"]
    assert light["ink"] != dark["ink"]


async def test_what_breaks_the_policy_is_seen(tmp_path: Path) -> None:
    """The look itself: a script and an image from elsewhere are told of."""
    html = full_page().replace("<h1>", "<script>1</script><img src='file:///nowhere.png'><h1>")
    (tmp_path / "page.html").write_text(html)
    async with browser(tmp_path / "profile") as device:
        look = await device.look((tmp_path / "page.html").as_uri(), DESKTOP, dark=False)
    assert len(look.told) >= 2
    assert look.measures["broken"] >= 1
