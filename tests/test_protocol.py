"""Requests as the documents want them, and records that could never be accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes import TOKEN

from ximilar_async._config import Target, make_target
from ximilar_async._encoding import Encoded, encode_body
from ximilar_async._endpoints import (
    ACCOUNT,
    ALL_RECORDS,
    DELETE,
    FIND,
    GET,
    INSERT,
    METHODS,
    NEAR_DUPS_INSERT,
    PING,
    UPDATE,
    VISUAL_KNN,
    VISUAL_KNN_MULTI,
    VISUAL_RANK_RECORDS,
)
from ximilar_async._protocol import build_request, check_record
from ximilar_async.errors import (
    ConfigError,
    RecordError,
)

if TYPE_CHECKING:
    from ximilar_async._endpoints import (
        Endpoint,
    )
    from ximilar_async._protocol import Request

HOST = "https://api.ximilar.com"
SHOES = make_target("shoes-id", "fashion")
BOOT = {"_id": "1", "_url": "https://example.com/1.jpg"}


def build(endpoint: Endpoint[Any], query: Any = None, /, **fields: Any) -> Request:
    return build_request(HOST, TOKEN, endpoint, SHOES, fields=fields, query=query)


def boots(count: int) -> list[dict[str, Any]]:
    return [{**BOOT, "_id": str(number)} for number in range(count)]


# --- requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", METHODS.values(), ids=list(METHODS))
def test_a_method_lives_below_prefix_and_version(endpoint: Endpoint[Any]) -> None:
    """Every method's address is host, service prefix, v2 and the method's name."""
    assert build(endpoint).url == f"{HOST}/similarity/fashion-new/v2/{endpoint.path}"


def test_a_private_prefix_and_an_address_with_a_path_are_kept() -> None:
    """Private clouds may live anywhere."""
    target = Target("my-cloud/shoes", "c")
    request = build_request("http://10.0.0.5:80/x", TOKEN, PING, target)
    assert request.url == "http://10.0.0.5:80/x/my-cloud/shoes/v2/ping"


def test_the_account_has_an_address_of_its_own() -> None:
    """The account is asked outside of any service and collection (Quickstart)."""
    request = build_request(HOST, TOKEN, ACCOUNT)
    assert (request.verb, request.url) == ("GET", f"{HOST}/account/v2/details/")
    assert "collection-id" not in request.headers


def test_headers_are_the_documented_ones() -> None:
    """Token, collection and content type go into their headers, in the documented form."""
    headers = dict(build(INSERT, records=[BOOT]).headers)
    assert headers.pop("user-agent").startswith("ximilar-async/")
    assert headers == {
        "authorization": f"Token {TOKEN}",
        "collection-id": "shoes-id",
        "content-type": "application/json;charset=UTF-8",
    }


def test_only_ping_names_no_collection() -> None:
    """The header collection-id goes with "all methods except for ping"."""
    without = {path for path, e in METHODS.items() if "collection-id" not in build(e).headers}
    assert without == {"ping"}


def test_what_is_none_is_not_sent() -> None:
    """Optional fields left alone leave the service's own defaults in force; falsy values do not."""
    request = build(VISUAL_KNN, query_record=BOOT, k=None, **{"from": 0}, filter={}, radius=0.0)
    assert orjson.loads(request.body) == {
        "query_record": BOOT,
        "from": 0,
        "filter": {},
        "radius": 0.0,
    }
    assert build(ALL_RECORDS, {"size": None, "page": None}).url.endswith("/allRecords")


def test_parameters_of_the_address_are_encoded() -> None:
    """Page and size go into the query, and no value can add to it."""
    assert build(ALL_RECORDS, {"size": 5, "page": 2}).url.endswith("/allRecords?size=5&page=2")
    assert build(ALL_RECORDS, {"size": "5&x=1#"}).url.endswith("?size=5%26x%3D1%23")


def test_get_requests_have_no_body() -> None:
    """The methods that the documents show with GET send none; the others send an object."""
    assert {path for path, e in METHODS.items() if build(e).body == b""} == {
        "ping",
        "getRecordCount",
    }
    assert build(ALL_RECORDS).body == b"{}"


def test_a_request_shows_neither_token_nor_body() -> None:
    """The repr of a request may land in a log."""
    request = build(FIND, filter={"name": "private"})
    assert TOKEN not in repr(request)
    assert "private" not in repr(request)


# --- records ------------------------------------------------------------------------------------

LIMITED = [INSERT, NEAR_DUPS_INSERT, DELETE, GET, UPDATE]


@pytest.mark.parametrize("endpoint", LIMITED, ids=lambda endpoint: endpoint.path)
def test_ten_records_pass_and_eleven_do_not(endpoint: Endpoint[Any]) -> None:
    """The eleventh record is noticed here ("max 10 records"), and the message says what to use."""
    assert len(orjson.loads(build(endpoint, records=boots(10)).body)["records"]) == 10
    with pytest.raises(RecordError, match=rf"{endpoint.path} takes at most 10 .* got 11; bulk\."):
        build(endpoint, records=boots(11))


