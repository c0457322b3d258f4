"""The shapes that the API speaks: a border, with a test that fails when one changes by accident.

Times are RFC 3339 in UTC, names are camelCase, words for conditions are Kubernetes'.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from herdsman.core.words import blast_radius, sentence
from herdsman.model.desired import Rejection
from herdsman.model.keys import Key, Kind
from herdsman.model.observed import Allocation, Deployment
from herdsman.model.plans import Plan
from herdsman.model.sources import Snapshot, SourceState
from herdsman.model.statuses import ConditionType, Event, Record, Status
from herdsman.usecases import Description, JobVersion, Overview, Request, Trace


class Schema(BaseModel):
    """What all shapes have in common."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")


def when(seconds: float) -> str | None:
    """A time as the API writes it; None where it never was."""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="seconds") if seconds else None


class KeyOut(Schema):
    """What a spec is called."""

    kind: Kind = Field(Kind.JOB, examples=["Job"])
    namespace: str = Field("default", examples=["default"])
    name: str = Field(examples=["hello-web"])

    @classmethod
    def of(cls, key: Key) -> "KeyOut":
        """The shape of *key*."""
        return cls(kind=key.kind, namespace=key.namespace, name=key.name)

    def key(self) -> Key:
        """The key of this shape."""
        return Key(self.kind, "" if self.kind is Kind.NAMESPACE else self.namespace, self.name)


class ConditionOut(Schema):
    """One condition of a spec."""

    type: ConditionType
    status: str = Field(examples=["True"])
    reason: str = Field(examples=["Healthy"])
    message: str
    since: str | None = Field(description="when the status last changed")


class SpecOut(KeyOut):
    """One spec and how it does."""

    ready: str = Field(description="True, False or Unknown", examples=["True"])
    reason: str = Field(examples=["Healthy"])
    message: str
    conditions: list[ConditionOut]
    revision: str = Field(description="the revision of the source that last changed it")
    author: str
    path: str = Field(examples=["web/hello.yaml"])
    line: int
    digest: str
    version: int | None = Field(description="the live job's version in Nomad")
    action: str = Field(description="what was last done to it")
    changed_at: str | None
    checked_at: str | None
    failures: int
    changes: list[str] = Field(description="the differences that were last found")
    labels: dict[str, str]

    @classmethod
    def of_status(cls, status: Status) -> "SpecOut":
        """The shape of *status*."""
        ready = status.condition(ConditionType.READY)
        return cls(
            **KeyOut.of(status.key).model_dump(),
            ready=ready.status.value if ready else "Unknown",
            reason=ready.reason.value if ready else "",
            message=ready.message if ready else "",
            conditions=[
                ConditionOut(type=t, status=c.status, reason=c.reason, message=c.message, since=when(c.since))
                for t, c in status.conditions.items()
            ],
            revision=status.revision,
            author=status.author,
            path=status.position.path,
            line=status.position.line,
            digest=status.digest,
            version=status.version,
            action=status.action.value,
            changed_at=when(status.changed_at),
            checked_at=when(status.checked_at),
            failures=status.failures,
            changes=list(status.changes),
            labels=dict(status.labels),
        )


class RejectionOut(Schema):
    """A piece of a source that could not be used."""

    path: str
    line: int
    column: int
    field: str
    message: str
    hint: str
    key: KeyOut | None

    @classmethod
    def of(cls, rejection: Rejection) -> "RejectionOut":
        """The shape of *rejection*."""
        at = rejection.position
        return cls(
            path=at.path,
            line=at.line,
            column=at.column,
            field=rejection.field,
            message=rejection.message,
            hint=rejection.hint,
            key=KeyOut.of(rejection.key) if rejection.key else None,
        )


class SpecsOut(Schema):
    """All specs, and what of the source could not be used."""

    fleet: str
    revision: str
    specs: list[SpecOut]
    rejections: list[RejectionOut]


class RecordOut(Schema):
    """One line of a history."""

    at: str | None
    action: str
    reason: str
    message: str
    revision: str
    author: str
    path: str
    line: int
    digest: str
    version: int | None

    @classmethod
    def of(cls, record: Record) -> "RecordOut":
        """The shape of *record*."""
        return cls(
            at=when(record.at),
            action=record.action.value,
            reason=record.reason.value,
            message=record.message,
            revision=record.revision,
            author=record.author,
            path=record.position.path,
            line=record.position.line,
            digest=record.digest,
            version=record.version,
        )


