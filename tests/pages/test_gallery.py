"""The gallery: one text that is a whole page, loads nothing, and believes no value."""

from __future__ import annotations

import base64
import io
import re

import pytest
from pages.reading import read
from PIL import Image

from ximilar_async.pages import (
    Fact,
    Pair,
    Section,
    Table,
    Tile,
    render_page,
    thumbnail,
)


def encoded(format: str = "PNG", size: tuple[int, int] = (40, 30)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, "teal").save(stream, format)
    return stream.getvalue()


def full_page(words: str = "Boot", address: str = "https://example.com/a.jpg") -> str:
    """Return a page that uses everything, with some words in every place that takes words."""
    tile = Tile(encoded(), words, (words, words), 1.25, mark=words)
    return render_page(
        words,
        subtitle=words,
        facts=[Fact(words, words), Fact(words, 1234567, "good")],
        query=tile,
        parts=[
            Section(words, words, (tile, Pair(tile, Tile(None, words, address=words), 2.5))),
            Section(words, tiles=(Tile(None, words, address=address),)),
            Section(words, empty=words),
            Table(words, (words, "n"), ((words, 1), (words, 20_000)), words),
            Table(words, (words,), (), empty=words),
        ],
        footer=words,
    )


def test_the_page_is_whole_and_well_formed() -> None:
    """Every tag is closed where it should be, and language, character set and title are there."""
    html = full_page()
    page = read(html)
    assert html.startswith("<!doctype html>")
    assert page.all("html") == [{"lang": "en"}]
    assert page.all("meta")[0] == {"charset": "utf-8"}
    assert [len(page.all(tag)) for tag in ("title", "h1", "main", "header", "footer")] == [1] * 5


def test_the_page_loads_and_runs_nothing() -> None:
    """All images are in the page; it has no script, no sheet, frame or form from anywhere."""
    page = read(full_page())
    tags = {tag for tag, _ in page.tags}
    assert not tags & {
        "script",
        "link",
        "iframe",
        "object",
        "embed",
        "form",
        "base",
        "svg",
        "video",
    }
    sources = [attributes["src"] or "" for attributes in page.all("img")]
    assert sources
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    (style,) = re.findall(r"<style>(.*?)</style>", full_page(), re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style


def test_the_policy_forbids_all_but_images_and_style() -> None:
    """Even if a value slipped through, the browser would neither load nor run it."""
    (policy,) = [
        attributes["content"] or ""
        for attributes in read(full_page()).all("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


@pytest.mark.parametrize(
    "words",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        "</style></title><b>",
        "&lt;b&gt; & &amp;",
        "]]> <!-- -->",
    ],
)
def test_values_are_words_and_nothing_else(words: str) -> None:
    """Whatever a record holds is shown as it stands, in every place that takes words."""
    plain, hostile = (read(full_page(each, address=each)) for each in ("word", words))
    assert hostile.text.count(words) == plain.text.count("word") > 20
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in plain.tags]
    assert {attributes.get("alt") for attributes in hostile.all("img")} == {words}


@pytest.mark.parametrize("words", ["a\0b", "a\ud800b", "a\x1bb", "a\u202eb"])
def test_the_page_can_always_be_written(words: str) -> None:
    """What UTF-8 or HTML cannot hold, and what turns a text around, becomes a question mark."""
    html = full_page(words)
    assert html.encode("utf-8")
    assert "a?b" in read(html).text


@pytest.mark.parametrize("words", ["fa\u200crsi.jsonl", "\U0001f469\u200d\U0001f33e", "a\u00adb"])
def test_words_of_all_scripts_stay_as_they_are(words: str) -> None:
    """What joins letters and parts them belongs to them: a command with it can be pasted."""
    assert words in read(full_page(words)).text


def test_distances_are_shown() -> None:
    """A tile's and a pair's distance stand at the image, rounded, and whole on pointing at it."""
    page = read(full_page())
    assert {"1.2", "2.5"} <= set(page.words)
    assert {"distance 1.25", "distance 2.5"} <= {div.get("title") for div in page.all("div")}


@pytest.mark.parametrize(
    ("format", "kind"),
    [("PNG", "png"), ("JPEG", "jpeg"), ("WEBP", "webp"), ("GIF", "gif"), ("BMP", "bmp")],
)
def test_images_are_told_by_content(format: str, kind: str) -> None:
    """Each image has its own media type, and its bytes come out as they went in."""
    data = encoded(format)
    (image,) = read(render_page("t", query=Tile(data, "Boot"))).all("img")
    head, _, text = (image["src"] or "").partition(",")
    assert head == f"data:image/{kind};base64"
    assert base64.b64decode(text) == data
    assert image["alt"] == "Boot"


@pytest.mark.parametrize("image", [None, b"", b"no image", encoded("TIFF")])
def test_what_cannot_be_shown_has_a_placeholder(image: bytes | None) -> None:
    """A record without a picture is there all the same, with what is known of it."""
    page = read(render_page("t", parts=[Section("s", "", (Tile(image, "Boot", ("b-1",)),))]))
    assert page.all("img") == []
    assert "no preview Boot b-1" in page.text


def test_an_address_is_shown_in_place_of_its_image() -> None:
    """A record with only a `_url` shows it, to be followed by hand, and nothing is fetched."""
    page = read(render_page("t", query=Tile(None, "Boot", address="https://example.com/a?b=1&c=2")))
    (link,) = page.all("a")
    assert link["href"] == "https://example.com/a?b=1&c=2"
    assert "noreferrer" in (link["rel"] or "")
    assert "image by address https://example.com/a?b=1&c=2" in page.text


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "photos/a.jpg"])
def test_only_web_addresses_are_links(address: str) -> None:
    """Anything else that stands for an address is words."""
    page = read(render_page("t", query=Tile(None, "Boot", address=address)))
    assert page.all("a") == []
    assert address in page.text


