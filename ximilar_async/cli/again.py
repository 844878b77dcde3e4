"""Command lines to type: the one that was typed, and the one that sends again what failed."""

from __future__ import annotations

import shlex
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

from attrs import fields

from .options import Place

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .options import Access

NAME: Final = "ximilar-async"

_OPERATIONS: Final = frozenset({"insert", "near_dups_insert", "update", "delete"})


TYPED: Final[ContextVar[tuple[str, ...]]] = ContextVar("TYPED", default=())
"""The command line that is being carried out, without the program's name."""


def own_command() -> str:
    """Return the command line that is being carried out, as it can be typed again.

    A token is in none: it never comes from an argument.
    """
    return shlex.join([NAME, *TYPED.get()])


def replay_command(
    rejects: Path | None,
    place: Place,
    access: Access,
    operation: str,
    options: Sequence[str] = (),
) -> str:
    """Return the command line that sends again what failed; empty without a rejects file.

    Args:
        rejects: The rejects file.
        place: Where to.
        access: How.
        operation: What to do with the records.
        options: Further options, as they are typed.

    Example:
        >>> from pathlib import Path
        >>> from .options import Access, Place
        >>> place = Place(collection="shoes-id", service="fashion")
        >>> replay_command(Path("rejects.jsonl"), place, Access(), "insert")
        'ximilar-async replay rejects.jsonl --collection shoes-id --service fashion'
    """
    if rejects is None:
        return ""
    words = [NAME, "replay", str(rejects)]
    if operation in _OPERATIONS and operation != "insert":
        words += ["--operation", operation]
    words += options
    words += _named("--collection", place.collection)
    if place.service != fields(Place).service.default:
        words += ["--service", place.service]
    words += _named("--token-file", access.token_file)
    words += _named("--url", access.url)
    if access.emulator is not None:
        words += ["--emulator", access.emulator] if access.emulator else ["--emulator"]
    words += _named("--rate", None if access.rate is None else f"{access.rate:g}")
    if access.concurrency != "auto":
        words += ["--concurrency", str(access.concurrency)]
    return shlex.join(words)


def _named(name: str, value: object) -> list[str]:
    return [] if value is None else [name, str(value)]
