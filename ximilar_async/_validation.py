"""What a setting may be, in one wording everywhere: validators for attrs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Any, TypeAlias

from .errors import ConfigError

if TYPE_CHECKING:
    from attrs import Attribute

Validator: TypeAlias = Callable[[Any, "Attribute[Any]", Any], None]


def number(
    *, least: float | None = None, above: float | None = None, endless: bool = False
) -> Validator:
    """Return a validator of numbers.

    Args:
        least: Smallest good value.
        above: Largest value that is too small.
        endless: Whether the infinities are good too.

    Example:
        >>> import attrs
        >>> Rate = attrs.make_class("Rate", {"rate": attrs.field(validator=number(above=0))})
        >>> Rate(0)
        Traceback (most recent call last):
        ximilar_async.errors.ConfigError: rate must be above 0, not 0
    """
    most, words = (inf, "a number") if endless else (sys.float_info.max, "a finite number")

    def check(_: object, attribute: Attribute[Any], value: Any) -> None:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not -most <= value <= most:
            raise ConfigError(f"{attribute.name} must be {words}, not {value!r:.40}")
        if above is not None and value <= above:
            raise ConfigError(f"{attribute.name} must be above {above:g}, not {value!r}")
        if least is not None and value < least:
            raise ConfigError(f"{attribute.name} must be at least {least:g}, not {value!r}")

    return check


def whole(*, least: int, most: int | None = None) -> Validator:
    """Return a validator of whole numbers.

    Args:
        least: Smallest good value.
        most: Largest good value.
    """

    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        check_whole(attribute.name, value, least=least, most=most)

    return check


def check_whole(name: str, value: Any, *, least: int, most: int | None = None) -> None:
    """Check that a value is a whole number within bounds.

    Args:
        name: What the message calls it.
        value: The value.
        least: Smallest good value.
        most: Largest good value.

    Raises:
        ConfigError: it is not.

    Example:
        >>> check_whole("page_size", 500, least=1)
    """
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    if not is_whole or value < least or (most is not None and value > most):
        bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise ConfigError(f"{name} must be a whole number {bounds}, not {value!r:.40}")


def one_of(*values: str) -> Validator:
    """Return a validator of a choice among words."""
    known = " or ".join(map(repr, values))

    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        if value not in values:
            raise ConfigError(f"{attribute.name} must be {known}, not {value!r:.40}")

    return check


def truth(_: object, attribute: Attribute[Any], value: object) -> None:
    """Check that a setting is True or False."""
    if not isinstance(value, bool):
        raise ConfigError(f"{attribute.name} must be True or False, not {value!r:.40}")


def text(_: object, attribute: Attribute[Any], value: object) -> None:
    """Check that a setting is text, and not empty."""
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{attribute.name} must be a name, not {value!r:.40}")


def unless(word: object, check: Validator) -> Validator:
    """Return a validator that lets one special value pass, and else what `check` does."""

    def either(instance: object, attribute: Attribute[Any], value: object) -> None:
        if value == word:
            return
        try:
            check(instance, attribute, value)
        except ConfigError as error:
            raise ConfigError(f"{error}; or {word!r}") from None

    return either


def optional(check: Validator) -> Validator:
    """Return a validator that lets None pass, and else what `check` does."""
    return unless(None, check)


def instance_of(kind: type) -> Validator:
    """Return a validator of settings that are made by a class of ours."""

    def check(_: object, attribute: Attribute[Any], value: object) -> None:
        check_instance(attribute.name, value, kind)

    return check


def check_instance(name: str, value: object, kind: type) -> None:
    """Check that a value was made by a class of ours.

    Args:
        name: What the message calls it.
        value: The value.
        kind: The class.

    Raises:
        ConfigError: it was not.

    Example:
        >>> check_instance("limits", 3, int)
    """
    if not isinstance(value, kind):
        raise ConfigError(f"{name} must be {kind.__name__}(…), not {value!r:.40}")
