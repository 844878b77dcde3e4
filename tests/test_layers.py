"""The house's plan: which room may import which, and where each dependency lives.

Imports are read from the source, those for the type checker and those inside functions included.
A room is a module or a package right below `ximilar_async`; `emulator.server` is one module of a
package. To change the plan, change the tables here and say why in docs/design.md.
"""

from __future__ import annotations

import ast
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = "ximilar_async"
ROOT = Path(__file__).parent.parent / PACKAGE

VALUES = frozenset({"errors", "_config", "_models", "_endpoints"})
"""Rooms of plain values, which most others may know."""

MAY_IMPORT: dict[str, frozenset[str]] = {
    "_version": frozenset(),
    "errors": frozenset(),
    "_validation": frozenset({"errors"}),
    "_config": frozenset({"errors", "_validation"}),
    "_models": frozenset({"errors"}),
    "_endpoints": frozenset({"_models"}),
    "_encoding": frozenset({"errors"}),
    "_retry": frozenset({"errors", "_config"}),
    "_concurrency": frozenset({"errors", "_retry"}),
    "_gate": frozenset({"errors", "_config", "_concurrency"}),
    "_logging": frozenset({"errors", "_config", "_endpoints"}),
    "_observer": frozenset({"_config", "_endpoints", "_gate", "_retry"}),
    "_protocol": VALUES | {"_encoding", "_version"},
    "_answers": VALUES | {"_protocol", "_retry"},
    "_exchange": frozenset({"_protocol"}),
    "_transport": frozenset({"errors", "_config", "_protocol", "_exchange"}),
    "_processes": frozenset({"errors", "_config", "_protocol", "_transport", "_validation"}),
    "_session": VALUES
    | {
        "_encoding",
        "_retry",
        "_concurrency",
        "_gate",
        "_logging",
        "_observer",
        "_protocol",
        "_answers",
        "_transport",
    },
    "_observed": VALUES | {"_encoding", "_gate", "_observer", "_protocol", "_retry", "_session"},
    "_telemetry": frozenset(
        {"errors", "_config", "_endpoints", "_logging", "_observer", "_retry", "_version"}
    ),
    "telemetry": frozenset({"_telemetry"}),
    "images": frozenset({"errors", "_validation"}),
    "_collection": VALUES
    | {
        "_encoding",
        "_retry",
        "_concurrency",
        "_observer",
        "_protocol",
        "_session",
        "_validation",
        "images",
    },
    "client": VALUES
    | {
        "_session",
        "_observed",
        "_observer",
        "_transport",
        "_processes",
        "_collection",
        "images",
    },
    "sources": frozenset({"errors", "_models"}),
    "sinks": frozenset({"errors"}),
    # One room for every page: the command line's galleries and the reports of bulk runs.
    "pages": frozenset({"errors", "_models", "images", "sources"}),
    "bulk": VALUES
    | {
        "_encoding",
        "_retry",
        "_concurrency",
        "_logging",
        "_observer",
        "_protocol",
        "_collection",
        "_validation",
        "images",
        "pages",
        "sinks",
        "sources",
    },
    "demo": frozenset({"errors"}),
    # What a setting may be is no reading of the API: it is written once.
    "emulator": frozenset({"_endpoints", "_protocol", "_validation", "_version"}),
}
"""The rooms of ours that a room may import. What is missing here is forbidden."""

MAY_IMPORT_ANYTHING = frozenset({"__init__", "__main__", "cli"})

ONLY_THESE_NAMES: dict[tuple[str, str], frozenset[str]] = {
    # Client and emulator share no parsing: a misread document must not pass on both sides.
    ("emulator", "_protocol"): frozenset({"Request", "Response"}),
}

