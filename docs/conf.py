# ruff: noqa: INP001 - a script that Sphinx reads
"""How the site is built from these pages and from the package's docstrings: `nox -s docs`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import ximilar_async

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "ximilar-async"
author = "the ximilar-async authors"
copyright = author
version = release = ximilar_async.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"{project} {release}"
html_copy_source = False
html_show_sphinx = False

myst_heading_anchors = 4
myst_enable_extensions = ["deflist", "fieldlist"]

default_role = "code"  # docstrings mark code with single backticks
add_module_names = False
python_maximum_signature_line_length = 88
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "inherited-members": "Exception, int, str, tuple"}
napoleon_numpy_docstring = False
napoleon_use_ivar = True

# Names that stand only in annotations: private aliases, the standard library's and other
# packages' types. There is no page that they could lead to.
nitpick_ignore_regex = [("py:.*", ".*")]

_TICKED = re.compile(r"(?<![`:])`([^`\n]+)`(?!`)(\w?)")
_SECTION = re.compile(r"^( *)(Args|Returns|Yields|Raises|Examples?):$")
_OUTSIDE = re.compile(r"\]\((?=(?:\.\./)+(?:benchmarks|tests|README|CHANGELOG)[\w./-]*\.md\))")
_EXAMPLE = re.compile(r"^( *)Examples?:$")


def _code(lines: list[str], indent: int) -> list[str]:
    """Return lines as a block of code, unless they are a session, which docutils knows."""
    if any(line.lstrip().startswith(">>>") for line in lines):
        return lines
    return [" " * indent + ".. code-block:: python", "", *("    " + line for line in lines)]


def _quoted(line: str) -> str:
    """Return a line whose code stands in double backticks, a letter right behind it allowed."""
    return _TICKED.sub(lambda found: f"``{found[1]}``" + ("\\ " * bool(found[2])) + found[2], line)


def _deeper(lines: list[str], start: int, indent: int) -> int:
    """Return where the block ends that begins at `start` and is deeper than `indent`."""
    end = start
    while end < len(lines) and (not lines[end] or _indent(lines[end]) > indent):
        end += 1
    return end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def mark_code(lines: list[str]) -> list[str]:
    """Return a docstring's lines with its examples and drawings marked as such."""
    marked: list[str] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        indent = _indent(line)
        after_blank = bool(marked) and not marked[-1]
        if found := _EXAMPLE.match(line):
            end = _deeper(lines, position + 1, len(found[1]))
            marked += [line, *_code(lines[position + 1 : end], len(found[1]) + 4)]
        elif _SECTION.match(line):
            end = _deeper(lines, position + 1, indent)
            marked += map(_quoted, lines[position:end])
        elif after_blank and indent >= 4:  # noqa: PLR2004 - a block of its own, as in Markdown
            end = _deeper(lines, position, 3)
            kind = "python" if "await" in "".join(lines[position:end]) else "text"
            marked += [f".. code-block:: {kind}", "", *lines[position:end]]
        else:
            end = position + 1
            marked.append(_quoted(line))
        position = end
    return marked


def _mark(*told: Any) -> None:
    """Mark the lines of a docstring, the last of what Sphinx tells, in their place."""
    what, lines = told[1], told[-1]
    # Napoleon takes what stands before a colon in an attribute's first line for its type.
    head = ["..", ""] if what in ("attribute", "data", "property") else []
    lines[:] = head + mark_code(lines)


def _as_files(_app: Any, _page: str, source: list[str]) -> None:
    """Let links to pages outside of the site lead to the files."""
    source[0] = _OUTSIDE.sub("](path:", source[0])


_IN_GROUPS = ("reference/client", "reference/bulk", "reference/sources")
"""Pages that name each member of their module in the group where it belongs."""


def _in_its_group(app: Sphinx, what: str, *_: Any) -> bool | None:
    """Leave the members of a module out where its page brings them in a better order."""
    return True if what == "module" and app.env.docname in _IN_GROUPS else None


def setup(app: Sphinx) -> None:
    """Mark code before napoleon reads the sections, and links before MyST does."""
    app.connect("autodoc-process-docstring", _mark, priority=100)
    app.connect("autodoc-skip-member", _in_its_group)
    app.connect("source-read", _as_files)
