"""What the buttons do, and what they refuse."""

import pytest
from fastapi.testclient import TestClient

from dashboard.fleet import DEEP, HELD, WEB, Fleet, status
from dashboard.reading import BASE, address_of, page_of, press, rows
from harness import job_document
from herdsman.dashboard.views import spec_path
from herdsman.model.keys import Key, job_key
from herdsman.model.plans import Reason
from herdsman.model.statuses import Truth


def _buttons(web: TestClient, key: Key) -> list[str]:
    return [b.text for b in page_of(web.get(address_of(key))).one(id="head").all("button")]


@pytest.mark.parametrize("key", [WEB, DEEP], ids=str)
def test_looking_again_asks_for_that_spec(web: TestClient, fleet: Fleet, key: Key) -> None:
    """The button leads back to the page, which says what happens."""
    answer = press(web, key, "Look again")

    assert (answer.status_code, answer.headers["location"]) == (303, address_of(key, "?done=resync"))
    assert fleet.resynced == [([key], False)]
    assert "Herdsman looks again." in page_of(web.get(answer.headers["location"])).one("main").text


def test_the_whole_fleet_is_looked_at_again(web: TestClient, fleet: Fleet) -> None:
    """The list has a button for source and Nomad."""
    form = page_of(web.get("/")).one("form", method="post")
    answer = web.post(form.attributes["action"], headers={"Origin": BASE})

    assert (answer.status_code, answer.headers["location"]) == (303, "/?done=resync")
    assert fleet.resynced == [(None, True)]


@pytest.mark.parametrize("key", [WEB, DEEP], ids=str)
def test_a_spec_is_suspended_and_resumed(web: TestClient, fleet: Fleet, key: Key) -> None:
    """One button turns into the other."""
    assert _buttons(web, key) == ["Look again", "Suspend"]
    assert press(web, key, "Suspend").status_code == 303
    assert fleet.store.is_suspended(key)
    assert [row[0] for row in rows(page_of(web.get("/?state=suspended")), "spec-list")] == ["‖Suspended"]

    assert _buttons(web, key) == ["Look again", "Resume"]
    assert press(web, key, "Resume").status_code == 303
    assert not fleet.store.is_suspended(key)


def test_resuming_one_spec_of_a_suspended_fleet_tells_why_it_stays(web: TestClient, fleet: Fleet) -> None:
    """The page does not claim what did not happen."""
    fleet.operator.suspend(None, suspended=True)
    answer = press(web, WEB, "Resume")

    assert "herdsman resume --all" in page_of(web.get(answer.headers["location"])).one("main").text


def test_a_spec_that_suspends_itself_says_so(web: TestClient, fleet: Fleet) -> None:
    """What the spec asks for is not ended by a button, and the page does not offer it."""
    fleet.files["web.yaml"] = job_document("web", policy={"suspend": True})
    fleet.sync()

    assert "policy.suspend" in page_of(web.get(address_of(WEB))).one(id="head").text
    assert "Resume" not in _buttons(web, WEB)


def test_a_held_change_is_approved(web: TestClient, fleet: Fleet) -> None:
    """Only a page with a change that an approval lets through has the button; pressed, it is let through."""
    assert "Approve" not in _buttons(web, WEB)
    answer = press(web, HELD, "Approve")

    assert (answer.status_code, answer.headers["location"]) == (303, address_of(HELD, "?done=approve"))
    assert fleet.nomad.jobs[HELD].body["Meta"]["a"] == "b"
    assert "Approve" not in _buttons(web, HELD)


def test_a_hold_that_no_approval_ends_has_no_button(web: TestClient, fleet: Fleet) -> None:
    """A job of somebody else's is not taken over by a click."""
    fleet.put(status("theirs", ready=Truth.FALSE, reason=Reason.NOT_OWNED, message="it belongs to others"))

    assert _buttons(web, job_key("default", "theirs")) == ["Look again", "Suspend"]


def test_another_change_than_the_one_that_was_seen_is_not_approved(web: TestClient, fleet: Fleet) -> None:
    """The page's button means what the page showed: a newer change needs a newer look."""
    page = page_of(web.get(address_of(HELD)))
    fleet.files["held.yaml"] = job_document("held", policy={"destructive": "approve"}, Meta={"a": "worse"})
    fleet.sync()
    answer = web.post(page.one(id="approve").attributes["formaction"], headers={"Origin": BASE})

    assert answer.status_code == 409
    assert "another by now" in page_of(answer).one("main").text
    assert fleet.store.approval(HELD) is None
    assert "a" not in (fleet.nomad.jobs[HELD].body["Meta"] or {})


def test_an_approval_that_comes_late_is_refused_in_words(web: TestClient, fleet: Fleet) -> None:
    """Approving what is not held is not possible, and says so."""
    digest = fleet.status(WEB).digest
    answer = web.post(f"/actions/approve/{spec_path(WEB)}?digest={digest}")

    assert answer.status_code == 409
    assert "nothing is held for Job/default/web" in page_of(answer).one("main").text


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999"])
def test_the_pages_of_others_press_no_buttons(web: TestClient, fleet: Fleet, origin: str) -> None:
    """A form on another site is refused before it reaches the dashboard."""
    answer = web.post(f"/actions/suspend/{spec_path(WEB)}", headers={"Origin": origin})

    assert answer.status_code == 403
    assert not fleet.store.is_suspended(WEB)


@pytest.mark.parametrize("path", ["/actions/resync", f"/actions/suspend/{spec_path(WEB)}"])
def test_looking_at_an_address_changes_nothing(web: TestClient, fleet: Fleet, path: str) -> None:
    """Only a form acts; a link, an image or a prefetch does not."""
    assert web.get(path).status_code == 405
    assert fleet.resynced == []
    assert not fleet.store.is_suspended(WEB)
