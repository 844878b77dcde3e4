"""Where the service's documents disagree, or say nothing: what the client does, point by point.

The points are numbered; each docstring says what the documents say, or that they say nothing.
Where it can be, a point is tried against the emulator in all of its settings: codes mirrored as
HTTP status or not, and the documents' examples or their tables followed.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import io
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes import CLOSE, PONG, TOKEN, RawServer, ScriptedTransport, answer, refusal
from PIL import Image
from samples import SAMPLES

from ximilar_async import Collection, ImageOptions, Limits, Retry, Ximilar, bulk
from ximilar_async._protocol import Request, Response
from ximilar_async.emulator import Emulator
from ximilar_async.emulator.faults import Fault
from ximilar_async.errors import (
    ApiError,
    AuthError,
    CapacityError,
    ImageError,
    NotFoundError,
    RecordError,
    ServerError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

QUICK = Retry(base=0, throttled_base=0)
SETTINGS = [
    pytest.param({"mirror_status": mirror, "dialect": dialect}, id=f"{name}-{dialect}")
    for mirror, name in ((False, "always 200"), (True, "mirrored"))
    for dialect in ("examples", "tables")
]


def scripted(*script: Any, then: Any = None) -> tuple[Collection, ScriptedTransport]:
    transport = ScriptedTransport([*script], then)
    return Ximilar(TOKEN, transport=transport, retry=QUICK).collection("c"), transport


def urls(*ids: str, **fields: Any) -> list[dict[str, Any]]:
    """Return records whose images are told apart by their address."""
    return [{"_id": id_, "_url": f"https://example.com/{id_}.jpg", **fields} for id_ in ids]


@pytest.fixture(params=SETTINGS)
async def emulated(request: pytest.FixtureRequest) -> AsyncIterator[Collection]:
    """Open a collection with the records 1 and 2, in each of the emulator's settings."""
    async with (
        Emulator(capacity=5, tokens=[TOKEN], **request.param) as emulator,
        Ximilar(TOKEN, transport=emulator.transport(), retry=QUICK) as client,
    ):
        collection = client.collection("c")
        await collection.insert(urls("1", "2"))
        yield collection


# --- 1. body code or HTTP status ----------------------------------------------------------------


@pytest.mark.parametrize("http", [200, 411])
async def test_01_all_duplicates_are_an_answer_wherever_the_code_stands(http: int) -> None:
    """1: "numeric status code, aligned with HTTP status codes", yet whether HTTP carries 411 too is
    nowhere said: it is an answer either way.
    """
    skipped = [{"_id": "1", "_reason": {"status": {"code": 211, "text": "record duplicate"}}}]
    collection, _ = scripted(answer(411, http=http, answer_records=[], skipped_records=skipped))
    result = await collection.insert(urls("1"))
    assert ([skip.id for skip in result.skipped], result.records) == (["1"], ())


async def test_01_the_bodys_code_comes_first() -> None:
    """1: "HTTP status code 2XX if the request was successful; otherwise, an appropriate HTTP error
    code": should HTTP say 200 all the same, the body's code still decides.
    """
    collection, _ = scripted(then=answer(503, "overloaded"))
    with pytest.raises(ServerError) as caught:
        await collection.ping()
    assert (caught.value.code, caught.value.http_status) == (503, 200)


async def test_01_a_404_with_lists_is_an_answer_and_without_an_error() -> None:
    """1: "404 records not found" is told of records, and by any gateway of a wrong address."""
    lists: dict[str, Any] = {"answer_records": [], "skipped_records": [{"_id": "9"}]}
    wrong_address = refusal(404, b"<html>Not Found</html>")
    collection, _ = scripted(answer(404, http=404, **lists), answer(404, **lists), wrong_address)
    for _ in range(2):
        assert [skip.id for skip in (await collection.get(["9"])).skipped] == ["9"]
    with pytest.raises(NotFoundError):
        await collection.get(["9"])


