"""Shared tags are counted over all rows at once, and kept in step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from ximilar_async.emulator.tags import TagIndex, distance, tags_of

if TYPE_CHECKING:
    from collections.abc import Sequence

TAGS = st.frozensets(st.sampled_from("abcdef"), max_size=4)


@given(
    rows=st.lists(TAGS, max_size=12),
    later=st.lists(TAGS, max_size=4),
    changes=st.dictionaries(st.integers(0, 15), TAGS, max_size=6),
    query=st.frozensets(st.sampled_from("abcxyz"), max_size=4),
)
def test_counts_agree_with_sets(
    rows: list[frozenset[str]],
    later: Sequence[frozenset[str]],
    changes: dict[int, frozenset[str]],
    query: frozenset[str],
) -> None:
    """Whatever is added and replaced, the counts are those of Python's own sets."""
    index = TagIndex()
    index.extend(rows)
    index.replace(list(changes), list(changes.values()))
    index.extend(later)
    now = [changes.get(number, tags) for number, tags in enumerate(rows)] + list(later)
    shared, either = index.overlap(query)
    assert shared.tolist() == [len(tags & query) for tags in now]
    assert either.tolist() == [len(tags | query) for tags in now]


def test_tags_are_texts() -> None:
    """A list's texts are tags, so is a single text; all else is none."""
    assert tags_of({"tags": ["a", 1, None, "b"]}, "tags") == {"a", "b"}
    assert tags_of({"tags": "a"}, "tags") == {"a"}
    assert tags_of({"tags": {"a": 1}}, "tags") == tags_of({}, "tags") == frozenset()


def test_distance_bounds() -> None:
    """Same image and tags: 0; a record without tags is as far as one with wholly others."""
    assert distance(0.0, frozenset("a"), frozenset("a")) == 0.0
    assert distance(10.0, frozenset("a"), frozenset()) == 35.0
    assert distance(10.0, frozenset("a"), frozenset("b")) == 35.0
    assert distance(10.0, frozenset(), frozenset("b")) == 10.0
