"""How texts write numbers, truths and lists, where it is not as programs write them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

from attrs import frozen

from ximilar_async.errors import ConfigError

TRUTHS: Final = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}
"""The words that every mapping takes for true or false."""

POINTS: Final = (".", ",")
"""What may stand before the decimals of a number."""

NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
"""A number as programs write it."""

_COMMA: Final = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_GROUPED: Final = re.compile(
    r"[+-]?\d{1,3}(?:([ .,'\u00a0\u2009\u202f\u2019])\d{3})(?:\1\d{3})*(?:([.,])\d*)?", re.ASCII
)
_ALIKE: Final = (" \u00a0\u2009\u202f", "'\u2019")
"""Characters that look the same between thousands: programs write spaces that do not break."""


def words_of(value: Any, setting: str) -> tuple[str, ...]:
    """Return words for true or false as they are compared: without spaces around, in lower case.

    Args:
        value: The words.
        setting: What messages call them.

    Raises:
        ConfigError: they are no list of words.

    Example:
        >>> words_of(["Ano", " ja"], "true_values")
        ('ano', 'ja')
    """
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise ConfigError(f"{setting} must be a list of words, such as ['ja'], not {value!r:.40}")
    words: list[Any] = list(value)
    for word in words:
        if not isinstance(word, str) or not word.strip():
            raise ConfigError(f"{setting} must be a list of words, and {word!r:.40} is none")
    return tuple(dict.fromkeys(word.strip().lower() for word in words))


@frozen
class Spelling:
    """How the texts of a source write what is no text.

    Args:
        separator: What stands between the parts of a list.
        decimal: What stands before the decimals of a number: "." or ",".
        thousands: What stands between each three digits of a number; None for nothing.
        true_values: Words for true, besides the usual ones.
        false_values: Words for false.

    Raises:
        ConfigError: they do not go together.
    """

    separator: str = ","
    decimal: str = "."
    thousands: str | None = None
    true_values: tuple[str, ...] = ()
    false_values: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        if self.decimal not in POINTS:
            raise ConfigError(f"decimal must be '.' or ',', not {self.decimal!r:.40}")
        if self.thousands is not None and not _separates(self.thousands):
            raise ConfigError(
                "thousands must be the one character between thousands, such as ' ' or '.', not "
                f"{self.thousands!r:.40}"
            )
        if self.decimal == self.thousands:
            raise ConfigError(
                f"thousands must be another character than decimal, which is {self.decimal!r}"
            )
        if both := {*self.true_values} & {*self.false_values}:
            raise ConfigError(f"true_values must be other words than false_values: {min(both)!r}")

    @cached_property
    def is_plain(self) -> bool:
        """Whether numbers are written as programs write them."""
        return self.decimal == "." and self.thousands is None

    @cached_property
    def truths(self) -> dict[str, bool]:
        """The truth of each word."""
        mine = (dict.fromkeys(self.true_values, True), dict.fromkeys(self.false_values, False))
        return TRUTHS | mine[0] | mine[1]

    def number(self, text: str) -> Decimal | None:
        """Return the number that a text writes, with all its digits; None if it writes none.

        Example:
            >>> Spelling(decimal=",", thousands=" ").number("1 234,50")
            Decimal('1234.50')
            >>> Spelling(decimal=",", thousands=".").number("19.90") is None
            True
        """
        if self.is_plain:
            return Decimal(text) if NUMBER.fullmatch(text) else None
        whole, point, rest = text.partition(self.decimal)
        if self.thousands is not None and self._groups.match(whole):
            whole = "".join(filter(lambda one: one not in self._spaces, whole))
        if "." in rest or (self.decimal != "." and "." in whole):
            return None
        plain = f"{whole}.{rest}" if point else whole
        return Decimal(plain) if NUMBER.fullmatch(plain) else None

    @cached_property
    def _spaces(self) -> str:
        """The characters that may stand between thousands."""
        alike = (group for group in _ALIKE if self.thousands and self.thousands in group)
        return next(alike, self.thousands or "")

    @cached_property
    def _groups(self) -> re.Pattern[str]:
        """What the digits before the decimals look like where they stand in groups."""
        return re.compile(rf"[+-]?\d{{1,3}}([{re.escape(self._spaces)}]\d{{3}})+$", re.ASCII)

    def remedy(self, text: str) -> str:
        """Return the end of a message about a text that writes no number: what to do.

        Example:
            >>> Spelling().remedy("19,90")
            ": write it as 19.90, or say that ',' stands before the decimals (decimal)"
            >>> Spelling(decimal=",").remedy("1.234,50")
            ": say that '.' stands between the thousands (thousands)"
        """
        if self.decimal == "," and NUMBER.fullmatch(text):
            return f", for ',' stands before the decimals (decimal): write {text.replace('.', ',')}"
        grouped = _GROUPED.fullmatch(text)
        if grouped is None:
            if self.decimal == "." and _COMMA.fullmatch(text):
                plain = text.replace(",", ".")
                return f": write it as {plain}, or say that {_BEFORE_DECIMALS}"
            return ""
        between, before = grouped[1], grouped[2]
        words = [f"{_visible(between)} stands between the thousands (thousands)"]
        if before == "," != self.decimal:
            words += [_BEFORE_DECIMALS]
        if before is None and between == "," and text.count(",") == 1:
            return f": say that {words[0]}, or before the decimals (decimal)"
        return f": say that {' and '.join(words)}"


_BEFORE_DECIMALS: Final = "',' stands before the decimals (decimal)"


def _visible(character: str) -> str:
    return "a space" if character in _ALIKE[0] else repr(character)


def _separates(text: Any) -> bool:
    return isinstance(text, str) and len(text) == 1 and not text.isalnum() and text not in "+-"
