"""The dashboard's own files: addresses by content, colours that can be read."""

import re
from importlib.resources import files
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from herdsman.dashboard.assets import Assets

CSS = (files("herdsman.dashboard") / "static" / "dashboard.css").read_text()


def test_another_content_has_another_address(tmp_path: Path) -> None:
    """The same content keeps its address; a browser's copy of the old one is never taken for the new one."""
    (tmp_path / "a.css").write_text("p {}")
    (tmp_path / "notes.txt").write_text("not served")
    first, again = Assets(tmp_path).address("a.css"), Assets(tmp_path).address("a.css")
    (tmp_path / "a.css").write_text("q {}")

    assert first == again
    assert Assets(tmp_path).address("a.css") != first
    with pytest.raises(KeyError):
        Assets(tmp_path).address("notes.txt")


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("dashboard.css", "text/css; charset=utf-8"),
        ("dashboard.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_files_are_kept_for_ever(name: str, media_type: str) -> None:
    """Each file has its type, and may be cached without asking again."""
    assets = Assets()
    client = TestClient(Starlette(routes=[Route("/static/{file}", assets.serve)]))

    answer = client.get(assets.address(name))

    assert answer.content == (files("herdsman.dashboard") / "static" / name).read_bytes()
    assert answer.headers["content-type"] == media_type
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "path", ["/static/dashboard.css", "/static/dashboard.000000000000.css", "/static/..%2fpages.py"]
)
def test_no_other_file_is_served(path: str) -> None:
    """A name without the digest of what is there now is not found, and not cached."""
    answer = TestClient(Starlette(routes=[Route("/static/{file}", Assets().serve)])).get(path)

    assert answer.status_code == 404
    assert "immutable" not in answer.headers.get("cache-control", "")


def _colours(text: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", text))


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


_LIGHT, _DARK = (_colours(part) for part in CSS.split("prefers-color-scheme: dark", 1))
_PAIRS = [
    *((ink, paper) for ink in ("ink", "faint", "accent") for paper in ("paper", "sheet", "hover")),
    ("accent-ink", "accent"),
    ("ink", "flash"),
    *((tone, f"{tone}-bg") for tone in ("good", "bad", "held", "calm", "busy")),
    *((tone, "sheet") for tone in ("good", "bad", "held", "calm")),
    *(("ink", f"{tone}-bg") for tone in ("good", "bad", "held", "calm")),
    *(("accent", f"{tone}-bg") for tone in ("held", "calm")),
]


@pytest.mark.parametrize(("ink", "paper"), _PAIRS)
@pytest.mark.parametrize("scheme", [_LIGHT, _DARK], ids=["light", "dark"])
def test_text_can_be_read(scheme: dict[str, str], ink: str, paper: str) -> None:
    """Text stands out from what is behind it as WCAG 2.2 asks for (1.4.3, level AA)."""
    assert _contrast(scheme[ink], scheme[paper]) >= 4.5


def test_dark_has_every_colour_of_light() -> None:
    """No colour of the light scheme shines through in the dark."""
    assert _LIGHT.keys() == _DARK.keys()


def test_every_colour_is_named_once() -> None:
    """Rules use the named colours, so that both schemes hold everywhere."""
    rules = re.sub(r":root \{[^}]*\}", "", CSS)

    assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?![^{]*\{)", rules)


def test_nothing_is_fetched_from_elsewhere() -> None:
    """The dashboard works without a network: no file names another server."""
    for file in (files("herdsman.dashboard") / "static").iterdir():
        text = file.read_text().replace('xmlns="http://www.w3.org/2000/svg"', "")
        assert not re.search(r"(?:https?:)?//[a-z]", text.replace("// ", ""), re.IGNORECASE), file.name
        assert "@import" not in text
