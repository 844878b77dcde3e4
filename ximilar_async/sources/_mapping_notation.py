"""The short way to write a mapping: `id=sku`, `price:float=cost`, `shop=:cz`, `-notes`, `*`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from attrs import define, evolve, field, frozen

from ximilar_async.errors import ConfigError

from ._conversions import TYPES, conversion
from ._mapped_image import KINDS
from ._mapping import RecordMapping
from ._spelling import Spelling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ._mapping import Empty

_ENTRY: Final = re.compile(
    r"""\s*(?P<name>"(?:[^"\\]|\\.)*"|[^":=]+?)\s*  # the field, quoted where it has : or =
    (?: :\s*(?P<type>[^=]*?)\s* )?
    (?: =\s*(?P<right>.*?)\s* )?""",
    re.VERBOSE | re.DOTALL,
)
_SPECIAL: Final = {"id": "id", "_id": "id", "image": "image", "tags": "tags"}
"""Names that mean a part of the record; quoted they are fields like others."""


def parse_mapping(
    entries: Iterable[str],
    base: RecordMapping | None = None,
    *,
    tags_separator: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    true_values: Iterable[str] | None = None,
    false_values: Iterable[str] | None = None,
    empty: Empty | None = None,
) -> RecordMapping:
    """Return the mapping that short entries describe, as `--map` has them.

    `id=sku`, `image=photo`, `tags=labels` say which columns these are (`image:file=photo` also
    says how it is to be read). `brand` keeps a column, `price=cost` renames one, `price:float=cost`
    gives it a type, `shop=:cz` is a constant, `-notes` leaves a column out, and `*` keeps all that
    are not named. What has one of `:="` in its name stands in double quotes: `"g:price"=cost`.

    Args:
        entries: The entries.
        base: A mapping that they are added to; what they name anew they replace, and what it
            keeps stays.
        tags_separator: As for `RecordMapping`; None for the base's.
        decimal: The same.
        thousands: The same.
        true_values: The same.
        false_values: The same.
        empty: The same.

    Raises:
        ConfigError: an entry cannot be read, or two name the same field.

    Example:
        >>> parse_mapping(["id=sku", "price:float=cost", "shop=:cz"]).apply({"sku": 7, "cost": "5"})
        {'_id': '7', 'price': 5.0, 'shop': 'cz'}
        >>> parse_mapping(["price:flaot=cost"])
        Traceback (most recent call last):
        ximilar_async.errors.ConfigError: 'price:flaot=cost': there is no type 'flaot'; did you \
mean 'float'?
    """
    start = base or RecordMapping()
    settings: dict[str, Any] = {
        "tags_separator": tags_separator or None,
        "decimal": decimal,
        "thousands": thousands,
        "true_values": true_values,
        "false_values": false_values,
        "empty": empty,
    }
    said = {name: value for name, value in settings.items() if value is not None}
    draft = _Draft(
        said.get("tags_separator", start.tags_separator), dict(start.constants), dict(start.types)
    )
    draft.fields.update(start.fields or {})
    draft.drop += start.drop
    for text in entries:
        try:
            draft.add(text.strip())
        except ConfigError as error:
            raise ConfigError(f"{text!r:.80}: {error}") from None
    begins_to_choose = draft.chooses and start.fields is None
    kept = base.keeps_others if base is not None and begins_to_choose else start.rest
    return evolve(
        start,
        fields=draft.fields if draft.chooses or start.fields is not None else None,
        rest=True if draft.rest else kept,
        types=draft.types,
        constants=draft.constants,
        drop=draft.drop,
        **(said | draft.special),
    )


@frozen
class _Entry:
    """An entry, cut into its parts."""

    name: str
    is_quoted: bool
    type: str | None
    right: str | None

    @classmethod
    def of(cls, text: str) -> _Entry:
        found = _ENTRY.fullmatch(text)
        if found is None:
            raise ConfigError("write FIELD, FIELD=COLUMN, FIELD:TYPE=COLUMN or FIELD=:CONSTANT")
        name, quoted = _unquoted(found["name"])
        return cls(name, quoted, found["type"], found["right"])

    @property
    def constant(self) -> str | None:
        """Return the text of a constant, if it is one."""
        if self.right is None or not self.right.startswith(":"):
            return None
        return self.right[1:]

    @property
    def column(self) -> str:
        """Return the column's name."""
        column = self.name if self.right is None else _unquoted(self.right)[0]
        if not column:
            raise ConfigError("names no column behind the =; a constant is written =:TEXT")
        return column


def _unquoted(text: str) -> tuple[str, bool]:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':  # noqa: PLR2004 - two quotes
        return text, False
    try:
        return str(json.loads(text)), True
    except json.JSONDecodeError:
        raise ConfigError(f"{text} is not quoted as JSON quotes text") from None


@define
class _Draft:
    """What the entries say together."""

    separator: str
    constants: dict[str, Any]
    types: dict[str, str]
    fields: dict[str, str] = field(factory=dict)
    drop: list[str] = field(factory=list)
    special: dict[str, Any] = field(factory=dict)
    rest: bool = False
    chooses: bool = False
    """Whether some entry names a field."""
    _seen: set[str] = field(factory=set)

    def add(self, text: str) -> None:
        """Add an entry."""
        if text == "*":
            self.rest = True
        elif text.startswith("-"):
            name = _unquoted(text[1:].strip())[0]
            self.fields.pop(name, None)
            self.drop.append(name)
        else:
            entry = _Entry.of(text)
            special = None if entry.is_quoted else _SPECIAL.get(entry.name)
            self._see(f"_{special}" if special else entry.name)
            if special:
                self._add_special(special, entry)
            else:
                self._add_field(entry)

    def _see(self, name: str) -> None:
        if name in self._seen:
            raise ConfigError("an entry before it names the same field")
        self._seen.add(name)

    def _add_special(self, name: str, entry: _Entry) -> None:
        if entry.constant is not None:
            raise ConfigError(f"{name} is told by a column, not by a constant")
        if name == "image":
            if entry.type is not None and entry.type not in KINDS:
                raise ConfigError(f"an image is one of {', '.join(KINDS)}, not {entry.type!r:.40}")
            self.special["image_kind"] = entry.type or "auto"
        elif entry.type is not None:
            raise ConfigError(f'{name} takes no type; a plain field of that name is "{name}"')
        self.special[name] = entry.column

    def _add_field(self, entry: _Entry) -> None:
        self.fields.pop(entry.name, None)
        self.types.pop(entry.name, None)
        self.constants.pop(entry.name, None)
        kind = entry.type
        convert = None if kind is None else self._conversion(kind)
        if entry.constant is not None:
            try:
                convert = convert or TYPES["text"]
                self.constants[entry.name] = convert(entry.constant, "the constant")
            except ValueError as error:
                raise ConfigError(str(error)) from None
            return
        self.chooses = True
        self.fields[entry.name] = entry.column
        if kind is not None:
            self.types[entry.name] = kind

    def _conversion(self, kind: str) -> Any:
        try:
            return conversion(kind, Spelling(self.separator))
        except ConfigError as error:
            hint = "" if "did you mean" in str(error) else '; a : in a name needs quotes, "a:b"'
            raise ConfigError(f"{error}{hint}") from None
