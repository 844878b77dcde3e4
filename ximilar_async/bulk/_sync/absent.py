"""What is stored, or may be, and is not in the source. Blocking."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .difference import Action, Phase
from .work import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .difference import UnderWay
    from .planning import Prepared
    from .reading import Reader

_AT_ONCE: Final = 500
"""Records that are looked up in one turn."""


def note_absent(prepared: Prepared, reader: Reader, doubts: Mapping[str, UnderWay]) -> int:
    """Make tasks of what the source does not have; return how many stored records these are.

    Args:
        prepared: The tasks, and the state.
        reader: What the source has.
        doubts: What was under way when the last run ended.
    """
    work = prepared.work
    for id_ in doubts.keys() - reader.doubts_seen:
        work.add(Task(Action.LOOK, id_))
    if prepared.terms.mode != "mirror":
        return 0
    gone = len(prepared.unlisted - reader.doubts_seen)
    batch: list[str] = []
    for id_, n, phase in prepared.state.every():
        if not reader.is_gone(n):
            continue
        if phase is Phase.NEAR_DUPLICATE:
            work.add(Task(Action.FORGET, id_))
            continue
        gone += 1
        if id_ not in doubts:
            batch.append(id_)
        if len(batch) >= _AT_ONCE:
            _note_gone(prepared, batch)
            batch = []
    _note_gone(prepared, batch)
    return gone


def _note_gone(prepared: Prepared, ids: list[str]) -> None:
    for id_, known in prepared.state.find(ids).items():
        prepared.work.add(Task(Action.DELETE, id_, spot=f"stored record {id_!r}", was=known.was))


def unlisted(prepared: Prepared) -> frozenset[str]:
    """Return the ids in doubt that may be stored without a row.

    Args:
        prepared: The state.
    """
    if not prepared.there:
        return frozenset()
    rows = prepared.state.find(list(prepared.doubts))
    return frozenset(
        id_ for id_ in prepared.doubts if id_ not in rows or rows[id_].phase is Phase.NEAR_DUPLICATE
    )
