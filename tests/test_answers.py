"""Answers, read for what they mean, in whatever shape they come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes import answer, refusal
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import STATUSES

from ximilar_async._answers import parse_response
from ximilar_async._config import make_target
from ximilar_async._endpoints import (
    ACCOUNT,
    ALL_NEAR_DUP_PAIRS,
    DELETE,
    FIND,
    GET,
    INSERT,
    METHODS,
    NEAR_DUPS_INSERT,
    PING,
    UPDATE,
    VISUAL_KNN,
    VISUAL_RANK_RECORDS,
)
from ximilar_async._models import RecordsAnswer
from ximilar_async._protocol import Response
from ximilar_async.errors import (
    AnswerError,
    ApiError,
    AuthError,
    BadRequestError,
    CapacityError,
    ConfigError,
    NotFoundError,
    RateLimitError,
    ServerError,
    XimilarError,
)

if TYPE_CHECKING:
    from ximilar_async._endpoints import (
        Endpoint,
    )
    from ximilar_async._models import Answer

SHOES = make_target("shoes-id", "fashion")


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


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (400, "mend what these words name"),
        (402, "raise the plan"),
        (412, "make room or raise the plan"),
        (413, "send fewer records at once, or smaller images"),
        (422, "mend what these words name"),
        (429, "Limits(rate=…)"),
        (500, "try again later"),
        (503, "try again later"),
        (408, "try again later"),
    ],
)
@pytest.mark.parametrize("body", [b"", b'{"status": {"code": %d, "text": "No."}}'])
def test_every_refusal_says_what_to_do(code: int, remedy: str, body: bytes) -> None:
    """Whether or not the service found words, the error has some for who reads it."""
    with pytest.raises(ApiError) as caught:
        parse(FIND, refusal(code, body.replace(b"%d", b"%d" % code)))
    assert remedy in str(caught.value)
    assert str(caught.value).startswith(f"{code} No: " if body else f"{code}: ")


def test_bytes_that_are_no_text_are_not_shown() -> None:
    """A body that nobody could read is told by its size."""
    with pytest.raises(AnswerError, match="75 bytes that are no text; is base_url the service"):
        parse(FIND, refusal(200, b"\xff\x00\x01" * 25))


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