async def test_01_answers_are_the_same_in_every_setting(emulated: Collection) -> None:
    """1: an answer's lists are the same whether its code is mirrored by HTTP or not."""
    some = await emulated.insert(urls("2", "3"))
    none = await emulated.insert(urls("1", "2"))
    missing = await emulated.get(["8", "9"])
    assert ([r["_id"] for r in some.records], [s.id for s in some.skipped]) == (["3"], ["2"])
    assert (none.records, [s.id for s in none.skipped]) == ((), ["1", "2"])
    assert (missing.records, [s.id for s in missing.skipped]) == ((), ["8", "9"])
    assert [a.status.code for a in (some, none, missing)] == [211, 411, 404]


async def test_01_a_full_collection_is_told_in_every_setting(emulated: Collection) -> None:
    """1: "412 hard capacity exceeded" in part is an answer and as a whole an error, everywhere."""
    partial = await emulated.insert(urls("3", "4", "5", "6"))
    assert (len(partial.records), len(partial.skipped), partial.status.code) == (3, 1, 412)
    with pytest.raises(CapacityError) as caught:
        await emulated.insert(urls("7"))
    assert caught.value.code == 412


@pytest.mark.parametrize("settings", SETTINGS)
async def test_01_refused_calls_raise_in_every_setting(settings: dict[str, Any]) -> None:
    """1: a wrong token is an error, never an answer."""
    async with (
        Emulator(tokens=["another"], **settings) as emulator,
        Ximilar(TOKEN, transport=emulator.transport()) as client,
    ):
        with pytest.raises(AuthError):
            await client.collection("c").ping()


# --- 2. partial results -------------------------------------------------------------------------


@pytest.mark.parametrize("code", [205, 206, 213])
@pytest.mark.parametrize("text", ["some of the records not found", "records found", ""])
async def test_02_the_lists_tell_and_no_exact_code(code: int, text: str) -> None:
    """2: tables say "206 some of the records not found", every example 213; 211 has two texts."""
    done, missing = [{"_id": "1"}], [{"_id": "9"}]
    collection, _ = scripted(answer(code, text, answer_records=done, skipped_records=missing))
    result = await collection.get(["1", "9"])
    assert ([r["_id"] for r in result.records], [s.id for s in result.skipped]) == (["1"], ["9"])


async def test_02_partial_results_are_the_same_in_every_setting(emulated: Collection) -> None:
    """2: 213 by the examples, 206 by the tables: the records are the same."""
    got = await emulated.get(["1", "9"])
    updated = await emulated.update([{"_id": "2", "price": 3}, {"_id": "9", "price": 3}])
    ranked = await emulated.visual_rank_records({"_id": "1"}, [{"_id": "2"}, {"_id": "9"}])
    deleted = await emulated.delete(["1", "9"])
    for result, done in ((got, "1"), (updated, "2"), (ranked, "2"), (deleted, "1")):
        assert [record["_id"] for record in result.records] == [done]
        assert [skip.id for skip in result.skipped] == ["9"]
        assert result.status.code in (206, 213)


# --- 3. duplicate or near-duplicate -------------------------------------------------------------


async def test_03_neighbours_tell_a_near_duplicate_from_a_duplicate() -> None:
    """3: in the documents' example both are "211 record(s) duplicate"; only
    `_reason.answer_records` and `_reason.answer_distances` tell them apart.
    """
    collection, _ = scripted(Response(200, {}, orjson.dumps(SAMPLES["near_dups_insert"].response)))
    near, same = (await collection.near_dups_insert(urls("1", "2", "3"))).skipped
    assert (near.code, near.text) == (same.code, same.text) == (211, "record(s) duplicate")
    assert [(match.id, match.distance) for match in near.near_duplicates] == [("10", 3.0)]
    assert same.near_duplicates == ()


async def test_03_neighbours_are_told_in_every_setting(emulated: Collection) -> None:
    """3: the same image under another id has neighbours, the same id has none."""
    again = {"_id": "7", "_url": urls("1")[0]["_url"]}
    result = await emulated.near_dups_insert([again, *urls("2")])
    near = {skip.id: [match.id for match in skip.near_duplicates] for skip in result.skipped}
    assert near == {"7": ["1"], "2": []}


