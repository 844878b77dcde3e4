"""Collection: every parameter under its name on the wire, records checked, images read."""

from __future__ import annotations

import base64
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from fakes import TOKEN, ScriptedTransport, answer, refusal
from samples import snake

from ximilar_async import Collection, ImageOptions, Retry, Ximilar
from ximilar_async._endpoints import METHODS
from ximilar_async.errors import BadRequestError, ConfigError, ImageError, RecordError, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ximilar_async._protocol import Request, Response

BOOT = {"_id": "1", "_url": "https://example.com/boot.jpg", "price": 80, "sale": None}
QUERY = {"_url": "https://example.com/query.jpg", "tags": ["boot"]}
IDS = [{"_id": "1"}, {"_id": "2"}]
WANTED: dict[str, Any] = {"price": {"$lt": 90}}
FIELDS = ["_id", "price"]

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
"""One red pixel."""


def shoes(*script: Any, then: Any = None, **settings: Any) -> tuple[Collection, ScriptedTransport]:
    """Return a collection whose requests meet a script, and what carries them."""
    transport = ScriptedTransport([*script], then)
    return Ximilar(TOKEN, transport=transport).collection("shoes-id", **settings), transport


def found(*ids: str, **fields: Any) -> Response:
    return answer(answer_records=[{"_id": id_} for id_ in ids], skipped_records=[], **fields)


def body_of(request: Request) -> Any:
    return orjson.loads(request.body) if request.body else None


# --- parameters ---------------------------------------------------------------------------------

SEARCH = {
    "k": 5,
    "skip": 10,
    "fields_to_return": FIELDS,
    "filter": WANTED,
    "cand_set_size": 700,
}
SEARCH_BODY = {
    "k": 5,
    "from": 10,
    "fields_to_return": FIELDS,
    "filter": WANTED,
    "cand_set_size": 700,
}
PRODUCT = {"product_field": "product_id"}
RANK = {"k": 5, "radius": 2.5, "fields_to_return": FIELDS}
FASHION = {"extract_colors": True, "extract_tags": False}
NEAR = {"radius": 2.5, "fields_to_return": FIELDS, "filter": WANTED, "cand_set_size": 700}

FULL: dict[str, tuple[dict[str, Any], Any]] = {
    "ping": ({}, None),
    "insert": (
        {"records": [BOOT], "fields_to_return": FIELDS, **FASHION},
        {"records": [BOOT], "fields_to_return": FIELDS, **FASHION},
    ),
    "near_dups_insert": (
        {
            "records": [BOOT],
            "radius": 2.5,
            "fields_to_return": FIELDS,
            "cand_set_size": 700,
            **FASHION,
        },
        {
            "records": [BOOT],
            "radius": 2.5,
            "fields_to_return": FIELDS,
            "cand_set_size": 700,
            **FASHION,
        },
    ),
    "delete": ({"ids": ["1", {"_id": "2", "price": 3}]}, {"records": IDS}),
    "get": (
        {"ids": ["1", {"_id": "2", "price": 3}], "fields_to_return": FIELDS},
        {"records": IDS, "fields_to_return": FIELDS},
    ),
    "update": (
        {"records": [BOOT], "fields_to_return": FIELDS},
        {"records": [BOOT], "fields_to_return": FIELDS},
    ),
    "find": (
        {"filter": WANTED, "limit": 3, "fields_to_return": FIELDS},
        {"filter": WANTED, "limit": 3, "fields_to_return": FIELDS},
    ),
    "visual_knn": (
        {"query_record": QUERY, **SEARCH, **PRODUCT},
        {"query_record": QUERY, **SEARCH_BODY, **PRODUCT},
    ),
    "visual_tags_knn": (
        {"query_record": QUERY, **SEARCH, **PRODUCT},
        {"query_record": QUERY, **SEARCH_BODY, **PRODUCT},
    ),
    "visual_knn_multi": ({"query_records": IDS, **SEARCH}, {"query_records": IDS, **SEARCH_BODY}),
    "visual_tags_knn_multi": (
        {"query_records": IDS, **SEARCH},
        {"query_records": IDS, **SEARCH_BODY},
    ),
    "visual_rank_records": (
        {"query_record": QUERY, "records": IDS, **RANK},
        {"query_record": QUERY, "records": IDS, **RANK},
    ),
    "visual_tags_rank_records": (
        {"query_record": QUERY, "records": IDS, **RANK},
        {"query_record": QUERY, "records": IDS, **RANK},
    ),
    "random": (
        {"count": 3, "filter": WANTED, "fields_to_return": FIELDS},
        {"count": 3, "filter": WANTED, "fields_to_return": FIELDS},
    ),
    "get_record_count": ({}, None),
    "all_records": (
        {
            "size": 2,
            "page": 3,
            "fields_to_return": FIELDS,
            "filter": WANTED,
            "output_file_name": "f.json",
            "delete_file_after": True,
        },
        {
            "fields_to_return": FIELDS,
            "filter": WANTED,
            "output_file_name": "f.json",
            "delete_file_after": True,
        },
    ),
    "delete_by_filter": (
        {"filter": WANTED, "fields_to_return": FIELDS},
        {"filter": WANTED, "fields_to_return": FIELDS},
    ),
    "range": (
        {"query_record": QUERY, **NEAR, **PRODUCT},
        {"query_record": QUERY, **NEAR, **PRODUCT},
    ),
    "near_duplicates": ({"query_record": QUERY, **NEAR}, {"query_record": QUERY, **NEAR}),
    "all_near_dup_pairs": (
        {
            "radius": 2.5,
            "filter": WANTED,
            "fields_to_return": FIELDS,
            "extra": {"limit": 3, "none": None},
        },
        {"radius": 2.5, "filter": WANTED, "fields_to_return": FIELDS, "limit": 3},
    ),
}
"""A call of each method with all of its parameters, and the body that it sends."""

