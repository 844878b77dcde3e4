"""The examples in docstrings run.

Under `Example:` stands either a `>>>` session, which doctest checks, or code that may await, which
runs beside the emulated collection of tests/documented.py.
"""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from textwrap import dedent
from types import FunctionType
from typing import TYPE_CHECKING

import pytest
from attrs import frozen
from documented import lay_out_files, names_for, run_code

import ximilar_async
from ximilar_async import Collection, Ximilar, bulk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

SECTION = re.compile(r"^( *)Examples?:\n((?:\1 +[^\n]*\n|\s*\n)+)", re.MULTILINE)


@frozen
class Example:
    """One `Example:` section."""

    name: str
    """Full name of the documented thing."""
    module: ModuleType
    text: str
    """The section's text, without its indentation."""

    def __str__(self) -> str:
        return self.name.removeprefix("ximilar_async.")


def sections_of(docstring: str) -> list[str]:
    """Return the text of each `Example:` section of a docstring."""
    found = SECTION.findall(inspect.cleandoc(docstring) + "\n")
    return [dedent(text).strip("\n") + "\n" for _, text in found]


def _modules() -> Iterator[ModuleType]:
    yield ximilar_async
    for info in pkgutil.walk_packages(ximilar_async.__path__, "ximilar_async."):
        if not info.name.endswith("__main__"):
            yield importlib.import_module(info.name)


def _documented(module: ModuleType) -> Iterator[tuple[str, str]]:
    """Yield name and docstring of a module and of all classes, functions and methods made in it."""
    yield module.__name__, module.__doc__ or ""
    for name, thing in vars(module).items():
        if getattr(thing, "__module__", None) != module.__name__:
            continue
        if isinstance(thing, (type, FunctionType)):
            yield f"{module.__name__}.{name}", thing.__doc__ or ""
        if isinstance(thing, type):
            for inner, member in vars(thing).items():
                function = inspect.unwrap(getattr(member, "fget", None) or member)
                function = getattr(function, "__func__", function)
                if isinstance(function, FunctionType):
                    yield f"{module.__name__}.{name}.{inner}", function.__doc__ or ""


EXAMPLES = [
    Example(name, module, text)
    for module in _modules()
    for name, docstring in _documented(module)
    for text in sections_of(docstring)
]
SESSIONS = [example for example in EXAMPLES if ">>>" in example.text]
SCRIPTS = [example for example in EXAMPLES if ">>>" not in example.text]


@pytest.mark.parametrize("example", SESSIONS, ids=str)
def test_sessions_show_what_they_print(example: Example) -> None:
    """Each `>>>` line prints what stands below it; `...` stands for anything."""
    names = dict(vars(example.module))
    test = doctest.DocTestParser().get_doctest(example.text, names, example.name, None, None)
    report: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("example", SCRIPTS, ids=str)
async def test_scripts_run(
    example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each example that awaits runs as it stands, with a collection `shoes` at hand."""
    lay_out_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    async with names_for() as names:
        monkeypatch.setenv("XIMILAR_TOKEN", "token")
        monkeypatch.setenv("XIMILAR_URL", names["emulator"].url)
        await run_code(example.text, {**vars(example.module), **names}, example.name)


def test_sections_are_read_as_they_stand() -> None:
    """An example ends where its indentation does, and keeps that within."""
    docstring = """Do it.

    Example:
        for x in y:
            await x

    Documented in: nowhere.

    Example:
        >>> 1
        1
    """
    assert sections_of(docstring) == ["for x in y:\n    await x\n", ">>> 1\n1\n"]


def _callables(kind: type) -> list[str]:
    return [
        name
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and name != "aclose"
    ]


@pytest.mark.parametrize("kind", [Collection, Ximilar])
def test_every_method_shows_how_it_is_called(kind: type) -> None:
    """Every public method of client and collection has an example that runs."""
    shown = {example.name.rsplit(".", 1)[-1] for example in EXAMPLES}
    assert [name for name in _callables(kind) if name not in shown] == []


def test_every_bulk_function_shows_how_it_is_called() -> None:
    """Every function of `bulk` has an example that runs."""
    shown = {example.name.rsplit(".", 1)[-1] for example in EXAMPLES if ".bulk" in example.name}
    functions = [name for name in bulk.__all__ if inspect.isfunction(getattr(bulk, name))]
    assert functions
    assert [name for name in functions if name not in shown] == []