# --- 4. error bodies ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"status": {"code": 400, "text": "bad filter"}}', "bad filter"),
        (b'{"status": 400}', '{"status": 400}'),
        (b'{"detail": "bad filter"}', "bad filter"),
        (b"<html><body>Bad Request</body></html>", "Bad Request"),
        (b"", ""),
    ],
    ids=["object", "integer", "detail", "HTML", "empty"],
)
async def test_04_all_shapes_of_error_bodies_are_read(body: bytes, text: str) -> None:
    """4: "other codes for errors" come as an object, an integer, a detail, HTML or nothing."""
    collection, _ = scripted(refusal(400, body))
    with pytest.raises(ApiError) as caught:
        await collection.find({})
    assert (caught.value.code, caught.value.text) == (400, text)


# --- 5. verbs -----------------------------------------------------------------------------------


async def test_05_verbs_are_those_of_the_examples() -> None:
    """5: "All API methods use the POST method", yet `ping` and `getRecordCount` are shown with GET:
    the client does as the examples do.
    """
    collection, transport = scripted(then=answer(answer_count=1, answer_records=[]))
    await collection.ping()
    await collection.get_record_count()
    await collection.find({})
    assert [(r.verb, bool(r.body)) for r in transport.requests] == [
        ("GET", False),
        ("GET", False),
        ("POST", True),
    ]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("method", ["ping", "getRecordCount"])
async def test_05_the_emulator_takes_both_verbs(method: str, settings: dict[str, Any]) -> None:
    """5: other clients POST `ping` with no body; who is right is not known."""
    headers = {"authorization": f"Token {TOKEN}", "collection-id": "c"}
    async with Emulator(**settings) as emulator:
        for verb in ("GET", "POST"):
            url = f"{emulator.url}/similarity/photos/v2/{method}"
            response = await emulator.transport().send(Request(verb, url, headers))
            assert (response.status, orjson.loads(response.body)["status"]["code"]) == (200, 200)


# --- 6. defaults --------------------------------------------------------------------------------


async def test_06_what_the_caller_leaves_out_is_left_to_the_service() -> None:
    """6: `k` is "Default:20" on the overview and "default: 30" with the method: nothing is sent."""
    collection, transport = scripted(then=answer(answer_records=[], answer_distances=[]))
    await collection.visual_knn({"_id": "1"})
    await collection.visual_knn({"_id": "1"}, k=20, skip=0)
    assert transport.bodies == [
        {"query_record": {"_id": "1"}},
        {"query_record": {"_id": "1"}, "k": 20, "from": 0},
    ]


@pytest.mark.parametrize("settings", SETTINGS)
async def test_06_the_emulator_has_the_methods_own_default(settings: dict[str, Any]) -> None:
    """6: where the method's page says 30, the emulator returns 30."""
    async with (
        Emulator(**settings) as emulator,
        Ximilar(TOKEN, transport=emulator.transport()) as client,
    ):
        collection = client.collection("c")
        for start in range(0, 40, 10):
            await collection.insert(urls(*(str(n) for n in range(start, start + 10))))
        assert len((await collection.visual_knn({"_id": "1"})).matches) == 30


# --- 7. links -----------------------------------------------------------------------------------


async def test_07_pages_are_counted_and_links_not_followed(emulated: Collection) -> None:
    """7: "next" is printed as https://api.ximilar.com/v2/allRecords?page=4&size=2, without the
    service's prefix: it only tells that there is more.
    """
    await emulated.insert(urls("3", "4", "5"))
    first = await emulated.all_records(size=2)
    assert first.has_next
    assert "/similarity/photos/" not in (first.next or "")
    ids = [record["_id"] async for record in emulated.iter_records(page_size=2)]
    assert sorted(ids) == ["1", "2", "3", "4", "5"]


