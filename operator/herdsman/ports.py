"""The borders: what the shell may ask of the world. Each port is small, and its adapter is one file.

Every method may raise the errors of `herdsman.errors` and nothing else. Methods are called from several threads.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from herdsman.core.prune import PruneRound
from herdsman.model.desired import Fleet
from herdsman.model.keys import Key
from herdsman.model.memory import Memory
from herdsman.model.observed import (
    Allocation,
    Body,
    Deployment,
    Evaluation,
    Forecast,
    Hint,
    JobStub,
    Listing,
    LiveJob,
    LiveNamespace,
    Provenance,
    Registered,
    VariableItems,
)
from herdsman.model.plans import Approval
from herdsman.model.sources import Snapshot
from herdsman.model.statuses import Event, Record, Severity, Status


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> datetime:
        """The time of day, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        ...


class Source(Protocol):
    """Where specs come from: read as one whole snapshot, watched only as a hint."""

    def snapshot(self) -> Snapshot:
        """Everything at one revision. Raises `SourceError` where the source cannot be read at all."""
        ...

    def watch(self, changed: Callable[[], None], stopped: Callable[[], bool]) -> None:
        """Call *changed* after every change, until *stopped* answers true. Blocks; runs in a thread of its own."""
        ...

    def describe(self) -> str:
        """What a reader knows it by: a directory, or a URL with branch and path, without credentials."""
        ...


class HclParser(Protocol):
    """HCL2 jobspecs to Nomad's JSON form: the cluster's own parser, or our `jobspec` where there is no cluster."""

    def parse(self, hcl: str, *, variables: Mapping[str, Any], namespace: str) -> Body:
        """The job that *hcl* describes. Raises `Refused` with the parser's words, `Unavailable` where it is away."""
        ...


class NomadReader(Protocol):
    """What may be asked of a Nomad cluster."""

    def version(self) -> str:
        """The version of the agent that answers, like `2.0.5` (`GET /v1/agent/self`)."""
        ...

    def listing(self) -> Listing:
        """Every job of every namespace with its `Meta` (`GET /v1/jobs?namespace=*&meta=true`, paged)."""
        ...

    def stub(self, key: Key) -> JobStub | None:
        """One job as a list shows it, with its summary (`GET /v1/jobs?namespace=&prefix=&meta=true&per_page=1`)."""
        ...

    def job(self, key: Key) -> LiveJob | None:
        """One whole job, None where there is none (`GET /v1/job/:id`)."""
        ...

    def provenance(self, key: Key, version: int) -> Provenance | None:
        """What one of our writes left beside a job version (`GET /v1/job/:id/submission?version=`)."""
        ...

    def plan(self, key: Key, body: Body) -> Forecast:
        """The dry run of registering *body* (`POST /v1/job/:id/plan` with `Diff`)."""
        ...

    def deployments(self, key: Key) -> Sequence[Deployment]:
        """All that Nomad remembers, newest first (`GET /v1/job/:id/deployments`)."""
        ...

    def allocations(self, key: Key) -> Sequence[Allocation]:
        """Newest first (`GET /v1/job/:id/allocations`)."""
        ...

    def evaluations(self, key: Key) -> Sequence[Evaluation]:
        """Newest first (`GET /v1/job/:id/evaluations`)."""
        ...

    def namespaces(self) -> Mapping[Key, LiveNamespace]:
        """All that the token may see (`GET /v1/namespaces`)."""
        ...

    def variable(self, path: str) -> VariableItems:
        """A variable of the namespace `default` (`GET /v1/var/:path`); empty with index 0 where there is none."""
        ...


class NomadWriter(Protocol):
    """What may be done to a Nomad cluster. `apply` is the only caller."""

    def register(
        self, key: Key, body: Body, *, if_index: int, provenance: Provenance, source: tuple[str, str]
    ) -> Registered:
        """Create (*if_index* 0) or update a job by compare-and-set (`POST /v1/jobs` with `EnforceIndex`).

        *source* is the text for `Submission.Source` and its format, `hcl2` or `json`. Raises `Conflict` where the
        live `JobModifyIndex` is another.
        """
        ...

    def stop(self, live: LiveJob) -> Registered:
        """Stop by compare-and-set: registers the live body with `Stop`, at the index that was read."""
        ...

    def purge(self, key: Key) -> None:
        """Remove a stopped job and its history (`DELETE /v1/job/:id?purge=true`); done already is done."""
        ...

    def put_namespace(self, body: Mapping[str, Any]) -> None:
        """Create or replace a namespace (`PUT /v1/namespace/:name`)."""
        ...

    def delete_namespace(self, key: Key) -> None:
        """Remove an empty namespace (`DELETE /v1/namespace/:name`); done already is done."""
        ...

    def put_variable(self, path: str, items: Mapping[str, str], *, if_index: int) -> VariableItems:
        """Write a variable of the namespace `default` by compare-and-set (`PUT /v1/var/:path?cas=`)."""
        ...


