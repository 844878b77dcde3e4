"""Fault scenarios from a file: TOML or JSON, a table for each."""

from __future__ import annotations

import difflib
import inspect
import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import fields

from . import faults
from .faults import Faults, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from os import PathLike

_SCENARIOS: Final[Mapping[str, Callable[..., Rule]]] = {
    name: getattr(faults, name) for name in faults.__all__ if name.islower()
}
_KEYS: Final = ("rule", "seed")
_WHEN: Final = [field.name for field in fields(Rule) if field.name not in ("fault", "name")]


def load_faults(path: str | PathLike[str]) -> Faults:
    r"""Read a plan from a file that ends in `.toml` or `.json`.

    It has a `seed` and any number of tables `rule`; `fault` names the function of `faults`, all
    else are its arguments.

    Args:
        path: The file.

    Raises:
        ValueError: what it says makes no sense; the message names the rule.
        OSError: it cannot be read.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> text = "seed = 7\n[[rule]]\nfault = 'unavailable'\nchance = 0.05\n"
        >>> with TemporaryDirectory() as folder:
        ...     file = Path(folder, "faults.toml")
        ...     _ = file.write_text(text)
        ...     load_faults(file).rules[0].chance
        0.05
    """
    file = Path(path)
    try:
        return make_faults(_read(file))
    except ValueError as error:
        raise ValueError(f"{file.name}: {error}") from None


def make_faults(text: object) -> Faults:
    """Return the plan that a decoded file describes.

    Args:
        text: What stands in the file.

    Raises:
        ValueError: it makes no sense.

    Example:
        >>> make_faults({"rule": [{"fault": "outage", "first": 3, "last": 9}]}).rules[0].name
        'outage'
    """
    if not isinstance(text, dict):
        raise ValueError("the file must hold a table, not a list or a value")  # noqa: TRY004 - a setting
    _refuse_unknown(text, _KEYS)
    seed, rules = text.get("seed", 0), text.get("rule", [])
    if type(seed) is not int:
        raise ValueError(f"seed must be a whole number, not {seed!r}")
    if not isinstance(rules, list) or not rules:
        raise ValueError("there is no rule: add tables [[rule]], each with its fault")
    return Faults(*(_rule(number, rule) for number, rule in enumerate(rules, 1)), seed=seed)


def _read(file: Path) -> Any:
    if file.suffix not in (".toml", ".json"):
        raise ValueError("a file of faults ends in .toml or .json")
    text = file.read_text(encoding="utf-8")
    return json.loads(text) if file.suffix == ".json" else tomllib.loads(text)


def _rule(number: int, table: object) -> Rule:
    if not isinstance(table, dict):
        raise ValueError(f"rule {number} is no table")  # noqa: TRY004 - a setting
    name = table.get("fault")
    if not isinstance(name, str):
        known = ", ".join(_SCENARIOS)
        raise ValueError(f"rule {number}: fault must name what goes wrong: {known}")  # noqa: TRY004 - a setting
    if name not in _SCENARIOS:
        raise ValueError(f"rule {number}: {_unknown('fault', name, _SCENARIOS)}")
    try:
        return _make(_SCENARIOS[name], {key: table[key] for key in table if key != "fault"})
    except ValueError as error:
        raise ValueError(f"rule {number} ({name}): {error}") from None


def _make(scenario: Callable[..., Rule], arguments: Mapping[str, Any]) -> Rule:
    own = inspect.signature(scenario).parameters
    _refuse_unknown(arguments, [name for name in (*own, *_WHEN) if name != "when"])
    for name, parameter in own.items():
        needed = parameter.default is parameter.empty and name != "when"
        if needed and name not in arguments:
            raise ValueError(f"{name} is missing")
    try:
        return scenario(**arguments)
    except TypeError as error:  # what the scenario sets itself was given as well
        raise ValueError(f"{error}") from None


def _refuse_unknown(given: Iterable[str], known: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            raise ValueError(_unknown("setting", name, known))


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    alike = difflib.get_close_matches(name, known, 1)
    help_ = f"did you mean {alike[0]!r}?" if alike else f"there are {', '.join(known)}"
    return f"unknown {kind} {name!r}; {help_}"
