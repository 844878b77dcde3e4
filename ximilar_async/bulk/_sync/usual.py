"""The state of a sync where none is named: a file of its own for each collection."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ximilar_async.errors import SyncRefusedError

if TYPE_CHECKING:
    from .course import Course
    from .terms import Terms

_UNFIT: Final = re.compile(r"[^\w.-]", re.ASCII)


class Usual(Enum):
    """Stands for a setting that nobody named."""

    STATE = "ximilar-COLLECTION.state in the current folder"

    def __repr__(self) -> str:
        return f"<{self.value}>"


USUAL: Final = Usual.STATE
"""The state that is meant where none is named."""


def usual_state(collection: str) -> Path:
    """Return the state file of a collection where none is named.

    Args:
        collection: The collection's id.

    Example:
        >>> usual_state("shoes/2").name
        'ximilar-shoes_2.state'
    """
    return Path(f"ximilar-{_UNFIT.sub('_', collection)}.state")


async def count_for_new(terms: Terms, course: Course) -> int | None:
    """Refuse a state that nobody named and that is not there, for a collection that has records.

    Args:
        terms: What is asked for.
        course: Where the sync is.

    Returns:
        How many records the collection has, if it had to be asked.

    Raises:
        SyncRefusedError: it has some.
        StoppedError: the sync is to end.
    """
    path = terms.state
    if not terms.lost_unless_empty or not isinstance(path, Path) or path.exists():
        return None
    course.stage = "asking the collection"
    there = await course.count()
    refuse_lost(path, there, applies=terms.applies)
    return there


def refuse_lost(path: Path, there: int, *, applies: bool) -> None:
    """Refuse to begin a state that nobody named for a collection that has records.

    A job that runs in another folder than the day before would else begin a second state, and
    forget which images are stored.

    Args:
        path: Where it would be, and is not.
        there: Records of the collection.
        applies: Whether a plan is to be carried out, which was made with another state then.

    Raises:
        SyncRefusedError: the collection has records.
    """
    if not there:
        return
    missing = f"no state: there is no file {str(path)!r}"
    if applies:
        raise SyncRefusedError(f"{missing}; name what the plan was made with (state=…)")
    records = f"{there:,} record" if there == 1 else f"{there:,} records"
    raise SyncRefusedError(
        f"{missing}, and the collection has {records}. If an earlier sync kept one, name it "
        "(state=…); to begin one by reading the collection, name that file "
        f"(state={path.name!r})"
    )
