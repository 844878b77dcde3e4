"""A page as a browser reads it, without one."""

from __future__ import annotations

from html.parser import HTMLParser

from attrs import define, field

VOID = {"meta", "img", "br", "hr", "link", "input"}


@define
class Page(HTMLParser):
    """A page as a browser reads it: its tags, its words, and whether they nest."""

    tags: list[tuple[str, dict[str, str | None]]] = field(factory=list)
    words: list[str] = field(factory=list)
    open: list[str] = field(factory=list)

    def __attrs_pre_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page
