"""The API's rules: requests as the documents want them, answers read for what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes import TOKEN, answer, refusal
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import STATUSES

from ximilar_async._config import Target, make_target
from ximilar_async._encoding import encode_record
from ximilar_async._endpoints import (
    ACCOUNT,
    ALL_NEAR_DUP_PAIRS,
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
from ximilar_async._models import RecordsAnswer
from ximilar_async._protocol import Response, build_request, check_record, parse_response
from ximilar_async.errors import (
    AnswerError,
    ApiError,
    AuthError,
    BadRequestError,
    CapacityError,
    ConfigError,
    NotFoundError,
    RateLimitError,
    RecordError,
    ServerError,
    XimilarError,
)

if TYPE_CHECKING:
    from ximilar_async._endpoints import (
        Endpoint,
    )
    from ximilar_async._models import Answer
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
    record = encode_record(BOOT)
    assert build(INSERT, records=[record]).body == b'{"records":[' + record.wire + b"]}"


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


# --- answers: the verdict -----------------------------------------------------------------------

LISTS: dict[str, Any] = {"answer_records": [], "skipped_records": [{"_id": "3"}]}


def parse(endpoint: Endpoint[Any], response: Response) -> Any:
    return parse_response(endpoint, response, SHOES)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, BadRequestError),
        (401, AuthError),
        (402, CapacityError),
        (403, AuthError),
        (404, NotFoundError),
        (405, BadRequestError),
        (407, BadRequestError),
        (408, ServerError),
        (411, BadRequestError),
        (412, CapacityError),
        (413, BadRequestError),
        (422, BadRequestError),
        (425, ServerError),
        (429, RateLimitError),
        (500, ServerError),
        (502, ServerError),
        (503, ServerError),
        (599, ServerError),
    ],
)
@pytest.mark.parametrize(
    "shape",
    [
        lambda code: orjson.dumps({"status": {"code": code, "text": "words"}}),
        lambda code: orjson.dumps({"status": code}),
        lambda code: b'{"detail": "words"}',
        lambda code: b"<html><body><h1>words</h1></body></html>",
        lambda code: b"",
    ],
    ids=["status object", "status integer", "detail", "HTML", "empty"],
)
def test_the_shapes_of_errors_are_all_read(code: int, kind: type[ApiError], shape: Any) -> None:
    """Whatever shape a refusal has, its class follows the code, and its words are kept."""
    with pytest.raises(ApiError) as caught:
        parse(FIND, refusal(code, shape(code)))
    error = caught.value
    assert type(error) is kind
    assert (error.http_status, error.code) == (code, code)
    assert error.text in ("words", f'{{"status":{code}}}', "")


@pytest.mark.parametrize("body", [{"status": {"code": 503, "text": "busy"}}, {"status": 503}])
@pytest.mark.parametrize("http", [200, 201, 210, 404, 500])
def test_the_bodys_code_comes_before_the_http_status(http: int, body: Any) -> None:
    """A refusing code in the body decides, whatever HTTP says beside it."""
    with pytest.raises(ServerError) as caught:
        parse(FIND, Response(http, {}, orjson.dumps(body)))
    assert (caught.value.code, caught.value.http_status) == (503, http)


@pytest.mark.parametrize("http", [401, 404, 500])
def test_a_refusing_http_status_is_no_success(http: int) -> None:
    """A body that claims success does not make one of a refusal by HTTP."""
    with pytest.raises(ApiError) as caught:
        parse(FIND, answer(200, http=http, answer_records=[]))
    assert caught.value.code == http


def test_every_documented_status_is_read_without_looking_at_its_text() -> None:
    """Each code of the documents' tables is an answer when lists come with it, in either place."""
    for method, statuses in STATUSES.items():
        endpoint = METHODS[method]
        for status in statuses:
            lists = LISTS | {"answer_records": [{"_id": "1"}]}
            for http in (200, status["code"]):
                body = answer(status["code"], "another text", http=http, **lists)
                assert parse(endpoint, body).status.code == status["code"]


@pytest.mark.parametrize("code", [200, 204, 205, 206, 210, 211, 213, 220, 299])
def test_no_exact_success_code_matters(code: int) -> None:
    """206 or 213, 211 or 210: what happened stands in the lists."""
    parsed = parse(GET, answer(code, answer_records=[{"_id": "1"}], skipped_records=[{"_id": "2"}]))
    assert [record["_id"] for record in parsed.records] == ["1"]
    assert [skipped.id for skipped in parsed.skipped] == ["2"]


@pytest.mark.parametrize("http", [200, 411])
@pytest.mark.parametrize("endpoint", [INSERT, NEAR_DUPS_INSERT], ids=lambda e: e.path)
def test_all_duplicates_are_an_answer(endpoint: Endpoint[Any], http: int) -> None:
    """A 411 tells of records that are there already; it fails nothing, with lists or without."""
    full = parse(endpoint, answer(411, "records duplicates", http=http, **LISTS))
    assert [skipped.id for skipped in full.skipped] == ["3"]
    assert parse(endpoint, answer(411, http=http)).records == ()