LIVES_IN: dict[str, frozenset[str]] = {
    "aiofiles": frozenset({"sources"}),
    "aiohttp": frozenset({"_exchange", "_transport", "emulator.fetch", "emulator.server"}),
    "aiolimiter": frozenset({"_gate", "_session"}),
    "backoff": frozenset({"_gate", "_retry", "_session"}),
    "cattrs": frozenset({"_models"}),
    "fsspec": frozenset({"sources"}),
    "numpy": frozenset({"demo", "emulator"}),
    "opentelemetry": frozenset({"_telemetry"}),
    "PIL": frozenset({"cli", "demo", "emulator", "images"}),
    "pillow_heif": frozenset({"emulator", "images"}),
    "pyarrow": frozenset({"sources", "sinks"}),
    "pybase64": frozenset({"emulator", "images"}),
    "rich": frozenset({"cli"}),
    "sqlite3": frozenset({"bulk._seen", "bulk._sync", "emulator"}),
    "typer": frozenset({"cli"}),
    "uvloop": frozenset({"__main__", "cli"}),
    "yarl": frozenset({"_exchange"}),  # aiohttp's addresses
}
"""One dependency, one room. A dependency that is neither here nor below is forbidden everywhere."""

LIVES_ANYWHERE = frozenset({"attrs", "orjson"})

PURE = frozenset(
    {
        "errors",
        "_models",
        "_answers",
        "_validation",
        "_endpoints",
        "_encoding",
        "_protocol",
        "_concurrency",
    }
) | {f"bulk.{module}" for module in ("_batching", "_ledger", "_reconcile", "_verify")}
"""Rooms and modules of rules alone: values in, values out."""

NOT_PURE = frozenset(
    {"asyncio", "io", "os", "pathlib", "random", "socket", "ssl", "subprocess", "threading", "time"}
)
"""Clock, chance, network, disk and event loop."""


@frozen
class Import:
    """One thing that one line imports."""

    line: int
    module: str
    """The module's absolute name, without the name taken from it."""
    name: str = ""
    """The name taken from it, if any."""


def _imports(source: str, module: str, *, is_package: bool) -> Iterator[Import]:
    """Yield every import of a source text; relative ones made absolute."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = _origin(node, module, is_package=is_package)
            yield from (Import(node.lineno, origin, alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and (name := _imported_by_call(node)):
            yield Import(node.lineno, name)


def _origin(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    kept = parts[: len(parts) - node.level + is_package]
    return ".".join([*kept, *([node.module] if node.module else [])])


def _imported_by_call(node: ast.Call) -> str | None:
    """Return the module that `import_module("…")` or `__import__("…")` names."""
    function = node.func
    called = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if called not in ("import_module", "__import__", "find_spec") or not node.args:
        return None
    first = node.args[0]
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None


def _room_of(module: str, name: str = "") -> str:
    """Return the room of ours that an import reaches; `__init__` for the package's own face."""
    below = [*module.split("."), *([name] if name else [])][1:]
    known = below and (below[0] in MAY_IMPORT or below[0] in MAY_IMPORT_ANYTHING)
    return below[0] if known else "__init__"


def breaches(source: str, path: Path) -> list[str]:
    """Return what a source text does against the plan, a sentence each.

    Args:
        source: The module's text.
        path: Where it lies, from the package's folder.
    """
    parts = [*path.parts[:-1], path.stem] if path.stem != "__init__" else list(path.parts[:-1])
    module = ".".join([PACKAGE, *parts])
    room = parts[0] if parts else "__init__"
    if room not in MAY_IMPORT and room not in MAY_IMPORT_ANYTHING:
        return [f"{path}:1: the plan knows no room {room!r}; add it to MAY_IMPORT"]
    return [
        f"{path}:{found.line}: {breach}"
        for found in _imports(source, module, is_package=path.stem == "__init__")
        for breach in (_breach(room, ".".join(parts), found),)
        if breach
    ]


def _breach(room: str, place: str, found: Import) -> str | None:
    top = found.module.split(".")[0]
    if top == PACKAGE:
        return _inner_breach(room, found)
    if PURE & {room, place} and top in NOT_PURE:
        return f"{place} imports {top}, but it is pure (PURE)"
    if top in LIVES_IN:
        places = LIVES_IN[top]
        if room not in places and not any(f"{place}.".startswith(f"{at}.") for at in places):
            return f"{place} imports {top}, which lives in {', '.join(sorted(places))} (LIVES_IN)"
        return None
    if top in LIVES_ANYWHERE or top in sys.stdlib_module_names:
        return None
    return f"{place} imports {top}, which has no place in the plan (LIVES_IN)"