async def test_07_every_page_goes_to_the_collections_own_address() -> None:
    """7: a link without prefix would lead to no service at all."""
    link = SAMPLES["all_records"].response["next"]
    transport = ScriptedTransport(
        [answer(answer_records=[{"_id": "1"}], next=link), answer(answer_records=[])]
    )
    collection = Ximilar(TOKEN, transport=transport).collection("c", "my-cloud/shoes")
    assert [record async for record in collection.iter_records(page_size=1)] == [{"_id": "1"}]
    assert [request.url for request in transport.requests] == [
        f"https://api.ximilar.com/my-cloud/shoes/v2/allRecords?size=1&page={page}"
        for page in (1, 2)
    ]


# --- 8. filters ---------------------------------------------------------------------------------

FILTERS: list[dict[str, Any]] = [
    SAMPLES["visual_knn_overview"].body["filter"],
    SAMPLES["visual_knn"].body["filter"],
]


@pytest.mark.parametrize("filter", FILTERS, ids=["MongoDB", "operator first"])
async def test_08_filters_are_sent_as_they_are_given(filter: dict[str, Any]) -> None:
    """8: the overview writes {"artist": {"$ne": "david_27"}}, the methods {"$gte": {"price": 200}}:
    the client changes neither.
    """
    collection, transport = scripted(then=answer(answer_records=[], answer_distances=[]))
    await collection.find(filter)
    await collection.visual_knn({"_id": "1"}, filter=filter)
    assert [body["filter"] for body in transport.bodies] == [filter, filter]


async def test_08_the_emulator_understands_both_dialects(emulated: Collection) -> None:
    """8: "The filter is written in MongoDB syntax", and in the examples it is not."""
    await emulated.insert(urls("3", price=200) + urls("4", price=199))
    for filter in ({"price": {"$gte": 200}}, {"$gte": {"price": 200}}):
        found = await emulated.find(filter)
        assert [record["_id"] for record in found.records] == ["3"]


# --- 9. find cannot page ------------------------------------------------------------------------


@pytest.mark.parametrize("settings", SETTINGS)
async def test_09_enumerating_goes_by_all_records(settings: dict[str, Any]) -> None:
    """9: `find` has "limit" and nothing to continue with, `allRecords` has pages and a filter."""
    assert not {"skip", "page", "size"} & set(inspect.signature(Collection.find).parameters)
    async with (
        Emulator(**settings) as emulator,
        Ximilar(TOKEN, transport=emulator.transport()) as client,
    ):
        collection = client.collection("c")
        for start in (0, 10, 20):
            records = [urls(str(n), even=n % 2 == 0)[0] for n in range(start, start + 10)]
            await collection.insert(records)
        assert len((await collection.find({"even": True})).records) == 10
        even = [r["_id"] async for r in collection.iter_records(filter={"even": True}, page_size=4)]
        assert sorted(map(int, even)) == list(range(0, 30, 2))


# --- 10. order ----------------------------------------------------------------------------------


async def test_10_records_are_joined_by_id() -> None:
    """10: "The response preserves the order of the submitted records" is said of other services'
    batches only: nothing here relies on it, nor on a count.
    """

    def shuffled(request: Request) -> Response:
        ids = [record["_id"] for record in orjson.loads(request.body)["records"]]
        reason = {"status": {"code": 211, "text": "record(s) duplicate"}}
        skipped = [{"_id": id_, "_reason": reason} for id_ in ids if int(id_) % 3 == 0]
        done = [{"_id": id_} for id_ in reversed(ids) if int(id_) % 3]
        return answer(211, answer_records=done, skipped_records=skipped, answer_count=99)

    collection, _ = scripted(then=shuffled)
    outcomes: dict[str | None, Any] = {}

    def note(result: bulk.Result) -> None:
        outcomes[result.id] = result.outcome

    options = bulk.Options(on_result=note)
    await bulk.insert(collection, urls(*map(str, range(30))), options=options)
    assert outcomes == {
        str(n): bulk.Outcome.INSERTED if n % 3 else bulk.Outcome.ALREADY_PRESENT for n in range(30)
    }


# --- 11. limits ---------------------------------------------------------------------------------


