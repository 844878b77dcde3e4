"""What OpenTelemetry is told of single requests: their failures, and no parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from fakes import ScriptedTransport, refusal
from fakes import answer as answered
from opentelemetry.semconv.metrics import http_metrics
from sight import QUICK, Sight, attributes_of

from ximilar_async import Ximilar
from ximilar_async.errors import ConnectError, TimedOutError, XimilarError

if TYPE_CHECKING:
    from collections.abc import Iterator

DURATION = http_metrics.HTTP_CLIENT_REQUEST_DURATION


@pytest.mark.parametrize(
    ("step", "status", "kind"),
    [
        (refusal(503), 503, "503"),
        (refusal(429), 429, "429"),
        (ConnectError("no route"), None, "ximilar_async.errors.ConnectError"),
        (TimedOutError("late"), None, "ximilar_async.errors.TimedOutError"),
    ],
    ids=["503", "429", "no route", "late"],
)
async def test_a_request_that_fails_says_how(step: Any, status: int | None, kind: str) -> None:
    """Its duration has the status, or the error's name, as `error.type`; others have none."""
    sight = Sight()
    async with sight.client(ScriptedTransport([step, answered(answer_count=5)])) as client:
        await client.collection("shoes").get_record_count()
    told = {
        (point.attributes.get("http.response.status_code"), point.attributes.get("error.type"))
        for point in sight.points(DURATION)
    }
    assert told == {(status, kind), (200, None)}


async def test_a_request_of_400_is_an_error_in_its_metric() -> None:
    """Whether it is sent again or not."""
    sight = Sight()
    async with sight.client(ScriptedTransport([refusal(400)])) as client:
        with pytest.raises(XimilarError):
            await client.collection("shoes").get_record_count()
    assert sight.sums(DURATION, "error.type") == {"400": 1}


async def test_no_parameter_is_in_an_address() -> None:
    """`url.full` names the method: what a page of the collection is asked with is no part of it."""
    sight, page = Sight(), answered(records=[], total_count=0)
    transport = ScriptedTransport(then=page)
    async with sight.client(transport) as client:
        _ = [one async for one in client.collection("shoes").iter_records(page_size=7)]
    assert any("?" in request.url for request in transport.requests)
    urls = {attributes_of(span)["url.full"] for span in sight.spans}
    assert urls == {"https://api.ximilar.com/similarity/photos/v2/allRecords"}
    assert "?" not in sight.text()


async def test_a_call_with_a_fresh_token_is_a_repetition() -> None:
    """A token that was refused and replaced shows in span and metric, as any other failure."""
    tokens: Iterator[str] = iter(["old", "new"])
    sight, transport = Sight(), ScriptedTransport([refusal(401), answered(answer_count=5)])
    async with Ximilar(
        lambda: next(tokens), transport=transport, telemetry=sight.telemetry, retry=QUICK
    ) as client:
        assert (await client.collection("shoes").get_record_count()).count == 5
    (span,) = sight.spans
    told = [(event.name, dict(event.attributes or {})) for event in span.events]
    assert told == [("ximilar.retry", {"error.type": "401", "ximilar.retry.wait": 0.0})]
    assert sight.sums("ximilar.client.retries", "error.type") == {"401": 1}
