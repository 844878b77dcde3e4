"""What nobody can have meant is refused, with numbers and what to do."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from ximilar_async.bulk._sync.guards import Ceiling, Findings, refuse, withheld
from ximilar_async.errors import ConfigError, SyncRefusedError

GOOD = Findings(
    mode="mirror",
    source="catalog.jsonl",
    read=100,
    usable=100,
    common=96,
    nameless=0,
    stored=100,
    gone=4,
)
FIVE = Ceiling.read("5%")


def judge(found: Findings, ceiling: Ceiling = FIVE, **allowed: bool) -> str:
    """Refuse what is to be refused; return why deletions are withheld from the rest."""
    delete = allowed.get("delete", False)
    refuse(found, ceiling, allow_delete=delete, allow_new_catalog=allowed.get("new", False))
    return withheld(found, allow_delete=delete)


def refused(found: Findings, ceiling: Ceiling = FIVE, **allowed: bool) -> bool:
    try:
        judge(found, ceiling, **allowed)
    except SyncRefusedError:
        return True
    return False


def test_a_usual_night_passes() -> None:
    """A few records gone are deleted without a question."""
    assert judge(GOOD) == ""
    assert judge(evolve(GOOD, gone=5)) == ""
    assert refused(evolve(GOOD, gone=6))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"usable": 0, "read": 0}, r"catalog\.jsonl has no usable record, and 100 are stored"),
        ({"usable": 0, "broken": "cut off"}, r"^cut off: no record of catalog\.jsonl can be used"),
        (
            {"usable": 0, "first_fault": "line 2 has no `_id`"},
            r"^line 2 has no `_id`: none of the 100 records of catalog\.jsonl can be used, and",
        ),
        ({"common": 0}, r"none of the 100 ids .* among the 100 stored .*allow_new_catalog"),
        ({"gone": 40}, r"40 of 100 stored .* \(40\.0%\), more than the 5% .*allow_delete"),
        ({"gone": 6}, r"6 of 100 stored records are not in catalog\.jsonl"),
        ({"gone": 1_035, "stored": 2_000}, r"1,035 of 2,000 stored records are not"),
    ],
)
def test_each_guard_names_numbers_and_the_way_out(changes: dict[str, Any], words: str) -> None:
    """Empty source, wrong catalog, too much gone."""
    with pytest.raises(SyncRefusedError, match=words):
        judge(evolve(GOOD, **changes))


def test_entries_without_an_id_are_counted_in_words() -> None:
    """One is an entry; many have a thousands separator."""
    assert judge(evolve(GOOD, nameless=1)).startswith("1 entry of catalog.jsonl has no readable")
    many = judge(evolve(GOOD, nameless=1_200))
    assert many.startswith("1,200 entries of catalog.jsonl have no readable")


def test_what_is_meant_can_be_allowed() -> None:
    """Deletions and another catalog can be asked for; an empty source cannot."""
    for found, ceiling, allowed in (
        (evolve(GOOD, gone=40), FIVE, {"delete": True}),
        (evolve(GOOD, common=0, gone=4), FIVE, {"new": True}),
        (evolve(GOOD, gone=40), Ceiling.read(40), {}),
    ):
        assert refused(found)
        assert judge(found, ceiling, **allowed) == ""
    assert refused(evolve(GOOD, usable=0), delete=True, new=True)


def test_nothing_is_refused_where_nothing_is_stored() -> None:
    """A first sync has no common ids, and an empty one does no harm."""
    for usable in (100, 0):
        first = evolve(GOOD, stored=0, common=0, gone=0, usable=usable)
        assert judge(first) == ""
        assert refused(evolve(first, stored=1))


def test_only_mirror_counts_deletions() -> None:
    """Other modes delete nothing."""
    for mode in ("insert", "upsert"):
        assert judge(evolve(GOOD, mode=mode, gone=90)) == ""
    assert refused(evolve(GOOD, mode="mirror", gone=90))


def test_deletions_are_withheld_where_the_source_may_lie() -> None:
    """A source that broke off, or lines that may be the missing ones, delete nothing."""
    assert "cut off" in judge(evolve(GOOD, broken="cut off"), delete=True)
    assert "3 entries" in judge(evolve(GOOD, nameless=3))
    assert judge(evolve(GOOD, nameless=3), delete=True) == ""
    assert "cut off" in judge(evolve(GOOD, broken="cut off", gone=60))


@pytest.mark.parametrize("value", [True, "many", "-1", -1, 1.5, "150%", "nan%"])
def test_a_ceiling_that_is_none_is_refused(value: Any) -> None:
    """A number of records or a share, nothing else."""
    with pytest.raises(ConfigError, match="max_deletions"):
        Ceiling.read(value)


@pytest.mark.parametrize(
    ("value", "most"), [("5%", 50), (0.05, 50), (7, 7), ("7", 7), ("0%", 0), (1e-5, 0)]
)
def test_a_ceiling_is_a_number_or_a_share(value: Any, most: int) -> None:
    """So many of a thousand, and not one more."""
    ceiling = Ceiling.read(value)
    assert ceiling.allows(most, of=1000)
    assert not ceiling.allows(most + 1, of=1000)