async def test_11_ten_records_are_the_only_published_limit() -> None:
    """11: "max 10 records per request" is checked; rate and concurrency are nowhere published and
    the user's to set, with modest defaults.
    """
    collection, transport = scripted()
    with pytest.raises(RecordError, match="takes at most 10 records"):
        await collection.insert(urls(*map(str, range(11))))
    assert transport.requests == []
    assert Limits().rate is None
    assert collection.slots <= 32


async def test_11_a_plan_without_parallel_processing_can_be_kept_to() -> None:
    """11: a Free plan has no parallel processing: with one slot there is one request at a time."""

    async def step(_: Request) -> Response:
        await asyncio.sleep(0.001)
        return answer(answer_count=1)

    transport = ScriptedTransport(then=step)
    limits = Limits(concurrency=1)
    async with Ximilar(TOKEN, transport=transport, limits=limits) as client:
        collection = client.collection("c")
        await asyncio.gather(*(collection.get_record_count() for _ in range(10)))
    assert (len(transport.requests), transport.most_under_way) == (10, 1)


# --- 12. keep-alive -----------------------------------------------------------------------------


async def test_12_a_dropped_keep_alive_connection_is_no_failure() -> None:
    """12: idle sockets are dropped; aiohttp does not send a POST again, so the client does."""
    async with (
        RawServer(PONG, CLOSE, PONG) as server,
        Ximilar(TOKEN, base_url=server.url, retry=QUICK) as client,
    ):
        collection = client.collection("c")
        await collection.find({"a": 1})
        assert (await collection.find({"a": 1})).count == 5
    assert [received.connection for received in server.requests] == [1, 1, 2]


# --- 13. retries --------------------------------------------------------------------------------


def first_answer_lost(_: Request, number: int) -> Fault | None:
    """Treat the first request and cut the connection instead of answering."""
    return Fault(disconnect=True) if number == 1 else None


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("near", [False, True], ids=["insert", "nearDupsInsert"])
async def test_13_a_repeat_finds_its_own_first_attempt(
    settings: dict[str, Any], *, near: bool
) -> None:
    """13: "411 all records refused because of _id duplicity" is also what the repeat of an insert
    whose answer was lost is told: a single call hands that on, a bulk run looks and tells.
    """
    for whole_run in (False, True):
        async with (
            Emulator(faults=first_answer_lost, **settings) as emulator,
            Ximilar(TOKEN, transport=emulator.transport(), retry=QUICK) as client,
        ):
            collection = client.collection("c")
            if whole_run:
                run = bulk.near_dups_insert if near else bulk.insert
                report = await run(collection, urls("1", "2"))
                assert (report.inserted, report.read) == (2, 2)
            else:
                call = collection.near_dups_insert if near else collection.insert
                result = await call(urls("1", "2"))
                assert (result.status.code, len(result.skipped)) == (411, 2)


async def test_13_a_near_duplicate_of_itself_is_not_counted_as_one() -> None:
    """13: a near-duplicate insert may match its own first attempt at distance 0."""
    reason = {
        "status": {"code": 211, "text": "record(s) duplicate"},
        "answer_records": urls("1"),
        "answer_distances": [0.0],
    }
    itself = answer(211, answer_records=[], skipped_records=[{"_id": "1", "_reason": reason}])
    stored = answer(205, answer_records=urls("1"), skipped_records=[])
    collection, _ = scripted(ConnectionResetError(104, "reset"), itself, then=stored)
    report = await bulk.near_dups_insert(collection, urls("1"))
    assert (report.inserted, report.near_duplicate) == (1, 0)


# --- 14. near-duplicates at once ----------------------------------------------------------------


async def test_14_with_one_worker_near_duplicates_see_each_other() -> None:
    """14: "only if they are not near-duplicates of existing records": batches under way at once
    are not existing yet; with one worker there is never a second one under way.
    """

    async def step(request: Request) -> Response:
        await asyncio.sleep(0.001)
        records = orjson.loads(request.body)["records"]
        return answer(210, answer_records=[{"_id": r["_id"]} for r in records], skipped_records=[])

    collection, transport = scripted(then=step)
    options = bulk.Options(workers=1)
    report = await bulk.near_dups_insert(collection, urls(*map(str, range(60))), options=options)
    assert (report.inserted, transport.most_under_way) == (60, 1)


