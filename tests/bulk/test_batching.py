"""Batches: bounded by number and bytes, in order, no `_id` twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ximilar_async._encoding import encode_body
from ximilar_async.bulk._batching import Batcher
from ximilar_async.bulk._item import Batch, Item
from ximilar_async.sources import Entry


def make_item(seq: int, id_: str, weight: int) -> Item:
    record = {"_id": id_, "x": "y" * weight}
    item = Item.of(seq, Entry(f"record {seq}", record))
    item.wire = encode_body(record)
    return item


@given(
    st.lists(st.tuples(st.sampled_from("abcdefghijklmnop"), st.integers(0, 200)), max_size=60),
    st.integers(1, 10),
    st.integers(1, 600),
)
def test_every_record_is_in_one_batch_in_order_within_all_bounds(
    records: list[tuple[str, int]], size: int, max_bytes: int
) -> None:
    """Nothing is lost, doubled or reordered; a batch over the bytes holds a single record."""
    batcher = Batcher(size, max_bytes)
    items = [make_item(seq, id_, weight) for seq, (id_, weight) in enumerate(records)]
    batches = [batch for item in items for batch in batcher.add(item)] + batcher.flush()
    assert [item.seq for batch in batches for item in batch.items] == [i.seq for i in items]
    for batch in batches:
        ids = [item.id for item in batch.items]
        assert 1 <= len(ids) <= size
        assert len(set(ids)) == len(ids)
        assert len(ids) == 1 or sum(item.size for item in batch.items) <= max_bytes
    assert not len(batcher)


def test_halves_hold_what_the_batch_held() -> None:
    """Cutting a batch in two to find a bad record loses none."""
    batch = Batch(tuple(make_item(n, str(n), 1) for n in range(5)))
    left, right = batch.halves()
    assert left.items + right.items == batch.items
    assert len(left.items) == 2
