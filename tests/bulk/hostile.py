"""Answers of a service that is broken or lies: anything at all, and things that are nearly good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = ["_id", "_reason", "status", "code", "answer_records", "skipped_records", "answer_count"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 500) | st.text(max_size=3) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=2), inner, max_size=4)
    ),
    max_leaves=8,
)
CODES = st.sampled_from([211, 411, 404, 412, 210, 200, 400, 500, 0, -1, 2**70, "211", 211.0, True])
IDS_SENT = st.lists(
    st.integers(0, 12).map(str) | st.text(min_size=1, max_size=3),
    min_size=1,
    max_size=10,
    unique=True,
)


def entry_ids(raw: Any, name: str) -> list[str | None]:
    """Return the id of each entry of a list of an answer, read in a second way."""
    entries = raw.get(name) if isinstance(raw, dict) else None
    values = [
        entry["_id"] if isinstance(entry, dict) and "_id" in entry else None
        for entry in (entries if isinstance(entries, list) else [])
    ]
    known = [str(value) if type(value) is int else value for value in values]
    return [value if isinstance(value, str) else None for value in known]


@st.composite
def reasons(draw: st.DrawFn, ids: list[str]) -> Any:
    """Return a reason: of a duplicate, of a near-duplicate, of anything."""
    id_ = st.sampled_from(ids) | st.text(max_size=2) | st.none() | st.integers(0, 12)
    neighbours = st.lists(
        st.fixed_dictionaries({}, optional={"_id": id_}) | JSON, min_size=1, max_size=3
    )
    distances = st.lists(st.floats() | st.integers() | JSON, max_size=3) | JSON
    kinds = [
        st.fixed_dictionaries({"status": st.fixed_dictionaries({"code": CODES})}),
        st.fixed_dictionaries(
            {
                "status": st.fixed_dictionaries({"code": CODES, "text": JSON}),
                "answer_records": neighbours,
                "answer_distances": distances,
            }
        ),
        JSON,
    ]
    return draw(st.one_of(kinds))


@st.composite
def good_answers(draw: st.DrawFn, ids: list[str]) -> dict[str, Any]:
    """Return an answer by the documents, for any division of the ids."""
    done, skipped = [], []
    for id_ in ids:
        match draw(st.sampled_from(["done", "done", "skipped", "nowhere"])):
            case "done":
                done.append({"_id": id_})
            case "skipped":
                skipped.append({"_id": id_, "_reason": draw(reasons(ids))})
    return {
        "status": {"code": draw(CODES), "text": "words"},
        "answer_records": draw(st.permutations(done)),
        "skipped_records": draw(st.permutations(skipped)),
        "answer_count": len(done),
    }


def swap(draw: st.DrawFn, raw: dict[str, Any], ids: list[str]) -> None:
    raw["answer_records"], raw["skipped_records"] = raw["skipped_records"], raw["answer_records"]


def double(draw: st.DrawFn, raw: dict[str, Any], ids: list[str]) -> None:
    """Repeat an entry, in its own list or in the other one."""
    of, to = (draw(st.sampled_from(["answer_records", "skipped_records"])) for _ in "12")
    if isinstance(raw[of], list) and isinstance(raw[to], list) and raw[of]:
        raw[to] = [*raw[to], draw(st.sampled_from(raw[of]))]


def disguise(draw: st.DrawFn, raw: dict[str, Any], ids: list[str]) -> None:
    """Write an entry's id as something like it."""
    name = draw(st.sampled_from(["answer_records", "skipped_records"]))
    entries = raw[name] if isinstance(raw[name], list) else []
    for entry in entries:
        if isinstance(entry, dict) and isinstance(id_ := entry.get("_id"), str):
            forms: list[Any] = [f" {id_}", id_.upper(), [id_], {"_id": id_}, None, True, 1.0]
            if id_.isascii() and id_.isdigit():
                forms += [int(id_)] * 8
            entry["_id"] = draw(st.sampled_from(forms))
            return


def add_unknown(draw: st.DrawFn, raw: dict[str, Any], ids: list[str]) -> None:
    name = draw(st.sampled_from(["answer_records", "skipped_records"]))
    if isinstance(raw[name], list):
        raw[name] = [*raw[name], draw(JSON | st.builds(lambda i: {"_id": i}, st.text(max_size=2)))]


def replace(draw: st.DrawFn, raw: dict[str, Any], ids: list[str]) -> None:
    """Put anything in the place of a part."""
    raw[draw(st.sampled_from(sorted(raw)))] = draw(JSON)


def drop(draw: st.DrawFn, raw: dict[str, Any], ids: list[str]) -> None:
    raw[draw(st.sampled_from(sorted(raw)))] = None


def miscount(draw: st.DrawFn, raw: dict[str, Any], ids: list[str]) -> None:
    raw["answer_count"] = draw(st.integers(-1, 12) | st.booleans() | st.just("3"))


CHANGES: list[Callable[[st.DrawFn, dict[str, Any], list[str]], None]] = [
    swap,
    double,
    disguise,
    add_unknown,
    replace,
    drop,
    miscount,
]


@st.composite
def nearly_good(draw: st.DrawFn) -> tuple[list[str], dict[str, Any], set[str]]:
    """Return ids, an answer about them that was tampered with, and which of them are doubtful."""
    ids = draw(IDS_SENT)
    raw = draw(good_answers(ids))
    for change in draw(st.lists(st.sampled_from(CHANGES), max_size=4)):
        change(draw, raw, ids)
    return ids, raw, draw(st.sets(st.sampled_from(ids)))
