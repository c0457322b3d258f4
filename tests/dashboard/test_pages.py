"""What the pages show of a whole operator, and what they ask of Nomad for it."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from dashboard.fleet import HELD, Fleet
from dashboard.reading import BASE, address_of, page_of, rows
from herdsman.errors import StoreError, Unavailable
from herdsman.model.keys import namespace_key
from herdsman.model.observed import Allocation
from herdsman.model.plans import Reason
from herdsman.model.sources import Snapshot, SourceState
from herdsman.model.statuses import Condition, ConditionType, Severity, Status, Truth
from herdsman.usecases import Operator


def test_the_fleet_at_a_glance(web: TestClient) -> None:
    """Counts, every spec by key, what was not understood, and the newest events are on one page."""
    page = page_of(web.get("/"))

    assert page.one("h1").text == "Fleet f"
    tiles = [link.text for link in page.all("a") if link.attributes.get("class", "").startswith("tile")]
    assert tiles == ["3 specs", "2 ready", "1 not ready", "1 held", "0 suspended", "1 not understood"]
    assert rows(page, "spec-list") == [
        ["✓Ready", "Job", "default", "a/b?c#d%e", "Healthy", "", "0", "deep.yaml:1:1", "2026-01-01 12:00:00 UTC"],
        [
            "!Held", "Job", "default", "held", "NeedsApproval",
            "replaces allocations (g: 1 replaced); waits for approval", "0", "held.yaml:1:1", "2026-01-01 12:00:00 UTC",
        ],
        ["✓Ready", "Job", "default", "web", "Healthy", "", "0", "web.yaml:1:1", "2026-01-01 12:00:00 UTC"],
    ]  # fmt: skip
    ((where, _field, what, hint),) = rows(page, "not-understood")
    assert where.startswith("broken.yaml:1:")
    assert what
    assert hint
    assert rows(page, "event-list")[0][2:4] == ["NeedsApproval", "Job default/held"]


def test_an_empty_fleet_says_what_to_do() -> None:
    """Somebody who just began is told how specs get here."""
    with TestClient(Fleet().app(), base_url=BASE) as web:
        page = page_of(web.get("/"))

    assert "Put a YAML document into the source" in page.one(id="spec-list").text
    assert page.one(id="event-list").text == "Nothing happened yet."


def test_a_commit_is_told_with_its_author(web: TestClient, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose it is, what it says, and since when nothing newer could be read."""
    seen = Snapshot("r", {}, commit="c" * 40, branch="main", author="Ann <script>", message="more webs", verified=True)
    state = SourceState(seen, files=3, read=1.0, failing_since=1_767_268_800.0, error="connection refused")
    monkeypatch.setattr(Fleet, "source_state", state)
    facts = page_of(web.get("/")).one(class_="facts").text

    assert "on main by Ann <script>: more webs; its signature is good" in facts
    assert "not read since 2026-01-01 12:00:00 UTC" in facts


def test_trouble_is_said_at_the_top(web: TestClient, fleet: Fleet) -> None:
    """What keeps the operator from being ready stands there by part."""
    fleet.troubles = {"nomad": "connection refused", "source": "the directory is gone"}
    glance = page_of(web.get("/")).one(id="glance")

    assert [item.text for item in glance.one(class_="note bad").all("li")] == [
        "nomad: connection refused",
        "source: the directory is gone",
    ]
    assert "Running" not in glance.text


def test_many_rejections_leave_room_for_the_fleet(web: TestClient, fleet: Fleet) -> None:
    """Fifty are shown, and how many more there are."""
    fleet.files |= {f"broken-{n}.yaml": "kind: }\n" for n in range(60)}
    fleet.sync()
    part = page_of(web.get("/")).one(id="not-understood")

    assert len(part.one("tbody").children) == 50
    assert "And 11 more" in part.text


