"""The borders: what the shell may ask of the world. Each port is small, and its adapter is one file.

Every method may raise the errors of `herdsman.errors` and nothing else. Methods are called from several threads.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol

from herdsman.core.prune import PruneRound
from herdsman.model.catalog import Entry
from herdsman.model.desired import Fleet
from herdsman.model.identity import Denial, Identity
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
from herdsman.model.placements import Placement
from herdsman.model.plans import Approval, Pin
from herdsman.model.sources import Snapshot
from herdsman.model.statuses import Event, Record, Severity, Status
from herdsman.model.usage import Amounts, Node, Scope, Sighting, Summary, UsageQuery, UsageRow
from herdsman.model.writes import CommitState, WriteRequest, Written


class Clock(Protocol):
    """Time, as an argument."""

    def now(self) -> datetime:
        """The time of day, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards."""
        ...


class Auth(Protocol):
    """Who asks. Neither method raises, and what it is given is kept nowhere."""

    def identify(self, token: str) -> Identity | Denial:
        """Whose *token* that is, or why it is nobody's."""
        ...

    def anonymous(self) -> Identity | None:
        """Who asks without a token; None where that is nobody."""
        ...


class Source(Protocol):
    """Where specs come from: read as one whole snapshot, watched only as a hint."""

    def snapshot(self) -> Snapshot:
        """Everything at one revision. Raises `SourceError` where the source cannot be read at all."""
        ...

    def watch(self, changed: Callable[[], None], stopped: Callable[[], bool]) -> None:
        """Call *changed* after every change, until *stopped* answers true. Blocks; runs in a thread of its own."""
        ...

    def poke(self) -> None:
        """Somebody says that there is news: the next snapshot goes and gets it, wherever it lies."""
        ...

    def describe(self) -> str:
        """What a reader knows it by: a directory, or a URL with branch and path, without credentials."""
        ...

    def close(self) -> None:
        """End what was begun for it."""
        ...


class SpecWriter(Protocol):
    """Where specs are written to: what `Source` reads, a request at a time, whole or not at all."""

    def write(self, request: WriteRequest) -> Written:
        """Carry out all edits of *request*; one that was carried out before is answered, not repeated.

        Raises `UsageError` where it makes no sense, `Conflict` where a file is not as an edit expects it, `Refused`
        and `Forbidden` with the words of who refuses, `Unavailable` where it cannot be carried out now. Then nothing
        was changed, unless the error says that this is not known.
        """
        ...

    def read(self, path: str) -> bytes | None:
        """The content of a file in the newest state that is known; None where there is none."""
        ...

    def read_at(self, path: str, revision: str) -> bytes | None:
        """The content of a file at an earlier commit; None where there is none.

        Raises `UsageError` where it has no such commit, or keeps no history at all.
        """
        ...

    def describe(self) -> str:
        """What a reader knows it by: a directory, or a URL with branch and path, without credentials."""
        ...


class CommitStatuses(Protocol):
    """Tells the host of a repository how a commit fares. Never waits, and never raises for what the host answers."""

    def report(
        self,
        repo_url: str,
        commit: str,
        *,
        state: CommitState,
        description: str,
        context: str = "herdsman",
        target_url: str = "",
    ) -> None:
        """Let the host show *state*, with one line that says why, and a link. Only the newest of a commit is told."""
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

    def versions(self, key: Key) -> Sequence[LiveJob]:
        """Every version that Nomad remembers, whole, newest first (`GET /v1/job/:id/versions`)."""
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

    def variable(self, path: str, *, namespace: str = "default") -> VariableItems:
        """A variable (`GET /v1/var/:path`); empty with index 0 where there is none."""
        ...

    def variables(self) -> Mapping[Key, int]:
        """The `ModifyIndex` of every variable that the token may list (`GET /v1/vars?namespace=*`, paged)."""
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

    def put_variable(
        self, path: str, items: Mapping[str, str], *, if_index: int, namespace: str = "default"
    ) -> VariableItems:
        """Write a variable by compare-and-set (`PUT /v1/var/:path?cas=`)."""
        ...

    def delete_variable(self, path: str, *, if_index: int, namespace: str = "default") -> None:
        """Remove a variable by compare-and-set (`DELETE /v1/var/:path?cas=`); done already is done."""
        ...


