"""Options of `sync` alone, and those of other commands that it does not take."""
# Typer reads the annotations at run time: no `from __future__ import annotations` in this module.

import inspect
import re
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer
from attrs import frozen
from typer import Option

from ximilar_async.bulk import Mode

from .failures import UsageError, reason_in_options
from .options import ACTION, KEPT

GUARDS: Final = "What it may do unasked"
COSTS: Final = "What a dry run reckons with"

ModeOption: TypeAlias = Annotated[
    Mode,
    Option(
        help="insert brings in new records only, upsert changes others too, mirror also deletes "
        "what SOURCE does not have.",
        rich_help_panel=ACTION,
    ),
]
NearDups: TypeAlias = Annotated[
    bool,
    Option(
        "--near-dups",
        metavar="",
        help="Leave out new records whose image is nearly one that is stored. Requests under way "
        "at once do not see each other's: see --near-dup-order.",
        rich_help_panel=ACTION,
    ),
]
VersionField: TypeAlias = Annotated[
    str | None,
    Option(
        metavar="FIELD",
        help="Field that changes with the image behind an address that stays, such as its ETag; "
        "as it is called in the record.",
        rich_help_panel=ACTION,
    ),
]
PlanFile: TypeAlias = Annotated[
    Path | None,
    Option(
        "--plan",
        metavar="FILE",
        help="With --dry-run: write the plan into a file for --apply. It holds each record that "
        "would be sent.",
        rich_help_panel=ACTION,
    ),
]
Apply: TypeAlias = Annotated[
    Path | None,
    Option(
        "--apply",
        metavar="FILE",
        help="Carry out this plan instead of reading SOURCE: just that, and only if nothing has "
        "moved since it was made.",
        rich_help_panel=ACTION,
    ),
]
StateOption: TypeAlias = Annotated[
    str | None,
    Option(
        "--state",
        metavar="FILE|remote|none",
        help="What knows what is stored: a file, kept from run to run; remote, a field of the "
        "records themselves; none, the collection, read whole each time. Without it "
        "ximilar-COLLECTION.state in the current folder.",
        rich_help_panel=KEPT,
    ),
]
RemoteField: TypeAlias = Annotated[
    str,
    Option(
        metavar="FIELD",
        help="With --state remote: name of that field.",
        rich_help_panel=KEPT,
    ),
]
MaxDeletions: TypeAlias = Annotated[
    str,
    Option(
        metavar="N|N%",
        help="Most records that may be deleted unasked: so many, or a share of what is stored. "
        "With more to be deleted nothing at all is sent.",
        rich_help_panel=GUARDS,
    ),
]
AllowDelete: TypeAlias = Annotated[
    bool,
    Option(
        "--allow-delete",
        metavar="",
        help="Delete however many are gone, and also if lines of SOURCE had no readable id.",
        rich_help_panel=GUARDS,
    ),
]
AllowLostFields: TypeAlias = Annotated[
    bool,
    Option(
        "--allow-lost-fields",
        metavar="",
        help="Remove a field from most stored records; else SOURCE is taken for one that has lost "
        "a column, and refused.",
        rich_help_panel=GUARDS,
    ),
]
AllowNewCatalog: TypeAlias = Annotated[
    bool,
    Option(
        "--allow-new-catalog",
        metavar="",
        help="Take SOURCE although none of its ids is stored.",
        rich_help_panel=GUARDS,
    ),
]


def _price(name: str, what: str) -> Any:
    return Option(
        name,
        metavar="CREDITS",
        min=0,
        help=f"Credits for {what}; with --dry-run.",
        rich_help_panel=COSTS,
    )


PriceInsert: TypeAlias = Annotated[float | None, _price("--price-insert", "a record inserted")]
PriceUpdate: TypeAlias = Annotated[float | None, _price("--price-update", "a record updated")]
PriceDelete: TypeAlias = Annotated[float | None, _price("--price-delete", "a record deleted")]
PriceNearDups: TypeAlias = Annotated[
    float | None,
    _price("--price-near-dups", "a new record with --near-dups, in the place of --price-insert"),
]


@frozen(kw_only=True)
class Prices:
    """Credits a record, by what is done with it; None where nobody said."""

    insert: float | None = None
    update: float | None = None
    delete: float | None = None
    near_dups: float | None = None

    @property
    def said(self) -> dict[str, float]:
        """Return those that were given, by the service's methods."""
        given = {
            "insert": self.insert,
            "nearDupsInsert": self.near_dups,
            "update": self.update,
            "delete": self.delete,
        }
        return {method: price for method, price in given.items() if price is not None}


def read_state(text: str) -> Path | str | None:
    """Return what `--state` means: a file, "remote", or None for none.

    Raises:
        UsageError: no file can be kept there.

    Example:
        >>> read_state("none"), read_state("remote"), read_state("./remote")
        (None, 'remote', PosixPath('remote'))
    """
    if text in ("remote", "none"):
        return text if text == "remote" else None
    path = Path(text)
    if not text.strip() or path.is_dir():
        raise UsageError(f"--state {text!r} is a folder: name a file, remote or none")
    if not path.parent.is_dir():
        raise UsageError(f"--state: there is no folder {str(path.parent)!r}")
    return path


_IN_OPTIONS: Final = {
    "allow_new_catalog": "--allow-new-catalog",
    "allow_delete": "--allow-delete",
    "allow_lost_fields": "--allow-lost-fields",
    "max_deletions": "--max-deletions",
}

_STATE: Final = re.compile(r"""\(state=(?:…|(['"])(.*?)\1)""")


def in_options(words: str) -> str:
    """Return what a sync says of its settings, always in brackets, with the options' names.

    Example:
        >>> in_options("if they are to be deleted, allow it (allow_delete)")
        'if they are to be deleted, allow it (--allow-delete)'
        >>> in_options("name it (state=…), or that file (state='c1.state')")
        'name it (--state FILE), or that file (--state c1.state)'
    """
    for setting, option in _IN_OPTIONS.items():
        words = words.replace(f"({setting}", f"({option}")
    words = _STATE.sub(lambda found: f"(--state {found[2] or 'FILE'}", words)
    return reason_in_options(words)


HIDDEN: Final = ("journal", "durability", "max_records", "attribution", "remember_ids")
"""Options of other bulk runs that are not for a sync: its state does what they do, or it could
not know what is gone."""

_OTHER_WORDS: Final = {
    "dry_run": "Say what would be done, and do nothing of it.",
    "rejects": "Append records that were rejected or failed, as they were read.",
}


def for_sync(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command without the options that are not for a sync; these keep their defaults.

    Args:
        command: As `as_command` makes it.
    """
    before = inspect.signature(command).parameters
    kept = [p for name, p in before.items() if name not in HIDDEN]

    def run(**values: Any) -> None:
        command(**{name: before[name].default for name in HIDDEN}, **values)

    parameters = [p.replace(annotation=_reworded(p)) for p in kept]
    run.__doc__, run.__name__ = command.__doc__, command.__name__
    run.__annotations__ = {}
    run.__dict__["__signature__"] = inspect.Signature(parameters)  # what Typer looks at
    return run


def _reworded(parameter: inspect.Parameter) -> Any:
    """Return a parameter's annotation with the help that is true of a sync."""
    if parameter.name not in _OTHER_WORDS:
        return parameter.annotation
    kind, (option,) = parameter.annotation.__origin__, parameter.annotation.__metadata__
    assert isinstance(option, typer.models.OptionInfo)
    option = copy(option)
    option.help = _OTHER_WORDS[parameter.name]
    return Annotated[kind, option]