def _inner_breach(room: str, found: Import) -> str | None:
    target = _room_of(found.module, found.name)
    if target == room or room in MAY_IMPORT_ANYTHING:
        return None
    if target not in MAY_IMPORT[room]:
        allowed = ", ".join(sorted(MAY_IMPORT[room])) or "nothing of ours"
        return f"{room} imports {target}, but may import {allowed} (MAY_IMPORT)"
    names = ONLY_THESE_NAMES.get((room, target))
    if names is not None and found.name not in names:
        return (
            f"{room} takes {found.name or 'all'} from {target}, "
            f"but may take {', '.join(sorted(names))} (ONLY_THESE_NAMES)"
        )
    return None


FILES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_keep_to_the_plan(path: Path) -> None:
    """Every module imports only what the plan grants its room."""
    found = breaches((ROOT / path).read_text(encoding="utf-8"), path)
    assert not found, "\n" + "\n".join(found)


def test_the_plan_has_no_room_that_is_gone() -> None:
    """Every room of the plan is there."""
    rooms = {path.parts[0].removesuffix(".py") for path in FILES}
    assert set(MAY_IMPORT) <= rooms


def test_the_plan_has_no_circle() -> None:
    """Rooms can be put in an order in which each knows only those before it."""
    order = list(TopologicalSorter(MAY_IMPORT).static_order())
    assert order.index("errors") < order.index("_protocol") < order.index("client")


@pytest.mark.parametrize(
    ("path", "source", "breach"),
    [
        ("_models.py", "from ._config import Retry", "_models imports _config"),
        ("_models.py", "from . import _session", "_models imports _session"),
        ("_models.py", "from . import Ximilar", "_models imports __init__"),
        ("_models.py", "import ximilar_async.bulk", "_models imports bulk"),
        ("_models.py", "from ximilar_async.cli.main import app", "_models imports cli"),
        (
            "_models.py",
            "\nimport aiohttp",
            ":2: _models imports aiohttp, which lives in _exchange",
        ),
        ("_models.py", "import requests", "requests, which has no place in the plan"),
        ("_models.py", "import asyncio", "but it is pure"),
        ("bulk/_reconcile.py", "from time import monotonic", "bulk._reconcile imports time"),
        ("bulk/engine.py", "def f():\n  from .._session import Session", "bulk imports _session"),
        ("bulk/engine.py", "if TYPE_CHECKING:\n  from .._transport import T", ":2: bulk imports"),
        ("bulk/__init__.py", "from .. import _gate", "bulk imports _gate"),
        ("bulk/a/__init__.py", "from ..._gate import Gate", "bulk imports _gate"),
        ("bulk/__init__.py", "import importlib\nimportlib.import_module('rich')", "imports rich"),
        ("emulator/store.py", "import aiohttp.web", "emulator.store imports aiohttp"),
        ("emulator/store.py", "from .._models import Status", "emulator imports _models"),
        ("emulator/a.py", "from .._protocol import parse_response", "takes parse_response"),
        ("emulator/a.py", "import ximilar_async._protocol", "takes all from _protocol"),
        ("attic/__init__.py", "", "knows no room 'attic'"),
    ],
)
def test_a_breach_is_found_and_named(path: str, source: str, breach: str) -> None:
    """The checker sees each way of breaking the plan, and says file, line and rule."""
    (found,) = breaches(source, Path(path))
    assert found.startswith(f"{path}:")
    assert breach in found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("bulk/engine.py", "from .batching import Batch\nfrom . import journal"),
        ("bulk/engine.py", "from .._models import Record\nfrom ..errors import RecordError"),
        ("bulk/engine.py", "import asyncio, orjson\nfrom attrs import frozen"),
        ("emulator/server.py", "from aiohttp import web\nfrom .methods import METHODS"),
        ("emulator/server.py", "from .._protocol import Request, Response"),
        ("cli/main.py", "from .. import Ximilar, bulk\nfrom .._session import Session"),
        ("__init__.py", "from .client import Ximilar\nfrom . import bulk"),
    ],
)
def test_what_the_plan_grants_passes(path: str, source: str) -> None:
    """The checker finds nothing where nothing is wrong."""
    assert breaches(source, Path(path)) == []
