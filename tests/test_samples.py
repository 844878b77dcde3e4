"""The documents' examples against the endpoint table and the answers."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from samples import FOLDER, RECORDS, SAMPLES, STATUSES, snake

from ximilar_async import _endpoints
from ximilar_async._endpoints import ACCOUNT, METHODS
from ximilar_async._models import (
    Account,
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

if TYPE_CHECKING:
    from samples import Sample

    from ximilar_async._models import Answer

UNDOCUMENTED = {method for method, endpoint in METHODS.items() if not endpoint.documented}
CALLS = {name: sample for name, sample in SAMPLES.items() if name != "account"}
ANSWERED = {name: sample for name, sample in CALLS.items() if sample.response is not None}

MISSING_3 = Skipped("3", 404, "records not found")
URL_QUERY = {"_url": "http://mydomain.com/my-image.png"}
SUNSET = ["summer", "beach", "sunset"]
SNOW = ["winter", "snow", "mountain"]
ONE_TWO = ({"_id": "1"}, {"_id": "2"})
ONE_TWO_THREE = (*ONE_TWO, {"_id": "3"})

FOUND = {"code": 200, "text": "OK"}
PARTLY = {"code": 213, "text": "some of the records not found"}
DUPLICATES = {"code": 211, "text": "record(s) duplicate"}


def _search(time: int, *query: dict[str, Any], **other: Any) -> dict[str, Any]:
    """Return the fields that all examples of searches have in common."""
    return {
        **FOUND,
        "time": time,
        "records": ONE_TWO_THREE,
        "distances": (40.0, 50.0, 60.0),
        "query_records": query,
        "count": 3,
        **other,
    }


EXPECTED: dict[str, dict[str, Any]] = {
    "ping": {
        **FOUND,
        "time": 0,
        "info": "Java index for clothing objects in Smart Product Search",
    },
    "insert": {
        **DUPLICATES,
        "time": 4,
        "records": ONE_TWO,
        "skipped": (Skipped("3", 211, "record(s) duplicate"),),
        "count": 2,
    },
    "near_dups_insert": {
        **DUPLICATES,
        "time": 4,
        "records": ({"_id": "1"},),
        "skipped": (
            Skipped("3", 211, "record(s) duplicate", (Match("10", 3.0, {"_id": "10"}),)),
            Skipped("2", 211, "record(s) duplicate"),
        ),
        "count": 1,
    },
    "delete": {**PARTLY, "time": 2, "records": ONE_TWO, "skipped": (MISSING_3,), "count": 2},
    "get": {
        **PARTLY,
        "time": 10,
        "records": (
            {"_id": "1", "_url": "http://mydomain.com/img.png"},
            {"_file": "/path/to/img.png", "_id": "2"},
        ),
        "skipped": (MISSING_3,),
        "count": 2,
    },
    "find": {
        **FOUND,
        "time": 13,
        "records": tuple(
            {"_id": id_, "_url": f"http://my-website.com/{id_}.png"} for id_ in ("1", "2", "3")
        ),
        "skipped": (),
        "count": 3,
    },
    "update": {
        **PARTLY,
        "time": 2,
        "records": (
            {"another-field": "another-value", "day": "monday", "_id": "1"},
            {"_id": "2", "day": "tuesday"},
        ),
        "skipped": (MISSING_3,),
        "count": 2,
    },
    "visual_knn": _search(1, URL_QUERY),
    "visual_tags_knn": _search(1, {**URL_QUERY, "tags": SUNSET}),
    "visual_knn_multi": _search(5, {"_id": "10"}, {"_id": "11"}),
    "visual_tags_knn_multi": _search(5, {"_id": "10", "tags": SUNSET}, {"_id": "11", "tags": SNOW}),
    "visual_rank_records": _search(3, URL_QUERY, **PARTLY, skipped=(MISSING_3,)),
    "visual_tags_rank_records": _search(
        3, {**URL_QUERY, "tags": SUNSET}, **PARTLY, skipped=(MISSING_3,)
    ),
    "random": {**FOUND, "time": 1, "records": ONE_TWO, "count": 2},
    "get_record_count": {**FOUND, "time": 0, "count": 5},
    "all_records": {
        **FOUND,
        "time": 6,
        "records": ONE_TWO,
        "count": 7,
        "next": "https://api.ximilar.com/v2/allRecords?page=4&size=2",
        "previous": "https://api.ximilar.com/v2/allRecords?page=2&size=2",
        "has_next": True,
        "output_file_name": "some-file.json",
    },
    "delete_by_filter": {**FOUND, "time": 4, "records": ONE_TWO, "count": 2},
    "range": _search(1, URL_QUERY),
    "near_duplicates": {
        **FOUND,
        "time": 6,
        "records": ONE_TWO,
        "distances": (10.0, 20.0),
        "query_records": (URL_QUERY,),
        "count": 2,
    },
}
"""What each printed answer says, by the attribute that must hold it."""

ANSWER_CLASSES: dict[str, type[Answer]] = {
    "ping": PingAnswer,
    "get_record_count": CountAnswer,
    "all_records": PageAnswer,
    **dict.fromkeys(
        ("insert", "near_dups_insert", "delete", "get", "find", "update", "random"), RecordsAnswer
    ),
    "delete_by_filter": RecordsAnswer,
}


def _taken_apart(curl: str) -> dict[str, Any]:
    """Read a command line the way curl does."""
    words = shlex.split(curl.replace("\\\n", " "))[1:]
    verb, url, body, headers = None, "", None, []
    for word, after in zip(words, [*words[1:], ""], strict=True):
        match word:
            case "-X":
                verb = after
            case "-d":
                body = json.loads(after)
            case "-H" | "--header":
                headers.append(after.split(":")[0])
            case _ if word.startswith("https://"):
                url = word
    parts = urlsplit(url)
    return {
        "verb": verb or ("GET" if body is None else "POST"),
        "path": parts.path,
        "query": dict(parse_qsl(parts.query)),
        "headers": headers,
        "body": body,
    }


def test_every_documented_method_has_its_example() -> None:
    """The samples cover the table but for the one method that the documents never show."""
    assert {"allNearDupPairs"} == UNDOCUMENTED
    assert {sample.method for sample in CALLS.values()} == set(METHODS) - UNDOCUMENTED
    assert {snake(sample.method) for sample in ANSWERED.values()} == set(ANSWERED)


def test_only_the_overview_example_has_no_answer() -> None:
    """Every request but the overview's is followed by the answer that the documents print."""
    assert set(SAMPLES) - set(ANSWERED) - {"account"} == {"visual_knn_overview"}


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=list(SAMPLES))
def test_requests_say_what_the_command_lines_say(sample: Sample) -> None:
    """request.json is the printed command line, taken apart and otherwise untouched."""
    request = json.loads((FOLDER / sample.name / "request.json").read_text(encoding="utf-8"))
    assert request == _taken_apart(sample.curl)


