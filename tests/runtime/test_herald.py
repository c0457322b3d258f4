"""The host of the repository hears how the commit in force fares."""

import threading
from dataclasses import replace
from typing import Any

from clusters import until
from harness import Harness, fleet_document, group, job_document
from herdsman.model.sources import Snapshot, SourceState
from herdsman.model.writes import CommitState
from herdsman.runtime import herald
from herdsman.runtime.herald import Herald

URL = "https://git.example.org/fleet.git"


class Host:
    """`ports.CommitStatuses` that remembers."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, CommitState, str]] = []

    def report(self, repo_url: str, commit: str, *, state: CommitState, **more: Any) -> None:
        self.told.append((repo_url, commit, state, more["context"]))


def world() -> tuple[Harness, Host, Herald]:
    """A fleet of one job at commit `c1`."""
    harness = Harness({"fleet.yaml": fleet_document(), "web.yaml": job_document("web", TaskGroups=[group()])})
    harness.commit = "c1"
    harness.load()
    host = Host()
    return harness, host, Herald(host, url=URL, context="herdsman/prod")


def test_a_commit_is_followed_to_its_end(monkeypatch: Any) -> None:
    """Pending first, success when all is live; told by the thread whenever something moved."""
    monkeypatch.setattr(herald, "PAUSE", 0.01)
    harness, host, teller = world()
    source, stopping = SourceState(Snapshot("r", {}, commit="c1")), threading.Event()
    run = threading.Thread(
        target=teller.run, args=(lambda: harness.view.desired, lambda: source, harness.store, stopping)
    )
    run.start()
    try:
        teller.moved()
        until(lambda: host.told == [(URL, "c1", CommitState.PENDING, "herdsman/prod")])
        harness.sync()
        teller.moved()
        until(lambda: host.told[-1] == (URL, "c1", CommitState.SUCCESS, "herdsman/prod"))
        assert len(host.told) == 2
    finally:
        stopping.set()
        run.join(5)
    assert not run.is_alive()


def test_what_is_no_commit_is_not_told() -> None:
    """A plain directory, a dirty work tree, a snapshot that is not understood yet."""
    harness, host, teller = world()
    clean = Snapshot("r", {}, commit="c1")

    for seen in (None, Snapshot("r", {}), replace(clean, dirty=True), replace(clean, commit="c2")):
        assert teller.tell(harness.view.desired, SourceState(seen), harness.store) is None
    assert host.told == []
    assert teller.tell(harness.view.desired, SourceState(clean), harness.store) is not None
