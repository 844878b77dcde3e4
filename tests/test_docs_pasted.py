"""Who reads the documentation finds the page, and what is pasted from it runs."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING

import pytest
from documented import lay_out_files, names_for, run_code
from test_readme import PYTHON

if TYPE_CHECKING:
    from test_readme import Block

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


def _led_to(page: Path) -> set[Path]:
    links = re.findall(r"\]\(([^)#]+\.md)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    return {(page.parent / link).resolve() for link in links if "://" not in link}


def test_every_page_is_two_clicks_away() -> None:
    """From the first page, a link and one more lead to each page."""
    near = _led_to(DOCS / "index.md") | {(DOCS / "index.md").resolve()}
    far = near.union(*(_led_to(page) for page in near))
    pages = {page.resolve() for page in DOCS.rglob("*.md")}
    assert {page.name for page in pages - far} <= {"design.md"}  # for those who build on it


FRAME = next(
    block.text
    for block in PYTHON
    if block.page == "docs/howto/index.md" and "asyncio.run(main())" in block.text
)
PLACE = "    print((await shoes.get_record_count()).count)\n"
PASTED = [block for block in PYTHON if block.page.startswith("docs/") and not block.reason]


def framed(text: str) -> str:
    """Return a block as a program: in the place that the frame names, unless it is one itself."""
    assert FRAME.count(PLACE) == 1
    return text if "asyncio.run(" in text else FRAME.replace(PLACE, indent(text, "    "))


@pytest.mark.parametrize("block", PASTED, ids=str)
async def test_code_runs_when_it_is_pasted(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block runs as a program of its own, in the frame that the how-to pages show."""
    lay_out_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    async with names_for() as names:
        monkeypatch.setenv("XIMILAR_TOKEN", "token")
        monkeypatch.setenv("XIMILAR_URL", names["emulator"].url)
        await run_code(framed(block.text), {"__name__": "__main__"}, str(block))


async def test_what_a_pasted_block_lacks_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that neither the block nor the frame brings is missed."""
    async with names_for() as names:
        monkeypatch.setenv("XIMILAR_TOKEN", "token")
        monkeypatch.setenv("XIMILAR_URL", names["emulator"].url)
        with pytest.raises(NameError):
            await run_code(framed("print(emulator.url)\n"), {"__name__": "__main__"})


def test_pages_of_tasks_lead_to_the_frame() -> None:
    """A how-to page with code that awaits at its first level says where that code stands."""
    pages = {block.page for block in PASTED if block.page.startswith("docs/howto/")}
    whole = {"docs/howto/index.md", "docs/howto/emulator.md"}
    texts = {page: (ROOT / page).read_text(encoding="utf-8") for page in pages - whole}
    assert [page for page, text in texts.items() if "(index.md#the-frame)" not in text] == []
