"""The validators of all settings: what they let pass, and how they name what they do not."""

from __future__ import annotations

import inspect
from math import inf, nan
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from ximilar_async import ImageOptions, Limits, Retry, Timeout, bulk
from ximilar_async._validation import (
    instance_of,
    number,
    one_of,
    optional,
    truth,
    unless,
    whole,
)
from ximilar_async.errors import ConfigError

if TYPE_CHECKING:
    from ximilar_async._validation import (
        Validator,
    )

HUGE = 10**400


def setting(check: Validator, value: object) -> object:
    """Return what becomes of a value of the setting `size`."""
    kind = attrs.make_class("Settings", {"size": attrs.field(validator=check)})
    return kind(value).size


GOOD: list[tuple[Validator, list[Any]]] = [
    (number(), [0, -1.5, HUGE // 10**100, 1e308]),
    (number(least=0), [0, 0.0, 3]),
    (number(above=0), [0.001, 7]),
    (number(endless=True), [inf, -inf, HUGE]),
    (whole(least=0), [0, HUGE]),
    (whole(least=1, most=10), [1, 10]),
    (one_of("a", "b"), ["a", "b"]),
    (truth, [True, False]),
    (instance_of(Retry), [Retry()]),
    (optional(whole(least=1)), [None, 1]),
    (unless("auto", whole(least=1)), ["auto", 1]),
]


@pytest.mark.parametrize(
    ("check", "value"), [(check, value) for check, values in GOOD for value in values]
)
def test_good_values_pass_as_they_are(check: Validator, value: object) -> None:
    """Bounds themselves are good, and no value is changed."""
    assert setting(check, value) is value


BAD: list[tuple[Validator, Any, str]] = [
    (number(), "3", "size must be a finite number, not '3'"),
    (number(), True, "size must be a finite number, not True"),
    (number(), None, "size must be a finite number, not None"),
    (number(), inf, "size must be a finite number, not inf"),
    (number(), HUGE, f"size must be a finite number, not 1{'0' * 39}"),
    (number(), nan, "size must be a finite number, not nan"),
    (number(endless=True), nan, "size must be a number, not nan"),
    (number(least=0), -1, "size must be at least 0, not -1"),
    (number(above=0), 0.0, "size must be above 0, not 0.0"),
    (whole(least=1), 0, "size must be a whole number of at least 1, not 0"),
    (whole(least=1), 1.0, "size must be a whole number of at least 1, not 1.0"),
    (whole(least=0), False, "size must be a whole number of at least 0, not False"),
    (whole(least=1, most=10), 11, "size must be a whole number from 1 to 10, not 11"),
    (one_of("a", "b"), "c", "size must be 'a' or 'b', not 'c'"),
    (one_of("a"), ["a"], "size must be 'a', not ['a']"),
    (truth, "no", "size must be True or False, not 'no'"),
    (truth, 1, "size must be True or False, not 1"),
    (instance_of(Retry), 3, "size must be Retry(…), not 3"),
    (optional(whole(least=1)), 0, "size must be a whole number of at least 1, not 0; or None"),
]


@pytest.mark.parametrize(("check", "value", "words"), BAD)
def test_bad_values_are_named_with_what_would_do(
    check: Validator, value: object, words: str
) -> None:
    """The message names the setting, what it may be and what it was, and is a ValueError's too."""
    with pytest.raises(ConfigError) as caught:
        setting(check, value)
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"retry": 3}, r"retry must be Retry\(…\), not 3"),
        ({"images": {"max": 3}}, r"images must be ImageOptions\(…\), not {'max': 3}; or None"),
        ({"journal": 5}, "journal must be a path, not 5; or None"),
        ({"rejects": ["r.jsonl"]}, r"rejects must be a path, not \['r.jsonl'\]; or None"),
        ({"marker": ""}, "marker must be a name, not ''"),
        ({"near_dup_group": 5}, "near_dup_group must be a name, not 5; or None"),
        ({"dry_run": 1}, "dry_run must be True or False, not 1"),
        ({"batch_size": None}, "batch_size must be a whole number from 1 to 10, not None"),
        ({"flush_after": None}, "flush_after must be a number, not None"),
        ({"deadline": 0}, "deadline must be at least 0.01, not 0; or None"),
        ({"workers": 0}, "workers must be a whole number of at least 1, not 0; or None"),
    ],
)
def test_a_bulk_runs_options_are_told_in_the_same_words(values: dict[str, Any], words: str) -> None:
    """What may not be None says so, and a wrong type is a wrong setting there too."""
    with pytest.raises(ConfigError, match=f"^{words}$"):
        bulk.Options(**values)


@pytest.mark.parametrize(
    "kind", [Limits, Retry, Timeout, ImageOptions, bulk.Options, bulk.Report, bulk.Result]
)
def test_help_explains_every_setting(kind: Any) -> None:
    """`help()` shows no text below a field, so each is explained in its class's own."""
    told = inspect.cleandoc(kind.__doc__ or "")  # the compiler does so from 3.13 on
    assert [
        field.name for field in attrs.fields(kind) if f"\n    {field.name}: " not in told
    ] == []
