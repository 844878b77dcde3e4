"""The one thing that Typer cannot parse: an option whose value may be left out."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

EMULATOR: Final = "--emulator"


def with_emulator_value(words: Sequence[str]) -> list[str]:
    """Return the command line with a value for `--emulator` wherever it has none.

    The word after it is its folder unless that is an option; without a folder it gets an empty
    value, which means in memory. Typer's options have a value or have none (its `flag_value` is
    gone), so this is done before Typer sees the words. What follows `--` is left alone.

    Args:
        words: The command line without the program's name.

    Example:
        >>> with_emulator_value(["count", "--emulator", "-c", "c1"])
        ['count', '--emulator=', '-c', 'c1']
        >>> with_emulator_value(["count", "--emulator", "data", "-c", "c1"])
        ['count', '--emulator', 'data', '-c', 'c1']
    """
    end = words.index("--") if "--" in words else len(words)
    done = list(words)
    for place in range(end):
        has_value = place + 1 < end and not words[place + 1].startswith("-")
        if words[place] == EMULATOR and not has_value:
            done[place] = f"{EMULATOR}="
    return done


def swallowed(words: Sequence[str]) -> str | None:
    """Return the word that `--emulator` took as its folder, where there is one.

    Example:
        >>> swallowed(["insert", "--emulator", "photos"])
        'photos'
    """
    pairs = pairwise(words)
    return next(
        (after for word, after in pairs if word == EMULATOR and not after.startswith("-")), None
    )
