"""The public surface: what can be imported, and that it says what it does."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from samples import snake

import ximilar_async
from ximilar_async import Collection, Ximilar, bulk, errors
from ximilar_async._endpoints import METHODS
from ximilar_async.emulator import Emulator

ROOT = Path(ximilar_async.__file__).parent
FACES = [
    "ximilar_async",
    "ximilar_async.bulk",
    "ximilar_async.emulator",
    "ximilar_async.errors",
    "ximilar_async.sources",
    "ximilar_async.telemetry",
]
"""Modules that users import from."""

TOP_LEVEL = {
    "Account",
    "Answer",
    "Collection",
    "CountAnswer",
    "ImageOptions",
    "Limits",
    "Match",
    "PageAnswer",
    "PingAnswer",
    "RecordsAnswer",
    "Retry",
    "SearchAnswer",
    "Service",
    "Skipped",
    "Status",
    "Timeout",
    "Ximilar",
    "__version__",
    "bulk",
    "errors",
}

CLIENT = [
    "token",
    "base_url",
    "limits",
    "retry",
    "timeout",
    "transport",
    "ssl",
    "trust_env",
    "processes",
    "telemetry",
]
EMULATOR = [
    "path",
    "host",
    "port",
    "tokens",
    "mirror_status",
    "latency",
    "rate_limit",
    "capacity",
    "faults",
    "files_root",
    "url_allow",
]


def _modules() -> list[ModuleType]:
    names = [info.name for info in pkgutil.walk_packages([str(ROOT)], "ximilar_async.")]
    kept = [name for name in names if not name.endswith("__main__")]
    return [importlib.import_module(name) for name in ["ximilar_async", *kept]]


@pytest.mark.parametrize("name", FACES)
def test_all_is_importable_and_named_once(name: str) -> None:
    """Every name in `__all__` is there, and none stands twice."""
    face = importlib.import_module(name)
    assert [name for name in face.__all__ if not hasattr(face, name)] == []
    assert len(set(face.__all__)) == len(face.__all__)


def _rank(name: str) -> tuple[int, str]:
    """Order constants before classes before the rest, as ruff does."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("name", FACES)
def test_all_is_sorted(name: str) -> None:
    """`__all__` is in an order in which a name is found."""
    names = importlib.import_module(name).__all__
    assert list(names) == sorted(names, key=_rank)


def _unlisted(face: ModuleType) -> set[str]:
    """Return the public names of what a module makes that are not in its `__all__`."""
    made = {
        name
        for name, thing in vars(face).items()
        if getattr(thing, "__module__", None) == face.__name__ and not name.startswith("_")
    }
    return made - set(face.__all__)


@pytest.mark.parametrize("name", FACES)
def test_all_is_complete(name: str) -> None:
    """What a public module makes is in its `__all__`, or has a name that hides it."""
    assert _unlisted(importlib.import_module(name)) == set()


def test_an_unlisted_name_is_seen() -> None:
    """A class that `__all__` forgets is found, a hidden one is not."""
    module = ModuleType("bare")
    exec("__all__ = ['A']\nclass A: ...\nclass _B: ...\nclass C: ...", vars(module))
    assert _unlisted(module) == {"C"}


def test_the_top_level_has_the_promised_names() -> None:
    """Client, settings, answers, `bulk` and `errors` are found at the top."""
    assert set(ximilar_async.__all__) >= TOP_LEVEL


def test_the_version_is_a_release_number() -> None:
    """`__version__` tells what is installed."""
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?(\.dev\d+)?", ximilar_async.__version__)


def test_the_collection_has_the_methods_of_the_api() -> None:
    """The 20 methods have the wire's names in snake case, and all are coroutines."""
    assert len(METHODS) == 20
    for method in METHODS:
        assert inspect.iscoroutinefunction(getattr(Collection, snake(method))), method
    assert inspect.isasyncgenfunction(Collection.iter_records)


def test_methods_name_every_parameter() -> None:
    """A misspelt keyword fails at the call: no method takes arbitrary ones."""
    for method in METHODS:
        parameters = inspect.signature(getattr(Collection, snake(method))).parameters.values()
        kinds = {parameter.kind for parameter in parameters}
        assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}, method


@pytest.mark.parametrize(("kind", "names"), [(Ximilar, CLIENT), (Emulator, EMULATOR)])
def test_constructors_take_the_promised_arguments(kind: type, names: list[str]) -> None:
    """Only the subject may be given by position, everything else by its promised name."""
    parameters = inspect.signature(kind).parameters
    assert set(names) <= set(parameters)
    by_position = [
        name
        for name, parameter in parameters.items()
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    ]
    assert by_position == names[:1]


def test_every_error_is_public() -> None:
    """Each class of the error tree can be imported from `errors`."""
    tree = {name for name, kind in vars(errors).items() if inspect.isclass(kind)}
    assert {name for name in tree if issubclass(vars(errors)[name], errors.XimilarError)} <= set(
        errors.__all__
    )


def test_bulk_has_the_promised_names() -> None:
    """The operations, their options, and what they return."""
    promised = {"Job", "Options", "Outcome", "Report", "insert", "near_dups_insert"}
    assert promised <= set(bulk.__all__)


def _undocumented(module: ModuleType) -> list[str]:
    missing = [] if module.__doc__ else [module.__name__]
    for name, thing in vars(module).items():
        ours = getattr(thing, "__module__", None) == module.__name__
        if not ours or name.startswith("_") or not isinstance(thing, (type, FunctionType)):
            continue
        if not (vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__):
            missing.append(f"{module.__name__}.{name}")
        if isinstance(thing, type):
            missing += _undocumented_methods(thing)
    return missing


def _undocumented_methods(kind: type) -> list[str]:
    return [
        f"{kind.__module__}.{kind.__qualname__}.{name}"
        for name, member in vars(kind).items()
        if not name.startswith("_")
        and isinstance(member, (FunctionType, property, classmethod, staticmethod))
        and not member.__doc__
    ]


@pytest.mark.parametrize("module", _modules(), ids=lambda module: module.__name__)
def test_everything_public_says_what_it_does(module: ModuleType) -> None:
    """Every module, and every class, function and method without an underscore, has a docstring."""
    assert _undocumented(module) == []


def test_what_says_nothing_is_seen() -> None:
    """A module, a class and a method without docstring are each found."""
    module = ModuleType("bare")
    exec("class A:\n  def b(self): ...\n  def _c(self): ...\ndef d(): ...", vars(module))
    assert _undocumented(module) == ["bare", "bare.A", "bare.A.b", "bare.d"]


MAY_PRINT = {"cli", "__main__.py"}


def _prints(source: str) -> list[int]:
    """Return the lines that call `print` or write to the process's own streams."""
    expressions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.expr))
    return [node.lineno for node in expressions if _is_printing(node)]


def _is_printing(node: ast.expr) -> bool:
    if isinstance(node, ast.Call):
        return getattr(node.func, "id", "") == "print"
    return (
        isinstance(node, ast.Attribute)
        and node.attr in ("stdout", "stderr")
        and getattr(node.value, "id", "") == "sys"
    )


LIBRARY = [
    path for path in sorted(ROOT.rglob("*.py")) if path.relative_to(ROOT).parts[0] not in MAY_PRINT
]


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_prints_nothing(path: Path) -> None:
    """Only the command line writes to the terminal."""
    assert _prints(path.read_text(encoding="utf-8")) == []


def test_printing_is_seen() -> None:
    """A call of `print` and a use of the process's streams are found, words in text are not."""
    assert _prints('"""print(1)"""\nprint(1)\nimport sys\nsys.stderr.write("x")') == [2, 4]
