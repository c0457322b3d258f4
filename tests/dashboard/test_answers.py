"""What holds for every answer: headers, structure, and nothing that lies around."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from dashboard.fleet import HELD, WEB
from dashboard.reading import address_of, page_of
from herdsman.dashboard.assets import Assets
from herdsman.dashboard.views import spec_path

_ANSWERS = [
    ("GET", "/"),
    ("GET", "/events"),
    ("GET", address_of(WEB)),
    ("GET", "/specs/Job/default/nobody"),
    ("POST", f"/actions/resync/{spec_path(WEB)}"),
    ("GET", Assets().address("dashboard.js")),
    ("GET", "/static/nothing.js"),
]


@pytest.mark.parametrize(("method", "path"), _ANSWERS)
def test_every_answer_says_what_a_browser_may_do_with_it(web: TestClient, method: str, path: str) -> None:
    """No foreign code, no frames, no guessing of types, no addresses told to others."""
    headers = web.request(method, path).headers

    assert headers["content-security-policy"] == (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/", "/events", address_of(HELD, "?plan=show"), "/specs/Job/default/nobody"])
def test_pages_are_fit_for_screen_readers_and_keyboards(web: TestClient, path: str) -> None:
    """Landmarks, one heading of the first level, headed tables, labelled fields, unique ids, and a way past the top."""
    page = page_of(web.get(path))

    assert page.one("html").attributes["lang"] == "en"
    assert page.one("title").text.endswith("Herdsman")
    for landmark in ("main", "footer", "h1"):
        page.one(landmark)
    assert all(nav.attributes["aria-label"] for nav in page.all("nav"))
    assert all(th.attributes["scope"] in ("col", "row") for th in page.all("th"))
    ids = [e.attributes["id"] for e in page.all() if "id" in e.attributes]
    assert len(ids) == len(set(ids))
    assert all(e.attributes["aria-labelledby"] in ids for e in page.all("section"))
    labelled = sum(len([f for f in label.all() if f.tag in ("input", "select")]) for label in page.all("label"))
    assert labelled == len([f for f in page.all() if f.tag in ("input", "select")])
    first = next(page.one("body").all("a"))
    assert (first.text, first.attributes["href"]) == ("Skip to content", "#main")
    for mark in page.all(class_="badge good"):
        assert mark.text.strip("✓")


def test_pages_are_not_kept_and_not_part_of_the_api(web: TestClient) -> None:
    """They show what is now; programs use the API."""
    assert web.get("/").headers["cache-control"] == "no-store"
    assert not [p for p in web.get("/openapi.json").json()["paths"] if p.startswith(("/specs", "/events", "/actions"))]
    assert web.get("/v1/specs").headers["content-type"] == "application/json"


def test_every_template_file_is_used() -> None:
    """Nothing lies around."""
    folder = Path(__file__).parents[2] / "operator" / "herdsman" / "dashboard"
    text = "".join(p.read_text() for p in [*folder.glob("*.py"), *folder.glob("templates/*.html")])

    assert [p.name for p in [*folder.glob("templates/*"), *folder.glob("static/*")] if f"{p.name}" not in text] == []
