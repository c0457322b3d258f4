"""No text can break a page, whoever wrote it."""

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from httpx2 import Client

from dashboard.fleet import WEB, Fleet, status
from dashboard.reading import BASE, address_of, page_of, press
from herdsman.model.desired import Position
from herdsman.model.keys import job_key
from herdsman.model.observed import Allocation
from herdsman.model.plans import Reason
from herdsman.model.statuses import Condition, ConditionType, Status, Truth

HOSTILE = "</td><script>alert(1)</script>\"'onload=x&amp;{{7*7}}"
HOSTILE_KEY = job_key("<b>", HOSTILE)


@pytest.fixture
def hostile() -> Fleet:
    """A fleet in which everything that others may write tries to be HTML."""
    fleet = Fleet({"broken.yaml": f"kind: '{HOSTILE}'\n"})
    fleet.sync()
    condition = Condition(Truth.FALSE, Reason.NEEDS_APPROVAL, HOSTILE)
    fleet.put(
        Status(
            HOSTILE_KEY,
            conditions={ConditionType.READY: condition},
            position=Position(f"{HOSTILE}.yaml", 1),
            digest=HOSTILE,
            revision=HOSTILE,
            author=HOSTILE,
            labels={HOSTILE: HOSTILE},
            changes=(HOSTILE,),
        )
    )
    fleet.troubles = {HOSTILE: HOSTILE}
    fleet.happened(HOSTILE, HOSTILE, key=HOSTILE_KEY)
    allocation = Allocation(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 0, HOSTILE, HOSTILE, HOSTILE)
    fleet.nomad.allocations = lambda key: [allocation]  # type: ignore[method-assign]
    return fleet


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/?q=%3Cscript%3E&namespace=%22%3E",
        "/events",
        "/events?q=%22%3E%3Cscript%3E",
        address_of(HOSTILE_KEY),
        "/specs/Job/%3Cscript%3E/x",
    ],
)
def test_texts_of_others_stay_texts(hostile: Fleet, path: str) -> None:
    """Every element is one of ours: one script by address, no style, no handler, no interpolation."""
    with TestClient(hostile.app(), base_url=BASE) as web:
        answer = web.get(path)
    page = page_of(answer)

    assert "alert(1)" in page.text or "%3C" in path
    (script,) = page.all("script")
    assert re.fullmatch(r"/static/dashboard\.[0-9a-f]{12}\.js", script.attributes["src"])
    assert not script.text
    assert not list(page.all("style"))
    for element in page.all():
        assert not [name for name in element.attributes if name == "style" or name.startswith("on")]
        for name in ("href", "src", "action", "formaction"):
            assert re.match(r"[/?#]|$", element.attributes.get(name, "")), "leads elsewhere"
            assert not element.attributes.get(name, "").startswith("//")


NAMES = ["a/b?c#d%e", "%2F%3f", "a+b&c=d;e", "<script>x</script>", "\"'`", "ünï/☃", "{{name}}", "suspend/Job/default/x"]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Fleet, Client]]:
    """A fleet with hard names behind a real server: only that takes addresses apart as they will be."""
    fleet = Fleet()
    for name in NAMES:
        fleet.put(status(name))
    with fleet.at_an_address() as address, Client(base_url=address) as client:
        yield fleet, client


@pytest.mark.parametrize("name", NAMES)
def test_any_name_has_a_page_with_buttons(served: tuple[Fleet, Client], name: str) -> None:
    """The list's link leads to the page of that very spec, and its buttons act on it."""
    (fleet, web), key = served, job_key("default", name)
    (link,) = [a for a in page_of(web.get("/")).one(id="spec-list").all("a") if a.text == name]
    page = page_of(web.get(link.attributes["href"]))
    pressed = press(web, key, "Suspend")

    assert page.one("h1").text == f"{name} ✓Ready"
    assert page.one("body").attributes["data-name"] == name
    assert pressed.headers["location"] == address_of(key, "?done=suspend")
    assert fleet.store.is_suspended(key)


def test_text_that_is_no_unicode_breaks_nothing(web: TestClient, fleet: Fleet) -> None:
    """Half a surrogate pair, which JSON may hold, is shown as well as can be."""
    odd = Allocation("a1", "web.g[0]", "g", "node-a", 0, "run", "running", "caf\udce9 \x00 \x1b[31m")
    fleet.nomad.allocations = lambda key: [odd]  # type: ignore[method-assign]
    answer = web.get(address_of(WEB))

    assert answer.status_code == 200
    assert "caf?" in answer.text
