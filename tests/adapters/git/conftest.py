"""What the tests of the Git source share."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from adapters.git.worlds import World
from gitservers import Repository


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A folder with repositories, a cache, and what is served and opened there."""
    with ExitStack() as stack:
        yield World(tmp_path, stack)


@pytest.fixture
def fleet(world: World) -> Repository:
    """The repository `fleet.git` with one commit."""
    repository = world.repository()
    repository.commit({"a.yaml": "a"}, message="the first\n\nand more", at=1_700_000_000)
    return repository
