"""The vector store: exact against brute force, on every path it has."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ximilar_async.emulator.vectors import VectorStore

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Found = tuple[NDArray[np.intp], NDArray[np.float64]]

SPREAD = (20 / np.sqrt(np.arange(1, 129))).astype(np.float32)
"""Widths that fall from one dimension to the next, as a projection's do."""


def brute(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float64]:
    """Distances as the definition says, in float64."""
    return np.sqrt(np.square(vectors.astype(np.float64) - query).sum(axis=1))


def zeros(*shape: int) -> NDArray[np.float32]:
    return np.zeros(shape, np.float32)


def filled(vectors: NDArray[np.float32], *, step: int = 1000, **options: int) -> VectorStore:
    store = VectorStore(vectors.shape[1], **options)
    for start in range(0, len(vectors), step):
        part = vectors[start : start + step]
        assert store.append(part) == range(start, start + len(part))
    return store


def photographs(count: int, *, seed: int) -> NDArray[np.float32]:
    """Vectors like those of photographs, a tenth of them near-duplicates and some the same."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((count, 128), dtype=np.float32) * SPREAD
    copies = random.permutation(count)[: count // 10]
    vectors[copies] = vectors[random.integers(0, count, len(copies))]
    blurred = copies[::2]
    vectors[blurred] += random.standard_normal((len(blurred), 128), dtype=np.float32) * 0.25
    return vectors


def check(found: Found, distances: NDArray[np.float64], expected: NDArray[np.intp]) -> None:
    """Hold an answer against the rows and distances that brute force gives."""
    rows, got = found
    assert rows.tolist() == expected.tolist()
    np.testing.assert_allclose(got, distances[expected], rtol=1e-12)
    assert got.dtype == np.float64


def nearest(distances: NDArray[np.float64], usable: NDArray[np.bool_]) -> NDArray[np.intp]:
    """All usable rows, by distance and then by row."""
    rows = np.flatnonzero(usable)
    return rows[np.argsort(distances[rows], kind="stable")]


# Small whole numbers: every distance is reckoned without rounding, and ties abound.
GRID = st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), max_size=30)


@given(grid=GRID, query=st.tuples(*[st.integers(-2, 2)] * 3), k=st.integers(-1, 12), data=st.data())
def test_small_and_full_of_ties(
    grid: list[list[int]], query: tuple[int, ...], k: int, data: st.DataObject
) -> None:
    """Nearest rows, rows in a radius and pairs are exact, ties by row, with masks and removals."""
    vectors = np.array(grid, np.float32).reshape(-1, 3)
    store = filled(vectors, prefix=2)
    flags = st.lists(st.booleans(), min_size=len(grid), max_size=len(grid))
    removed, mask = (np.array(data.draw(flags), np.bool_) for _ in range(2))
    for row in np.flatnonzero(removed).tolist():
        store.remove(row)
    usable = mask & ~removed
    point = np.array(query, np.float32)
    distances = brute(vectors, point)
    order = nearest(distances, usable)
    check(store.knn(point, k, mask), distances, order[: max(k, 0)])
    near = order[distances[order] <= 2]
    check(store.within(point[None], 2.0, mask)[0], distances, near)
    expected = [
        (i, j, float(brute(vectors[i : i + 1], vectors[j])[0]))
        for i, j in combinations(np.flatnonzero(usable).tolist(), 2)
    ]
    assert list(store.pairs(2.0, mask)) == [pair for pair in expected if pair[2] <= 2]


@pytest.mark.parametrize("count", [1, 100, 4097, 20_000])
@pytest.mark.parametrize("share", [1.0, 0.5, 0.02])
def test_nearest_of_many(count: int, share: float) -> None:
    """The nearest rows are exact whether all, half or few rows may be found."""
    vectors = photographs(count, seed=count)
    store, random = filled(vectors), np.random.default_rng(1)
    mask = None if share == 1 else random.random(count) < share
    usable = np.ones(count, np.bool_) if mask is None else mask
    for query in (*vectors[:3], *(random.standard_normal((3, 128), np.float32) * SPREAD)):
        distances = brute(vectors, query)
        order = nearest(distances, usable)
        for k in (1, 30, count // 3, 2 * count):
            check(store.knn(query, k, mask), distances, order[:k])


@pytest.mark.parametrize("count", [1, 2047, 5000, 20_000])
@pytest.mark.parametrize("radius", [0.0, 5.0, 25.0, 60.0])
def test_within_of_many(count: int, radius: float) -> None:
    """Rows within a radius are exact for narrow and for wide radii, with removals and a mask."""
    vectors = photographs(count, seed=count)
    store, random = filled(vectors), np.random.default_rng(2)
    store.within(vectors[:1], radius)
    alive, mask = random.random(count) < 0.9, random.random(count) < 0.8
    for row in np.flatnonzero(~alive).tolist():
        store.remove(row)
    queries = np.concatenate([vectors[:20], random.standard_normal((5, 128), np.float32) * SPREAD])
    found = store.within(queries, radius, mask)
    assert len(found) == len(queries)
    for query, answer in zip(queries, found, strict=True):
        distances = brute(vectors, query)
        order = nearest(distances, alive & mask)
        check(answer, distances, order[distances[order] <= radius])


def test_within_sees_what_has_just_come() -> None:
    """Near rows are found at once, however rows came: many, few, in between searches."""
    vectors = photographs(9000, seed=3)
    store = VectorStore()
    for start in range(0, 9000, 450):
        part = vectors[start : start + 450]
        for place, (rows, _) in enumerate(store.within(part[:10], 5.0)):
            distances = brute(vectors[:start], part[place])
            assert rows.tolist() == nearest(distances, distances <= 5.0).tolist()
        store.append(part)
        assert store.within(part[-1:], 0.0)[0][0][-1] == start + 449


def test_pairs_of_many() -> None:
    """Every pair is given once, the lower row first, by ascending rows, as brute force finds it."""
    vectors = photographs(3000, seed=4)[:, :16]
    store = filled(vectors)
    mask = np.random.default_rng(5).random(3000) < 0.9
    for row in range(0, 3000, 13):
        store.remove(row)
        mask[row] = False
    found = list(store.pairs(5.0, mask))
    expected = []
    for row in np.flatnonzero(mask).tolist():
        distances = brute(vectors, vectors[row])
        expected += [
            (row, other)
            for other in np.flatnonzero(mask & (distances <= 5.0)).tolist()
            if other > row
        ]
    assert [pair[:2] for pair in found] == expected
    assert len(expected) > 100
    assert min(pair[2] for pair in found) == 0.0 < max(pair[2] for pair in found) <= 5.0


def test_distance_is_the_same_on_every_path() -> None:
    """Two vectors are at the same distance, to the last bit, whichever way they are found."""
    vectors = photographs(6000, seed=6)
    store = filled(vectors)
    few = np.zeros(6000, np.bool_)
    few[:50] = True
    rows, distances = store.knn(vectors[0], 6000)
    known = dict(zip(rows.tolist(), distances.tolist(), strict=True))
    for k, mask in ((1, None), (7, None), (50, few)):
        for row, distance in zip(*store.knn(vectors[0], k, mask), strict=True):
            assert known[int(row)] == distance
    for radius in (5.0, 45.0, 1e9):
        for row, distance in zip(*store.within(vectors[:1], radius)[0], strict=True):
            assert known[int(row)] == distance


def test_a_radius_that_is_a_distance() -> None:
    """A row exactly at the radius is found: the radius is included."""
    vectors = photographs(5000, seed=7)
    store = filled(vectors)
    rows, distances = store.knn(vectors[0], 40)
    for radius in distances[[5, 20, 39]].tolist():
        found, _ = store.within(vectors[:1], radius)[0]
        assert found.tolist() == rows[distances <= radius].tolist()
        below, _ = store.within(vectors[:1], float(np.nextafter(radius, 0)))[0]
        assert below.tolist() == rows[distances < radius].tolist()


def test_the_same_vector_is_at_no_distance() -> None:
    """A vector that is there already is found at 0.0 exactly, all copies of it, by row."""
    vectors = photographs(5000, seed=8)
    vectors[[17, 4000, 4999]] = vectors[100]
    store = filled(vectors)
    for rows, distances in (store.knn(vectors[100], 4), store.within(vectors[100:101], 0.0)[0]):
        assert rows.tolist() == [17, 100, 4000, 4999]
        assert distances.tolist() == [0.0] * 4


@pytest.mark.parametrize(("dimensions", "prefix"), [(2, 40), (40, 40), (300, 40), (64, 1)])
def test_any_dimensions(dimensions: int, prefix: int) -> None:
    """Any number of dimensions is searched exactly, also where the first ones tell nothing."""
    random = np.random.default_rng(9)
    vectors = random.standard_normal((5000, dimensions), dtype=np.float32)
    vectors[:, : min(prefix, dimensions) // 2] = 1
    store = filled(vectors, prefix=prefix)
    for query in vectors[:5]:
        distances = brute(vectors, query)
        order = nearest(distances, np.ones(5000, np.bool_))
        found = store.knn(query, 20)
        check(found, distances, order[:20])
        check(store.within(query[None], float(found[1][-1]))[0], distances, order[:20])


def test_far_from_the_origin() -> None:
    """Vectors that are long compared with their distances are searched exactly all the same."""
    vectors = photographs(6000, seed=10) + np.float32(30_000)
    store = filled(vectors)
    for query in vectors[:3]:
        distances = brute(vectors, query)
        order = nearest(distances, np.ones(6000, np.bool_))
        check(store.knn(query, 15), distances, order[:15])
        check(store.within(query[None], 40.0)[0], distances, order[: int((distances <= 40).sum())])


def test_all_the_same() -> None:
    """Thousands of copies of one vector (a shop's "no picture") neither fail nor get lost."""
    store = filled(np.ones((6000, 128), np.float32))
    assert store.knn(np.ones(128, np.float32), 10)[0].tolist() == list(range(10))
    rows, distances = store.within(np.ones((1, 128), np.float32), 5.0)[0]
    assert rows.tolist() == list(range(6000))
    assert not distances.any()
    mask = np.arange(6000) % 100 == 0
    assert sum(1 for _ in store.pairs(0.0, mask)) == 60 * 59 // 2


def test_removed_rows() -> None:
    """A removed row is found no more; its number and its vector stay, and numbers go on."""
    vectors = photographs(5000, seed=11)
    store = filled(vectors)
    assert store.alive.all()
    store.within(vectors[:1], 5.0)
    for row in (0, 0, 4999):
        store.remove(row)
    assert np.flatnonzero(~store.alive).tolist() == [0, 4999]
    assert 0 not in store.knn(vectors[0], 5000)[0]
    assert 0 not in store.within(vectors[:1], 1e6)[0][0]
    assert len(store) == 5000
    assert store.vector(0).tolist() == vectors[0].tolist()
    assert store.append(vectors[:1]) == range(5000, 5001)
    assert 5000 in store.within(vectors[:1], 0.0)[0][0]
    with pytest.raises(ValueError, match="read-only"):
        store.alive[0] = True


def test_all_removed() -> None:
    """A store whose rows have all been removed finds nothing, and goes on from there."""
    vectors = photographs(5000, seed=12)
    store = filled(vectors)
    for row in range(5000):
        store.remove(row)
    assert store.knn(vectors[0], 3)[0].tolist() == []
    assert store.within(vectors[:1], 5.0)[0][0].tolist() == []
    assert list(store.pairs(5.0)) == []
    store.append(vectors[:3])
    assert store.within(vectors[2:3], 0.0)[0][0][0] == 5002


def test_empty() -> None:
    """An empty store answers every question with nothing."""
    store = VectorStore(4)
    rows, distances = store.knn(zeros(4), 3)
    assert (rows.tolist(), distances.tolist(), len(store)) == ([], [], 0)
    assert [part.tolist() for part in store.within(zeros(1, 4), 1.0)[0]] == [[], []]
    assert store.within(zeros(0, 4), 1.0) == []
    assert list(store.pairs(1.0)) == []
    assert store.append(zeros(0, 4)) == range(0)


def test_a_mask_from_before() -> None:
    """Rows that came after a mask was made are not found with it."""
    store = filled(zeros(3, 4))
    mask = np.ones(2, np.bool_)
    assert store.knn(zeros(4), 5, mask)[0].tolist() == [0, 1]
    assert store.within(zeros(1, 4), 1.0, mask)[0][0].tolist() == [0, 1]
    assert list(store.pairs(1.0, mask)) == [(0, 1, 0.0)]


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (zeros(4), r"4 dimensions .* shape \(4,\)"),
        (zeros(2, 3), r"4 dimensions .* shape \(2, 3\)"),
        (zeros(1, 4) + np.nan, "finite"),
        (zeros(1, 4) + np.inf, "finite"),
        (zeros(1, 4) + 2e9, "finite and within"),
    ],
    ids=["one-dimension", "other-dimensions", "nan", "infinite", "huge"],
)
def test_vectors_that_do_not_fit(vectors: NDArray[np.float32], message: str) -> None:
    """A vector of another shape, or one that would spoil the distances, is refused and not kept."""
    store = VectorStore(4)
    with pytest.raises(ValueError, match=message):
        store.append(vectors)
    with pytest.raises(ValueError, match=message):
        store.within(vectors, 1.0)
    assert len(store) == 0


def test_questions_that_do_not_fit() -> None:
    """A negative radius, a mask of numbers or a row that is not there is an error that says so."""
    store = filled(zeros(2, 4))
    for radius in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="a radius is not negative"):
            store.within(zeros(1, 4), radius)
        with pytest.raises(ValueError, match="a radius is not negative"):
            list(store.pairs(radius))
    numbers: Any = np.ones(2, np.int64)
    for mask in (np.ones(3, np.bool_), numbers):
        with pytest.raises(ValueError, match="a mask of 2 booleans"):
            store.knn(zeros(4), 1, mask)
    for row in (-1, 2):
        with pytest.raises(IndexError, match=f"row {row} of 2"):
            store.remove(row)
        with pytest.raises(IndexError, match=f"row {row} of 2"):
            store.vector(row)
