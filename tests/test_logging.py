"""The logger `ximilar_async` is told what docs/logging.md says, and never a secret."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from attrs import define, field
from fakes import TOKEN, ScriptedTransport, refusal
from fakes import answer as answered
from opentelemetry.sdk.trace import TracerProvider
from scripted import ScriptedService, answer

from ximilar_async import Limits, Retry, Ximilar, bulk
from ximilar_async._logging import EVENTS, plain
from ximilar_async.emulator import Emulator
from ximilar_async.errors import BulkAborted, ConnectError, XimilarError
from ximilar_async.telemetry import OpenTelemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ximilar_async._protocol import Response

PAGE = Path(__file__).parent.parent / "docs/logging.md"
QUICK = Retry(base=0, throttled_base=0)
IMAGE = "aW1hZ2UtY2FuYXJ5" * 20
SECRET_FIELD = "canary-of-a-field"
OWN = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
"""What every log record has."""
BY_NAME = {event.name: event for event in EVENTS}


@define
class Heard:
    """What the logger was told; formatted as a log file would have it."""

    records: list[logging.LogRecord] = field(factory=list, init=False)

    @property
    def events(self) -> list[str]:
        return [extras(record)["event"] for record in self.records]

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.events)

    def of(self, event: str) -> list[dict[str, Any]]:
        """Return the extras of the records of an event."""
        return [found for found in map(extras, self.records) if found["event"] == event]

    def text(self) -> str:
        formatter = logging.Formatter("%(levelname)s %(name)s %(message)s")
        lines = [f"{formatter.format(record)} {vars(record)!r}" for record in self.records]
        return "\n".join(lines)


class Ear(logging.Handler):
    """Keeps what it hears."""

    def __init__(self, heard: Heard) -> None:
        super().__init__()
        self._heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("ximilar_async.emulator"):
            self._heard.records.append(record)


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Listen to everything."""
    logger, found = logging.getLogger("ximilar_async"), Heard()
    ear, level = Ear(found), logger.level
    logger.addHandler(ear)
    logger.setLevel(logging.DEBUG)
    yield found
    logger.setLevel(level)
    logger.removeHandler(ear)


def extras(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in OWN}


def records(count: int) -> Iterator[dict[str, Any]]:
    for n in range(count):
        yield {"_id": str(n), "_base64": IMAGE, "note": SECRET_FIELD}


def client_of(transport: Any, **settings: Any) -> Ximilar:
    return Ximilar(TOKEN, transport=transport, **{"retry": QUICK, **settings})


# --- every event --------------------------------------------------------------------------------


async def _call_in_trouble() -> None:
    """A call meets a pause, an outage, an old token, and is given up."""
    asked = iter([TOKEN, "another-token-1234567"])
    steps = [refusal(503), refusal(429, retry_after="0.01"), refusal(401), answered(answer_count=5)]
    async with Ximilar(lambda: next(asked), transport=ScriptedTransport(steps), retry=QUICK) as one:
        await one.collection("shoes").get_record_count()
    broken = ScriptedTransport(then=ConnectError(f"no route for Token {'*' * 3}"))
    async with client_of(broken, retry=Retry(attempts=2, base=0)) as client:
        with pytest.raises(ConnectError):
            await client.collection("shoes").ping()


async def _run_in_trouble() -> None:
    """A run meets an outage, and a service that quotes what it refuses."""
    failing = [ConnectError("no route")] * 5

    def script(method: str, body: dict[str, Any]) -> Any:
        if failing:
            return failing.pop()
        if method == "insert" and body["records"][-1]["_id"] == "49":
            return answer(400, f"cannot read {IMAGE} for Token {TOKEN}", http=400)
        return None

    async with client_of(ScriptedService(script), limits=Limits(concurrency=2)) as client:
        report = await bulk.insert(client.collection("shoes"), records(50))
    assert (report.inserted, report.rejected) == (49, 1)


async def _run_that_must_stop() -> None:
    service = ScriptedService(lambda *_: answer(401, f"wrong: {TOKEN} for {IMAGE}", http=401))
    async with client_of(service) as client:
        with pytest.raises(BulkAborted):
            await bulk.insert(client.collection("shoes"), records(30))


async def _call_that_telemetry_fails_in() -> None:
    class Broken(TracerProvider):
        def get_tracer(self, *_: Any, **__: Any) -> Any:
            def start_span(*_: object, **__: object) -> None:
                raise RuntimeError(f"no span of {IMAGE}")

            return SimpleNamespace(start_span=start_span)

    telemetry = OpenTelemetry(tracer_provider=Broken())
    async with client_of(ScriptedService(), telemetry=telemetry) as client:
        await client.collection("shoes").ping()