class VersionOut(Schema):
    """One version of a live job, and the commit that made it; without a commit where it was not ours."""

    version: int
    at: str | None
    current: bool
    stable: bool = Field(description="whether its deployment came off")
    ours: bool = Field(description="whether one of Herdsman's writes made it")
    revision: str
    author: str
    path: str
    line: int
    digest: str
    action: str
    reason: str

    @classmethod
    def of(cls, v: JobVersion) -> "VersionOut":
        """The shape of *v*."""
        from_ = v.provenance
        return cls(
            version=v.version,
            at=when(v.at),
            current=v.current,
            stable=v.stable,
            ours=from_ is not None,
            revision=from_.revision if from_ else "",
            author=from_.author if from_ else "",
            path=from_.path if from_ else "",
            line=from_.line if from_ else 0,
            digest=from_.digest if from_ else "",
            action=v.record.action.value if v.record else "",
            reason=v.record.reason.value if v.record else "",
        )


class TraceOut(KeyOut):
    """From a live job back to who declared it."""

    fleet: str = Field(description="the fleet that it bears the stamp of; empty where it bears none")
    live: VersionOut
    last: VersionOut | None = Field(description="the newest version that Herdsman made")
    spec: SpecOut | None = Field(description="the spec of this fleet that declares it, where one does")

    @classmethod
    def of_trace(cls, t: Trace) -> "TraceOut":
        """The shape of *t*."""
        return cls(
            **KeyOut.of(t.key).model_dump(),
            fleet=t.stamp,
            live=VersionOut.of(t.live),
            last=VersionOut.of(t.last) if t.last else None,
            spec=SpecOut.of_status(t.status) if t.status else None,
        )


class RollbackIn(Schema):
    """Which spec to put back, and to what: a commit, or a version of the job."""

    key: KeyOut
    to: str = Field(min_length=1, examples=["3", "4f0c3e1b"])
    now: bool = Field(default=False, description="make the job what it was at once, and hold it until its spec changes")
    request_id: str = Field(default="", description="a write with an ID is carried out once, however often it is asked")


class RollbackOut(Schema):
    """What a rollback did: wrote a commit, or pinned a version."""

    version: int | None
    revision: str
    files: list[str]
    pushed: bool


class EventOut(Schema):
    """Something that changed."""

    id: int
    at: str | None
    severity: str = Field(examples=["Normal"])
    reason: str
    message: str
    key: KeyOut | None
    revision: str

    @classmethod
    def of(cls, event: Event) -> "EventOut":
        """The shape of *event*."""
        return cls(
            id=event.id,
            at=when(event.at),
            severity=event.severity.value,
            reason=event.reason,
            message=event.message,
            key=KeyOut.of(event.key) if event.key else None,
            revision=event.revision,
        )


class DeploymentOut(Schema):
    """A deployment of a job version."""

    id: str
    version: int
    status: str
    description: str
    healthy: int
    unhealthy: int
    desired: int

    @classmethod
    def of(cls, d: Deployment) -> "DeploymentOut":
        """The shape of *d*."""
        return cls(
            id=d.id,
            version=d.version,
            status=d.state.value,
            description=d.description,
            healthy=d.healthy,
            unhealthy=d.unhealthy,
            desired=d.desired,
        )


class AllocationOut(Schema):
    """An allocation of a job."""

    id: str
    name: str
    group: str
    node: str
    version: int
    desired: str
    status: str
    last_event: str

    @classmethod
    def of(cls, a: Allocation) -> "AllocationOut":
        """The shape of *a*."""
        return cls(
            id=a.id,
            name=a.name,
            group=a.group,
            node=a.node,
            version=a.version,
            desired=a.desired,
            status=a.client,
            last_event=a.last_event,
        )


class DescriptionOut(Schema):
    """One spec, whole."""

    spec: SpecOut
    suspended: bool
    approved: bool
    job_modify_index: int
    history: list[RecordOut]
    events: list[EventOut]
    deployments: list[DeploymentOut] | None
    allocations: list[AllocationOut] | None
    trouble: str = Field(description="why Nomad could not be asked, where it could not")

    @classmethod
    def of(cls, d: Description) -> "DescriptionOut":
        """The shape of *d*."""
        return cls(
            spec=SpecOut.of_status(d.status),
            suspended=d.suspended,
            approved=d.approval is not None,
            job_modify_index=d.memory.index,
            history=[RecordOut.of(r) for r in d.history],
            events=[EventOut.of(e) for e in d.events],
            deployments=None if d.deployments is None else [DeploymentOut.of(x) for x in d.deployments],
            allocations=None if d.allocations is None else [AllocationOut.of(a) for a in d.allocations],
            trouble=d.trouble,
        )


