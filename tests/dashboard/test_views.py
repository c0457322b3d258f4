"""Decisions about what pages show: badges, filters, pages of a list, addresses."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.fleet import status
from herdsman.dashboard.views import EventChoice, SpecChoice, State, badge, paged, spec_key, spec_path, truth_badge
from herdsman.errors import UnknownError
from herdsman.model.keys import Key, Kind, job_key, namespace_key
from herdsman.model.plans import Reason
from herdsman.model.statuses import Condition, ConditionType, Event, Severity, Status, Truth

_F, _U = Truth.FALSE, Truth.UNKNOWN


@pytest.mark.parametrize(
    ("given_status", "word"),
    [
        (Status(job_key("default", "new")), "Not looked at"),
        (status(), "Ready"),
        (status(suspended=True), "Suspended"),
        (status(ready=_F, reason=Reason.NEEDS_APPROVAL), "Held"),
        (status(ready=_F, reason=Reason.NOT_OWNED), "Held"),
        (status(ready=_F, reason=Reason.NEEDS_APPROVAL, suspended=True), "Suspended"),
        (status(ready=_U, reason=Reason.PROGRESSING), "In progress"),
        (status(ready=_U, reason=Reason.UNAVAILABLE), "Unknown"),
        (status(ready=_F, reason=Reason.ALLOCATIONS_FAILING), "Not ready"),
        (status(ready=_F, reason=Reason.KEPT, wanted=False), "Undeclared"),
        (status(ready=_F, reason=Reason.PRUNE_LIMIT, wanted=False), "Held"),
    ],
)
def test_a_status_has_one_word(given_status: Status, word: str) -> None:
    """What a person asked for comes first, then what waits for a person, then how it does."""
    assert badge(given_status).word == word


@pytest.mark.parametrize(
    ("kind", "truth", "tone"),
    [
        (ConditionType.READY, Truth.TRUE, "good"),
        (ConditionType.READY, _F, "bad"),
        (ConditionType.HEALTHY, _U, "busy"),
        (ConditionType.STALLED, Truth.TRUE, "bad"),
        (ConditionType.STALLED, _F, "calm"),
        (ConditionType.SUSPENDED, Truth.TRUE, "calm"),
        (ConditionType.SUSPENDED, _F, "calm"),
    ],
)
def test_true_is_not_always_good_news(kind: ConditionType, truth: Truth, tone: str) -> None:
    """A condition is shown by its value, and coloured by what the value means for this type."""
    shown = truth_badge(kind, Condition(truth, Reason.PENDING))

    assert (shown.word, shown.tone) == (truth.value, tone)


_STATUSES = [
    status("Web-One", namespace="prod"),
    status("two", ready=_F, reason=Reason.NEEDS_APPROVAL, message="Waits for Approval"),
    status("three", namespace="prod", suspended=True),
    status("four", ready=_F, reason=Reason.FAILED, message="exit code 1"),
]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, ["Web-One", "two", "three", "four"]),
        ({"state": "ready"}, ["Web-One", "three"]),
        ({"state": "not-ready"}, ["two", "four"]),
        ({"state": "held"}, ["two"]),
        ({"state": "suspended"}, ["three"]),
        ({"state": "nonsense"}, ["Web-One", "two", "three", "four"]),
        ({"namespace": "prod"}, ["Web-One", "three"]),
        ({"namespace": "nowhere"}, []),
        ({"q": "WEB-one"}, ["Web-One"]),
        ({"q": "prod/three"}, ["three"]),
        ({"q": "needsapproval"}, ["two"]),
        ({"q": "exit code"}, ["four"]),
        ({"q": "jobs/two.yaml"}, ["two"]),
        ({"q": "  two "}, ["two"]),
        ({"q": "e", "state": "not-ready", "namespace": "default"}, ["two", "four"]),
    ],
)
def test_specs_are_chosen_by_a_query(query: dict[str, str], names: list[str]) -> None:
    """Text, state and namespace narrow together; what makes no sense counts as not said."""
    assert [s.key.name for s in SpecChoice.of(query).pick(_STATUSES)] == names


_EVENTS = [
    Event(1, 1.0, Severity.NORMAL, "Healthy", "", job_key("default", "web")),
    Event(2, 2.0, Severity.WARNING, "Drifted", "changed by somebody else", job_key("default", "db")),
    Event(3, 3.0, Severity.WARNING, "SourceUnavailable", "the directory is gone"),
]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({}, [1, 2, 3]),
        ({"warnings": "1"}, [2, 3]),
        ({"q": "WEB"}, [1]),
        ({"q": "drifted"}, [2]),
        ({"q": "directory"}, [3]),
        ({"q": "None"}, []),
    ],
)
def test_events_are_chosen_by_a_query(query: dict[str, str], ids: list[int]) -> None:
    """Severity and text narrow together."""
    assert [e.id for e in EventChoice.of(query).pick(_EVENTS)] == ids


@pytest.mark.parametrize(
    ("asked", "number"),
    [("2", 2), ("", 1), ("0", 1), ("-1", 1), ("x", 1), ("²", 1), ("1e3", 1), ("99999999999999999999", 1)],
)
def test_a_page_number_is_a_number(asked: str, number: int) -> None:
    """Whatever else stands there is the first page."""
    assert SpecChoice.of({"page": asked}).page == number


@given(st.lists(st.integers(), max_size=30), st.integers(1, 7))
def test_pages_hold_every_item_once(items: list[int], size: int) -> None:
    """All pages together are the list, in its order, and each says where its items stand in it."""
    pages = paged(items, 1, size=size).pages
    shown = [paged(items, n + 1, size=size) for n in range(pages)]

    assert [i for page in shown for i in page.items] == items
    assert all(1 <= len(page.items) <= size for page in shown if items)
    assert all(items[page.first - 1 : page.last] == list(page.items) for page in shown)


@given(st.lists(st.integers(), max_size=30), st.integers(-3, 99))
def test_a_page_that_is_not_there_is_the_nearest(items: list[int], number: int) -> None:
    """A list that grew shorter shows its last page, never an error."""
    page = paged(items, number, size=5)

    assert page.number == min(max(1, number), page.pages)
    assert bool(page.items) is bool(items)


def test_another_page_keeps_the_filter() -> None:
    """Links between pages say again what was asked for, quoted, and leave out what was not."""
    choice = SpecChoice("a&b=c", State.HELD, "prod", page=3)

    assert choice.on(4) == "?q=a%26b%3Dc&state=held&namespace=prod&page=4"
    assert SpecChoice().on(1) == "?"
    assert EventChoice(warnings=True).on(2) == "?warnings=1&page=2"


_NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@given(st.sampled_from(Kind), _NAMES, _NAMES)
def test_an_address_names_one_key(kind: Kind, namespace: str, name: str) -> None:
    """An address has only characters that need no quoting, and leads back to the key that it was made of."""
    key = Key(kind, "" if kind is Kind.NAMESPACE else namespace.replace("/", "."), name)
    address = spec_path(key)

    assert not set(address) & set("?#\"'<>& \\")
    assert address.isascii()
    kind_part, namespace_part, name_part = address.split("/", 2)
    assert spec_key(kind_part, unquote(namespace_part), unquote(name_part)) == key


def test_a_namespace_has_none_of_its_own() -> None:
    """The address of a `Namespace` has `-` where others have a namespace."""
    assert spec_path(namespace_key("prod")) == "Namespace/-/prod"


def test_a_kind_that_is_none_is_unknown() -> None:
    """It is said in words which kinds there are."""
    with pytest.raises(UnknownError, match="Job and Namespace"):
        spec_key("Pod", "default", "web")
