"""Command lines to type: the one that was typed, and those that go on from there.

All of them are made here: each says where to, how to get there and how fast, is quoted for a shell,
and holds no secret.
"""

from __future__ import annotations

import os
import re
import shlex
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from attrs import fields, frozen

from ximilar_async.sources._places import USER

from .ids import local_path
from .options import Place, option_words, words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from .mapping_options import Mapped
    from .options import Access
    from .run_options import Run

NAME: Final = "ximilar-async"

_OPERATIONS: Final = frozenset({"insert", "near_dups_insert", "update", "delete"})

TYPED: Final[ContextVar[tuple[str, ...]]] = ContextVar("TYPED", default=())
"""The command line that is being carried out, without the program's name."""


@frozen(kw_only=True)
class Again:
    """What `replay` takes of a run besides its place."""

    options: Sequence[str] = ()
    """Options, as they are typed."""
    origin: Sequence[str] | None = ()
    """How the source is named and read, as it is typed, for records that are not in the rejects
    file; None where only the same command line finds these."""


def origin_words(source: str, mapped: Mapped, **reading: Any) -> list[str]:
    """Return how `replay` is told what a run read; nothing for what can be read only once.

    Args:
        source: As it was typed.
        mapped: What became of its columns.
        reading: Format, encoding and delimiter, as they were typed.

    Example:
        >>> from .mapping_options import Mapped
        >>> origin_words("s3://shop/list.csv", Mapped(map=["id=sku"]), encoding="cp1250")
        ['--origin', 's3://shop/list.csv', '--encoding', 'cp1250', '--map', 'id=sku']
    """
    path = local_path(source)
    if path is not None and not (path.is_dir() or (path.is_file() and not _is_device(path))):
        return []
    how = [word for name, value in reading.items() for word in option_words(name, value)]
    return [*option_words("origin", source), *how, *words_of(mapped)]


def _is_device(path: Path) -> bool:
    """Tell whether a path is another file each time, as /dev/stdin is."""
    return path.is_absolute() and path.parts[1:2] in (("dev",), ("proc",))


def own_command() -> str:
    """Return the command line that is being carried out, as it can be typed again anywhere.

    What it took from the environment is said. A token is in none: it never comes from an argument.
    """
    words = list(TYPED.get())
    end = words.index("--") if "--" in words else len(words)
    own = words[:end]
    if not _is_said(own, "--url", "--emulator"):
        own += option_words("url", _usual_url())
    if not _is_said(own, "--collection", "-c"):
        own += _place_words(Place(collection=os.environ.get("XIMILAR_COLLECTION") or None))
    return _joined([*own, *words[end:]])


def _is_said(words: Iterable[str], *options: str) -> bool:
    return any(word.partition("=")[0] in options for word in words)


def replay_command(
    operation: str, place: Place, access: Access, run: Run, again: Again | None = None
) -> str:
    """Return the command line that sends again what failed; empty without a rejects file.

    Args:
        operation: What to do with the records.
        place: Where to.
        access: How to get there.
        run: How the run went, and which rejects file it kept.
        again: What else `replay` is to be told.

    Example:
        >>> from pathlib import Path
        >>> from .options import Access
        >>> from .run_options import Run
        >>> place = Place(collection="shoes-id", service="fashion")
        >>> replay_command("insert", place, Access(), Run(rejects=Path("rejects.jsonl")))
        'ximilar-async replay rejects.jsonl -c shoes-id -s fashion'
    """
    again, rejects = again or Again(), run.rejects
    lacks = rejects is not None and lacks_records(rejects)
    if again.origin is None and (rejects is None or lacks):
        return own_command()
    if rejects is None:
        return ""
    words = ["replay", _argument(rejects)]
    if operation in _OPERATIONS and operation != "insert":
        words += ["--operation", operation]
    words += again.options
    if lacks:
        words += again.origin or ()
    return _joined([*words, *_place_words(place), *_access_words(access), *run.pace])


def apply_command(
    plan: Path, place: Place, access: Access, run: Run, options: Sequence[str] = ()
) -> str:
    """Return the command line that carries out a plan of a sync.

    Args:
        plan: The plan's file.
        place: The collection that it is of.
        access: How to get there.
        run: How the run that made it went.
        options: Further options, as they are typed.

    Example:
        >>> from pathlib import Path
        >>> from .options import Access
        >>> from .run_options import Run
        >>> apply_command(Path("a.plan"), Place(collection="c1"), Access(rate=5), Run())
        'ximilar-async sync --apply a.plan -c c1 --rate 5'
    """
    words = ["sync", *option_words("apply", plan), *_place_words(place), *options]
    return _joined([*words, *_access_words(access), *run.pace, *words_of(run, "rejects")])


def _place_words(place: Place) -> list[str]:
    words = option_words("collection", place.collection)
    if place.service != fields(Place).service.default:
        words += option_words("service", place.service)
    short = {"--collection": "-c", "--service": "-s"}
    return [short.get(word, word) for word in words]


def _access_words(access: Access) -> list[str]:
    words = words_of(access)
    if access.url is None and access.emulator is None:
        words = [*option_words("url", _usual_url()), *words]
    return words


def _usual_url() -> str | None:
    """Return the service's address if the environment names one: in another shell it does not."""
    return os.environ.get("XIMILAR_URL", "").strip() or None


def _argument(path: Path) -> str:
    """Return a path as a word that is not taken for an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


# --- rejects files ------------------------------------------------------------------------------

_OMITTED: Final = b'"omitted":'
"""Stands in the lines whose record was too large for the file."""

_BLOCK: Final = 2**20
"""Bytes read at once."""


def lacks_records(rejects: Path) -> bool:
    """Tell whether a rejects file may name records that are not in it; blocking.

    Args:
        rejects: The file; one that cannot be read lacks none.
    """
    try:
        with rejects.open("rb") as file:
            end = b""
            while block := file.read(_BLOCK):
                if _OMITTED in end + block:
                    return True
                end = block[-len(_OMITTED) :]
    except OSError:
        pass
    return False


# --- words ---------------------------------------------------------------------------------------

_QUERY: Final = re.compile(r"(?<=://)(?P<before>[^?#]*)(?P<mark>[?#]).*", re.DOTALL)
_HIDDEN: Final = "…"
_TOLD: Final = f"  # {_HIDDEN} stands for a user, password or query that is not written down"


def without_secrets(word: str) -> str:
    """Return a word with an ellipsis for what may be secret in the address that it holds.

    Example:
        >>> without_secrets("https://me:secret@shop.example/list.csv?signature=abc")
        'https://…@shop.example/list.csv?…'
    """
    word = _QUERY.sub(rf"\g<before>\g<mark>{_HIDDEN}", word, count=1)
    return USER.sub(f"{_HIDDEN}@", word)


def _joined(words: Iterable[str]) -> str:
    """Return a command line for a shell, and say what it does not tell."""
    typed = [NAME, *words]
    shown = [without_secrets(word) for word in typed]
    return " ".join(map(_quoted, shown)) + ("" if shown == typed else _TOLD)


def _quoted(word: str) -> str:
    """Return a word as a shell takes it, whatever it holds: also what no page can show."""
    if not word or word.isprintable():
        return shlex.quote(word)
    characters = (
        f"\\{char}" if char in "\\'" else char if char.isprintable() else _escaped(char)
        for char in word
    )
    return f"$'{''.join(characters)}'"


def _escaped(char: str) -> str:
    return "".join(f"\\{byte:03o}" for byte in os.fsencode(char))