WIRE_NAMES = {snake(path): path for path in METHODS}


def method(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(Collection, name)
    return function


def parameters(name: str) -> dict[str, inspect.Parameter]:
    return dict([*inspect.signature(method(name)).parameters.items()][1:])


@pytest.mark.parametrize("name", FULL)
async def test_every_parameter_is_sent_under_its_name(name: str) -> None:
    """Each method sends all that it takes, to its own address, with the documented verb."""
    arguments, body = FULL[name]
    assert set(arguments) == set(parameters(name))
    collection, transport = shoes(found())
    await getattr(collection, name)(**arguments)
    (request,) = transport.requests
    query = "?size=2&page=3" if name == "all_records" else ""
    endpoint = METHODS[WIRE_NAMES[name]]
    assert request.verb == endpoint.verb
    assert request.url == (f"https://api.ximilar.com/similarity/photos/v2/{endpoint.path}{query}")
    assert body_of(request) == body


def test_the_methods_are_the_apis() -> None:
    """All 20 methods are there, under the API's names in snake case, and `iter_records`."""
    public = {name for name in vars(Collection) if not name.startswith("_")}
    for base in Collection.__mro__[1:-1]:
        public |= {name for name in vars(base) if not name.startswith("_")}
    assert set(FULL) == set(WIRE_NAMES)
    assert public - set(WIRE_NAMES) >= {"iter_records", "id", "service", "with_options"}


@pytest.mark.parametrize("name", FULL)
async def test_what_is_left_out_is_not_sent(name: str) -> None:
    """Optional parameters that nobody gave leave no trace in the request."""
    needed = {
        key
        for key, parameter in parameters(name).items()
        if parameter.default is inspect.Parameter.empty
    }
    collection, transport = shoes(found())
    await getattr(collection, name)(
        **{key: value for key, value in FULL[name][0].items() if key in needed}
    )
    body = body_of(transport.requests[0])
    sent = {"ids": "records"}
    expected = None if METHODS[WIRE_NAMES[name]].verb == "GET" else {sent.get(n, n) for n in needed}
    assert (None if body is None else set(body)) == expected


@pytest.mark.parametrize("name", FULL)
async def test_a_misspelt_parameter_fails_here(name: str) -> None:
    """No method takes just anything: a misspelt name must not travel to the service."""
    collection, transport = shoes()
    with pytest.raises(TypeError, match="unexpected keyword argument 'fields_to_retrun'"):
        await getattr(collection, name)(**FULL[name][0], fields_to_retrun=["_id"])
    assert transport.requests == []


@pytest.mark.parametrize("name", FULL)
async def test_options_have_names(name: str) -> None:
    """What comes after the subject can only be given by name, so that calls can be read."""
    kinds = [parameter.kind for parameter in parameters(name).values()]
    positional = [kind for kind in kinds if kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    assert len(positional) <= 2
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    assert inspect.Parameter.VAR_POSITIONAL not in kinds


# --- records ------------------------------------------------------------------------------------

IMAGES = [{"_id": str(n), "_url": f"https://example.com/{n}.jpg"} for n in range(11)]
MISTAKES: dict[str, tuple[str, dict[str, Any], str]] = {
    "11 to insert": ("insert", {"records": IMAGES}, "insert takes at most 10 .* got 11; bulk.ins"),
    "11 near": ("near_dups_insert", {"records": IMAGES}, "nearDupsInsert takes at most 10"),
    "11 to update": ("update", {"records": IMAGES}, "update takes at most 10"),
    "11 to get": ("get", {"ids": [str(n) for n in range(11)]}, "get takes at most 10 records"),
    "11 to delete": ("delete", {"ids": IMAGES}, "delete takes at most 10 records"),
    "none to insert": ("insert", {"records": []}, "insert: records is empty; give at least one"),
    "none to get": ("get", {"ids": []}, "get: records is empty"),
    "none to search": ("visual_knn_multi", {"query_records": []}, "query_records is empty"),
    "no id": ("insert", {"records": [BOOT, QUERY]}, "record 2 of 2 has no `_id`"),
    "no image": ("insert", {"records": [{"_id": "7"}]}, r"\(`_id` '7'\) has no image: give `_url`"),
    "number as id": ("insert", {"records": [{"_id": 7, "_url": "u"}]}, "non-empty string, not 7"),
    "numbers as ids": ("get", {"ids": [7]}, "record 1 of 1: `_id` must be a .* string, not 7"),
    "record without id": ("delete", {"ids": [{"price": 3}]}, "record 1 of 1 has no `_id`"),
    "None as id": ("get", {"ids": [None]}, "record 1 of 1 has no `_id`"),
    "one id to get": ("get", {"ids": "1"}, r"^ids takes a list: \['1'\], not a str$"),
    "one id to delete": ("delete", {"ids": "abc"}, r"^ids takes a list: \['abc'\], not a str$"),
    "one record to get": ("get", {"ids": {"_id": "1"}}, r"ids takes a list: \[{'_id': '1'}\], not"),
    "no ids to get": ("get", {"ids": None}, "^ids takes a list of ids or records, not None$"),
    "a number to delete": ("delete", {"ids": 5}, "^ids takes a list of ids or records, not 5$"),
    "one record": (
        "insert",
        {"records": BOOT},
        r"insert: records is dict, not a list: \[record\]$",
    ),
    "no query": ("visual_knn", {"query_record": None}, "query_record is NoneType, not a JSON obj"),
    "id to rank by": (
        "visual_rank_records",
        {"query_record": "1", "records": [BOOT]},
        r"visualRankRecords: query_record is str, not .*; a stored record is {'_id': '1'}$",
    ),
    "generator": ("insert", {"records": (r for r in [BOOT])}, "records is generator, not a list"),
    "text": ("update", {"records": "1"}, "update: records is str, not a list"),
    "None": ("insert", {"records": [None]}, "record 1 of 1 is NoneType, not a JSON object"),
    "id as query": ("visual_knn", {"query_record": "1"}, "query_record is str, not a JSON object"),
    "empty query": ("range", {"query_record": {}, "radius": 1}, "query_record needs an `_id` or"),
    "NaN": ("update", {"records": [{"_id": "1", "p": float("nan")}]}, r"records\[0\].p is nan"),
    "NaN in a filter": ("find", {"filter": {"p": {"$lt": float("inf")}}}, "filter.p.*lt is inf"),
}


@pytest.mark.parametrize(("name", "arguments", "words"), MISTAKES.values(), ids=list(MISTAKES))
async def test_a_mistake_in_records_is_told_before_sending(
    name: str, arguments: dict[str, Any], words: str
) -> None:
    """What the service could never accept costs no request, and the message says what is wrong."""
    collection, transport = shoes()
    with pytest.raises(RecordError, match=words):
        await getattr(collection, name)(**arguments)
    assert transport.requests == []


@pytest.mark.parametrize("filter", ["price", ["price"], 5], ids=repr)
@pytest.mark.parametrize("name", [n for n in FULL if "filter" in parameters(n)])
async def test_a_filter_is_a_mapping(name: str, filter: Any) -> None:
    """What is no condition on fields is named before it is sent, for every method with a filter."""
    collection, transport = shoes()
    words = f"^filter takes a dict of conditions, not {type(filter).__name__}$"
    with pytest.raises(ConfigError, match=words):
        await getattr(collection, name)(**FULL[name][0] | {"filter": filter})
    assert transport.requests == []


async def test_nothing_is_deleted_without_a_filter() -> None:
    """A filter that was forgotten matches nothing; {} matches everything, by the documents."""
    collection, transport = shoes(found())
    nothing: Any = None
    with pytest.raises(
        ConfigError, match=r"^filter takes a dict of conditions, not NoneType; \{\} m"
    ):
        await collection.delete_by_filter(nothing)
    assert transport.requests == []
    await collection.delete_by_filter({})
    assert body_of(transport.requests[0]) == {"filter": {}}


@pytest.mark.parametrize("names", [5, {"_id"}, [5], {"_id": 1}], ids=repr)
async def test_fields_to_return_are_names(names: Any) -> None:
    """A number, a set and a list of anything else are told by the argument's name."""
    collection, transport = shoes()
    with pytest.raises(ConfigError, match=r"^fields_to_return takes a list of names, not "):
        await collection.find({}, fields_to_return=names)
    assert transport.requests == []


@pytest.mark.parametrize("extra", [5, ["a"], "a"], ids=repr)
async def test_extra_fields_are_a_mapping(extra: Any) -> None:
    """Fields of the undescribed method have names."""
    collection, transport = shoes()
    with pytest.raises(
        ConfigError, match=f"^extra takes a dict of fields, not {type(extra).__name__}$"
    ):
        await collection.all_near_dup_pairs(extra=extra)
    assert transport.requests == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"retry": 3}, r"^retry must be Retry\(…\), not 3$"),
        ({"images": "small"}, r"^images must be ImageOptions\(…\), not 'small'$"),
        ({"files_root": 3}, "^files_root must be a path, not 3$"),
    ],
)
def test_a_wrong_option_is_told_at_once(settings: dict[str, Any], words: str) -> None:
    """`with_options` checks what it is given, and takes a folder's name as well as its path."""
    collection, _ = shoes()
    with pytest.raises(ConfigError, match=words):
        collection.with_options(**settings)
    assert collection.with_options(files_root="/tmp").files_root == Path("/tmp")


