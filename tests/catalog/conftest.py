"""What the tests of catalogs share."""

from collections.abc import Iterator
from functools import lru_cache

import pytest

from herdsman.jobspec import parsing
from nomads import nomad_address  # noqa: F401 - a fixture


@pytest.fixture(scope="session", autouse=True)
def _each_jobspec_is_read_once() -> Iterator[None]:
    """A jobspec that makes thousands of jobs keeps its tree, which never changes: the tests are three times as fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "_read", lru_cache(maxsize=32)(parsing._read))
        yield