def test_ranking_takes_any_number_of_records() -> None:
    """Where the documents name no limit there is none."""
    request = build(VISUAL_RANK_RECORDS, query_record=BOOT, records=boots(500))
    assert len(orjson.loads(request.body)["records"]) == 500


@pytest.mark.parametrize("endpoint", LIMITED, ids=lambda endpoint: endpoint.path)
@pytest.mark.parametrize("records", [[], ()])
def test_no_records_are_no_request(endpoint: Endpoint[Any], records: Any) -> None:
    """An empty list is a mistake of the caller, not a call."""
    with pytest.raises(RecordError, match=f"{endpoint.path}: records is empty; give at least one"):
        build(endpoint, records=records)


@pytest.mark.parametrize(
    ("records", "kind"), [(BOOT, "dict"), ("1", "str"), (iter([BOOT]), "list_iterator"), (5, "int")]
)
def test_records_must_be_a_list(records: Any, kind: str) -> None:
    """One record, an iterator or a text in the place of the list is named as what it is."""
    with pytest.raises(RecordError, match=f"insert: records is {kind}, not a list"):
        build(INSERT, records=records)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"_url": "u"}, "record 2 of 2 has no `_id`"),
        ({"_id": None, "_url": "u"}, "record 2 of 2 has no `_id`"),
        ({"_id": 2, "_url": "u"}, "record 2 of 2: `_id` must be a non-empty string, not 2"),
        ({"_id": "", "_url": "u"}, "record 2 of 2: `_id` must be a non-empty string, not ''"),
        ({"_id": "2"}, r"record 2 of 2 \(`_id` '2'\) has no image: give `_url`, `_base64`"),
        ({"_id": "2", "_url": None}, "has no image"),
        ("2", "record 2 of 2 is str, not a JSON object"),
        (None, "record 2 of 2 is NoneType, not a JSON object"),
        ({"_id": "2" * 500}, "^.{0,300}$"),
    ],
)
def test_a_record_to_insert_needs_id_and_image(record: Any, words: str) -> None:
    """What is missing is said before sending, with the record's place and id."""
    with pytest.raises(RecordError, match=words):
        build(INSERT, records=[BOOT, record])


@pytest.mark.parametrize("image", ["_url", "_base64", "_file", "_image"])
def test_any_image_will_do(image: str) -> None:
    """Each of the four ways to bring an image counts."""
    check_record({"_id": "1", image: "x"}, needs_image=True)


@pytest.mark.parametrize("endpoint", [GET, DELETE, UPDATE], ids=lambda endpoint: endpoint.path)
def test_stored_records_need_only_their_id(endpoint: Endpoint[Any]) -> None:
    """Records that are stored already are known by their `_id` alone, but not without it."""
    build(endpoint, records=[{"_id": "1"}])
    with pytest.raises(RecordError, match="record 1 of 1 has no `_id`"):
        build(endpoint, records=[{"_url": "u"}])


def test_a_record_encoded_before_is_not_checked_again() -> None:
    """The bulk engine's records were checked once and travel as they are."""
    records = Encoded.list_of([encode_body(BOOT)])
    wire = b"".join(records.pieces)
    assert build(INSERT, records=records).body == b'{"records":' + wire + b"}"


@pytest.mark.parametrize(
    ("endpoint", "fields", "words"),
    [
        (VISUAL_KNN, {"query_record": {"price": 3}}, "visualKNN: query_record needs an `_id` or"),
        (VISUAL_KNN, {"query_record": {}}, "visualKNN: query_record needs an `_id` or an image"),
        (VISUAL_KNN, {"query_record": "1"}, "visualKNN: query_record is str, not a JSON object"),
        (VISUAL_KNN_MULTI, {"query_records": []}, "visualKNNMulti: query_records is empty"),
        (VISUAL_KNN_MULTI, {"query_records": BOOT}, "query_records is dict, not a list"),
        (VISUAL_KNN_MULTI, {"query_records": [BOOT, {}]}, "record 2 of 2 needs an `_id` or an"),
        (
            VISUAL_RANK_RECORDS,
            {"query_record": BOOT, "records": [{"price": 3}]},
            "visualRankRecords: record 1 of 1 needs an `_id` or an image",
        ),
    ],
)
def test_a_query_needs_an_id_or_an_image(
    endpoint: Endpoint[Any], fields: dict[str, Any], words: str
) -> None:
    """A query that could find nothing is refused by the name of its field."""
    with pytest.raises(RecordError, match=words):
        build(endpoint, **fields)


@pytest.mark.parametrize("endpoint", [FIND, GET], ids=lambda endpoint: endpoint.path)
def test_fields_to_return_is_a_list(endpoint: Endpoint[Any]) -> None:
    """A string would be taken for a list of letters."""
    with pytest.raises(ConfigError, match=r"fields_to_return takes a list: \['_id'\], not a str"):
        build(endpoint, fields_to_return="_id")


def test_a_value_without_json_form_is_named_by_its_path() -> None:
    """The path starts at the field of the request."""
    with pytest.raises(RecordError, match=r"records\[1\].price is nan"):
        build(INSERT, records=[BOOT, {**BOOT, "price": float("nan")}])
