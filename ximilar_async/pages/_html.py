"""Words as HTML."""

from __future__ import annotations

import re
from html import escape
from typing import Final, Literal, TypeAlias

Tone: TypeAlias = Literal["", "good", "warn", "bad", "soft"]
"""What a number or a sentence means, for its colour."""

_JOINERS: Final = frozenset("\u200c\u200d\u00ad")
"""What Persian, Hindi and joined emoji need, and a file name may have; it turns nothing around."""

_NO_NAME: Final = re.compile(r"[^a-z0-9]+")


def text(words: str) -> str:
    """Return a text as HTML; what UTF-8 or HTML cannot hold becomes a question mark.

    Example:
        >>> text("boots < 5 & more")
        'boots &lt; 5 &amp; more'
    """
    known = words.encode("utf-8", "replace").decode("utf-8")
    return escape("".join(char if _is_shown(char) else "?" for char in known))


def _is_shown(char: str) -> bool:
    return char.isprintable() or char.isspace() or char in _JOINERS


def paragraph(words: str) -> str:
    """Return a paragraph; nothing for no words."""
    return f"<p>{text(words)}</p>" if words else ""


def section(title: str, intro: str, inside: str, empty: str) -> str:
    """Return a heading with something below it.

    Args:
        title: The heading; figures at the head of the page lead to it (`anchor`).
        intro: A sentence below it.
        inside: What it is about, as HTML.
        empty: What to say where that is nothing.
    """
    name = anchor(title)
    place = f' id="{name}"' if name else ""
    shown = inside or f'<p class="empty">{text(empty)}</p>'
    return f"<section{place}><h2>{text(title)}</h2>{paragraph(intro)}{shown}</section>"


def anchor(title: str) -> str:
    """Return the name by which a page leads to the part of a title: its letters and digits.

    Example:
        >>> anchor("Near duplicates: 1,203")
        'near-duplicates-1-203'
    """
    return _NO_NAME.sub("-", title.lower()).strip("-")
