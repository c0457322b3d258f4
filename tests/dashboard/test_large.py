"""A fleet of 10,000 specs: pages, filters, and how long they take."""

import time
from urllib.parse import urljoin

import pytest
from fastapi.testclient import TestClient

from dashboard.fleet import Fleet, status
from dashboard.reading import BASE, page_of, rows
from herdsman.dashboard.assets import Assets
from herdsman.dashboard.render import Renderer
from herdsman.dashboard.views import SpecChoice, State, paged


@pytest.fixture(scope="module")
def crowd() -> Fleet:
    """A fleet of 10,000 specs."""
    fleet = Fleet()
    for n in range(10_000):
        fleet.put(status(f"job-{n:05}", namespace=f"ns-{n % 4}", message="a message of some length", version=n))
    return fleet


@pytest.mark.parametrize(
    ("query", "first", "count", "said"),
    [
        ("", "job-00000", 200, "1–200 of 10,000, page 1 of 50"),
        ("?page=2", "job-00800", 200, "201–400 of 10,000, page 2 of 50"),
        ("?page=50", "job-09203", 200, "9,801–10,000 of 10,000, page 50 of 50"),
        ("?page=999", "job-09203", 200, "9,801–10,000 of 10,000, page 50 of 50"),
        ("?page=nonsense", "job-00000", 200, "1–200 of 10,000, page 1 of 50"),
        ("?q=0999", "job-09992", 11, "1–11 of 11, page 1 of 1"),
        ("?namespace=ns-3&page=13", "job-09603", 100, "2,401–2,500 of 2,500, page 13 of 13"),
    ],
)
def test_a_large_fleet_is_shown_in_pages(crowd: Fleet, query: str, first: str, count: int, said: str) -> None:
    """Two hundred at a time, with the place in the whole."""
    with TestClient(crowd.app(), base_url=BASE) as web:
        page = page_of(web.get(f"/{query}"))
    found = rows(page, "spec-list")

    assert (found[0][3], len(found)) == (first, count)
    assert said in page.one("nav", aria_label="Pages of specs").text


def test_pages_lead_to_each_other_within_the_filter(crowd: Fleet) -> None:
    """Next and previous keep what was asked for."""
    with TestClient(crowd.app(), base_url=BASE) as web:
        links = {
            link.attributes.get("rel", ""): link.attributes["href"]
            for link in page_of(web.get("/?q=job&state=ready&namespace=ns-1&page=2")).all("a")
        }
        following = page_of(web.get(urljoin("/", links["next"])))

    assert links["prev"] == "?q=job&state=ready&namespace=ns-1"
    assert links["next"] == "?q=job&state=ready&namespace=ns-1&page=3"
    assert rows(following, "spec-list")[0][3] == "job-01601"


def test_a_filter_that_nothing_fits_says_so(crowd: Fleet) -> None:
    """And leads back to everything; the form keeps what was typed."""
    with TestClient(crowd.app(), base_url=BASE) as web:
        page = page_of(web.get("/?q=nobody&namespace=gone"))

    assert "Nothing fits this filter" in page.one(id="spec-list").text
    assert page.one("input", name="q").attributes["value"] == "nobody"
    assert "gone" in [option.text for option in page.all("option") if "selected" in option.attributes]


def test_a_page_of_a_large_fleet_is_made_quickly(crowd: Fleet) -> None:
    """Choosing and rendering 200 of 10,000 takes less than 50 ms."""
    renderer, overview, statuses = Renderer(Assets()), crowd.operator.overview(), crowd.operator.statuses()
    choice = SpecChoice(page=7)

    def make() -> float:
        began = time.perf_counter()
        specs = paged(choice.pick(statuses), choice.page)
        renderer.page(
            "fleet.html", seen=0, overview=overview, rejections=[], choice=choice, states=State, namespaces=[],
            specs=specs, events=[],
        )  # fmt: skip
        return time.perf_counter() - began

    assert min(make() for _ in range(5)) < 0.05