def test_one_spec_whole(web: TestClient, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Conditions, allocations, deployments, history and events of one spec are on its page."""
    running = Allocation("0123456789abcdef", "held.g[0]", "g", "node-a", 0, "run", "running", "Task started by client")
    monkeypatch.setattr(fleet.nomad, "allocations", lambda key: [running])
    page = page_of(web.get(address_of(HELD)))

    assert page.one("h1").text == "held !Held"
    conditions = {row[0]: row[1:4] for row in rows(page, "status")}
    assert conditions["Ready"] == [
        "✕False", "NeedsApproval", "replaces allocations (g: 1 replaced); waits for approval"
    ]  # fmt: skip
    assert conditions["Healthy"][:2] == ["✓True", "Healthy"]
    assert "Meta[a]: (none) → b" in page.one(id="status").text
    assert rows(page, "allocation-list") == [
        ["01234567 held.g[0]", "✓running", "run", "g", "node-a", "0", "Task started by client"]
    ]
    assert rows(page, "deployment-list")[0][1:3] == ["✓successful", "0"]
    assert rows(page, "history-list")[0][1:3] == ["create", "Missing"]
    assert [row[2] for row in rows(page, "event-list")] == ["NeedsApproval", "Healthy", "Missing"]


def test_a_namespace_has_a_page_too(web: TestClient, fleet: Fleet) -> None:
    """It has no allocations, and Nomad is asked nothing for it."""
    key = namespace_key("prod")
    healthy = {ConditionType.READY: Condition(Truth.TRUE, Reason.HEALTHY)}
    fleet.put(Status(key, conditions=healthy))
    asked = len(fleet.nomad.calls)
    page = page_of(web.get(address_of(key)))

    assert page.one("h1").text == "prod ✓Ready"
    assert not list(page.all(id="allocations"))
    assert len(fleet.nomad.calls) == asked


def test_nomad_is_asked_only_for_what_is_shown(web: TestClient, fleet: Fleet) -> None:
    """The list asks nothing; a spec's page asks once for each of its tables, and for a plan only on demand."""
    asked: Callable[[str], list[str]] = lambda path: _calls_during(fleet, lambda: web.get(path))  # noqa: E731

    assert asked("/") == []
    assert asked("/events") == []
    assert asked(address_of(HELD)) == ["deployments", "allocations"]
    with_plan = asked(address_of(HELD, "?plan=show"))
    assert with_plan.count("plan") == 1
    assert len(with_plan) == len(set(with_plan))


def _calls_during(fleet: Fleet, act: Callable[[], object]) -> list[str]:
    before = len(fleet.nomad.calls)
    act()
    return [name for name, _ in fleet.nomad.calls[before:]]


def test_the_plan_is_shown_on_demand(web: TestClient, fleet: Fleet) -> None:
    """It names action, reason, what becomes of allocations, and every field before and after; it writes nothing."""
    wrote = len(fleet.nomad.writes)
    link = page_of(web.get(address_of(HELD))).one(id="plan-shown").one("a")
    shown = page_of(web.get(link.attributes["href"])).one(id="plan-shown")

    assert "hold, NeedsApproval: replaces allocations" in shown.text
    assert "Allocations: g: 1 replaced" in shown.text
    assert [[cell.text for cell in row.children] for row in shown.one("tbody").children] == [["Meta[a]", "none", "b"]]
    assert len(fleet.nomad.writes) == wrote


def test_a_nomad_that_is_away_is_told_in_its_section(web: TestClient, fleet: Fleet) -> None:
    """All that Herdsman knows by itself is still shown."""
    fleet.nomad.fault = lambda name, key: Unavailable("connection refused", hint="is Nomad running?")
    answer = web.get(address_of(HELD, "?plan=show"))
    page = page_of(answer)

    assert answer.status_code == 200
    assert "connection refused (is Nomad running?)" in page.one(id="allocation-list").text
    assert page.one(id="deployment-list").text == "Unknown, as above."
    assert "Unavailable" in page.one(id="plan-shown").text
    assert rows(page, "history-list")


def test_the_event_log_is_newest_first(web: TestClient, fleet: Fleet) -> None:
    """Events of specs lead to their pages, events of the fleet are named so."""
    fleet.happened("SourceUnavailable", "the directory is gone", severity=Severity.WARNING)
    page = page_of(web.get("/events"))
    first, second, *_ = rows(page, "event-list")

    assert first[1:5] == ["!Warning", "SourceUnavailable", "the fleet", "the directory is gone"]
    assert second[3] == "Job default/held"
    assert address_of(HELD) in {link.attributes["href"] for link in page.one(id="event-list").all("a")}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/specs/Job/default/nobody"),
        ("GET", "/specs/Pod/default/web"),
        ("GET", "/specs/Namespace/default/web"),
        ("POST", "/actions/resync/Job/default/nobody"),
        ("POST", "/actions/suspend/Job/default/nobody"),
        ("POST", "/actions/approve/Job/default/nobody"),
        ("POST", "/actions/explode/Job/default/web"),
    ],
)
def test_what_is_not_there_is_said_on_a_page(web: TestClient, method: str, path: str) -> None:
    """Not found is a page with words and a way back, never JSON and never a traceback."""
    answer = web.request(method, path)
    page = page_of(answer)

    assert answer.status_code == 404
    assert page.one("h1").text == "Not found"
    assert "there is no" in page.one("main").text or "no spec is known" in page.one("main").text
    assert "/" in {link.attributes["href"] for link in page.one("main").all("a")}


def test_an_error_of_the_operator_is_said_on_a_page(web: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """What happened and what to do, in words."""

    def fail(*_: Any, **__: Any) -> Any:
        raise StoreError("the state file cannot be written", hint="is the disk full?")

    monkeypatch.setattr(Operator, "events", fail)
    answer = web.get("/events")

    assert answer.status_code == 500
    assert "the state file cannot be written is the disk full?" in page_of(answer).one("main").text
    assert "Traceback" not in answer.text
