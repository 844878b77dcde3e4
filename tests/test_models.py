"""The answers and their one converter: strict about types, untouched records, nothing invented."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from attrs import fields
from attrs.exceptions import FrozenInstanceError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ximilar_async._endpoints import ACCOUNT, METHODS
from ximilar_async._models import (
    Account,
    Answer,
    CountAnswer,
    Match,
    PageAnswer,
    PingAnswer,
    RecordsAnswer,
    SearchAnswer,
    Skipped,
    Status,
    structure,
)
from ximilar_async.errors import AnswerError

if TYPE_CHECKING:
    from attrs import AttrsInstance

OK = {"code": 200, "text": "OK"}


def _envelope(**fields: Any) -> dict[str, Any]:
    return {"status": OK, **fields}


def _skipped(record: Any) -> Skipped:
    (skipped,) = structure(_envelope(skipped_records=[record]), RecordsAnswer).skipped
    return skipped


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        (CountAnswer, "answer_count", 2.0),
        (CountAnswer, "answer_count", "2"),
        (CountAnswer, "answer_count", True),
        (PingAnswer, "info", None),
        (PingAnswer, "info", 7),
        (RecordsAnswer, "answer_records", None),
        (RecordsAnswer, "answer_records", {"_id": "1"}),
        (RecordsAnswer, "answer_records", ["1"]),
        (RecordsAnswer, "skipped_records", ["1"]),
        (RecordsAnswer, "skipped_records", 3),
        (SearchAnswer, "answer_distances", ["1.0"]),
        (SearchAnswer, "answer_distances", [True]),
        (SearchAnswer, "answer_distances", [None]),
        (SearchAnswer, "answer_distances", 1.0),
        (SearchAnswer, "query_records", [None]),
        (PageAnswer, "next", 4),
        (PageAnswer, "output_file_name", ["a"]),
    ],
)
def test_a_field_of_another_type_is_refused(kind: type[Answer], field: str, value: object) -> None:
    """Nothing is bent into its documented type: neither text, nor a fraction, nor null."""
    with pytest.raises((TypeError, ValueError, AttributeError)):
        structure(_envelope(**{field: value}), kind)


@pytest.mark.parametrize(
    "status",
    [
        None,
        200,
        {},
        {"text": "OK"},
        {"code": None},
        {"code": "210"},
        {"code": 210.7},
        {"code": True},
        {"code": 210, "text": None},
    ],
)
def test_a_status_without_a_whole_code_is_refused(status: object) -> None:
    """Left alone, cattrs would turn 210.7 into 210 and null into "None"; here both are errors."""
    with pytest.raises((TypeError, ValueError, KeyError, AttributeError)):
        structure({"status": status}, Answer)


def test_what_is_not_sent_has_its_default() -> None:
    """Only the status is owed; every other field may be missing, and a text as well."""
    answer = structure({"status": {"code": 200}}, PageAnswer)
    assert answer.status == Status(200, "")
    assert (answer.records, answer.skipped, answer.count) == ((), (), None)
    assert (answer.next, answer.previous, answer.operation_time) == (None, None, None)


@pytest.mark.parametrize("statistics", [None, [], "fast", {}, {"OperationTime": "4"}])
def test_odd_statistics_never_fail_a_call(statistics: object) -> None:
    """Figures about the processing are taken where they are usable and left out elsewhere."""
    answer = structure(_envelope(statistics=statistics), Answer)
    assert answer.operation_time is None


@pytest.mark.parametrize("time", [0, 4, 2.5])
def test_the_operation_time_is_told_in_milliseconds(time: float) -> None:
    """`operation_time` is the number that stands under `OperationTime`."""
    answer = structure(_envelope(statistics={"OperationTime": time}), Answer)
    assert answer.operation_time == time


def test_a_flag_is_no_number() -> None:
    """JSON's true is taken neither for a time, nor for a code, nor for a distance."""
    assert structure(_envelope(statistics={"OperationTime": True}), Answer).operation_time is None
    reason = {
        "status": {"code": True},
        "answer_records": [{"_id": "a"}],
        "answer_distances": [True],
    }
    assert _skipped({"_id": "1", "_reason": reason}) == Skipped("1", None)


def test_records_are_handed_on_untouched() -> None:
    """A record is the very dict that was decoded, whatever fields and values it has."""
    record = {"_id": "1", "price": 210.7, "gone": None, "nested": {"tags": [1, True, None]}}
    answer = structure(_envelope(answer_records=[record]), RecordsAnswer)
    assert answer.records[0] is record


def test_raw_is_the_answer_as_it_came() -> None:
    """`raw` is the decoded envelope itself, with the fields nobody knows, and it is not changed."""
    envelope = _envelope(answer_count=5, news={"later": 1})
    before = copy.deepcopy(envelope)
    answer = structure(envelope, CountAnswer)
    assert answer.raw is envelope
    assert envelope == before


def test_a_field_called_raw_cannot_pose_as_the_answer() -> None:
    """A field `raw` in the envelope stays inside `raw`."""
    assert structure(_envelope(raw="forged"), Answer).raw == _envelope(raw="forged")


def test_raw_is_neither_shown_nor_compared() -> None:
    """Two answers with the same fields are equal, and a repr stays short."""
    one = structure(_envelope(answer_count=5, note="x" * 1000), CountAnswer)
    assert one == structure(_envelope(answer_count=5), CountAnswer)
    assert "xxx" not in repr(one)


