"""Servers to test against: one for all, and one without anybody else's traces for those who need it."""

from collections.abc import Iterator

import pytest

from devnomad.support import Api, serving


@pytest.fixture(scope="session")
def nomad() -> Iterator[Api]:
    """A server that tests share; each uses job IDs of its own."""
    with serving() as api:
        yield api


@pytest.fixture
def fresh() -> Iterator[Api]:
    """A server for one test alone."""
    with serving() as api:
        yield api