class Nomad(NomadReader, NomadWriter, Protocol):
    """One Nomad cluster, whole."""


class EventStream(Protocol):
    """Nomad's event stream as hints: lossy by design, so every reconnect says *relist* (design §1.9)."""

    def follow(self) -> Iterator[Hint]:
        """Yield hints until `close` is called; reconnects by itself, with back-off, and never raises."""
        ...

    def close(self) -> None:
        """End `follow` at once, from any thread."""
        ...


class Metrics(Protocol):
    """Counters and durations of what happens; what *is* is read from the service at each scrape. Times in seconds."""

    def reconciled(self, result: str, seconds: float) -> None:
        """One look is over: `success`, `held`, `requeue` or `error`."""
        ...

    def failed(self, kind: str) -> None:
        """One look ended in an error of that class."""
        ...

    def drifted(self) -> None:
        """Somebody else's change was found."""
        ...

    def acted(self, action: str, result: str) -> None:
        """Nomad was written to: `success`, or `error` where it did not come off."""
        ...

    def waited(self, seconds: float) -> None:
        """How long a key was due before a worker took it."""
        ...

    def worked(self, seconds: float) -> None:
        """How long a worker had a key, with all that follows a look."""
        ...

    def source_read(self, result: str, seconds: float) -> None:
        """The source was read: `success` or `error`."""
        ...

    def resynced(self, at: float) -> None:
        """Nomad was listed whole, at that time of day."""
        ...


class StatusStore(Protocol):
    """What outlives the process: evidence, statuses, history, and what people asked for. Safe from any thread.

    Raises `StoreError`. Losing the file costs a few reads a job: everything in it can be learnt from Nomad again, but
    for history, adoptions without a stamp, and what people suspended or approved.
    """

    def memory(self, key: Key) -> Memory:
        """The evidence kept for *key*; an empty one where there is none."""
        ...

    def memories(self) -> Mapping[Key, Memory]:
        """All evidence."""
        ...

    def canonical(self, key: Key) -> Body | None:
        """The job as Nomad answered it after our last write."""
        ...

    def remember(self, key: Key, memory: Memory, canonical: Body | None = None) -> None:
        """Keep *memory*, and *canonical* where one is given."""
        ...

    def forget(self, key: Key) -> None:
        """Drop evidence and status of a key that is gone."""
        ...

    def status(self, key: Key) -> Status | None:
        """The last status of *key*."""
        ...

    def statuses(self) -> Mapping[Key, Status]:
        """All statuses."""
        ...

    def put_status(self, status: Status) -> None:
        """Keep *status*; at rest, where nothing changed, nothing is written to disk."""
        ...

    def append(self, record: Record) -> None:
        """Add to a key's history."""
        ...

    def history(self, key: Key, *, limit: int = 50) -> Sequence[Record]:
        """Newest first."""
        ...

    def suspend(self, key: Key | None, *, suspended: bool) -> None:
        """Suspend or resume a key, or with None the whole fleet."""
        ...

    def is_suspended(self, key: Key | None) -> bool:
        """Whether a person suspended *key*, or the whole fleet, which alone is meant by None."""
        ...

    def approve(self, key: Key, approval: Approval | None) -> None:
        """Keep a person's approval of one held change, or drop it."""
        ...

    def approval(self, key: Key) -> Approval | None:
        """The approval that waits to be used."""
        ...

    def prune_round(self) -> PruneRound:
        """What was decided about removals so far."""
        ...

    def put_prune_round(self, decided: PruneRound) -> None:
        """Keep what was decided about removals."""
        ...

    def fleet(self) -> Fleet | None:
        """The last `Fleet` that was understood."""
        ...

    def put_fleet(self, fleet: Fleet) -> None:
        """Keep a `Fleet` for the day on which its document cannot be read."""
        ...

    def add_event(
        self, *, at: float, severity: Severity, reason: str, message: str, key: Key | None, revision: str
    ) -> Event:
        """Add an event; the oldest beyond a few thousand are dropped."""
        ...

    def events(self, *, after: int = 0, key: Key | None = None, limit: int = 200) -> Sequence[Event]:
        """Events with an id above *after*, oldest first; with *after* 0 the newest *limit*."""
        ...
