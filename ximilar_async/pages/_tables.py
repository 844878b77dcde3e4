"""Figures, tables and what to do, as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from attrs import frozen

from ._gallery import data_address
from ._html import nothing, paragraph, section, text

if TYPE_CHECKING:
    from collections.abc import Sequence


_LONG: Final = 25
"""Rows beyond which a table is a window on its rows."""


@frozen
class Picture:
    """An image in a table."""

    image: bytes | None
    """A small image file, as `thumbnail` makes them; None where there is nothing to show."""
    title: str


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
        return section(self.title, self.intro, _table(self) if self.rows else nothing(self.empty))


@frozen
class Fact:
    """A figure at the head of the page."""

    label: str
    value: str | float
    tone: Literal["", "good", "warn", "bad"] = ""


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
        inside = f'<ul class="steps">{shown}</ul>' if shown else nothing(self.empty)
        return section(self.title, self.intro, inside)


def facts_html(facts: Sequence[Fact]) -> str:
    """Return figures as HTML.

    Args:
        facts: The figures.
    """
    shown = "".join(
        f'<div class="fact {text(fact.tone)}"><dt>{text(fact.label)}</dt>'
        f"<dd>{_cell(fact.value)}</dd></div>"
        for fact in facts
    )
    return f'<dl class="facts">{shown}</dl>' if shown else ""


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
    looks += ["long"] if len(table.rows) > _LONG else []
    return (
        f'<div class="{" ".join(looks)}" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _kind(cells: Sequence[Cell]) -> str:
    if any(isinstance(cell, Picture) for cell in cells):
        return ' class="picture"'
    return "" if any(isinstance(cell, str) for cell in cells) else ' class="number"'


def _cell(cell: Cell) -> str:
    if isinstance(cell, Picture):
        address = data_address(cell.image)
        return f'<img alt="{text(cell.title)}" src="{address}">' if address else ""
    if isinstance(cell, str):
        return text(cell)
    return f"{cell:,}" if isinstance(cell, int) else f"{cell:,.2f}"