@pytest.mark.parametrize("name", [n for n in FULL if "fields_to_return" in parameters(n)])
async def test_fields_to_return_is_a_list(name: str) -> None:
    """A single name must stand in a list, for every method that takes names."""
    collection, transport = shoes()
    with pytest.raises(ConfigError, match=r"fields_to_return takes a list: \['_id'\]"):
        await getattr(collection, name)(**FULL[name][0] | {"fields_to_return": "_id"})
    assert transport.requests == []


async def test_records_given_are_not_changed() -> None:
    """Records belong to the caller: nothing is added to them or taken from them."""
    record = {**BOOT, "tags": ["a"]}
    collection, _ = shoes(then=found())
    await collection.insert([record])
    await collection.visual_knn(record)
    assert record == {**BOOT, "tags": ["a"]}


async def test_ids_may_be_a_tuple() -> None:
    """Any sequence of ids will do."""
    collection, transport = shoes(found("1", "2"))
    await collection.get(("1", "2"))
    assert body_of(transport.requests[0]) == {"records": IDS}


# --- images -------------------------------------------------------------------------------------


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "boot.png"
    path.write_bytes(PNG)
    return path


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("insert", "records"),
        ("near_dups_insert", "records"),
        ("visual_knn", "query_record"),
        ("visual_tags_knn", "query_record"),
        ("visual_knn_multi", "query_records"),
        ("visual_tags_knn_multi", "query_records"),
        ("visual_rank_records", "query_record"),
        ("visual_rank_records", "records"),
        ("visual_tags_rank_records", "records"),
        ("range", "query_record"),
        ("near_duplicates", "query_record"),
    ],
)
@pytest.mark.parametrize("kind", ["_file", "_image"])
async def test_images_are_read_wherever_records_may_bring_one(
    name: str, where: str, kind: str, picture: Path
) -> None:
    """A file or the bytes of an image leave as `_base64`; no path leaves this machine."""
    record = {"_id": "1", kind: str(picture) if kind == "_file" else PNG, "price": 3}
    given = record if where == "query_record" else [BOOT, record]
    collection, transport = shoes(found())
    await getattr(collection, name)(**FULL[name][0] | {where: given})
    sent = body_of(transport.requests[0])[where]
    sent = sent if where == "query_record" else sent[1]
    assert base64.b64decode(sent.pop("_base64")) == PNG
    assert sent == {"_id": "1", "price": 3}
    assert str(picture).encode() not in transport.requests[0].body
    assert kind in record


