"""The public surface as type checkers see it: checked by mypy and pyright, never run."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, assert_type

from ximilar_async import (
    Account,
    Answer,
    Collection,
    CountAnswer,
    ImageOptions,
    Limits,
    Match,
    PageAnswer,
    PingAnswer,
    RecordsAnswer,
    Retry,
    SearchAnswer,
    Service,
    Skipped,
    Status,
    Timeout,
    Ximilar,
    bulk,
    errors,
)
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

# --- opening ------------------------------------------------------------------------------------


def token() -> str:
    return "token"


async def token_later() -> str:
    return "token"


def settings() -> None:
    """Everything that a client may be told, in each form that it may have."""
    Ximilar()
    Ximilar("token")
    Ximilar(token)
    Ximilar(token_later)
    Ximilar(
        None,
        base_url="https://cloud.example",
        limits=Limits(concurrency="auto", rate=None, per=1.0),
        retry=Retry(attempts=4, base=0.5, throttled_base=1, cap=20, deadline=60, longest_hint=120),
        timeout=Timeout(total=None, connect=30, sock_connect=10.0, sock_read=90),
        transport=None,
        ssl=ssl.create_default_context(),
        trust_env=False,
        processes=None,
    )
    Ximilar("token", processes=2)
    Ximilar("token", limits=Limits(concurrency=4, rate=10), ssl="ca.pem")
    Ximilar("token", ssl=Path("ca.pem"))


def collections(client: Ximilar) -> None:
    """A service may be a constant, a short name or a free prefix."""
    assert_type(client.collection("c"), Collection)
    assert_type(client.collection("c", Service.FASHION), Collection)
    collection = client.collection(
        "c", "my-cloud/shoes", images=ImageOptions(max_side=None, quality=80), files_root="photos"
    )
    assert_type(collection.id, str)
    assert_type(collection.service, str)
    assert_type(collection.with_options(retry=Retry(attempts=1)), Collection)


async def client() -> None:
    """A client is entered, asked for its account, and closed."""
    async with Ximilar("token") as entered:
        assert_type(entered, Ximilar)
        account = await entered.account()
        assert_type(account, Account)
        assert_type(account.id, str | None)
        assert_type(account.email, str | None)
        assert_type(account.verified, bool | None)
        assert_type(account.credits_counter, int | None)
        assert_type(account.credits_limit, int | None)
        assert_type(account.raw, Any)
    await entered.aclose()


# --- the 20 methods -----------------------------------------------------------------------------


async def writing(shoes: Collection) -> None:
    """Methods that write, and fetch by id."""
    record: dict[str, Any] = {"_id": "1", "_url": "https://example.com/1.jpg", "price": 3}
    assert_type(await shoes.insert([record], fields_to_return=["_id"]), RecordsAnswer)
    assert_type(
        await shoes.insert([record], extract_colors=True, extract_tags=False), RecordsAnswer
    )
    assert_type(await shoes.insert([{"_id": "1", "_image": b"..."}]), RecordsAnswer)
    assert_type(
        await shoes.near_dups_insert((record,), radius=5, cand_set_size=1000), RecordsAnswer
    )
    assert_type(await shoes.get(["1", "2"], fields_to_return=["*"]), RecordsAnswer)
    assert_type(await shoes.get([record, "2"]), RecordsAnswer)
    assert_type(await shoes.update([{"_id": "1", "sale": None}]), RecordsAnswer)
    assert_type(await shoes.delete(("1", "2")), RecordsAnswer)
    assert_type(await shoes.delete_by_filter({"price": {"$gt": 1000}}), RecordsAnswer)


async def searching(shoes: Collection) -> None:
    """Methods that search and rank."""
    query = {"_url": "https://example.com/boot.jpg"}
    wanted = {"price": {"$lt": 90}}
    fields = ("_id", "price")
    assert_type(
        await shoes.visual_knn(
            query,
            k=5,
            skip=10,
            fields_to_return=fields,
            filter=wanted,
            product_field="product",
            cand_set_size=1000,
        ),
        SearchAnswer,
    )
    assert_type(await shoes.visual_tags_knn({**query, "_tags_simple": ["boot"]}, k=5), SearchAnswer)
    assert_type(await shoes.visual_knn_multi([query, {"_id": "1"}], k=5), SearchAnswer)
    assert_type(await shoes.visual_tags_knn_multi([query], filter=wanted), SearchAnswer)
    assert_type(
        await shoes.visual_rank_records(query, [{"_id": "1"}], k=1, radius=2.5), SearchAnswer
    )
    assert_type(await shoes.visual_tags_rank_records(query, [query]), SearchAnswer)
    assert_type(await shoes.range(query, radius=40), SearchAnswer)
    assert_type(await shoes.near_duplicates(query, radius=5.0), SearchAnswer)
    assert_type(await shoes.all_near_dup_pairs(radius=5, extra={"limit": 3}), Answer)


async def listing(shoes: Collection) -> None:
    """Methods about the collection as a whole."""
    assert_type(await shoes.ping(), PingAnswer)
    assert_type(await shoes.find({"price": 3}, limit=3, fields_to_return=["*"]), RecordsAnswer)
    assert_type(await shoes.random(), RecordsAnswer)
    assert_type(await shoes.random(2, filter={"price": 3}), RecordsAnswer)
    assert_type(await shoes.get_record_count(), CountAnswer)
    assert_type(await shoes.all_records(size=500, page=1), PageAnswer)
    assert_type(
        shoes.iter_records(fields_to_return=["*"], page_size=10), AsyncIterator[dict[str, Any]]
    )
    async for record in shoes.iter_records(filter={"price": 3}):
        assert_type(record, dict[str, Any])


# --- answers ------------------------------------------------------------------------------------


def answers(
    ping: PingAnswer, count: CountAnswer, records: RecordsAnswer, page: PageAnswer, any_: Answer
) -> None:
    """What answers have, by kind."""
    assert_type(any_.status, Status)
    assert_type(any_.status.code, int)
    assert_type(any_.status.text, str)
    assert_type(any_.operation_time, float | None)
    assert_type(any_.raw, Any)
    assert_type(ping.info, str)
    assert_type(count.count, int | None)
    assert_type(records.count, int | None)
    assert_type(records.records, tuple[dict[str, Any], ...])
    assert_type(records.skipped, tuple[Skipped, ...])
    assert_type(page.has_next, bool)
    assert_type(page.next, str | None)
    assert_type(page.previous, str | None)
    assert_type(page.output_file_name, str | None)


def matches(found: SearchAnswer, skip: Skipped) -> None:
    """Records found with their distances, and records left out with their reasons."""
    assert_type(found.distances, tuple[float, ...])
    assert_type(found.query_records, tuple[dict[str, Any], ...])
    assert_type(found.matches, list[Match])
    for match in found.matches:
        assert_type(match.id, str | None)
        assert_type(match.distance, float)
        assert_type(match.record, dict[str, Any])
    assert_type(skip.id, str | None)
    assert_type(skip.code, int | None)
    assert_type(skip.text, str)
    assert_type(skip.near_duplicates, tuple[Match, ...])


# --- errors -------------------------------------------------------------------------------------


async def failing(shoes: Collection) -> str:
    """Every error can be caught by its class, and says what it says."""
    try:
        await shoes.ping()
    except errors.ApiError as error:
        assert_type(error.http_status, int)
        assert_type(error.code, int)
        assert_type(error.text, str)
        assert_type(error.retry_after, float | None)
        assert_type(error.request_id, str | None)
        assert_type(error.raw, Mapping[str, Any] | None)
    except (errors.ConnectError, errors.TimedOutError) as error:
        assert_type(error.doubtful, bool)
    except errors.AnswerError as error:
        assert_type(error.raw, object)
    except (errors.ConfigError, errors.RecordError, errors.ImageError) as error:
        return str(error)
    except errors.XimilarError as error:
        assert_type(error.retryable, bool)
        assert_type(error.doubtful, bool)
        assert_type(error.retry_after, float | None)
    return ""


def error_tree() -> list[type[errors.ApiError]]:
    """What the service says no with."""
    return [
        errors.AuthError,
        errors.NotFoundError,
        errors.BadRequestError,
        errors.CapacityError,
        errors.RateLimitError,
        errors.ServerError,
    ]


# --- bulk ---------------------------------------------------------------------------------------


def generated() -> Iterator[dict[str, Any]]:
    yield {"_id": "1", "_url": "https://example.com/1.jpg"}


async def streamed() -> AsyncIterator[dict[str, Any]]:
    yield {"_id": "1", "_url": "https://example.com/1.jpg"}


async def inserting(shoes: Collection) -> None:
    """A run takes records in many forms and is awaited for its report."""
    assert_type(bulk.insert(shoes, [{"_id": "1"}]), bulk.Job)
    assert_type(await bulk.insert(shoes, [{"_id": "1"}]), bulk.Report)
    assert_type(await bulk.insert(shoes, generated()), bulk.Report)
    assert_type(await bulk.insert(shoes, streamed()), bulk.Report)
    assert_type(await bulk.insert(shoes, "catalog.jsonl"), bulk.Report)
    assert_type(await bulk.insert(shoes, Path("photos")), bulk.Report)
    near = bulk.near_dups_insert(
        shoes, "catalog.jsonl", radius=5.0, options=bulk.Options(workers=1)
    )
    assert_type(near, bulk.Job)


async def job(shoes: Collection) -> None:
    """A run can be watched and stopped, and awaited again."""
    assert_type(await bulk.visual_knn(shoes, ["1", "2"], k=3), bulk.Report)
    assert_type(bulk.near_duplicates(shoes, [{"_id": "1"}], radius=5.0), bulk.Job)
    async with bulk.Writer(shoes, operation="update", flush_after=0.5) as writer:
        future = await writer.add({"_id": "1", "price": 3})
        assert_type(await future, bulk.Result)
        assert_type(await writer.flush(), bulk.Report)
    assert_type(writer.report, bulk.Report)
    async with bulk.insert(shoes, streamed()) as running:
        assert_type(running, bulk.Job)
        assert_type(running.stats, bulk.Report)
        running.stop()
        running.stop("enough")
    assert_type(await running, bulk.Report)


def result(one: bulk.Result) -> None:
    """What became of one record."""
    assert_type(one.seq, int)
    assert_type(one.where, str)
    assert_type(one.id, str | None)
    assert_type(one.outcome, bulk.Outcome)
    assert_type(one.reason, str)
    assert_type(one.code, int | None)
    assert_type(one.near_duplicates, tuple[Match, ...])


def options() -> bulk.Options:
    """How a run is cut up and sent."""
    return bulk.Options(
        workers=4,
        batch_size=10,
        max_batch_bytes=2**20,
        max_pending_bytes=2**26,
        flush_after=0.5,
        images=ImageOptions(max_side=600),
        files_root="photos",
        on_result=result,
        progress=lambda report: print(report.summary()),
        dry_run=False,
        max_records=None,
    )


def report(run: bulk.Report) -> None:
    """What a run did, in numbers that sum up."""
    assert_type(run.read, int)
    assert_type(run.counts, Mapping[bulk.Outcome, int])
    assert_type(run.inserted, int)
    assert_type(run.already_present, int)
    assert_type(run.near_duplicate, int)
    assert_type(run.updated, int)
    assert_type(run.deleted, int)
    assert_type(run.found, int)
    assert_type(run.not_found, int)
    assert_type(run.rejected, int)
    assert_type(run.failed, int)
    assert_type(run.not_attempted, int)
    assert_type(run.ok, bool)
    assert_type(run.requests, int)
    assert_type(run.retries, int)
    assert_type(run.elapsed, float)
    assert_type(run.records_per_second, float)
    assert_type(run.exit_code, int)
    assert_type(run.samples, Mapping[bulk.Outcome, tuple[bulk.Result, ...]])
    assert_type(run.to_dict(), dict[str, Any])
    assert_type(run.origin, bulk.Origin)
    assert_type(run.timeline.points, tuple[bulk.Point, ...])
    assert_type(run.timeline.periods, tuple[bulk.Period, ...])
    assert_type(run.summary(), str)
    run.raise_for_failures()
    run.write("report.json")
    run.write(Path("report.json"))


async def aborted(shoes: Collection) -> None:
    """A run that had to stop carries its report."""
    try:
        await bulk.insert(shoes, "catalog.jsonl")
    except errors.BulkAborted as error:
        assert_type(error.report, Any)


# --- the emulator -------------------------------------------------------------------------------


async def emulated() -> None:
    """The emulator serves over a socket, or hands requests over in process."""
    async with Emulator(
        "data-dir",
        host="127.0.0.1",
        port=0,
        tokens=["token"],
        mirror_status=True,
        latency=0.01,
        rate_limit=10,
        capacity=1000,
        faults=None,
        files_root=Path("photos"),
        url_allow=("https://example.com",),
    ) as emulator:
        assert_type(emulator, Emulator)
        assert_type(emulator.url, str)
        Ximilar("token", base_url=emulator.url)
        Ximilar("token", transport=emulator.transport())