async def _sync(folder: Path) -> None:
    catalog = [{"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(25)]
    async with Emulator() as emulator, client_of(emulator.transport()) as client:
        for _ in range(2):
            await bulk.sync(client.collection("shoes"), catalog, state=folder / "state.db")


async def test_every_event_is_told_with_its_extras_and_no_secret(
    heard: Heard, tmp_path: Path
) -> None:
    """Calls, runs and a sync tell all the events there are, each with just the extras it promises.

    Neither the token, nor image data, nor a record's field is in any of them: not in a message, not
    in an extra, not at DEBUG, and not where the service quotes them.
    """
    await _call_in_trouble()
    await _run_in_trouble()
    await _run_that_must_stop()
    await _call_that_telemetry_fails_in()
    await _sync(tmp_path)
    for record in heard.records:
        event = BY_NAME[extras(record)["event"]]
        assert set(extras(record)) == {"event", *event.extras}
        assert record.name == event.logger.name
        assert record.levelno in event.levels
        assert record.getMessage()
        assert record.args is not None
    assert set(heard.events) == set(BY_NAME)
    text = heard.text()
    assert f"wrong: *** for {IMAGE[:24]}…" in text
    for secret in (TOKEN, "another-token", IMAGE, SECRET_FIELD):
        assert secret not in text


async def test_a_call_tells_why_it_is_sent_again(heard: Heard) -> None:
    """Retries, the pause and the fresh token are told in their order, with reason and wait."""
    await _call_in_trouble()
    assert heard.events == [
        *("request", "retry"),
        *("hold", "request", "retry"),
        *("request", "token", "request"),
        *("request", "retry", "request", "give_up"),
    ]
    assert [told["error"] for told in heard.of("retry")] == [
        "ServerError",
        "RateLimitError",
        "ConnectError",
    ]
    assert [told["status"] for told in heard.of("request")] == [503, 429, 401, 200, None, None]
    assert [told["error"] for told in heard.of("request")][3] is None
    assert heard.of("hold")[0]["seconds"] == 0.01
    assert heard.of("give_up")[0]["attempts"] == 2


async def test_a_pause_is_told_once(heard: Heard) -> None:
    """Many requests that are refused at the same time make one pause, and one record."""

    async def refuse(_: object) -> Response:
        await asyncio.sleep(0.01)  # until all of them have left
        return refusal(429, retry_after="0.05")

    transport = ScriptedTransport([refuse] * 4, then=answered(answer_count=5))
    async with client_of(transport, limits=Limits(concurrency=4)) as client:
        shoes = client.collection("shoes")
        await asyncio.gather(*(shoes.get_record_count() for _ in range(4)))
    assert (heard.counts["retry"], heard.counts["hold"]) == (4, 1)


async def test_a_run_tells_its_outage_and_its_sums(heard: Heard) -> None:
    """Opening and closing of the breaker lie between start and end; the end has the counts."""
    await _run_in_trouble()
    course = [event for event in heard.events if not event.startswith(("request", "batch"))]
    assert course == ["run.start", "breaker.open", "breaker.close", "run.end"]
    (end,) = heard.of("run.end")
    assert end["counts"] == {"inserted": 49, "rejected": 1}
    assert heard.of("breaker.open")[0]["reason"] == "no route"
    assert {told["error"] for told in heard.of("batch.retry")} == {"ConnectError"}
    (record,) = [record for record in heard.records if extras(record)["event"] == "run.end"]
    assert record.levelno == logging.WARNING  # one record was rejected


async def test_a_stop_is_told_once_and_why(heard: Heard) -> None:
    """What ends a run early is told when it happens, and again in the end's sums."""
    await _run_that_must_stop()
    (stop,) = heard.of("run.stop")
    assert stop["stop"] == "authorization refused"
    assert heard.of("run.end")[0]["stop"] == "authorization refused"


async def test_a_stop_that_was_asked_for_is_no_warning(heard: Heard) -> None:
    """Whoever ends a run himself is told so at INFO."""

    async def endless() -> Any:
        n = 0
        while True:
            yield {"_id": str(n), "_base64": "x"}
            n += 1

    async with client_of(ScriptedService()) as client:
        job = bulk.insert(client.collection("shoes"), endless())
        async with job:
            job.stop("enough")
    told = [record for record in heard.records if record.name == "ximilar_async.bulk"]
    assert {extras(record)["event"] for record in told} >= {"run.stop", "run.end"}
    assert {record.levelno for record in told} == {logging.INFO}


async def test_a_sync_tells_its_stages(heard: Heard, tmp_path: Path) -> None:
    """Each stage is told when it begins, and what is planned before anything is sent."""
    await _sync(tmp_path)
    first = heard.events[: heard.events.index("sync.end")]
    assert first[0] == "sync.start"
    assert first.index("sync.plan") < first.index("run.start")
    stages = [told["stage"] for told in heard.of("sync.stage")]
    assert stages[:3] == ["opening the state", "asking the collection", "reading the source"]
    assert "insert" in stages
    assert [told["unchanged"] for told in heard.of("sync.plan")] == [0, 25]
    assert heard.of("sync.plan")[0]["tasks"] == {"insert": 25}


async def test_stages_that_come_again_are_details(heard: Heard, tmp_path: Path) -> None:
    """Replaced images go in slices: their stages are told at INFO once, and then at DEBUG."""
    options = bulk.Options(batch_size=1)
    settings = {"limits": Limits(concurrency=1)}
    async with Emulator() as emulator, client_of(emulator.transport(), **settings) as client:
        for host in ("one", "two"):
            catalog = [{"_id": str(n), "_url": f"https://{host}.example/{n}.jpg"} for n in range(6)]
            state = tmp_path / "state.db"
            await bulk.sync(client.collection("shoes"), catalog, state=state, options=options)
    second = heard.records[heard.events.index("sync.end") + 1 :]
    stages = [(r.levelname, extras(r)["stage"]) for r in second if hasattr(r, "stage")]
    levels = Counter(stages)
    repeated = [stage for level, stage in levels if level == "DEBUG"]
    assert repeated
    assert all(levels["INFO", stage] == 1 for _, stage in levels)


async def test_a_sync_that_is_refused_is_a_warning(heard: Heard, tmp_path: Path) -> None:
    """The end of a refused sync says why."""
    await _sync(tmp_path)
    async with Emulator() as emulator, client_of(emulator.transport()) as client:
        with pytest.raises(XimilarError):
            await bulk.sync(client.collection("shoes"), [], state=tmp_path / "state.db")
    end = heard.records[-1]
    assert end.levelno == logging.WARNING
    assert extras(end)["error"] == "SyncRefusedError"


# --- a program's handlers -----------------------------------------------------------------------


class BrokenHandler(logging.Handler):
    """A pager that is down, and says so by raising."""

    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError(f"no pager for {extras(record)['event']}")


async def test_a_handler_that_raises_changes_nothing(
    heard: Heard, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run meets what it meets without the handler, which is told on stderr, as Python's are."""
    pager = BrokenHandler()
    loggers = [logging.getLogger(f"ximilar_async.{name}") for name in ("client", "bulk")]
    for logger in loggers:
        logger.addHandler(pager)
    try:
        await _run_in_trouble()
    finally:
        for logger in loggers:
            logger.removeHandler(pager)
    assert heard.counts["run.end"] == 0  # its own handlers come first, and this one raised
    told = capsys.readouterr().err
    assert "no pager for breaker.open" in told
    assert "no pager for run.end" in told
    assert TOKEN not in told
    assert IMAGE not in told


# --- what it costs ------------------------------------------------------------------------------


async def test_nothing_is_told_per_request_at_info(heard: Heard) -> None:
    """A run of a hundred requests makes as many records at INFO as one of a single request."""
    logging.getLogger("ximilar_async").setLevel(logging.INFO)
    async with client_of(ScriptedService()) as client:
        for count in (5, 1000):
            await bulk.insert(client.collection("shoes"), list(records(count)))
    assert heard.events == ["run.start", "run.end"] * 2


def test_no_handler_writes_unless_a_program_adds_one() -> None:
    """Importing the package adds handlers that do nothing, and a warning is written nowhere."""
    code = """
import logging, ximilar_async
from ximilar_async._logging import EVENTS
for event in EVENTS:
    assert [type(h).__name__ for h in event.logger.handlers] == ["NullHandler"], event
assert logging.getLogger("ximilar_async").handlers == logging.getLogger().handlers == []
EVENTS[-1].tell(logging.WARNING, **dict.fromkeys(EVENTS[-1].extras))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_nothing_is_formatted_for_nobody() -> None:
    """Extras are not even looked at where the level is off."""

    class Shy:
        def __str__(self) -> str:
            raise AssertionError

    event = BY_NAME["batch.retry"]
    logger = logging.getLogger(event.logger.name)
    logger.setLevel(logging.INFO)
    try:
        assert not event.is_wanted()
        event.tell(reason=Shy())
    finally:
        logger.setLevel(logging.NOTSET)


# --- what is promised ---------------------------------------------------------------------------


def test_extras_leave_the_records_own_names_alone() -> None:
    """`logging` refuses an extra that has the name of an attribute of its own."""
    names = {name for event in EVENTS for name in event.extras}
    assert names & OWN == set()


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("429 slow down", "429 slow down"),
        (f"no image: {IMAGE}", f"no image: {IMAGE[:24]}…"),
        ("word " * 100, ("word " * 100)[:300] + "…"),
        ("400 no\r\nINFO all is well\x1b[2J", "400 no INFO all is well [2J"),
        ("a\u2028b\x85c", "a b c"),
    ],
    ids=["as it is", "image", "long", "forged line", "other line ends"],
)
def test_messages_are_cut(text: str, kept: str) -> None:
    """What is no word is cut out of an error's message, which is kept short and on one line."""
    assert plain(text) == kept


ROW = re.compile(
    r"^\| `(?P<event>[\w.]+)` \| `(?P<logger>[\w.]+)` \| (?P<level>[\w ]+) \|(?P<rest>.*)\|$"
)


def test_the_page_lists_just_these_events() -> None:
    """docs/logging.md has a row for each event: logger, levels, and all its extras."""
    rows = [
        found
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if (found := ROW.match(line))
    ]
    told = {
        row["event"]: (
            row["logger"],
            row["level"],
            tuple(re.findall(r"`(\w+)`", row["rest"].split("|")[-1])),
        )
        for row in rows
    }
    assert told == {
        event.name: (event.logger.name, event.level_names, event.extras) for event in EVENTS
    }
    assert len(rows) == len(EVENTS)
