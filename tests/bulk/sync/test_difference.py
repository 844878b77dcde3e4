"""What is done with a record follows from what it is, what is stored, and the mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ximilar_async.bulk._sync.difference import (
    Action,
    Known,
    Phase,
    UnderWay,
    compare,
    decide,
    image_in_doubt,
    settle_absent,
)
from ximilar_async.bulk._sync.hashes import UNKNOWABLE

if TYPE_CHECKING:
    from ximilar_async.bulk._sync.difference import Mode


def known(phase: Phase = Phase.STORED, image: bytes | None = b"i") -> Known:
    return Known(0, b"m", image, 0, None, phase)


@pytest.mark.parametrize(
    ("mode", "meta", "image", "row", "action"),
    [
        ("insert", b"m", b"i", None, Action.INSERT),
        ("insert", b"m", None, None, Action.REJECT),
        ("insert", b"m", b"i", known(), Action.UNCHANGED),
        ("insert", b"x", b"i", known(), Action.KEPT),
        ("insert", b"m", b"x", known(), Action.KEPT),
        ("upsert", b"m", b"i", known(), Action.UNCHANGED),
        ("upsert", b"m", None, known(), Action.UNCHANGED),
        ("upsert", b"x", None, known(), Action.UPDATE),
        ("upsert", b"x", b"i", known(), Action.UPDATE),
        ("upsert", b"m", b"x", known(), Action.REPLACE),
        ("mirror", b"x", b"x", known(), Action.REPLACE),
        ("upsert", b"m", b"x", known(image=None), Action.ADOPT),
        ("upsert", b"x", b"x", known(image=None), Action.UPDATE),
        ("upsert", b"m", b"i", known(Phase.SEEDED), Action.UNCHANGED),
        ("upsert", b"x", b"i", known(Phase.SEEDED), Action.LOOK),
        ("upsert", b"m", b"x", known(Phase.SEEDED), Action.REPLACE),
        ("upsert", b"m", b"i", known(Phase.NEAR_DUPLICATE), Action.NEAR_DUPLICATE),
        ("upsert", b"m", b"x", known(Phase.NEAR_DUPLICATE), Action.INSERT),
    ],
)
def test_hashes_and_mode_decide(
    mode: Mode, meta: bytes, image: bytes | None, row: Known | None, action: Action
) -> None:
    """Each combination of hashes has its action."""
    assert decide(mode, meta, image, row) is action


def test_fields_that_went_away_unseen_need_a_look() -> None:
    """Where the old names are not known, the stored record must tell which to remove."""
    assert decide("upsert", b"x", b"i", known(), same_names=False) is Action.LOOK


@pytest.mark.parametrize(
    ("fields", "stored", "action", "removed"),
    [
        ({"a": 1}, {"a": 1}, Action.ADOPT, ()),
        ({"a": 1.0}, {"a": 1}, Action.ADOPT, ()),
        ({"a": 2}, {"a": 1}, Action.UPDATE, ()),
        ({"a": 1}, {"a": 1, "b": 2}, Action.UPDATE, ("b",)),
        ({"a": 1}, {"a": 1, "_color": "red"}, Action.ADOPT, ()),
        ({"a": 1}, {"a": 1, "_tags": ["x"]}, Action.UPDATE, ("_tags",)),
        ({"a": 1}, None, Action.INSERT, ()),
    ],
)
def test_what_is_stored_decides(
    fields: dict[str, Any], stored: dict[str, Any] | None, action: Action, removed: tuple[str, ...]
) -> None:
    """Values are compared as values; the service's own fields are left alone, ours removed."""
    found = compare("upsert", fields, stored, image=b"i", stored_image=b"i", ours={"a", "_tags"})
    assert (found.action, found.removed) == (action, removed)


@pytest.mark.parametrize(
    ("stored", "given", "action"),
    [
        (1, True, Action.UPDATE),
        (False, 0, Action.UPDATE),
        ([{"a": 1}], [{"a": True}], Action.UPDATE),
        ({"a": 1}, {"b": 1}, Action.UPDATE),
        ([1, 2], [1], Action.UPDATE),
        (19, 19.0, Action.ADOPT),
        ([{"a": 1.0}], [{"a": 1}], Action.ADOPT),
        (True, True, Action.ADOPT),
    ],
)
def test_values_are_compared_as_json_has_them(stored: Any, given: Any, action: Action) -> None:
    """A flag is no number, at any depth; a number is itself with and without a point."""
    found = compare("upsert", {"v": given}, {"v": stored}, image=None, stored_image=None)
    assert found.action is action


def test_an_image_counts_as_changed_only_when_both_are_known() -> None:
    """What nobody knows is not replaced; a record in doubt may force it."""
    for stored, action in [(None, Action.ADOPT), (b"x", Action.REPLACE), (b"i", Action.ADOPT)]:
        assert compare("upsert", {}, {}, image=b"i", stored_image=stored).action is action
    assert compare("upsert", {}, {}, image=b"i", stored_image=UNKNOWABLE).action is Action.REPLACE


def test_in_insert_mode_what_is_stored_is_left_alone() -> None:
    """Only new records."""
    assert compare("insert", {"a": 1}, {}, image=b"i", stored_image=b"x").action is Action.SEED


@pytest.mark.parametrize(
    ("phase", "image"),
    [
        (Phase.INSERTING, b"new"),
        (Phase.REPLACING, UNKNOWABLE),
        (Phase.UPDATING, b"i"),
        (Phase.DELETING, b"i"),
    ],
)
def test_the_image_of_a_record_in_doubt(phase: Phase, image: bytes) -> None:
    """What our own insert was sending is ours; a replacement may have been at either side."""
    assert image_in_doubt(None, known(), UnderWay(phase, image=b"new")) == image
    assert image_in_doubt(b"told", known(), UnderWay(phase, image=b"new")) == b"told"


@pytest.mark.parametrize(
    ("mode", "phase", "stored", "action"),
    [
        ("mirror", Phase.REPLACING, False, Action.FORGET),
        ("mirror", Phase.INSERTING, True, Action.DELETE),
        ("upsert", Phase.REPLACING, False, Action.RESTORE),
        ("upsert", Phase.REPLACING, True, Action.SEED),
        ("upsert", Phase.INSERTING, False, Action.FORGET),
        ("upsert", Phase.DELETING, False, Action.FORGET),
    ],
)
def test_a_record_in_doubt_that_the_source_lost(
    mode: Mode,
    phase: Phase,
    stored: bool,  # noqa: FBT001 - a parameter of the table
    action: Action,
) -> None:
    """Nothing stays deleted and not inserted unless the catalog wants it so."""
    assert settle_absent(mode, UnderWay(phase, record=b"{}"), stored=stored) is action
