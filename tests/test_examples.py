"""Each example runs by itself, offline, and says in its first lines how and what is to be seen."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SHOWS = {
    "aiohttp_service": [
        '/health: 200 {"search": "OK"}',
        '/similar: 200 [{"id": "shoe-0001", "distance": 0.0}',
        'POST /search: 200 [{"id": "shoe-0001"',
        "/products/gone/similar: 404",
        "POST /search: 422",
    ],
    "fastapi_service": [
        '/health: 200 {"search":"OK"}',
        '/similar: 200 [{"id":"shoe-0001","distance":0.0}',
        'POST /search: 200 [{"id":"shoe-0001"',
        "/products/gone/similar: 404",
        "POST /search: 422",
    ],
    "dataframe": ["19 inserted, 1 rejected", "row 13 (`_id` '13') has no image", "nearest"],
    "similar_products": ["update: 65 records read: 65 updated", "is most like shoe-"],
}
"""What is to be seen of an example, besides that it ends well."""


def _needed(path: Path) -> list[str]:
    """Return the modules that an example imports and that are not here."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return sorted(name for name in names if not _is_here(name))


def _is_here(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_run_by_themselves(path: Path, tmp_path: Path) -> None:
    """In an empty folder, without token and address, each ends well and shows what it should."""
    if missing := _needed(path):
        pytest.skip(f"needs {', '.join(missing)}; `nox -s examples` installs it")
    environment = {
        name: text for name, text in os.environ.items() if not name.startswith("XIMILAR")
    }
    done = subprocess.run(
        [sys.executable, path],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    assert [text for text in SHOWS.get(path.stem, ()) if text not in done.stdout] == []


@pytest.mark.parametrize("name", SHOWS)
def test_first_lines_say_how_and_what(name: str) -> None:
    """The docstring tells how to install and run it, and what is to be seen."""
    path = ROOT / "examples" / f"{name}.py"
    words = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert f"python examples/{name}.py" in words
    assert "pip install" in words
    assert "To be seen:" in words
