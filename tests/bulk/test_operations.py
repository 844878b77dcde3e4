"""One engine for every operation: update, delete and get beside the inserts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from scripted import ScriptedService, answer, lost

from ximilar_async import Retry, Ximilar, bulk
from ximilar_async._protocol import Response
from ximilar_async.bulk import Outcome
from ximilar_async.errors import BulkAborted

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripted import Fault

    from ximilar_async.bulk import Result


def stocked(
    script: Callable[[str, dict[str, Any]], Fault | None] | None = None, **settings: Any
) -> tuple[ScriptedService, Any]:
    """Return a service that holds the records 0 to 24, and its collection."""
    service = ScriptedService(script, **settings)
    service.stored.update({str(n): {"_id": str(n), "price": n} for n in range(25)})
    retry = Retry(base=0, throttled_base=0)
    return service, Ximilar("token", transport=service, retry=retry).collection("c")


def counts(report: bulk.Report) -> dict[str, int]:
    assert report.read == sum(report.counts.values())
    return {str(outcome): n for outcome, n in report.counts.items() if n}


async def test_update_changes_what_is_stored_and_tells_what_is_not() -> None:
    """Updated and not found, to the record; None travels as null, which removes a field."""
    service, collection = stocked()
    records = [{"_id": str(n), "price": None, "sale": True} for n in range(20, 30)]
    assert counts(await bulk.update(collection, records)) == {"updated": 5, "not_found": 5}
    assert service.stored["24"] == {"_id": "24", "price": None, "sale": True}


@pytest.mark.parametrize("as_records", [False, True])
async def test_delete_takes_ids_or_records_and_sends_ids_only(*, as_records: bool) -> None:
    """Nothing of a record but its `_id` travels to a delete."""
    service, collection = stocked()
    ids = [str(n) for n in range(12, 32)]
    given = [{"_id": id_, "price": 3} for id_ in ids] if as_records else ids
    assert counts(await bulk.delete(collection, given)) == {"deleted": 13, "not_found": 7}
    assert set(service.stored) == {str(n) for n in range(12)}
    assert service.sent("delete")[0]["records"][0] == {"_id": "12"}


async def test_get_hands_each_stored_record_to_its_result() -> None:
    """A fetched record is the result's `answer`."""
    _, collection = stocked()
    heard: list[Result] = []
    report = await bulk.get(
        collection, ["3", "30", "4"], options=bulk.Options(on_result=heard.append)
    )
    assert counts(report) == {"found": 2, "not_found": 1}
    assert {result.id: result.answer for result in heard} == {
        "3": {"_id": "3", "price": 3},
        "4": {"_id": "4", "price": 4},
        "30": None,
    }


async def test_ids_that_cannot_be_ids_are_rejected() -> None:
    """A number or an empty string is no `_id`; the others are treated."""
    _, collection = stocked()
    wrong: Any = ["1", 2, "", {}, None]
    assert counts(await bulk.delete(collection, wrong)) == {"deleted": 1, "rejected": 4}


async def test_404_without_lists_means_that_none_was_found() -> None:
    """404: "none of the requested records were found and empty answer is returned"."""
    service, collection = stocked(lambda _, __: answer(404, "records not found", http=404))
    assert counts(await bulk.delete(collection, ["50", "51"])) == {"not_found": 2}
    assert len(service.requests) == 1


async def test_404_of_another_kind_stops_the_run() -> None:
    """A wrong address is no missing record."""
    _, collection = stocked(lambda _, __: Response(404, {}, b'{"detail": "Not found."}'))
    with pytest.raises(BulkAborted, match="base_url"):
        await bulk.delete(collection, ["50", "51"])


@pytest.mark.parametrize(
    ("operation", "outcome"),
    [(bulk.update, Outcome.UPDATED), (bulk.delete, Outcome.DELETED)],
)
async def test_what_was_applied_though_every_answer_was_lost_is_found_out(
    operation: Any, outcome: Outcome
) -> None:
    """When all attempts were unanswered the collection is asked what it holds."""
    service, collection = stocked(
        lambda method, _: lost() if method != "get" else None, apply_first=True
    )
    options = bulk.Options(retry=Retry(base=0, attempts=3))
    report = await operation(collection, [{"_id": "1", "price": 99}], options=options)
    assert counts(report) == {outcome.value: 1}
    assert [method for method, _ in service.requests][-1] == "get"
