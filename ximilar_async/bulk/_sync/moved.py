"""What must not have moved between a plan and its being carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ximilar_async.errors import ImageError, SyncRefusedError

from .difference import Action
from .reading import Reader

if TYPE_CHECKING:
    from .course import Course
    from .planning import Prepared

_AT_ONCE: Final = 500
_WITH_IMAGE: Final = (Action.INSERT, Action.REPLACE)
_TOUCHING: Final = (Action.INSERT, Action.UPDATE, Action.REPLACE, Action.DELETE)


def refuse_moved(prepared: Prepared, facts: dict[str, Any]) -> None:
    """Refuse a plan if what it was made for is not so any more; blocking.

    Args:
        prepared: The state, and the plan's tasks.
        facts: What the plan says of the state that it was made with.

    Raises:
        SyncRefusedError: something has moved; nothing was sent.
    """
    state, again = prepared.state, "nothing was sent; plan again"
    if state.under_way():
        raise SyncRefusedError(f"an interrupted sync left records in doubt: sync first, {again}")
    stored = state.count()
    if facts["generation"] != "-:0" and facts["generation"] != state.generation:
        raise SyncRefusedError(f"the state has moved since the plan was made: {again}")
    if stored != facts["stored"]:
        raise SyncRefusedError(
            f"{facts['stored']:,} records were stored when the plan was made, and {stored:,} are "
            f"now: {again}"
        )
    if prepared.there != facts["there"]:
        raise SyncRefusedError(
            f"the collection had {facts['there']:,} records when the plan was made, and has "
            f"{prepared.there:,} now: {again}"
        )
    for tasks in prepared.work.tasks(*_TOUCHING, limit=_AT_ONCE):
        known = state.find([task.id for task in tasks if task.id])
        for task in tasks:
            row = known.get(task.id or "")
            if task.was != ("" if row is None else row.was):
                raise SyncRefusedError(
                    f"record {task.id!r} is another one than when the plan was made: {again}"
                )


def refuse_other_photos(prepared: Prepared, course: Course) -> None:
    """Refuse a plan if a photo that it sends is not the one that it was made of; blocking.

    Args:
        prepared: The plan's tasks.
        course: How images are read.

    Raises:
        SyncRefusedError: a photo is another one, or cannot be read; nothing was sent.
    """
    images = course.options.images or course.collection.images
    state, work = prepared.state, prepared.work
    reader = Reader(prepared.terms, state, work, {}, images, course.root)
    for tasks in work.tasks(*_WITH_IMAGE, limit=_AT_ONCE):
        for task in tasks:
            try:
                same, why = reader.has_image_of(task), "is another one than when it was planned"
            except ImageError as error:
                same, why = False, f"cannot be read any more ({error})"
            if not same:
                raise SyncRefusedError(
                    f"the photo of record {task.id!r} {why}: nothing was sent; plan again"
                )