@pytest.mark.parametrize("sample", CALLS.values(), ids=list(CALLS))
def test_the_table_has_the_examples_verbs(sample: Sample) -> None:
    """The verb of each method is the one in the documents' own example."""
    assert METHODS[sample.method].verb == sample.verb
    assert (sample.body is None) == (sample.verb == "GET")


@pytest.mark.parametrize("sample", CALLS.values(), ids=list(CALLS))
def test_addresses_are_prefix_version_and_method(sample: Sample) -> None:
    """An address is `/<prefix>/v2/<method>`; the examples use a prefix that is now deprecated."""
    assert sample.path == f"/photo/search/v2/{METHODS[sample.method].path}"


@pytest.mark.parametrize("sample", CALLS.values(), ids=list(CALLS))
def test_all_methods_but_ping_name_the_collection(sample: Sample) -> None:
    """Only `ping` is shown without token and collection."""
    shown = {"Authorization", "collection-id"} <= set(sample.headers)
    assert shown == (sample.method != "ping")


def test_the_account_call_is_the_quickstarts() -> None:
    """The account's path and verb in the table are those of the Quickstart's command."""
    sample = SAMPLES["account"]
    assert (sample.verb, sample.path) == (ACCOUNT.verb, f"/{ACCOUNT.path}")