def test_the_query_stands_beside_the_first_section() -> None:
    """What was searched with is seen with what was found, and also where nothing was."""
    html = render_page("t", query=Tile(encoded(), "Query boot"), parts=[Section("Found")])
    assert html.index("Query boot") < html.index("<h2>Found</h2>")
    assert "Query boot" in read(render_page("t", query=Tile(None, "Query boot"))).text


def test_empty_parts_say_so() -> None:
    """A section without images and a table without rows have a sentence in their place."""
    page = read(
        render_page(
            "t",
            parts=[
                Section("Nearest", empty="no image is alike"),
                Table("Refused", ("id",), (), empty="none was refused"),
            ],
        )
    )
    assert "Nearest no image is alike" in page.text
    assert "Refused none was refused" in page.text
    assert page.all("table") == []


def test_numbers_stand_to_the_right() -> None:
    """A column of numbers is aligned as such, with its heading; words are not."""
    table = Table("Counts", ("outcome", "records", "share"), (("inserted", 12345, 0.5),))
    page = read(render_page("t", parts=[table]))
    assert [cell.get("class") for cell in page.all("td")] == [None, "number", "number"]
    assert [cell.get("class") for cell in page.all("th")] == [None, "number", "number"]
    assert "inserted 12,345 0.50" in page.text


def test_the_same_values_make_the_same_page() -> None:
    """Nothing of the time or the machine is in it."""
    assert full_page() == full_page()


def test_thumbnails_are_small() -> None:
    """A large image becomes one of the asked side, which every browser shows."""
    for format in ("JPEG", "PNG", "TIFF", "GIF"):
        data = thumbnail(encoded(format, (1200, 900)))
        assert data is not None
        with Image.open(io.BytesIO(data)) as image:
            assert (image.size, image.format) == ((256, 192), "JPEG")
    small = thumbnail(encoded(size=(1200, 900)), 64)
    assert small is not None
    with Image.open(io.BytesIO(small)) as image:
        assert image.size == (64, 48)


@pytest.mark.parametrize("data", [b"", b"text", b"\0\0\0\x10ftypavif", encoded("JPEG")[:300]])
def test_what_cannot_be_decoded_has_no_thumbnail(data: bytes) -> None:
    """A refused or damaged image is no reason for the page to fail."""
    assert thumbnail(data) is None
