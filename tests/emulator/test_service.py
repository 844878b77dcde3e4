"""The service: who may ask, what is answered to what cannot be understood, limits and faults."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pytest
from emulated import PHOTOS, PlaneExtractor, ask, at, ids, pixels, request

from ximilar_async._protocol import Response
from ximilar_async.emulator import Emulator, Fault

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from ximilar_async._protocol import Request

ONE = {"records": [{"_id": "1", "_url": at(1)}]}


def plane(**settings: Any) -> Emulator:
    """Return an emulator of the plane."""
    return Emulator(settings.pop("path", None), extractor=PlaneExtractor(), **settings)


async def test_tokens() -> None:
    """No token is 401 always, a wrong one is when tokens are given; the body is `{"detail"}`."""
    async with plane() as any_token, plane(tokens=["right", "other"]) as some_tokens:
        assert (await ask(any_token, "getRecordCount"))[0] == 200
        for emulator in (any_token, some_tokens):
            for method in ("ping", "getRecordCount"):
                assert await ask(emulator, method, authorization="") == (
                    401,
                    {"detail": "Authentication credentials were not provided."},
                )
        for header in ("Token wrong", "right", "Token", "Basic right", "Token rightx", "Token ö"):
            status = await ask(some_tokens, "getRecordCount", authorization=header)
            assert status == (401, {"detail": "Invalid token."})
        for header in ("Token right", "token other", "JWT right"):
            assert (await ask(some_tokens, "getRecordCount", authorization=header))[0] == 200


async def test_the_collection_must_be_named() -> None:
    """Without `collection-id` all methods but `ping` are refused with 400."""
    async with plane() as emulator:
        assert (await ask(emulator, "ping", collection_id=""))[0] == 200
        for id_ in ("", " ", "x" * 201, "a\tb"):
            status, body = await ask(emulator, "getRecordCount", collection_id=id_)
            assert status == body["status"]["code"] == 400
            assert "`collection-id`" in body["status"]["text"]


async def test_collections_are_apart() -> None:
    """A collection comes into being on its first insert; an unknown one is empty for all else."""
    async with plane() as emulator:
        await ask(emulator, "insert", ONE)
        _, other = await ask(emulator, "insert", ONE, collection_id="d")
        assert other["status"]["code"] == 210
        assert (await ask(emulator, "getRecordCount", collection_id="e"))[1]["answer_count"] == 0
        for method, body, code in [
            ("get", ONE, 404),
            ("delete", ONE, 404),
            ("update", ONE, 404),
            ("find", {}, 200),
            ("visualKNN", {"query_record": {"_url": at(1)}}, 200),
            ("allNearDupPairs", {}, 200),
        ]:
            status, answer = await ask(emulator, method, body, collection_id="e")
            assert (status, answer["status"]["code"]) == (200, code)
            assert answer["answer_count"] == 0


async def test_the_prefix_does_not_part_collections() -> None:
    """A collection is its id; the documents' own `next` links, which lack the prefix, lead on."""
    async with plane() as emulator:
        records = [{"_id": str(x), "_url": at(x)} for x in range(3)]
        await ask(emulator, "insert", {"records": records})
        _, page = await ask(emulator, "allRecords?size=2&page=1")
        assert page["next"] == "http://localhost/v2/allRecords?page=2&size=2"
        response = await emulator.transport().send(request(page["next"], base=""))
        assert ids(orjson.loads(response.body)) == ["2"]


async def test_asking_through_another_service_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A collection is its id by the documents, and of one service: who mixes them up is told."""
    fashion, old = (f"http://h/similarity/{name}/v2/" for name in ("fashion-new", "fashion"))
    async with plane() as emulator:
        await ask(emulator, "getRecordCount")
        await ask(emulator, "insert", ONE, base=fashion)
        for base in (fashion, old, "http://h/v2/", PHOTOS, PHOTOS):
            status, answer = await ask(emulator, "getRecordCount", base=base)
            assert (status, answer["answer_count"]) == (200, 1)
        await ask(emulator, "getRecordCount", base=PHOTOS, collection_id="d")
    (told,) = caplog.messages
    assert told.startswith(
        "the collection 'c' was filled through similarity/fashion-new and is asked through "
        "similarity/photos: "
    )


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not JSON"),
        (b'{"k": NaN}', "not JSON"),
        (b'{"k": "\xff"}', "not JSON"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'{"query_record": {"_base64": "x"}', "not JSON"),
    ],
)
async def test_bodies_that_are_no_json_object(body: bytes, words: str) -> None:
    """400 says what is wrong with the body."""
    async with plane() as emulator:
        status, answer = await ask(emulator, "visualKNN", body)
        assert (status, answer["status"]["code"]) == (400, 400)
        assert words in answer["status"]["text"]


async def test_no_body_stands_for_an_empty_one() -> None:
    """The vendor's client POSTs `ping` without a body; so may others where nothing is needed."""
    async with plane() as emulator:
        for verb in ("GET", "POST"):
            status, answer = await ask(emulator, "ping", verb=verb)
            assert (status, answer["status"]) == (200, {"code": 200, "text": "OK"})
        assert (await ask(emulator, "allRecords"))[0] == 200


