"""From rows to records: which column is the id, the image, the tags, and which fields are sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from attrs import evolve, field, frozen

from ximilar_async.errors import ConfigError

from ._conversions import conversion, guess, is_blank
from ._mapped_id import id_in, is_nan
from ._mapped_image import FIELDS, KINDS, image_field
from ._spelling import Spelling, words_of
from ._values import plain, plain_name

if TYPE_CHECKING:
    from attrs import Attribute

    from ._conversions import Conversion

Empty: TypeAlias = Literal["drop", "null", "keep"]
"""What becomes of a cell that holds nothing."""

_SPELT_IN: Final = (
    ("decimal", {"int", "float"}, "price:float"),
    ("thousands", {"int", "float"}, "price:float"),
    ("true_values", {"bool"}, "active:bool"),
    ("false_values", {"bool"}, "active:bool"),
)
"""Settings of how texts are written: the types that they are for, and an example."""

_EMPTIES: Final = ("drop", "null", "keep")


def _named(fields: Mapping[str, str] | Iterable[str] | None) -> Mapping[str, str] | None:
    """Return columns by their fields, for a list of columns that keep their names as well."""
    if fields is None or isinstance(fields, Mapping):
        return None if fields is None else dict(fields)
    names = _listed(fields, "fields")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"two columns are mapped on the field {twice!r:.40}")
    return {name: name for name in names}


def _dropped(columns: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(_listed(columns, "drop"))))


def _listed(names: Any, setting: str) -> list[str]:
    if isinstance(names, (str, bytes)) or not isinstance(names, Iterable):
        raise ConfigError(f"{setting} takes a list of columns, not {names!r:.40}")
    found: list[Any] = list(names)
    for name in found:
        if not isinstance(name, str) or not name:
            raise ConfigError(f"{setting} must name columns, not {name!r:.40}")
    return found


def _true(words: Iterable[str]) -> tuple[str, ...]:
    return words_of(words, "true_values")


def _false(words: Iterable[str]) -> tuple[str, ...]:
    return words_of(words, "false_values")


def _types(values: Mapping[str, str]) -> Mapping[str, str]:
    return _table(values, "types")


def _table(values: Any, setting: str) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise ConfigError(f"{setting} takes a dict by fields, not {values!r:.40}")
    return dict(values)


def _fixed(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return constants as they are sent."""
    values = _table(values, "constants")
    try:
        return {name: plain(value, f"the constant {name!s:.40}") for name, value in values.items()}
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _text(_: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{attribute.name} must be text, not {value!r:.40}")


def _maybe_text(_: object, attribute: Attribute[Any], value: object) -> None:
    if value is not None:
        _text(_, attribute, value)


def _by_field(_: object, attribute: Attribute[Any], value: Mapping[Any, Any] | None) -> None:
    for name in value or ():
        if not isinstance(name, str) or not name:
            raise ConfigError(f"{attribute.name} must have names of fields, not {name!r:.40}")


@frozen(kw_only=True)
class RecordMapping:
    """Says what becomes of a row's columns in the record that is sent.

    Without `fields` all columns are kept that are used for nothing else; with `fields` only those
    named there (and `rest=True` keeps the others as well), as in SQL's SELECT.

    Args:
        id: The column with the id; whole numbers become text.
        image: The column with the image; None for rows that have `_url`, `_file`, `_base64` or
            `_image` themselves.
        image_kind: What that column holds: "url", "file" (a path, relative to the source's own
            folder), "bytes", "base64", or "auto", which tells by each value.
        tags: The column with the tags, which go into the field `tags`; for a service that keeps
            them in another field give that field the type "list" instead.
        tags_separator: What stands between the parts of a text that becomes a list.
        fields: Columns by the fields they become, `{"price": "cost"}`; or a list of columns that
            keep their names.
        rest: Whether columns that `fields` does not name are kept too; None for "if there are no
            `fields`".
        drop: Columns that are left out.
        types: Types by fields: "text", "int", "float", "bool", "json", "list", "list(|)" with a
            separator of its own, or "base64".
        constants: Fields that are the same in each record.
        decimal: What stands before the decimals in texts of the types "int" and "float": "." or
            ",".
        thousands: The character between the thousands in them, such as " " or "."; None for none.
        true_values: Words that the type "bool" takes for true, besides those that it knows.
        false_values: Words that it takes for false.
        empty: What becomes of a blank text: "drop" leaves the field out, "null" makes it null (and
            a NaN as well), which removes the field in an update, and "keep" keeps the text, where
            the field has no other type. What is null already stays null.

    Raises:
        ConfigError: two columns are mapped on one field, or a setting is none of those above.

    Example:
        >>> mapping = RecordMapping(
        ...     id="sku",
        ...     image="photo",
        ...     tags="labels",
        ...     fields={"brand": "brand", "price": "cost"},
        ...     types={"price": "float"},
        ...     constants={"shop": "cz"},
        ... )
        >>> row = {"sku": 17, "photo": "boots/17.jpg", "labels": "red, warm", "cost": "19.90"}
        >>> mapping.apply({**row, "brand": "Acme", "notes": "for us only"})
        {'_id': '17', '_file': 'boots/17.jpg', 'tags': ['red', 'warm'], 'brand': 'Acme', \
'price': 19.9, 'shop': 'cz'}
    """

    id: str = field(default="_id", validator=_text)
    image: str | None = field(default=None, validator=_maybe_text)
    image_kind: str = "auto"
    tags: str | None = field(default=None, validator=_maybe_text)
    tags_separator: str = field(default=",", validator=_text)
    fields: Mapping[str, str] | None = field(default=None, converter=_named, validator=_by_field)
    rest: bool | None = None
    drop: tuple[str, ...] = field(default=(), converter=_dropped)
    types: Mapping[str, str] = field(factory=dict, converter=_types, validator=_by_field)
    constants: Mapping[str, Any] = field(factory=dict, converter=_fixed, validator=_by_field)
    decimal: str = "."
    thousands: str | None = None
    true_values: tuple[str, ...] = field(default=(), converter=_true)
    false_values: tuple[str, ...] = field(default=(), converter=_false)
    empty: Empty = "drop"

    def __attrs_post_init__(self) -> None:
        _ = self._conversions  # a type that is none is refused here
        self._check_settings()
        self._refuse_doubles()
        self._check_types()
        self._check_spelling()

    @cached_property
    def _conversions(self) -> Mapping[str, Conversion]:
        tags = {} if self.tags is None else {"tags": "list"}
        kinds = {**self.types, **tags}
        return {name: conversion(kind, self.spelling) for name, kind in kinds.items()}

    @cached_property
    def spelling(self) -> Spelling:
        """How the texts of its source write numbers, truths and lists."""
        return Spelling(
            separator=self.tags_separator,
            decimal=self.decimal,
            thousands=self.thousands,
            true_values=self.true_values,
            false_values=self.false_values,
        )

    @cached_property
    def _taken(self) -> frozenset[str]:
        """The columns that are not kept under their own names unless `fields` says so."""
        taken = {*(self.fields or ()), *self.constants, *self.drop, "_id", self.id, self.image}
        taken |= {*(self.fields or {}).values(), self.tags, *self._special_fields()}
        return frozenset(name for name in taken if name is not None)

    @cached_property
    def _named_fields(self) -> list[tuple[str, str, str]]:
        """The fields that have a column of their own, with it and what messages call it."""
        named = {} if self.tags is None else {"tags": self.tags}
        return [
            (name, column, name if name == column else f"{name} (column {column})")
            for name, column in {**named, **(self.fields or {})}.items()
        ]

    def _special_fields(self) -> list[str]:
        """Return the fields that `image` and `tags` fill."""
        images = FIELDS if self.image is not None else ()
        return [*images, *(["tags"] if self.tags is not None else [])]

    def _check_settings(self) -> None:
        columns: dict[Any, Any] = dict(self.fields or {})
        for name, column in columns.items():
            if not isinstance(column, str) or not column:
                raise ConfigError(f"fields must name a column for {name!r}, not {column!r:.40}")
        if self.rest not in (None, True, False):
            raise ConfigError(f"rest must be True or False, not {self.rest!r:.40}")
        for setting, known in (("image_kind", KINDS), ("empty", _EMPTIES)):
            if getattr(self, setting) not in known:
                words = " or ".join(map(repr, known))
                raise ConfigError(f"{setting} must be {words}, not {getattr(self, setting)!r:.40}")

    def _refuse_doubles(self) -> None:
        if "_id" in {*(self.fields or ()), *self.constants}:
            raise ConfigError("the column of `_id` is named by id, and by nothing else")
        special = self._special_fields()
        for name in [*(self.fields or ()), *self.constants]:
            if name in special:
                setting = "tags" if name == "tags" else "image"
                raise ConfigError(
                    f"two columns are mapped on the field {name!r}: {setting} fills it already"
                )
        if both := {*(self.fields or ())} & {*self.constants}:
            raise ConfigError(f"the field {min(both)!r} is both a column's and a constant")

    def _check_types(self) -> None:
        for name in self.types:
            if name == "_id" or name in self.constants or name in self._special_fields():
                raise ConfigError(f"the field {name!r} takes no type")
            if name not in (self.fields or ()) and not self.keeps_others:
                raise ConfigError(
                    f"there is a type for {name!r}, which is no field of the record"
                    f"{guess(name, self.fields or ())}"
                )

    def _check_spelling(self) -> None:
        """Refuse to say how numbers and truths are written where no field is one."""
        plain_ones, kinds = Spelling(), {*self.types.values()}
        for setting, wanted, example in _SPELT_IN:
            if getattr(self.spelling, setting) != getattr(plain_ones, setting) and not (
                kinds & wanted
            ):
                words = " or ".join(sorted(wanted))
                raise ConfigError(
                    f"{setting} is for fields of the type {words}, and there is none: give one its "
                    f"type, as {example} in --map or types={dict([example.split(':')])}"
                )

    # --- what it needs --------------------------------------------------------------------------

    @property
    def keeps_others(self) -> bool:
        """Tell whether columns are kept that are not named."""
        return self.fields is None if self.rest is None else self.rest

    @property
    def columns(self) -> list[str]:
        """Return the columns that it takes from a row, the id's first."""
        special = [name for name in (self.image, self.tags) if name is not None]
        typed = [name for name in self.types if name not in (self.fields or ())]
        return list(dict.fromkeys([self.id, *special, *(self.fields or {}).values(), *typed]))

    def without_image(self) -> RecordMapping:
        """Return the same mapping for records whose image is left out, as in an update.

        Example:
            >>> RecordMapping(image="photo").without_image().apply({"_id": "1", "photo": "1.jpg"})
            {'_id': '1'}
        """
        if self.image is None:
            return self
        return evolve(self, image=None, drop=[*self.drop, self.image])

    # --- a row ----------------------------------------------------------------------------------

    def apply(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return the record for a row.

        Args:
            row: The values by their columns.

        Raises:
            ValueError: there is no id, or a value is not what the mapping says; the message names
                the column.

        Example:
            >>> RecordMapping(id="sku", types={"price": "float"}).apply({"sku": 7, "price": "5"})
            {'_id': '7', 'price': 5.0}
            >>> RecordMapping(id="sku").apply({"sku": " "})
            Traceback (most recent call last):
            ValueError: sku is blank, and a record needs an id
        """
        record: dict[str, Any] = {"_id": id_in(row, self.id)}
        if self.image is not None and self.image in row:
            found = image_field(row[self.image], self.image, self.image_kind)
            record.update([found] if found else [])
        for name, column, label in self._named_fields:
            if column in row:
                self._put(record, name, row[column], label)
        kept, taken = self.keeps_others, self._taken
        for column, value in row.items():
            if column not in taken and (kept or column in FIELDS):
                name = column if type(column) is str and column.isascii() else _name(column, row)
                self._put(record, name, value, name)
        record.update(self.constants)
        return record

    def _put(self, record: dict[str, Any], name: str, value: Any, label: str) -> None:
        """Add a field to a record, or leave it out where it is empty."""
        if is_blank(value) or (self.empty == "null" and is_nan(value)):
            if name in FIELDS:
                return  # no image in this column: there may be one in another
            if self.empty == "drop" and value is not None:
                return
            value = None if self.empty == "null" else value
        convert = self._conversions.get(name)
        if convert is not None:
            record[name] = convert(value, label)
        elif value is None or name == "_image" or (type(value) is str and value.isascii()):
            record[name] = value
        else:
            record[name] = plain(value, label)


def _name(column: object, row: Mapping[Any, Any]) -> str:
    """Return the name of a column that is no plain text."""
    name = plain_name(column)
    if name != column and name in row:
        raise ValueError(f"has the column {name!r:.40} twice")
    return name