class Nomad(NomadReader, NomadWriter, Protocol):
    """One Nomad cluster, whole."""


class ClusterReader(Protocol):
    """What runs on a Nomad cluster as a whole, and where."""

    def all_allocations(self) -> Sequence[Sighting]:
        """Those of every namespace (`GET /v1/allocations?namespace=*&resources=true&task_states=true`, paged)."""
        ...

    def nodes(self) -> Sequence[Node]:
        """Every node, without its metadata (`GET /v1/nodes?resources=true`, paged)."""
        ...

    def node_meta(self, node_id: str) -> Mapping[str, str]:
        """The metadata of a node, none where there is no node (`GET /v1/node/:id`)."""
        ...


class Tasks(Protocol):
    """What is done with single tasks, and never to a spec."""

    def logs(
        self, allocation: str, task: str, *, stream: str, follow: bool, tail: int | None = None
    ) -> Iterator[bytes]:
        """What a task wrote to `stdout` or `stderr`, from its beginning or the last *tail* bytes; with *follow* as it
        comes, an empty piece meaning that nothing came for a while (`GET /v1/client/fs/logs/:id`)."""
        ...

    def restart(self, allocation: str) -> None:
        """Stop and start all tasks that run of an allocation (`PUT /v1/client/allocation/:id/restart`)."""
        ...


class PlacementReader(Protocol):
    """Where allocations are, and how their tasks do."""

    def placements(self, job: Key | None = None) -> Sequence[Placement]:
        """Those of one job, or of all (`GET /v1/allocations?resources=true&task_states=true`, paged)."""
        ...

    def nodes(self) -> Sequence[Node]:
        """Every node, without its metadata (`GET /v1/nodes?resources=true`, paged)."""
        ...

    def node_meta(self, node_id: str) -> Mapping[str, str]:
        """The metadata of a node, none where there is no node (`GET /v1/node/:id`)."""
        ...


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

    def pin(self, key: Key) -> Pin | None:
        """The version that a person rolled *key* back to, where one did."""
        ...

    def put_pin(self, key: Key, pin: Pin | None) -> None:
        """Keep a person's rollback, or drop it."""
        ...

    def prune_round(self) -> PruneRound:
        """What was decided about removals so far."""
        ...

    def put_prune_round(self, decided: PruneRound) -> None:
        """Keep what was decided about removals."""
        ...

    def template(self, digest: str) -> Entry | None:
        """A version of a catalog entry that a deployment was made from."""
        ...

    def keep_template(self, entry: Entry) -> None:
        """Keep this version of a catalog entry."""
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


class UsageStore(Protocol):
    """What allocations held and when. Safe from any thread. Raises `StoreError`. Times are ms since the epoch."""

    def record(self, seen: Sequence[Sighting], *, at: int, owner: Callable[[Key], str]) -> int:
        """Take in a whole list of allocations, read *at* that time; how many spans became others by it.

        Twice, late or in another order, a list changes nothing more. Where nothing changed, nothing is written.
        """
        ...

    def usage(self, query: UsageQuery) -> Sequence[UsageRow]:
        """Usage in pieces. Raises `UsageError` where they would be too many, or finer than what is kept."""
        ...

    def current(self, scope: Scope) -> Amounts:
        """What is held now."""
        ...

    def namespaces(self) -> Sequence[str]:
        """Every namespace of which there are figures."""
        ...

    def fold(self, *, before: int) -> int:
        """Roll what ended *before* that midnight, and Nomad lists no more, into days; how many spans that were."""
        ...

    @property
    def measured(self) -> int:
        """When the newest list was read; 0 where there was none."""
        ...


class Summaries(Protocol):
    """The folder of summaries that accounting tools share. Raises `StoreError`."""

    def read(self, namespace: str, *, since: date) -> Summary | None:
        """What the folder says of a namespace, days from *since* on; None where it says nothing."""
        ...

    def write(self, namespace: str, summary: Summary) -> None:
        """Replace what the folder says of a namespace; where it says so already, nothing is written."""
        ...