async def test_ping_says_what_answers() -> None:
    """The info names emulator, version, extractor, and what is done with addresses."""
    async with plane() as derive, plane(url_images="refuse") as refuse:
        info = (await ask(derive, "ping"))[1]["info"]
        assert "Local emulator" in info
        assert "ximilar-async 0" in info
        assert "plane" in info
        assert "not fetched: their descriptor is derived from the address" in info
        assert "given by _url are refused" in (await ask(refuse, "ping"))[1]["info"]


@pytest.mark.parametrize(
    ("method", "body", "code", "mirrored"),
    [
        ("insert", ONE, 210, 210),
        ("insert", {"records": [{"_id": "0", "_url": at(1)}]}, 411, 411),
        ("get", {"records": [{"_id": "0"}]}, 205, 200),
        ("get", {"records": [{"_id": "0"}, {"_id": "9"}]}, 213, 213),
        ("delete", {"records": [{"_id": "9"}]}, 404, 404),
        ("find", {}, 200, 200),
    ],
)
async def test_mirrored_status(method: str, body: Any, code: int, mirrored: int) -> None:
    """An answer's code is its HTTP status when mirrored, unless HTTP grants that status no body."""
    for mirror in (False, True):
        async with plane(mirror_status=mirror) as emulator:
            await ask(emulator, "insert", {"records": [{"_id": "0", "_url": at(0)}]})
            status, answer = await ask(emulator, method, body)
            assert answer["status"]["code"] == code
            assert status == (mirrored if mirror else 200)


async def test_refused_calls_have_their_status() -> None:
    """A call that is refused has its code as HTTP status, mirrored or not."""
    async with plane() as emulator:
        for method, body, code in [
            ("visualKNN", {"query_record": {"_id": "9"}}, 404),
            ("find", {"filter": {"$foo": 1}}, 400),
            ("insert", {"records": [{}] * 11}, 400),
        ]:
            status, answer = await ask(emulator, method, body)
            assert status == answer["status"]["code"] == code
            assert answer["status"]["text"]


async def test_unknown_addresses() -> None:
    """404 {"detail": "Not found."} for an unknown method; 405 for a wrong verb."""
    async with plane() as emulator:
        assert await ask(emulator, "nope") == (404, {"detail": "Not found."})
        status, body = await ask(emulator, "insert", verb="GET")
        assert (status, body) == (405, {"detail": 'Method "GET" not allowed.'})


async def test_rate_limit() -> None:
    """Above the rate a request is answered 429 with Retry-After, and does nothing."""
    async with plane(rate_limit=2) as emulator:
        door = emulator.transport()
        for _ in range(2):
            assert (await door.send(request("ping"))).status == 200
        refused = await door.send(request("insert", ONE))
        assert refused.status == 429
        assert refused.headers["retry-after"] == "1"
        assert orjson.loads(refused.body)["status"]["code"] == 429
        await asyncio.sleep(1.01)
        assert (await ask(emulator, "getRecordCount"))[1]["answer_count"] == 0


async def test_latency_is_added_to_each_answer() -> None:
    """Every answer, a refusal too, takes at least the latency; requests wait side by side."""
    loop = asyncio.get_running_loop()
    async with plane(latency=0.2) as emulator:
        start = loop.time()
        await asyncio.gather(*(ask(emulator, name) for name in ["ping", "nope"] * 10))
        assert loop.time() - start >= 0.2


async def test_account_counts_credits() -> None:
    """The account has the quickstart's fields, and a counter that grows with each call."""
    async with plane() as emulator:

        async def details() -> dict[str, Any]:
            response = await emulator.transport().send(
                request("http://h/account/v2/details/", verb="GET", base="", collection_id="")
            )
            assert response.status == 200
            answer: dict[str, Any] = orjson.loads(response.body)
            return answer

        first = await details()
        assert first["credits_counter"] == 0
        await ask(emulator, "insert", ONE)
        await ask(emulator, "visualKNN", {"query_record": {"_id": "1"}})
        await ask(emulator, "visualKNN", {"query_record": {"_url": at(1)}})
        assert (await details())["credits_counter"] == 1 + 1 + 10


async def test_faults_before_and_after_the_work() -> None:
    """A plan fails a request before its work is done, or after, and knows the request's number."""
    seen: list[tuple[int, str]] = []

    def plan(asked: Request, number: int) -> Fault | None:
        seen.append((number, asked.url))
        return {
            1: Fault(apply=False, answer=Response(503, {"retry-after": "1"}, b"busy")),
            2: Fault(answer=Response(502, {}, b"<html>")),
            4: Fault(apply=False),
        }.get(number)

    async with plane(faults=plan) as emulator:
        door = emulator.transport()
        before = await door.send(request("insert", ONE))
        assert (before.status, before.headers["retry-after"], before.body) == (503, "1", b"busy")
        assert (await door.send(request("insert", ONE))).body == b"<html>"
        lost = orjson.loads((await door.send(request("insert", ONE))).body)
        assert lost["status"]["code"] == 411, "the second request was applied, the first was not"
        assert (await door.send(request("insert", ONE))).status == 500
    assert seen == [(number, f"{PHOTOS}insert") for number in (1, 2, 3, 4)]