@pytest.mark.parametrize(
    "value",
    [
        Status(200, "OK"),
        Match("1", 3.0, {"_id": "1"}),
        Skipped("1", 211),
        structure(_envelope(), SearchAnswer),
        structure({}, Account),
    ],
    ids=lambda value: type(value).__name__,
)
def test_answers_are_values(value: AttrsInstance) -> None:
    """Answers cannot be changed, and survive copying and pickling."""
    with pytest.raises(FrozenInstanceError):
        setattr(value, fields(type(value))[0].name, "other")
    assert copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value


def test_a_plain_duplicate_has_no_neighbours() -> None:
    """A duplicate `_id` and a near-duplicate both say 211; only the neighbours tell them apart."""
    status = {"status": {"code": 211, "text": "record(s) duplicate"}}
    neighbours = {"answer_records": [{"_id": "10"}], "answer_distances": [3]}
    plain = _skipped({"_id": "2", "_reason": status})
    near = _skipped({"_id": "3", "_reason": {**status, **neighbours}})
    assert plain == Skipped("2", 211, "record(s) duplicate", ())
    assert near == Skipped("3", 211, "record(s) duplicate", (Match("10", 3, {"_id": "10"}),))


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"_id": None},
        {"_id": 3, "_reason": None},
        {"_reason": "full"},
        {"_reason": {"status": 412}},
        {"_reason": {"status": {"code": "412", "text": 5}}},
        {"_reason": {"answer_records": None, "answer_distances": [1.0]}},
        {"_reason": {"answer_records": [{"_id": "1"}], "answer_distances": 1.0}},
        {"_reason": {"answer_records": ["1"], "answer_distances": [1.0]}},
    ],
)
def test_an_odd_reason_is_still_a_skipped_record(record: dict[str, Any]) -> None:
    """A record is skipped whatever its reason looks like; what is unusable is left out."""
    assert _skipped(record) == Skipped(None, None)


def test_neighbours_stop_where_distances_do() -> None:
    """A neighbour whose distance is missing is left out; none gets another's distance."""
    reason = {"answer_records": [{"_id": "a"}, {"_id": "b"}], "answer_distances": [1.5]}
    assert _skipped({"_reason": reason}).near_duplicates == (Match("a", 1.5, {"_id": "a"}),)


@pytest.mark.parametrize("record", [{}, {"_id": None}, {"_id": 7}, {"price": 3}])
def test_a_match_without_a_usable_id_has_none(record: dict[str, Any]) -> None:
    """`fields_to_return` may leave `_id` out; a match then has no id, never a made-up one."""
    envelope = _envelope(answer_records=[record], answer_distances=[1.0])
    assert structure(envelope, SearchAnswer).matches == [Match(None, 1.0, record)]
    reason = {"answer_records": [record], "answer_distances": [1.0]}
    assert _skipped({"_reason": reason}).near_duplicates == (Match(None, 1.0, record),)


@pytest.mark.parametrize("distances", [[], [1.0], [1.0, 2.0, 3.0]])
def test_matches_refuse_a_wrong_number_of_distances(distances: list[float]) -> None:
    """Records are never paired with distances that may not be theirs."""
    envelope = _envelope(answer_records=[{"_id": "1"}, {"_id": "2"}], answer_distances=distances)
    answer = structure(envelope, SearchAnswer)
    with pytest.raises(AnswerError, match=f"{len(distances)} answer_distances for 2 answer_rec"):
        _ = answer.matches


@pytest.mark.parametrize(
    ("next_page", "more"), [(None, False), ("", False), ("https://x/v2/allRecords?page=2", True)]
)
def test_a_page_knows_whether_there_is_more(next_page: str | None, more: bool) -> None:  # noqa: FBT001 - a table's column
    """`has_next` is whether the service gave a link, which may be null or empty."""
    assert structure(_envelope(next=next_page), PageAnswer).has_next is more
    assert structure(_envelope(), PageAnswer).has_next is False


def test_an_account_keeps_what_is_not_named_here() -> None:
    """Unknown fields of the account stay readable in `raw`; a known one has its documented type."""
    account = structure({"email": "a@b.c", "plan": "free", "phone": None}, Account)
    assert (account.email, account.credits_limit, account.raw["plan"]) == ("a@b.c", None, "free")
    with pytest.raises(TypeError):
        structure({"credits_counter": "many"}, Account)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["_id", "_reason", "status", "code", "text", "answer_records", "answer_distances"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
FIELDS = [
    "status",
    "statistics",
    "info",
    "answer_count",
    "answer_records",
    "answer_distances",
    "skipped_records",
    "query_records",
    "next",
    "email",
    "credits_counter",
]


KINDS: list[type[Answer | Account]] = [
    *(endpoint.answer for endpoint in METHODS.values()),
    ACCOUNT.answer,
]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # machines may be busy
@given(envelope=st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)))
def test_any_object_is_structured_or_refused(envelope: dict[str, Any]) -> None:
    """Any JSON object becomes an answer of the asked class or one of the four promised errors."""
    for kind in KINDS:
        try:
            answer = structure(envelope, kind)
        except (TypeError, ValueError, KeyError, AttributeError):
            continue
        assert type(answer) is kind
        assert answer.raw is envelope
