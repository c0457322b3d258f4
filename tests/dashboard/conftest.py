"""A small fleet, and somebody who looks at it without scripts."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from dashboard.fleet import Fleet, small_fleet
from dashboard.reading import BASE


@pytest.fixture
def fleet() -> Fleet:
    """See `small_fleet`."""
    return small_fleet()


@pytest.fixture
def web(fleet: Fleet) -> Iterator[TestClient]:
    """A browser without scripts."""
    with TestClient(fleet.app(), base_url=BASE, follow_redirects=False) as client:
        yield client