def test_411_of_a_gateway_is_no_answer() -> None:
    """HTTP's own 411, "Length Required", says nothing about records."""
    with pytest.raises(BadRequestError):
        parse(INSERT, refusal(411, b"<html>Length Required</html>"))
    with pytest.raises(BadRequestError):
        parse(FIND, answer(411, **LISTS))


@pytest.mark.parametrize(
    "endpoint", [GET, DELETE, UPDATE, VISUAL_RANK_RECORDS], ids=lambda e: e.path
)
@pytest.mark.parametrize(
    "response",
    [
        answer(404, "records not found", **LISTS),
        answer(404, "records not found", http=404, **LISTS),
        Response(404, {}, orjson.dumps(LISTS)),
        Response(200, {}, orjson.dumps({"status": 404, **LISTS})),
    ],
    ids=["body", "body and HTTP", "HTTP alone", "integer"],
)
def test_404_with_lists_is_an_answer(endpoint: Endpoint[Any], response: Response) -> None:
    """Records that are not there are part of the answer, however the 404 is told."""
    parsed = parse(endpoint, response)
    assert parsed.status.code == 404
    assert [skipped.id for skipped in parsed.skipped] == ["3"]
    assert parsed.raw == orjson.loads(response.body)


@pytest.mark.parametrize(
    ("endpoint", "what"),
    [
        (GET, ""),
        (DELETE, ""),
        (UPDATE, ""),
        (FIND, ""),
        (PING, ""),
        (VISUAL_KNN, "the query's `_id`, "),
    ],
    ids=lambda value: getattr(value, "path", ""),
)
def test_404_without_lists_is_an_error(endpoint: Endpoint[Any], what: str) -> None:
    """A wrong address is told from an unknown record, and the message says what to check."""
    words = (
        rf"{endpoint.path} of collection 'shoes-id' at 'similarity/fashion-new'; "
        rf"check {what}the service, the collection and base_url"
    )
    for response in (answer(404), refusal(404), refusal(404, b"<html>nginx</html>")):
        with pytest.raises(NotFoundError, match=words):
            parse(endpoint, response)


@pytest.mark.parametrize("http", [200, 412])
def test_412_in_part_is_an_answer_and_as_a_whole_an_error(http: int) -> None:
    """A collection that filled up midway reports what went in; one that was full raises."""
    partial = answer(412, "full", http=http, **LISTS | {"answer_records": [{"_id": "1"}]})
    parsed = parse(INSERT, partial)
    assert (parsed.status.code, len(parsed.records), len(parsed.skipped)) == (412, 1, 1)
    for whole in (answer(412, "full", http=http, **LISTS), answer(412, "full", http=http)):
        with pytest.raises(CapacityError, match="the collection is full or the credits are spent"):
            parse(INSERT, whole)


def test_412_as_a_whole_keeps_its_lists() -> None:
    """Which records were left out can be read from the error."""
    with pytest.raises(CapacityError) as caught:
        parse(INSERT, answer(412, **LISTS))
    assert caught.value.raw is not None
    assert caught.value.raw["skipped_records"] == [{"_id": "3"}]


# --- answers: what is no answer -----------------------------------------------------------------


NO_JSON = [
    (b"<html><title>Log in</title></html>", "Log in"),
    (b"", "an empty body"),
    (b"null", "null"),
    (b'{"status": {"code": 200', "status"),
    (b"\xff\xfe\x00", "without the documented JSON"),
]
NO_OBJECT = [(b"[]", r"\[\]"), (b'"OK"', "OK"), (b"5", "5")]
"""JSON all the same, and so an answer of the method whose answer is nowhere described."""


@pytest.mark.parametrize("status", [200, 201, 204, 210, 101])
@pytest.mark.parametrize(
    ("endpoint", "body", "words"),
    [
        *(
            (endpoint, *rest)
            for endpoint in (INSERT, PING, ACCOUNT)
            for rest in NO_JSON + NO_OBJECT
        ),
        *((ALL_NEAR_DUP_PAIRS, *rest) for rest in NO_JSON),
    ],
)
def test_a_success_without_an_object_is_no_success(
    endpoint: Endpoint[Any], status: int, body: bytes, words: str
) -> None:
    """HTML, nothing, and JSON of another kind are never taken for an answer."""
    with pytest.raises(AnswerError, match=f"{endpoint.path}: HTTP {status} .*{words}"):
        parse_response(endpoint, Response(status, {}, body))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": "OK"},
        {"status": {}},
        {"status": {"code": "210"}},
        {"status": {"code": 210.0}},
        {"status": {"code": True}},
        {"status": {"code": 210}, "answer_records": "1"},
        {"status": {"code": 210}, "answer_records": ["1"]},
        {"status": {"code": 210}, "skipped_records": [1]},
        {"status": {"code": 210}, "answer_count": "1"},
        {"answer_records": [[]]},
    ],
)
def test_an_object_of_another_form_is_no_answer(body: Any) -> None:
    """What is not of its documented type is told of, with the decoded body for whoever looks."""
    with pytest.raises(AnswerError, match="insert: not the documented answer: ") as caught:
        parse(INSERT, Response(200, {}, orjson.dumps(body)))
    assert caught.value.raw == body


