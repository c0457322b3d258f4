"""A page as a browser understands it: elements with attributes and text, from the standard library's parser."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

from httpx2 import Client, Response

from herdsman.dashboard.views import spec_path
from herdsman.model.keys import Key

BASE = "http://127.0.0.1"

_VOID = frozenset({"meta", "link", "img", "input", "br", "hr"})


@dataclass
class Element:
    """One element, in the order of the page."""

    tag: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All text inside, with its spaces as one."""
        return " ".join("".join(self.pieces).split())

    def all(self, tag: str = "", **attributes: str) -> Iterator["Element"]:
        """Every element inside with that tag and those attributes (`_` for `-`), outer ones first."""
        for child in self.children:
            wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
            if (not tag or child.tag == tag) and wanted.items() <= child.attributes.items():
                yield child
            yield from child.all(tag, **attributes)

    def one(self, tag: str = "", **attributes: str) -> "Element":
        """The only such element."""
        (found,) = self.all(tag, **attributes)
        return found


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Element("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> says an attribute twice"
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        closed = self.open.pop()
        assert closed.tag == tag, f"</{tag}> closes <{closed.tag}>"

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element.pieces.append(data)


def read(html: str) -> Element:
    """The page's root; every element must be closed where it was opened."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    assert len(builder.open) == 1, f"<{builder.open[-1].tag}> is never closed"
    return builder.open[0]


def page_of(answer: Response) -> Element:
    """The page that *answer* holds."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    return read(answer.text)


def address_of(key: Key, query: str = "") -> str:
    """Where the page of *key* is."""
    return f"/specs/{spec_path(key)}{query}"


def rows(page: Element, part: str) -> list[list[str]]:
    """The cells of the body of the table in *part*."""
    (body,) = page.one(id=part).all("tbody")
    return [[cell.text for cell in row.children] for row in body.children]


def press(web: Client, key: Key, button: str) -> Response:
    """Press a button of a page, as a browser without scripts does."""
    page = page_of(web.get(address_of(key)))
    form = page.one(id="head").one("form")
    (pressed,) = [b for b in form.all("button") if b.text == button]
    assert form.attributes["method"] == "post"
    return web.post(
        pressed.attributes.get("formaction", form.attributes["action"]),
        headers={"Origin": str(web.base_url).rstrip("/")},
    )