def test_the_expectations_cover_every_answer() -> None:
    """No printed answer goes unchecked."""
    assert set(EXPECTED) == set(ANSWERED)


@pytest.mark.parametrize("name", ANSWERED)
def test_answers_structure_into_their_class(name: str) -> None:
    """Each printed answer becomes the endpoint's class, with the printed values."""
    sample = ANSWERED[name]
    kind = METHODS[sample.method].answer
    answer = structure(sample.response, kind)
    expected = dict(EXPECTED[name])
    assert type(answer) is ANSWER_CLASSES.get(name, SearchAnswer) is kind
    assert answer.status == Status(expected.pop("code"), expected.pop("text"))
    assert answer.operation_time == expected.pop("time")
    assert {field: getattr(answer, field) for field in expected} == expected


@pytest.mark.parametrize("name", ANSWERED)
def test_no_field_of_an_answer_is_lost(name: str) -> None:
    """`raw` is the printed answer as a whole, and every printed field has an attribute."""
    sample = ANSWERED[name]
    assert structure(sample.response, METHODS[sample.method].answer).raw == sample.response
    attributes = {
        "status": "code",
        "statistics": "time",
        "answer_records": "records",
        "answer_distances": "distances",
        "answer_count": "count",
        "skipped_records": "skipped",
    }
    assert {attributes.get(field, field) for field in sample.response} <= set(EXPECTED[name])


def test_matches_join_records_with_their_distances() -> None:
    """`matches` pairs each record with the distance at its place."""
    answer = structure(SAMPLES["visual_knn"].response, SearchAnswer)
    assert [(match.id, match.distance) for match in answer.matches] == [
        ("1", 40.0),
        ("2", 50.0),
        ("3", 60.0),
    ]


def test_the_account_structures_with_its_credits() -> None:
    """The Quickstart's account has its documented fields; what is not named here stays in `raw`."""
    answer = structure(SAMPLES["account"].response, ACCOUNT.answer)
    assert isinstance(answer, Account)
    assert (answer.email, answer.verified) == ("test@ximilar.com", True)
    assert (answer.credits_counter, answer.credits_limit) == (103378706, 2147483647)
    assert answer.raw["phone"] is None


def test_requests_of_documented_bulk_methods_keep_the_limit() -> None:
    """Methods that take records name the documents' limit of 10, and no example passes it."""
    limited = {method for method, endpoint in METHODS.items() if endpoint.max_records is not None}
    assert limited == {"insert", "nearDupsInsert", "delete", "get", "update"}
    assert _endpoints.MAX_RECORDS == 10
    for sample in CALLS.values():
        assert len((sample.body or {}).get("records", ())) <= _endpoints.MAX_RECORDS


def test_status_tables_hold_only_codes_the_client_knows() -> None:
    """A refusing code of a table is either an answer by the endpoint table or 412, no room left."""
    for method, statuses in STATUSES.items():
        refusing = {status["code"] for status in statuses if status["code"] >= 400}
        assert refusing - METHODS[method].answer_codes <= {412}


def test_the_printed_records_have_an_image_each() -> None:
    """Records outside a call show the two documented kinds of image."""
    overview, batch = RECORDS["overview"], RECORDS["quickstart_batch"]
    assert (overview["_id"], overview["price"]) == ("321", 35.5)
    assert [min(record) for record in batch] == ["_id", "_base64", "_id"]
    assert RECORDS["quickstart"]["records"][0]["_id"] == "YOUR_ID"
    assert RECORDS["first_steps"]["records"] == [{"_url": ""}, {"_base64": ""}]