def test_unknown_fields_are_ignored_and_kept() -> None:
    """New fields of the service break nothing, and stand in `raw`."""
    response = Response(
        200,
        {},
        orjson.dumps(
            {
                "status": {"code": 210, "text": "OK", "new": 1},
                "statistics": {"OperationTime": 3, "new": 2},
                "new": [3],
                "answer_records": [{"_id": "1", "new": 4}],
                "skipped_records": [{"_id": "2", "new": 5, "_reason": {"new": 6}}],
            }
        ),
    )
    parsed = parse(INSERT, response)
    assert (parsed.operation_time, parsed.records) == (3, ({"_id": "1", "new": 4},))
    assert parsed.raw == orjson.loads(response.body)


@pytest.mark.parametrize("body", [[["1", "2"]], {"pairs": [["1", "2"]]}, "text", 5, answer().body])
def test_the_undescribed_method_hands_on_what_came(body: Any) -> None:
    """`allNearDupPairs` is nowhere described: any JSON is its answer, and `raw` is just that."""
    wire = body if isinstance(body, bytes) else orjson.dumps(body)
    parsed = parse(ALL_NEAR_DUP_PAIRS, Response(200, {}, wire))
    assert parsed.raw == orjson.loads(wire)
    assert parsed.status.code == 200
    with pytest.raises(ServerError):
        parse(ALL_NEAR_DUP_PAIRS, Response(500, {}, wire))


# --- answers: redirects, hints, what errors say -------------------------------------------------


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("https://evil.example:8/x?t=1", "to evil.example; nothing was sent there: set base_url"),
        ("https://user:pass@evil.example/", "to evil.example;"),
        ("/elsewhere", "to another path;"),
        ("", "to another path;"),
        ("http://[::1", "to no address;"),
        ("https://" + "e" * 5000 + "/", "^.{0,300}$"),
    ],
)
def test_a_redirect_is_a_wrong_address(status: int, location: str, words: str) -> None:
    """A redirect is never followed: the error names the host, but no path, user or query."""
    with pytest.raises(ConfigError, match=words) as caught:
        parse(FIND, refusal(status, answer().body, location=location))
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize("status", [429, 503, 500, 400])
def test_an_error_carries_wait_and_request_id(status: int) -> None:
    """What the service asks for, and its own name for the request, are attributes."""
    with pytest.raises(ApiError) as caught:
        parse(FIND, refusal(status, b"", retry_after="7", x_request_id="r-17"))
    assert (caught.value.retry_after, caught.value.request_id) == (7.0, "r-17")


def test_an_auth_error_says_what_to_check() -> None:
    """A refused token names the variable it comes from, and never the token."""
    with pytest.raises(AuthError, match=r"^401 Invalid token: check the API token \(XIMILAR_TOKEN"):
        parse(FIND, refusal(401, b'{"detail": "Invalid token."}'))


@pytest.mark.parametrize(
    ("code", "words"),
    [(405, "check base_url and the service"), (407, "the proxy wants credentials"), (410, "gone")],
)
def test_a_wrong_way_says_what_to_check(code: int, words: str) -> None:
    """What no record can mend says where to look."""
    with pytest.raises(BadRequestError, match=f"^{code} .*{words}"):
        parse(FIND, refusal(code, b"No"))


def test_a_long_page_is_cut_to_its_first_words() -> None:
    """A gateway's page is told without markup, in a line."""
    page = b"<html><head><style>" + b" x\n" * 50_000 + b"</style></head>"
    with pytest.raises(ServerError) as caught:
        parse(FIND, refusal(502, page))
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)


def test_a_detail_that_is_no_text_is_told_all_the_same() -> None:
    """Lists of faults, as validators make them, are shown as they came."""
    with pytest.raises(BadRequestError, match='"msg":"too long"'):
        parse(FIND, refusal(422, b'{"detail":[{"loc":["k"],"msg":"too long"}]}'))


# --- answers: anything at all -------------------------------------------------------------------

NAMES = ["status", "code", "text", "detail", "answer_records", "skipped_records", "answer_count"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 600) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*NAMES, "_id", "_reason"]), inner, max_size=4)
    ),
    max_leaves=10,
)
BODIES = st.binary(max_size=50) | VALUES.map(orjson.dumps)


@settings(deadline=None)
@given(st.sampled_from([*METHODS.values()]), st.integers(200, 599), BODIES)
def test_any_response_is_an_answer_or_one_of_our_errors(
    endpoint: Endpoint[Answer], status: int, body: bytes
) -> None:
    """No response whatever raises anything else, and none that refuses becomes a success."""
    try:
        parsed = parse_response(endpoint, Response(status, {}, body), SHOES)
    except XimilarError:
        return
    assert isinstance(parsed, endpoint.answer)
    allowed = endpoint.answer_codes | endpoint.partial_codes
    if parsed.status.code not in allowed:
        assert status < 400
        assert parsed.status.code < 400
    assert parsed.raw == orjson.loads(body)
    if isinstance(parsed, RecordsAnswer):
        assert len(parsed.records) <= len(parsed.raw.get("answer_records", []))
