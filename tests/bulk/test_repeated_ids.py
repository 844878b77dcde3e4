"""The same `_id` more than once in one input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from scripted import ScriptedService, answer, lost

from ximilar_async import Retry, Ximilar, bulk
from ximilar_async.bulk import Outcome

if TYPE_CHECKING:
    from scripted import Fault

    from ximilar_async.bulk import Result


def collection_of(service: ScriptedService) -> Any:
    return Ximilar("token", transport=service).collection("c")


def records(count: int, different: int) -> list[dict[str, Any]]:
    return [
        {"_id": str(n % different), "_url": f"https://example.com/{n}.jpg"} for n in range(count)
    ]


@pytest.mark.parametrize("remember", [False, True])
async def test_repeated_ids_end_as_already_present(*, remember: bool) -> None:
    """Whether the service is asked again or not, the first of each id is inserted."""
    service = ScriptedService()
    results: list[Result] = []
    options = bulk.Options(remember_ids=remember, on_result=results.append)
    report = await bulk.insert(collection_of(service), records(300, 40), options=options)
    assert (report.inserted, report.already_present) == (40, 260)
    sent = sum(len(body["records"]) for body in service.sent("insert"))
    assert sent == (40 if remember else 300)
    reasons = {r.reason.split(":")[0] for r in results if r.outcome is Outcome.ALREADY_PRESENT}
    assert reasons == {"input_duplicate" if remember else "record(s) duplicate"}


async def test_a_repeated_id_is_sent_when_the_first_was_refused() -> None:
    """Only what is there is remembered: the second record of a bad first one gets its chance."""

    def script(method: str, body: dict[str, Any]) -> Fault | None:
        urls = [record["_url"] for record in body.get("records", ())]
        bad = method == "insert" and "https://example.com/3.jpg" in urls
        return answer(400, "unreadable image", http=400) if bad else None

    service = ScriptedService(script)
    options = bulk.Options(remember_ids=True, retry=Retry(base=0.001, cap=0.01))
    report = await bulk.insert(collection_of(service), records(40, 20), options=options)
    assert (report.inserted, report.rejected, report.already_present) == (20, 1, 19)
    assert service.stored["3"]["_url"] == "https://example.com/23.jpg"


async def test_one_id_ten_thousand_times_is_decided_to_the_last() -> None:
    """However many records wait for the first, each gets its outcome in its turn."""
    service = ScriptedService()
    options = bulk.Options(remember_ids=True)
    report = await bulk.insert(collection_of(service), records(10_000, 1), options=options)
    assert (report.inserted, report.already_present) == (1, 9_999)


async def test_a_repetition_in_doubt_is_not_counted_as_inserted() -> None:
    """The same record twice, the second answer lost: one was inserted, whatever was compared."""

    def script(method: str, _: dict[str, Any]) -> Fault | None:
        return lost() if method == "insert" and len(service.sent("insert")) in (2, 4) else None

    service = ScriptedService(script, apply_first=True)
    same = [{"_id": "1", "_url": "https://example.com/1.jpg"}] * 3
    options = bulk.Options(retry=Retry(base=0.001, cap=0.01), flush_after=0.01)
    report = await bulk.insert(collection_of(service), same, options=options)
    assert (report.inserted, report.already_present) == (1, 2)


async def test_updates_of_one_id_are_all_sent_in_order() -> None:
    """Nothing is left out where the last one counts."""
    service = ScriptedService()
    service.stored["1"] = {"_id": "1"}
    changes = [{"_id": "1", "price": n} for n in range(30)]
    options = bulk.Options(remember_ids=True)
    report = await bulk.update(collection_of(service), changes, options=options)
    assert report.updated == 30
    assert service.stored["1"]["price"] == 29
