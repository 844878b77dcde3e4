"""The documents' own requests, word for word, get the documents' own answers.

A scene stores what each example takes for granted: images are points on a line, so that the printed
distances come out. Where an example contradicts itself, only the answer's shape is compared.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np
import orjson
import pytest
from emulated import HEADERS
from samples import SAMPLES, STATUSES

from ximilar_async._protocol import Request
from ximilar_async.emulator import Emulator

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from samples import Sample

HOST = "https://api.ximilar.com"
DOTS = base64.b64encode(b"500").decode()
"""An image in the place of the "..." that the documents print."""

ADDRESSES = {"my-image.png": 0.0, "img.png": 1000.0, "another_image.jpg": 2000.0}
SUNSET = ["summer", "beach", "sunset"]

Stored = tuple[str, float, dict[str, Any]]
"""`_id`, place of the image on the line, further fields."""


class LineExtractor:
    """Knows the addresses of the documents, and reads other images as the number they hold."""

    name = "line"
    dimensions = 1

    def from_text(self, text: str) -> NDArray[np.float32]:
        return np.array([ADDRESSES[text.rsplit("/", 1)[1]]], np.float32)

    def from_image(self, data: bytes) -> NDArray[np.float32]:
        return np.array([float(data)], np.float32)


def dear(id_: str, x: float, **fields: Any) -> Stored:
    return id_, x, {"price": 200, "product_id": f"of {id_}", **fields}


FOUND = [
    ("cheap", 10.0, {"price": 199}),
    dear("1", 40),
    dear("2", 50),
    ("same product", 55.0, {"price": 300, "product_id": "of 2"}),
    dear("3", 60),
    dear("far", 200),
]
"""Records that every search of the documents finds, among some that it must not find."""

TAGGED = [dear(id_, x, tags=SUNSET) for id_, x in [("1", 80), ("2", 100), ("3", 120), ("far", 500)]]
QUERIES: list[Stored] = [("10", 0.0, {}), ("11", 9000.0, {})]

SCENES: dict[str, list[Stored]] = {
    "account": [],
    "all_records": [dear(id_, 1) for id_ in ("a", "b", "c", "d", "1", "2", "z")],
    "delete": [("1", 1, {}), ("2", 2, {}), ("4", 4, {})],
    "delete_by_filter": [dear("1", 1), ("3", 3, {"price": 199}), dear("2", 2)],
    "find": [
        ("0", 0, {"price": 199}),
        *(
            (id_, 1, {"price": 200, "_url": f"http://my-website.com/{id_}.png"})
            for id_ in ("1", "2", "3", "4")
        ),
    ],
    "get": [
        ("1", 1, {"_url": "http://mydomain.com/img.png"}),
        ("2", 2, {"_file": "/path/to/img.png"}),
    ],
    "get_record_count": [(id_, 1, {}) for id_ in "abcde"],
    "insert": [("3", 3, {})],
    "near_duplicates": [("0", 0.5, {"price": 1}), dear("1", 10), dear("2", 20), dear("far", 90)],
    "near_dups_insert": [("2", 9, {}), ("10", 2003, {})],
    "ping": [],
    "random": [dear("1", 1), ("3", 3, {"price": 199}), dear("2", 2)],
    "range": FOUND,
    "update": [("1", 1, {"another-field": "another-value"}), ("2", 2, {"day": "monday"})],
    "visual_knn": FOUND,
    "visual_knn_multi": [*QUERIES, *(each for each in FOUND if each[0] != "same product")],
    "visual_knn_overview": [("11959", 1, {"artist": "x"}), ("no", 1, {"artist": "david_27"})],
    "visual_rank_records": [("3", 3, {})],
    "visual_tags_knn": TAGGED,
    "visual_tags_knn_multi": [*QUERIES, *TAGGED],
    "visual_tags_rank_records": [("3", 3, {})],
}

SHAPE_ONLY = {
    "account": "its values are another account's",
    "ping": "its info speaks of another index",
    "visual_rank_records": 'records that are sent without `_id` come back with one, and "3" twice',
    "visual_tags_rank_records": "as visual_rank_records",
}

WIDER = {"near_duplicates": 20, "visual_rank_records": 5000, "visual_tags_rank_records": 5000}
"""Examples whose answer has distances beyond the radius of 5.0 they ask for: the radius to send."""


async def send(emulator: Emulator, sample: Sample) -> Any:
    query = f"?{urlencode(sample.query)}" if sample.query else ""
    radius = {"radius": WIDER[sample.name]} if sample.name in WIDER else {}
    fields = b"" if sample.body is None else orjson.dumps({**sample.body, **radius})
    body = fields.replace(b"...", DOTS.encode())
    door = emulator.transport()
    response = await door.send(Request(sample.verb, f"{HOST}{sample.path}{query}", HEADERS, body))
    assert response.status == 200
    return orjson.loads(response.body)


async def store(emulator: Emulator, stored: list[Stored]) -> None:
    for id_, x, fields in stored:
        image = base64.b64encode(str(x).encode()).decode()
        body = orjson.dumps({"records": [{**fields, "_id": id_, "_base64": image}]})
        await emulator.transport().send(
            Request("POST", f"{HOST}/similarity/photos/v2/insert", HEADERS, body)
        )


def comparable(name: str, answer: Any) -> Any:
    """Return an answer without what no two services share: time and, where none is said, order."""
    answer = {**answer, "statistics": sorted(answer["statistics"])}
    if name in {"near_dups_insert", "random"}:
        for part in ("answer_records", "skipped_records"):
            answer[part] = sorted(answer.get(part, []), key=lambda record: record["_id"])
    if name in {"get", "update"}:
        # The examples show a part of the fields they ask for.
        shown = ("_id", "_url", "_file", "day", "another-field")
        answer["answer_records"] = [
            {key: record[key] for key in shown if key in record}
            for record in answer["answer_records"]
        ]
    if name == "all_records":
        answer["answer_records"] = [{"_id": one["_id"]} for one in answer["answer_records"]]
    return answer


def shape(value: Any) -> Any:
    """Return names and types of an answer's parts."""
    if isinstance(value, dict):
        return {name: shape(part) for name, part in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return float if isinstance(value, float) else type(value)


def test_every_example_has_a_scene() -> None:
    """No example of the documents is left out."""
    assert SCENES.keys() == SAMPLES.keys()


@pytest.mark.parametrize("name", sorted(SAMPLES))
async def test_documented_requests_get_documented_answers(name: str) -> None:
    """The answer is the printed one, or at least of its shape where the print is impossible."""
    sample = SAMPLES[name]
    async with Emulator(extractor=LineExtractor()) as emulator:
        await store(emulator, SCENES[name])
        answer = await send(emulator, sample)
    if sample.response is None:
        assert answer["answer_records"] == [{"_id": "11959"}]
    elif name in SHAPE_ONLY:
        assert {key: shape(answer[key]) for key in sample.response if key != "skipped_records"} == {
            key: shape(part) for key, part in sample.response.items() if key != "skipped_records"
        }
    else:
        assert comparable(name, answer) == comparable(name, sample.response)


@pytest.mark.parametrize(
    ("method", "status"),
    [(method, status) for method, every in STATUSES.items() for status in every],
)
async def test_documented_verdicts(method: str, status: dict[str, Any]) -> None:
    """Each `status` of the documents' tables is given in its case, word for word."""
    known, unknown = {"_id": "0", "_base64": DOTS}, {"_id": "9", "_base64": DOTS}
    inserts = {210: [unknown], 211: [known, unknown], 411: [known], 412: [unknown]}
    look_ups = {205: ["0"], 220: ["0"], 206: ["0", "9"], 404: ["9"]}
    code = status["code"]
    records = inserts[code] if method == "insert" else [{"_id": id_} for id_ in look_ups[code]]
    capacity = 1 if code == 412 else None
    async with Emulator(extractor=LineExtractor(), dialect="tables", capacity=capacity) as emulator:
        await store(emulator, [("0", 1.0, {})])
        body = orjson.dumps({"records": records})
        door = emulator.transport()
        response = await door.send(
            Request("POST", f"{HOST}/photo/search/v2/{method}", HEADERS, body)
        )
    assert orjson.loads(response.body)["status"] == status
