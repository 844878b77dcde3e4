"""Reconciling: any answer in, one verdict for each record out, never an invented success."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from typing import Any

import pytest
from bulk.hostile import IDS_SENT, JSON, entry_ids, nearly_good
from hypothesis import HealthCheck, event, given, settings
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


@pytest.mark.parametrize("neighbour", [{"_id": "1"}, {"_id": 1}, {}], ids=["id", "int", "none"])
def test_a_near_duplicate_of_itself_after_a_lost_answer_is_looked_up(
    neighbour: dict[str, Any],
) -> None:
    """A repeated near-duplicate insert may match its own first attempt at distance 0."""
    near = skipped("1", answer_records=[neighbour], answer_distances=[0.0])
    assert outcomes({"skipped_records": [near]}, doubtful=True)[0] is None


def test_a_near_duplicate_of_itself_at_the_first_attempt_was_there_before() -> None:
    """No earlier attempt can have stored it, so it is not looked up and taken for this run's."""
    near = skipped("1", answer_records=[{"_id": 1}, {"_id": "8"}], answer_distances=[0.0, 2.0])
    assert outcomes({"skipped_records": [near]})[0] is Outcome.ALREADY_PRESENT


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


def test_211_without_lists_says_nothing_of_any_record() -> None:
    """211: "some records inserted", and no word of which."""
    assert outcomes({"status": {"code": 211}}) == [None] * 3


def test_other_reasons_are_rejections() -> None:
    """A reason that is no duplicate is a refusal, a missing one too."""
    raw = {"skipped_records": [skipped("1", 404), skipped("2", 400), {"_id": "3"}]}
    assert outcomes(raw) == [Outcome.REJECTED] * 3
    assert outcomes(raw, doubtful=True) == [None] * 3


def test_what_is_not_stored_cannot_be_changed() -> None:
    """404 in a reason means that no such record is stored, except where nothing is looked for."""
    for success in (Outcome.UPDATED, Outcome.DELETED, Outcome.FOUND):
        found = reconcile(["1"], {"skipped_records": [skipped("1", 404)]}, success)
        assert found.verdicts["1"].outcome is Outcome.NOT_FOUND


# --- any answer at all --------------------------------------------------------------------------

EXAMPLES = max(150, settings().max_examples)  # 20,000 with --hypothesis-profile=thorough
hostile = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

SUCCESSES = st.sampled_from([Outcome.INSERTED, Outcome.UPDATED, Outcome.DELETED, Outcome.FOUND])


def expected_anomalies(ids: list[str], raw: Any) -> Counter[str]:
    """Return what an answer says that it should not, but for what it leaves out."""
    if not isinstance(raw, dict):
        return Counter({"the answer is no object": 1})
    found: Counter[str] = Counter()
    both = set(ids)
    for name in ("answer_records", "skipped_records"):
        if raw.get(name) is not None and not isinstance(raw[name], list):
            found[f"{name} is no list"] += 1
        times = Counter(entry_ids(raw, name))
        for id_, number in times.items():
            if id_ not in ids:
                found[f"an id in {name} that was not sent"] += number
            elif number > 1:
                found[f"an id twice in {name}"] += number - 1
        both &= times.keys()
    found["id both done and skipped"] += len(both)
    count, records = raw.get("answer_count"), raw.get("answer_records")
    if isinstance(records, list) and type(count) is int and count != len(records):
        found["answer_count differs from answer_records"] += 1
    return +found


def code_of_all(raw: Any) -> int | None:
    """Return the code of an answer if it is one that speaks of all records at once."""
    status = raw.get("status") if isinstance(raw, dict) else None
    code = status.get("code") if isinstance(status, dict) else status
    return code if type(code) is int and code in (404, 411) else None


def check(ids: list[str], raw: Any, success: Outcome, doubtful: set[str]) -> None:
    """Hold an answer's verdicts against what the answer shows."""
    before = deepcopy(raw)
    found = reconcile(ids, raw, success, doubtful=doubtful)
    assert repr(raw) == repr(before)  # NaN is not equal to itself
    assert list(found.verdicts) == ids
    done, skipped = entry_ids(raw, "answer_records"), entry_ids(raw, "skipped_records")
    silent = [id_ for id_ in ids if id_ not in done and id_ not in skipped]
    of_all = code_of_all(raw) if len(silent) == len(ids) else None
    for id_, verdict in found.verdicts.items():
        outcome = verdict.outcome
        event(f"outcome {outcome}")
        # A delete in doubt that finds its record gone counts as done, and says so.
        gone = "it is gone" in verdict.reason
        assert not gone or (success is Outcome.DELETED and id_ in doubtful and id_ not in done)
        assert (outcome is success and not gone) == (id_ in done and id_ not in skipped)
        assert outcome in (None, success) or id_ not in done
        assert outcome is not Outcome.REJECTED or (id_ in skipped and id_ not in doubtful)
        assert outcome is not Outcome.ALREADY_PRESENT or id_ not in doubtful
        assert outcome is not Outcome.NEAR_DUPLICATE or verdict.near_duplicates
        assert outcome is not Outcome.NOT_FOUND or verdict.code == 404
        assert outcome not in (Outcome.FAILED, Outcome.NOT_ATTEMPTED)
        assert outcome is None or id_ not in silent or of_all is not None
    told = found.anomalies.copy()
    assert told.pop("id in neither list", 0) == (0 if of_all else len(silent))
    assert told == expected_anomalies(ids, raw)


@hostile
@given(ids=IDS_SENT, raw=JSON, success=SUCCESSES, data=st.data())
def test_any_json_gives_each_record_one_verdict(
    ids: list[str], raw: Any, success: Outcome, data: st.DataObject
) -> None:
    """Reconciling is total, and a success is only what the answer itself lists."""
    doubtful = data.draw(st.sets(st.sampled_from(ids)))
    if isinstance(raw, dict) and data.draw(st.booleans()):
        raw["answer_records"] = [{"_id": id_} for id_ in ids]
    check(ids, raw, success, doubtful)


# --- answers that are nearly good ---------------------------------------------------------------


@hostile
@given(nearly_good(), SUCCESSES)
def test_a_nearly_good_answer_gives_each_record_one_verdict(
    case: tuple[list[str], dict[str, Any], set[str]], success: Outcome
) -> None:
    """Lists swapped, entries doubled, ids disguised, parts missing: no verdict is invented."""
    ids, raw, doubtful = case
    check(ids, raw, success, doubtful)


@hostile
@given(nearly_good())
def test_a_record_s_verdict_hangs_on_nothing_but_its_own_entries(
    case: tuple[list[str], dict[str, Any], set[str]],
) -> None:
    """Answers need not keep an order: shuffled lists say the same, if no id is doubled."""
    ids, raw, doubtful = case
    for name in ("answer_records", "skipped_records"):
        named = [id_ for id_ in entry_ids(raw, name) if id_ is not None]
        if len(set(named)) < len(named):
            return
    turned = {name: part[::-1] if isinstance(part, list) else part for name, part in raw.items()}
    first = reconcile(ids, raw, Outcome.INSERTED, doubtful=doubtful)
    second = reconcile(ids, turned, Outcome.INSERTED, doubtful=doubtful)
    assert repr(first.verdicts) == repr(second.verdicts)
    assert first.anomalies == second.anomalies