async def test_a_fault_cuts_the_connection() -> None:
    """In process a cut connection is a ConnectionResetError; the work was done or not, as told."""
    plans = iter([Fault(disconnect=True), Fault(disconnect=True, apply=False), None])
    async with plane(faults=lambda *_: next(plans)) as emulator:
        for body in (ONE, {"records": [{"_id": "2", "_url": at(2)}]}):
            with pytest.raises(ConnectionResetError):
                await emulator.transport().send(request("insert", body))
        assert (await ask(emulator, "getRecordCount"))[1]["answer_count"] == 1


class Broken(PlaneExtractor):
    """Fails with a secret in its message."""

    def from_text(self, text: str) -> NDArray[np.float32]:
        raise KeyError("a secret path")


class Strange(PlaneExtractor):
    """Gives vectors of a wrong length."""

    def from_text(self, text: str) -> NDArray[np.float32]:
        return np.zeros(3, np.float32)


async def test_unexpected_errors_stay_inside(caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets 500 and no trace of the code; the log has it all."""
    async with Emulator(extractor=Broken()) as emulator:
        with caplog.at_level(logging.ERROR, "ximilar_async.emulator"):
            status, body = await ask(emulator, "insert", ONE)
    assert status == body["status"]["code"] == 500
    assert "secret" not in body["status"]["text"]
    assert "a secret path" in caplog.text


async def test_a_bad_extractor_is_named(caplog: pytest.LogCaptureFixture) -> None:
    """Vectors that do not fit are a 500 that says so, and nothing is stored."""
    async with Emulator(extractor=Strange()) as emulator:
        status, body = await ask(emulator, "insert", ONE)
        assert (status, body["status"]["text"]) == (
            500,
            "the extractor did not give 2 numbers within ±1e+09",
        )
        assert (await ask(emulator, "getRecordCount"))[1]["answer_count"] == 0


class Held(PlaneExtractor):
    """Reads an image only when it is let; counts how many it reads at a time."""

    def __init__(self) -> None:
        self.barrier = threading.Barrier(2, timeout=30)
        self.threads: set[str] = set()

    def from_image(self, data: bytes) -> NDArray[np.float32]:
        self.threads.add(threading.current_thread().name)
        self.barrier.wait()
        return super().from_image(data)


async def test_images_are_read_side_by_side_and_off_the_loop() -> None:
    """Two requests' images are read at the same time, in threads, while the loop answers others."""
    extractor = Held()
    async with Emulator(extractor=extractor) as emulator:
        bodies = [{"records": [{"_id": str(x), "_base64": pixels(x)}]} for x in range(2)]
        first = asyncio.ensure_future(ask(emulator, "insert", bodies[0]))
        assert (await ask(emulator, "ping"))[0] == 200
        assert (await ask(emulator, "getRecordCount"))[1]["answer_count"] == 0
        assert not first.done()
        assert (await ask(emulator, "insert", bodies[1]))[1]["status"]["code"] == 210
        assert (await first)[1]["status"]["code"] == 210
    assert threading.main_thread().name not in extractor.threads


async def test_an_image_of_a_taken_id_is_not_read() -> None:
    """A duplicate is refused for its `_id` without reading its image."""
    async with plane() as emulator:
        await ask(emulator, "insert", ONE)
        _, answer = await ask(emulator, "insert", {"records": [{"_id": "1", "_base64": "AAAA"}]})
        assert answer["status"] == {"code": 411, "text": "record duplicate"}


async def test_what_has_begun_is_done(tmp_path: Path) -> None:
    """A caller that leaves does not undo its request: cancelled inserts are applied."""
    async with plane(path=tmp_path) as emulator:
        tasks = [
            asyncio.ensure_future(
                ask(emulator, "insert", {"records": [{"_id": str(x), "_url": at(x)}]})
            )
            for x in range(20)
        ]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() for task in tasks)
        assert (await ask(emulator, "getRecordCount"))[1]["answer_count"] == 20


async def test_inserts_of_one_id_at_once() -> None:
    """Of many inserts of one `_id` at the same time exactly one succeeds."""
    async with plane() as emulator:
        answers = await asyncio.gather(
            *(
                ask(emulator, "insert", {"records": [{"_id": "1", "_base64": pixels(x)}]})
                for x in range(30)
            )
        )
        assert sorted(body["status"]["code"] for _, body in answers) == [210] + [411] * 29


def test_from_another_event_loop() -> None:
    """A client in another thread's event loop reaches the emulator in process too."""
    ready, finish = threading.Event(), threading.Event()
    emulator = plane()

    async def serve() -> None:
        async with emulator:
            ready.set()
            await asyncio.to_thread(finish.wait, 30)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(30)
    try:
        assert asyncio.run(ask(emulator, "insert", ONE))[1]["status"]["code"] == 210
    finally:
        finish.set()
        thread.join()