class PlanOut(KeyOut):
    """What would be done to one spec now."""

    action: str = Field(examples=["update"])
    reason: str = Field(examples=["SpecChanged"])
    message: str
    changes: list[str]
    blast_radius: str = Field(description="what would happen to allocations", examples=["web: 2 replaced"])
    updates: dict[str, dict[str, int]] | None
    failures: dict[str, str] | None = Field(description="groups that could not be placed, and why")
    warnings: str

    @classmethod
    def of_plan(cls, plan: Plan) -> "PlanOut":
        """The shape of *plan*."""
        updates = plan.updates
        return cls(
            **KeyOut.of(plan.key).model_dump(),
            action=plan.decision.action.value,
            reason=plan.decision.reason.value,
            message=plan.decision.message,
            changes=[sentence(c) for c in plan.changes],
            blast_radius=blast_radius(updates or {}),
            updates=None if updates is None else {g: _counts(u) for g, u in updates.items()},
            failures=dict(plan.failures) if plan.failures else None,
            warnings=plan.warnings,
        )


def _counts(updates: Any) -> dict[str, int]:
    return {name: getattr(updates, name) for name in updates.__slots__}


class ResyncIn(Schema):
    """Which specs to look at again; without `keys`, all of them."""

    keys: list[KeyOut] | None = None
    with_source: bool = Field(default=False, description="read the source first")


class ResyncOut(Schema):
    """A request to look again, and how far it got."""

    id: int
    done: bool
    total: int
    pending: int | None = Field(description="specs that nobody has looked at since; null until Nomad was listed")

    @classmethod
    def of(cls, request: Request) -> "ResyncOut":
        """The shape of *request*."""
        pending = request.pending
        return cls(
            id=request.id, done=request.done, total=request.total, pending=None if pending is None else len(pending)
        )


class KeysIn(Schema):
    """Specs to act on; for suspend and resume, no keys means the whole fleet."""

    keys: list[KeyOut] | None = None


class SourceOut(Schema):
    """What the source's last snapshot shows, and since when it cannot be read, where it cannot."""

    commit: str = Field(description="the commit; empty where the source is no Git repository and in no work tree")
    branch: str = Field(description="the branch or tag that was followed to it")
    author: str
    message: str = Field(description="the first line of the commit's message")
    committed: str | None
    verified: bool = Field(description="whether its signature was demanded and is good")
    dirty: bool = Field(description="whether the files are not those of the commit")
    files: int
    read_at: str | None
    failing_since: str | None
    error: str

    @classmethod
    def of(cls, state: SourceState) -> "SourceOut":
        """The shape of *state*."""
        seen = state.snapshot or Snapshot("", {})
        return cls(
            commit=seen.commit,
            branch=seen.branch,
            author=seen.author,
            message=seen.message,
            committed=seen.committed.isoformat() if seen.committed else None,
            verified=seen.verified,
            dirty=seen.dirty,
            files=state.files,
            read_at=when(state.read),
            failing_since=when(state.failing_since),
            error=state.error,
        )


class OverviewOut(Schema):
    """The fleet at a glance."""

    fleet: str
    source: str
    nomad: str
    nomad_version: str
    revision: str
    source_state: SourceOut
    ready: bool
    trouble: dict[str, str]
    rejections: list[RejectionOut]
    total: int
    ready_count: int
    held: int
    suspended: int
    fleet_suspended: bool

    @classmethod
    def of(cls, o: Overview) -> "OverviewOut":
        """The shape of *o*."""
        plain: Mapping[str, Any] = {
            name: getattr(o, name) for name in o.__slots__ if name not in ("rejections", "trouble", "source_state")
        }
        return cls(
            **plain,
            source_state=SourceOut.of(o.source_state),
            trouble=dict(o.trouble),
            rejections=[RejectionOut.of(r) for r in o.rejections],
        )


class Problem(Schema):
    """An error (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = ""
    hint: str = ""
