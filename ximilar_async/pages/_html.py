"""Words as HTML."""

from __future__ import annotations

from html import escape


def text(words: str) -> str:
    """Return a text as HTML; what UTF-8 or HTML cannot hold becomes a question mark.

    Example:
        >>> text("boots < 5 & more")
        'boots &lt; 5 &amp; more'
    """
    known = words.encode("utf-8", "replace").decode("utf-8")
    return escape("".join(char if char.isprintable() or char.isspace() else "?" for char in known))


def paragraph(words: str) -> str:
    """Return a paragraph; nothing for no words."""
    return f"<p>{text(words)}</p>" if words else ""


def nothing(words: str) -> str:
    """Return what stands where there is nothing to show."""
    return f'<p class="empty">{text(words)}</p>'


def section(title: str, intro: str, inside: str) -> str:
    """Return a heading with something below it.

    Args:
        title: The heading.
        intro: A sentence below it.
        inside: What it is about, as HTML.
    """
    return f"<section><h2>{text(title)}</h2>{paragraph(intro)}{inside}</section>"