# --- 15. images ---------------------------------------------------------------------------------

BRANDS = {
    "AVIF": b"\0\0\0\x1cftypavif\0\0\0\0avifmif1",
    "JP2": b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 ",
    "PSD": b"8BPS\0\x01" + b"\0" * 30,
    "SVG": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "PDF": b"%PDF-1.7\n" + b"\0" * 30,
}


@pytest.mark.parametrize("name", BRANDS)
async def test_15_refused_formats_are_named_before_sending(name: str) -> None:
    """15: "Following formats are not supported: AVIF, JP2, PSD, SVG, HEIF, PDF"."""
    collection, transport = scripted()
    with pytest.raises(ImageError, match=name):
        await collection.insert([{"_id": "1", "_image": BRANDS[name]}])
    assert transport.requests == []


def picture(width: int, height: int, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (250, 5, 5)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
async def test_15_accepted_formats_arrive_as_images(kind: str) -> None:
    """15: "Our API accepts following image formats: JPG, JPEG, PNG, WEBP, HEIC, BMP, TIFF, JFIF",
    and of a GIF one frame.
    """
    collection, transport = scripted(answer(210, answer_records=[{"_id": "1"}]))
    await collection.insert([{"_id": "1", "_image": picture(30, 20, kind)}])
    sent = base64.b64decode(transport.bodies[0]["records"][0]["_base64"])
    assert Image.open(io.BytesIO(sent)).size == (30, 20)


async def test_15_large_images_are_shrunk_unless_told_otherwise() -> None:
    """15: sides of 200 to 600 pixels serve quality and speed; 512 is what others shrink to."""
    collection, transport = scripted(then=answer(210, answer_records=[{"_id": "1"}]))
    record = {"_id": "1", "_image": picture(1600, 800)}
    await collection.insert([record])
    await collection.with_options(images=ImageOptions(max_side=None)).insert([record])
    sent = [base64.b64decode(body["records"][0]["_base64"]) for body in transport.bodies]
    assert [Image.open(io.BytesIO(data)).size for data in sent] == [(512, 256), (1600, 800)]


async def test_15_arrays_are_sent_as_images_and_never_as_raw_pixels() -> None:
    """15: "If using pixel arrays, make sure to convert the image to BGR": arrays are taken in RGB
    and encoded as images, so that no order of channels can be mistaken.
    """
    numpy = pytest.importorskip("numpy")
    red = numpy.zeros((20, 30, 3), dtype=numpy.uint8)
    red[..., 0] = 250
    collection, transport = scripted(answer(210, answer_records=[{"_id": "1"}]))
    await collection.insert([{"_id": "1", "_image": red}])
    sent = base64.b64decode(transport.bodies[0]["records"][0]["_base64"])
    pixel = Image.open(io.BytesIO(sent)).convert("RGB").getpixel((15, 10))
    assert isinstance(pixel, tuple)
    assert pixel[0] > 200
    assert max(pixel[1:]) < 50


async def test_15_a_data_head_is_left_alone(emulated: Collection) -> None:
    """15: `_base64` with a head such as data:image/png;base64, travels as given, and is read."""
    plain = base64.b64encode(picture(30, 20)).decode()
    headed = f"data:image/png;base64,{plain}"
    result = await emulated.insert(
        [{"_id": "3", "_base64": plain}, {"_id": "4", "_base64": headed}]
    )
    assert len(result.records) == 2
    near = await emulated.near_duplicates({"_base64": headed}, fields_to_return=["_id"])
    assert {match.id for match in near.matches} == {"3", "4"}
    collection, transport = scripted(answer(210, answer_records=[{"_id": "4"}]))
    await collection.insert([{"_id": "4", "_base64": headed}])
    assert transport.bodies[0]["records"][0]["_base64"] == headed
