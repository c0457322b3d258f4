"""The whole decision about one key: an ordered table, first match wins (design §5).

Facts go in, one row comes out. The rows are meant to be checked against the README by a reader; the comment on a row
tells the incident that made it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from herdsman.model.plans import Action, Decision, Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the decision depends on. Texts are empty where they do not apply, else words for a reader."""

    # what is asked for
    wanted: bool
    frozen: str = ""  # its own spec was rejected: neither wanted nor unwanted
    suspended: bool = False
    warn_only: bool = False  # drift policy
    keep: bool = False  # prune policy: keep
    stop_only: bool = False  # prune policy: stop
    halt: bool = False  # its spec says that it shall not run
    expired: str = ""  # its spec stands, but its time is over
    # what there is
    live: bool
    ours: bool = False
    stopped: bool = False
    halted: bool = False  # stopped by hand, respected, and forgotten by Nomad
    finished: bool = False  # a batch job that ended with this digest, and that Nomad has forgotten
    same: bool = False
    spec_changed: bool = False  # Git changed since it was last in sync
    owner: str = ""  # whose it is, where it is not ours
    # what forbids it
    claimed: str = ""  # the fleet's name belongs to another source, or nobody knows yet
    reverted: str = ""  # Nomad reverted this digest
    rolled_back: str = ""  # a person rolled this digest back
    rollback_due: bool = False  # and that is still to be done
    over_quota: str = ""  # it would take more than there is left for it
    dependency: str = ""  # what is not Ready yet
    circuit: str = ""  # corrected too often of late
    refused: str = ""  # Nomad refused this digest, and it is not yet time to ask again
    unapproved: str = ""  # destructive, and the policy wants it approved
    closed: str = ""  # destructive, and outside its window
    unread: str = ""  # a file that may declare it could not be understood, or the source is still changing
    limited: str = ""  # too many removals at once
    dependents: str = ""  # what depends on it and is still there
    # what allows it
    adoptable: bool = False  # nobody's, and the policy says to take it

    @property
    def due(self) -> bool:
        """Whether a wanted job calls for a write that starts or changes it."""
        if not self.live:
            return not (self.finished or self.halted)
        return not self.same and (self.spec_changed or not self.warn_only)

    @property
    def correcting(self) -> bool:
        """Whether the write would undo what somebody else did."""
        return self.due and not self.spec_changed


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    when: Callable[[Facts], bool]
    action: Action
    reason: Reason
    words: Callable[[Facts], str]


def _say(text: str) -> Callable[[Facts], str]:
    return lambda f: text