async def test_a_damaged_image_costs_no_request(tmp_path: Path) -> None:
    """A file that is no image is told by record and file, before anything is sent."""
    (tmp_path / "notes.txt").write_text("no image", encoding="utf-8")
    collection, transport = shoes(files_root=tmp_path)
    bad = {"_id": "1", "_file": "notes.txt"}
    with pytest.raises(ImageError, match=r"^record 3 of 4 \(`_id` '1'\): `_file` 'notes\.txt': is"):
        await collection.insert([BOOT, BOOT, bad, BOOT])
    with pytest.raises(ImageError, match=r"^query_record \(`_id` '1'\): `_file` 'notes\.txt': is"):
        await collection.visual_knn(bad)
    assert transport.requests == []


async def test_large_images_arrive_whole_beside_others() -> None:
    """Records with and without an image of their own keep their order, fields and content."""
    content = PNG + bytes(300_000)
    collection, transport = shoes(found("1", "2", "3"), found("1"))
    options = ImageOptions(max_side=None)
    given = [{"_id": "1", "_image": content, "note": 'a "b"'}, BOOT, {"_id": "3", "_image": PNG}]
    await collection.with_options(images=options).insert(given)
    await collection.with_options(images=options).visual_knn({"_image": content}, k=3)
    first, second = map(body_of, transport.requests)
    assert [base64.b64decode(first["records"][n]["_base64"]) for n in (0, 2)] == [content, PNG]
    assert first["records"][0]["note"] == 'a "b"'
    assert first["records"][1] == BOOT
    assert base64.b64decode(second["query_record"]["_base64"]) == content
    assert second["k"] == 3


