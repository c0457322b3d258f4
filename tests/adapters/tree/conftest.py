"""What the tests of the directory source share."""

import pytest

from adapters.tree.worlds import Meddler


@pytest.fixture
def meddler(monkeypatch: pytest.MonkeyPatch) -> Meddler:
    """Somebody who changes the tree while it is read, or takes rights away."""
    return Meddler(monkeypatch)
