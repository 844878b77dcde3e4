"""Reconciling: any answer in, one verdict for each record out, never an invented success."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ximilar_async.bulk._outcomes import Outcome
from ximilar_async.bulk._reconcile import reconcile

IDS = ["1", "2", "3"]


def skipped(id_: str, code: int = 211, **reason: Any) -> dict[str, Any]:
    return {"_id": id_, "_reason": {"status": {"code": code, "text": "why"}, **reason}}


def outcomes(raw: Any, *, doubtful: bool = False) -> list[Outcome | None]:
    found = reconcile(IDS, raw, Outcome.INSERTED, doubtful=IDS if doubtful else ())
    return [found.verdicts[id_].outcome for id_ in IDS]


def test_the_lists_decide_whatever_the_code_says() -> None:
    """206 in tables, 213 in examples, two texts for 211: only the lists are believed."""
    for code in (200, 210, 211, 213, 411):
        raw = {
            "status": {"code": code},
            "answer_records": [{"_id": "2"}, {"_id": "1"}],
            "skipped_records": [skipped("3")],
        }
        assert outcomes(raw) == [Outcome.INSERTED, Outcome.INSERTED, Outcome.ALREADY_PRESENT]


def test_a_near_duplicate_is_told_from_a_duplicate_by_its_neighbours() -> None:
    """Both say 211; only a near-duplicate's reason has answer_records."""
    near = skipped("2", answer_records=[{"_id": "10"}], answer_distances=[3.0])
    found = reconcile(
        IDS,
        {"answer_records": [{"_id": "1"}], "skipped_records": [near, skipped("3")]},
        Outcome.INSERTED,
    )
    assert found.verdicts["2"].outcome is Outcome.NEAR_DUPLICATE
    assert [(m.id, m.distance) for m in found.verdicts["2"].near_duplicates] == [("10", 3.0)]
    assert found.verdicts["3"].outcome is Outcome.ALREADY_PRESENT


def test_a_near_duplicate_of_itself_is_looked_up() -> None:
    """A repeated near-duplicate insert may match its own first attempt at distance 0."""
    near = skipped("1", answer_records=[{"_id": "1"}], answer_distances=[0.0])
    assert outcomes({"skipped_records": [near]})[0] is None


def test_411_without_lists_says_that_all_are_there() -> None:
    """411: "all records refused because of _id duplicity"."""
    assert outcomes({"status": {"code": 411}}) == [Outcome.ALREADY_PRESENT] * 3


@pytest.mark.parametrize(
    "raw",
    [{"skipped_records": [skipped(i) for i in IDS]}, {"status": {"code": 411}}],
    ids=["lists", "code"],
)
def test_a_duplicate_after_a_lost_answer_is_doubtful(raw: dict[str, Any]) -> None:
    """After a lost answer "duplicate" may be this run's own first attempt, so it is looked up."""
    assert outcomes(raw, doubtful=True) == [None, None, None]


def test_what_no_list_mentions_is_looked_up() -> None:
    """A record in neither list is neither inserted nor lost: only the collection can tell."""
    assert outcomes({"answer_records": [{"_id": "1"}]}) == [Outcome.INSERTED, None, None]


def test_what_both_lists_mention_is_looked_up() -> None:
    """A record in both lists is an anomaly, and neither list is believed."""
    raw = {"answer_records": [{"_id": i} for i in IDS], "skipped_records": [skipped("2")]}
    found = reconcile(IDS, raw, Outcome.INSERTED)
    assert found.verdicts["2"].outcome is None
    assert found.anomalies["id both done and skipped"] == 1


def test_ids_that_nobody_sent_are_counted_and_not_believed() -> None:
    """Extra and doubled ids and wrong counts change no verdict."""
    raw = {
        "answer_records": [{"_id": "1"}, {"_id": "1"}, {"_id": "9"}, {}, 7],
        "skipped_records": "none",
        "answer_count": 1,
    }
    found = reconcile(["1"], raw, Outcome.INSERTED)
    assert found.verdicts["1"].outcome is Outcome.INSERTED
    assert found.anomalies == {
        "an id in answer_records that was not sent": 3,
        "an id twice in answer_records": 1,
        "skipped_records is no list": 1,
        "answer_count differs from answer_records": 1,
    }


def test_other_reasons_are_rejections_and_not_found() -> None:
    """404 in a reason means that no such record is stored; any other reason is a refusal."""
    raw = {"skipped_records": [skipped("1", 404), skipped("2", 400), {"_id": "3"}]}
    assert outcomes(raw) == [Outcome.NOT_FOUND, Outcome.REJECTED, Outcome.REJECTED]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 500) | st.text(max_size=3) | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["_id", "_reason", "status", "code", "answer_records", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@st.composite
def hostile_answers(draw: st.DrawFn) -> tuple[list[str], Any, bool]:
    ids = draw(st.lists(st.text(min_size=1, max_size=3), min_size=1, max_size=10, unique=True))
    id_ = st.sampled_from(ids) | st.text(max_size=2) | st.none() | st.integers(0, 9)
    reason = st.fixed_dictionaries(
        {},
        optional={
            "status": st.fixed_dictionaries({"code": st.sampled_from([211, 411, 404, "211"])}),
            "answer_records": st.lists(st.fixed_dictionaries({"_id": id_}), max_size=2),
            "answer_distances": st.lists(st.floats(), max_size=2),
        },
    )
    record = st.fixed_dictionaries({"_id": id_}, optional={"_reason": reason}) | JSON
    records = st.lists(record, max_size=12) | JSON
    raw = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "status": st.fixed_dictionaries({"code": st.integers(200, 500)}) | JSON,
                "answer_records": records,
                "skipped_records": records,
                "answer_count": st.integers(-1, 20) | JSON,
            },
        )
        | JSON
    )
    return ids, raw, draw(st.booleans())


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hostile_answers())
def test_any_answer_gives_each_record_one_verdict(case: tuple[list[str], Any, bool]) -> None:
    """Reconciling is total, and a success is only what the answer itself lists."""
    ids, raw, doubtful = case
    found = reconcile(ids, raw, Outcome.INSERTED, doubtful=ids if doubtful else ())
    assert list(found.verdicts) == ids
    listed = raw.get("answer_records") if isinstance(raw, dict) else None
    told = {
        str(record.get("_id"))
        for record in (listed if isinstance(listed, list) else [])
        if isinstance(record, dict)
    }
    for id_, verdict in found.verdicts.items():
        assert verdict.outcome is not Outcome.INSERTED or id_ in told