async def test_what_json_cannot_carry_is_named_beside_an_image() -> None:
    """The message says which record of the request, and which field of it."""
    collection, transport = shoes()
    given = [BOOT, {"_id": "2", "_image": PNG, "size": {"cm": float("nan")}}]
    with pytest.raises(RecordError, match=r"^records\[1\]\.size\.cm is nan"):
        await collection.insert(given)
    with pytest.raises(RecordError, match=r"^query_record\.size is inf"):
        await collection.visual_knn({"_image": PNG, "size": float("inf")})
    assert transport.requests == []


async def test_limits_are_checked_before_images_are_read() -> None:
    """Eleven records are refused at once, not after eleven files were read."""
    collection, _ = shoes()
    with pytest.raises(RecordError, match="takes at most 10"):
        await collection.insert([{"_id": str(n), "_file": "missing.jpg"} for n in range(11)])


async def test_a_file_must_not_leave_its_root(picture: Path, tmp_path: Path) -> None:
    """With a root, files outside of it are refused; `with_options` keeps or changes it."""
    inside = tmp_path / "inside"
    inside.mkdir()
    collection, transport = shoes(found(), files_root=inside)
    record = {"_id": "1", "_file": str(picture)}
    with pytest.raises(ImageError):
        await collection.with_options(retry=Retry(attempts=1)).insert([record])
    await collection.with_options(files_root=tmp_path).insert([record])
    assert len(transport.requests) == 1


