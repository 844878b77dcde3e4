"""A whole page: values in, one self-contained HTML text out.

The page loads nothing and runs nothing: its images are part of it, and its own security policy
forbids everything but them and its style. Only where a tile is to be loaded from its address
(`Tile.remote`) does the policy let images come from elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from attrs import frozen

from ._gallery import Section, search, tiles_of
from ._html import paragraph, text
from ._style import STYLE
from ._tables import facts_html

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ._gallery import Tile
    from ._html import Tone
    from ._tables import Fact

_POLICY: Final = (
    "default-src 'none'; img-src {sources}; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)


class Part(Protocol):
    """A part of a page: a heading with something below it."""

    def to_html(self) -> str:
        """Return it as HTML."""
        ...


@frozen
class Verdict:
    """What the page says in one line."""

    words: str
    tone: Tone = ""


def render_page(
    title: str,
    *,
    subtitle: str = "",
    verdict: Verdict | None = None,
    facts: Sequence[Fact] = (),
    query: Tile | None = None,
    parts: Sequence[Part] = (),
    footer: str = "",
) -> str:
    """Return a page as one HTML text that needs nothing else.

    Args:
        title: Its heading.
        subtitle: A sentence below it.
        verdict: What it says in one line, below that.
        facts: Figures below that.
        query: What was searched with; it stands beside the first part.
        parts: What the page consists of: images, charts, tables, by headings.
        footer: A sentence at the end.

    Example:
        >>> page = render_page("Boots & shoes", parts=[Section("Nearest")])
        >>> "<h1>Boots &amp; shoes</h1>" in page
        True
    """
    shown = [part.to_html() for part in parts]
    if query is not None:
        shown[:1] = [search(query, shown[0] if shown else "")]
    head = f"<h1>{text(title)}</h1>{paragraph(subtitle)}{_verdict(verdict)}{facts_html(facts)}"
    body = [
        f"<header>{head}</header>",
        f"<main>{''.join(shown)}</main>",
        f"<footer>{text(footer)}</footer>" if footer else "",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(parts)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{text(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{chr(10).join(body)}\n</body>\n</html>\n"
    )


def _policy(parts: Sequence[Part]) -> str:
    sections = [part for part in parts if isinstance(part, Section)]
    is_loading = any(tile.is_loaded for section in sections for tile in tiles_of(section))
    return text(_POLICY.format(sources="data: https: http:" if is_loading else "data:"))


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    return f'<p class="verdict {verdict.tone}">{text(verdict.words)}</p>'
