"""Figures, tables and what to do, as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import frozen

from ._gallery import data_address, link_to
from ._html import anchor, paragraph, section, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._html import Tone

_LONG: Final = 25
"""Rows beyond which a table is a window on its rows."""


@frozen
class Picture:
    """An image in a table."""

    image: bytes | None
    """A small image file, as `thumbnail` makes them; None where there is nothing to show."""
    title: str
    address: str | None = None
    """Where the image is: a link in its place, where there is none."""


Cell: TypeAlias = str | int | float | Picture


@frozen
class Table:
    """A heading with a table below it; numbers stand to the right."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    intro: str = ""
    empty: str = "Nothing here."
    stacked: bool = False
    """Whether the cells of a row stand one below the other where the page is narrow."""

    def to_html(self) -> str:
        """Return it as HTML."""
        return section(self.title, self.intro, _table(self) if self.rows else "", self.empty)


@frozen
class Fact:
    """A figure at the head of the page."""

    label: str
    value: str | float
    tone: Tone = ""
    leads_to: str = ""
    """Title of the part of the page that says more."""


@frozen
class Step:
    """Something to do."""

    words: str
    command: str = ""
    """What to type for it."""


@frozen
class Steps:
    """A heading with what to do below it."""

    title: str
    steps: tuple[Step, ...]
    intro: str = ""
    empty: str = "Nothing."

    def to_html(self) -> str:
        """Return it as HTML."""
        shown = "".join(
            f"<li>{paragraph(step.words)}{_command(step.command)}</li>" for step in self.steps
        )
        inside = f'<ol class="steps">{shown}</ol>' if shown else ""
        return section(self.title, self.intro, inside, self.empty)


def facts_html(facts: Sequence[Fact]) -> str:
    """Return figures as HTML.

    Args:
        facts: The figures.
    """
    shown = "".join(
        f'<div class="fact {text(fact.tone)}"><dt>{text(fact.label)}</dt><dd>{_figure(fact)}</dd>'
        "</div>"
        for fact in facts
    )
    return f'<dl class="facts">{shown}</dl>' if shown else ""


def _figure(fact: Fact) -> str:
    place = anchor(fact.leads_to)
    value = _cell(fact.value)
    return f'<a href="#{place}">{value}</a>' if place else value


def _command(command: str) -> str:
    return f"<pre><code>{text(command)}</code></pre>" if command else ""


def _table(table: Table) -> str:
    kinds = [_kind([row[place] for row in table.rows]) for place in range(len(table.columns))]
    # Where cells stand one below the other, each says which column it is of.
    names = [
        f' data-name="{text(column)}"' if table.stacked and "picture" not in kind else ""
        for kind, column in zip(kinds, table.columns, strict=True)
    ]
    head = "".join(
        f'<th scope="col"{kind}>{text(column)}</th>'
        for kind, column in zip(kinds, table.columns, strict=True)
    )
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{kind}{name}>{_cell(cell)}</td>"
            for kind, name, cell in zip(kinds, names, row, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    looks = ["scroll", *(["stacked"] if table.stacked else [])]
    looks += ["compared"] if sum("picture" in kind for kind in kinds) > 1 else []
    looks += ["long"] if len(table.rows) > _LONG else []
    return (
        f'<div class="{" ".join(looks)}" tabindex="0" role="region" '
        f'aria-label="{text(table.title)}"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _kind(cells: Sequence[Cell]) -> str:
    if any(isinstance(cell, Picture) for cell in cells):
        return ' class="picture"'
    return "" if any(isinstance(cell, str) for cell in cells) else ' class="number"'


def _cell(cell: Cell) -> str:
    if isinstance(cell, Picture):
        address = data_address(cell.image)
        shown = f'<img alt="{text(cell.title)}" src="{address}">' if address else ""
        return shown or link_to(cell.address, "image by address")
    if isinstance(cell, str):
        return text(cell)
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.2f}"