ROWS: tuple[Row, ...] = (
    Row(lambda f: f.suspended, Action.HOLD, Reason.SUSPENDED, _say("suspended; nothing is compared or changed")),
    # Two operators with one fleet name took turns to purge each other's jobs.
    Row(lambda f: bool(f.claimed), Action.HOLD, Reason.FLEET_CONFLICT, lambda f: f.claimed),
    # A spec that cannot be understood still declares its job: it is neither changed nor removed.
    Row(lambda f: bool(f.frozen), Action.HOLD, Reason.INVALID, lambda f: f.frozen),
    Row(
        lambda f: f.live and not f.ours and f.wanted and (not f.adoptable or f.halt),
        Action.HOLD,
        Reason.NOT_OWNED,
        lambda f: f"the live job belongs to {f.owner}",
    ),
    Row(lambda f: f.live and not f.ours and not f.wanted, Action.NOTHING, Reason.ABSENT, _say("")),
    # What stands still is neither compared nor updated: its spec of the day counts when it is to run again.
    Row(
        lambda f: f.wanted and f.halt and (f.same or not f.live),
        Action.NOTHING,
        Reason.STOPPED,
        _say("its spec says that it does not run"),
    ),
    Row(lambda f: f.wanted and f.halt and bool(f.refused), Action.HOLD, Reason.REFUSED, lambda f: f.refused),
    Row(lambda f: f.wanted and f.halt, Action.STOP, Reason.STOPPED, _say("its spec says that it does not run")),
    # In an emergency Nomad is put right before Git: what Git still says must not undo that.
    Row(
        lambda f: f.wanted and f.live and f.rollback_due,
        Action.UPDATE,
        Reason.ROLLED_BACK,
        lambda f: f.rolled_back,
    ),
    Row(
        lambda f: f.wanted and f.live and bool(f.rolled_back), Action.HOLD, Reason.ROLLED_BACK, lambda f: f.rolled_back
    ),
    # auto_revert and a reconciler would otherwise deploy and revert one version for ever.
    Row(lambda f: f.wanted and bool(f.reverted), Action.HOLD, Reason.REVERTED_BY_NOMAD, lambda f: f.reverted),
    # Before all that waits: whom a quota holds shall know it at once.
    Row(
        lambda f: f.wanted and f.due and bool(f.over_quota),
        Action.HOLD,
        Reason.QUOTA_EXCEEDED,
        lambda f: f.over_quota,
    ),
    Row(
        lambda f: f.wanted and f.due and bool(f.dependency),
        Action.HOLD,
        Reason.DEPENDENCY_NOT_READY,
        lambda f: f.dependency,
    ),
    # Nomad forgets stopped jobs; what somebody stopped, and the policy respects, is not started for that.
    Row(
        lambda f: f.wanted and not f.live and f.halted,
        Action.NOTHING,
        Reason.STOPPED,
        _say("stopped by hand, and forgotten by Nomad; starts when its spec changes"),
    ),
    # It forgets finished batch jobs, too; taking that for drift runs them again every few hours.
    Row(
        lambda f: f.wanted and not f.live and f.finished,
        Action.NOTHING,
        Reason.COMPLETED,
        _say("finished with this digest; runs again when its spec changes"),
    ),
    Row(lambda f: f.wanted and f.correcting and bool(f.circuit), Action.HOLD, Reason.CIRCUIT_OPEN, lambda f: f.circuit),
    # What is refused now will be refused in a minute: asking at every resync only fills Nomad's log.
    Row(lambda f: f.wanted and f.due and bool(f.refused), Action.HOLD, Reason.REFUSED, lambda f: f.refused),
    Row(lambda f: f.wanted and not f.live, Action.CREATE, Reason.MISSING, _say("it was not there")),
    Row(lambda f: f.wanted and f.same and not f.ours, Action.ADOPT, Reason.ADOPTED, _say("equal to its spec")),
    Row(
        lambda f: f.wanted and not f.same and f.warn_only and not f.spec_changed,
        Action.HOLD,
        Reason.DRIFTED,
        _say("changed by somebody else; the drift policy says to warn only"),
    ),
    Row(
        lambda f: f.wanted and not f.same and bool(f.unapproved),
        Action.HOLD,
        Reason.NEEDS_APPROVAL,
        lambda f: f.unapproved,
    ),
    Row(lambda f: f.wanted and not f.same and bool(f.closed), Action.HOLD, Reason.OUTSIDE_WINDOW, lambda f: f.closed),
    Row(
        lambda f: f.wanted and not f.same and not f.ours,
        Action.UPDATE,
        Reason.ADOPTED,
        _say("taken over, and made equal to its spec"),
    ),
    Row(
        lambda f: f.wanted and not f.same and f.spec_changed,
        Action.UPDATE,
        Reason.SPEC_CHANGED,
        _say("its spec changed"),
    ),
    Row(lambda f: f.wanted and not f.same, Action.UPDATE, Reason.DRIFTED, _say("somebody else changed it")),
    Row(lambda f: f.wanted, Action.NOTHING, Reason.IN_SYNC, _say("")),
    # Its spec still stands there: a reader who asks for it shall be told what became of it.
    Row(lambda f: bool(f.expired) and not f.live, Action.NOTHING, Reason.EXPIRED, lambda f: f.expired),
    Row(lambda f: not f.live, Action.NOTHING, Reason.ABSENT, _say("")),
    Row(lambda f: f.stop_only and f.stopped, Action.NOTHING, Reason.KEPT, _say("wanted no more; stopped, and kept so")),
    Row(lambda f: f.keep, Action.NOTHING, Reason.KEPT, _say("wanted no more; kept by its prune policy")),
    # A file that failed to parse looks exactly like a deleted one.
    Row(lambda f: bool(f.unread), Action.HOLD, Reason.DESIRED_INCOMPLETE, lambda f: f.unread),
    # An empty checkout, or a forced push that drops half the specs, must not drop half the cluster.
    Row(lambda f: bool(f.limited), Action.HOLD, Reason.PRUNE_LIMIT, lambda f: f.limited),
    Row(lambda f: bool(f.dependents), Action.HOLD, Reason.DEPENDENCY_NOT_READY, lambda f: f.dependents),
    Row(lambda f: bool(f.refused), Action.HOLD, Reason.REFUSED, lambda f: f.refused),
    Row(lambda f: bool(f.expired), Action.PURGE, Reason.EXPIRED, lambda f: f.expired),
    Row(lambda f: f.stop_only, Action.STOP, Reason.UNWANTED, _say("no spec declares it any more")),
    Row(lambda f: True, Action.PURGE, Reason.UNWANTED, _say("no spec declares it any more")),
)


def decide(facts: Facts) -> Decision:
    """The first row that holds."""
    row = next(row for row in ROWS if row.when(facts))
    return Decision(row.action, row.reason, row.words(facts))
