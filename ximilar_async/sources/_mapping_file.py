"""Mappings kept in a file: TOML, of its own or in pyproject.toml."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import fields

from ximilar_async.errors import ConfigError

from ._conversions import guess
from ._mapping import RecordMapping

if TYPE_CHECKING:
    from os import PathLike

_TOOL: Final = "[tool.ximilar-async.mapping]"
_PLAIN: Final = "[mapping]"
_SETTINGS: Final = tuple(f.name for f in fields(RecordMapping) if f.init)


def load_mapping(path: str | PathLike[str]) -> RecordMapping:
    r"""Return the mapping in a TOML file: `[tool.ximilar-async.mapping]` or `[mapping]`.

    The keys of the table are the arguments of `RecordMapping`; `-` may stand for `_`.

    Args:
        path: The file: `pyproject.toml`, where only the first of the two counts, or another.

    Raises:
        ConfigError: there is no such file or table, it is no TOML, or it describes no mapping.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "ximilar-async.toml"
        ...     _ = file.write_text('[mapping]\nid = "sku"\ntypes = {price = "float"}\n')
        ...     load_mapping(file).apply({"sku": 7, "price": "5"})
        {'_id': '7', 'price': 5.0}
    """
    path = Path(path)
    try:
        table = _table(tomllib.loads(path.read_text(encoding="utf-8")), path)
    except OSError as error:
        raise ConfigError(f"cannot read {str(path)!r}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{str(path)!r} is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{str(path)!r} is no TOML: {error}") from None
    try:
        return RecordMapping(**_settings(table))
    except ConfigError as error:
        raise ConfigError(f"{path.name}, mapping: {error}") from None


def _table(content: dict[str, Any], path: Path) -> dict[str, Any]:
    found: Any = content
    for name in ("tool", "ximilar-async", "mapping"):
        found = found.get(name) if isinstance(found, dict) else None
    is_project = path.name == "pyproject.toml"
    if found is None and not is_project:
        found = content.get("mapping")
    if not isinstance(found, dict):
        wanted = _TOOL if is_project else f"{_PLAIN} or {_TOOL}"
        raise ConfigError(f"{str(path)!r} has no table {wanted}")
    return found


def _settings(table: dict[str, Any]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in _SETTINGS:
            raise ConfigError(f"there is no setting {key!r:.40}{guess(name, _SETTINGS)}")
        if name in settings:
            raise ConfigError(f"the setting {name!r} stands there twice")
        settings[name] = value
    return settings