# --- the collection itself ----------------------------------------------------------------------


def test_a_collection_tells_what_it_is() -> None:
    """Id, service, address and slots can be read; the repr holds no token."""
    collection, _ = shoes(service="my-cloud/shoes")
    assert (collection.id, collection.service) == ("shoes-id", "my-cloud/shoes")
    assert collection.base_url == "https://api.ximilar.com"
    assert collection.slots >= 1
    assert repr(collection) == "Collection('shoes-id', 'my-cloud/shoes')"


async def test_options_make_another_collection() -> None:
    """`with_options` changes nothing in the collection that it was called on."""
    collection, transport = shoes(then=refusal(503))
    once = collection.with_options(retry=Retry(attempts=1), images=ImageOptions(max_side=None))
    assert (once.id, once.service) == (collection.id, collection.service)
    with pytest.raises(ServerError):
        await once.ping()
    assert len(transport.requests) == 1
    with pytest.raises(ServerError):
        await collection.with_options(retry=Retry(attempts=3, base=0)).ping()
    assert len(transport.requests) == 4


# --- iter_records -------------------------------------------------------------------------------


def page(*ids: str, more: bool) -> Response:
    link = "https://api.ximilar.com/v2/allRecords?page=77&size=77"  # lacks the prefix, as printed
    return found(*ids, next=link if more else None)


async def test_iteration_counts_pages_by_itself() -> None:
    """Pages are counted from 1; the link, which lacks the service's prefix, is never followed."""
    collection, transport = shoes(
        page("1", "2", more=True), page("3", "4", more=True), page(more=False)
    )
    records = [
        record["_id"]
        async for record in collection.iter_records(
            page_size=2, fields_to_return=["*"], filter=WANTED
        )
    ]
    assert records == ["1", "2", "3", "4"]
    assert [request.url.split("/v2/")[1] for request in transport.requests] == [
        f"allRecords?size=2&page={number}" for number in (1, 2, 3)
    ]
    assert transport.bodies == [{"fields_to_return": ["*"], "filter": WANTED}] * 3


async def test_iteration_ends_when_there_is_no_more() -> None:
    """Without a next link nothing more is asked for, even if the page was full."""
    collection, transport = shoes(page("1", "2", more=False))
    assert [record["_id"] async for record in collection.iter_records(page_size=2)] == ["1", "2"]
    assert transport.bodies == [{}]


async def test_iteration_ends_at_an_empty_page() -> None:
    """A link that always claims more does not make an endless loop."""
    collection, transport = shoes(page("1", more=True), page(more=True))
    assert [record["_id"] async for record in collection.iter_records()] == ["1"]
    assert len(transport.requests) == 2


async def test_iteration_may_stop_early() -> None:
    """No page is fetched that nobody asked for."""
    collection, transport = shoes(page("1", "2", more=True))
    iterator = collection.iter_records(page_size=2)
    assert (await anext(iterator))["_id"] == "1"
    assert (await anext(iterator))["_id"] == "2"
    assert len(transport.requests) == 1


@pytest.mark.parametrize("page_size", [0, -1, "5", 2.5, None])
async def test_a_page_has_a_record_at_least(page_size: Any) -> None:
    """Pages without records would never end."""
    collection, _ = shoes()
    with pytest.raises(
        ConfigError, match=f"^page_size must be a whole number of at least 1, not {page_size!r}$"
    ):
        await anext(collection.iter_records(page_size=page_size))


async def test_iteration_raises_what_a_page_raises() -> None:
    """Records of earlier pages are not lost with a later failure."""
    collection, _ = shoes(page("1", more=True), refusal(400))
    iterator = collection.iter_records()
    assert await anext(iterator) == {"_id": "1"}
    with pytest.raises(BadRequestError):
        await anext(iterator)
