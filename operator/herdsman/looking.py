"""What looks at keys of every kind have in common: ports, a person's approval, and what comes of an error."""

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass, replace

from herdsman.errors import Conflict, Forbidden, NomadError, Refused, Unavailable
from herdsman.model.desired import DesiredJob, Wanted
from herdsman.model.keys import Key
from herdsman.model.memory import Memory
from herdsman.model.observed import Body
from herdsman.model.plans import Action, Approval, Plan, Reason
from herdsman.model.statuses import ErrorClass, Outcome
from herdsman.ports import Clock, Nomad, StatusStore


def new_secret(length: int) -> str:
    """A secret that nobody thought up: letters and digits, which no shell and no template takes for something else."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


@dataclass(frozen=True, slots=True)
class Ports:
    """What a look needs of the world. *body* answers the job body that a spec asks for, *secret* a new one so long."""

    nomad: Nomad
    store: StatusStore
    clock: Clock
    body: Callable[[DesiredJob], Body]
    secret: Callable[[int], str] = new_secret


def approves(approval: Approval | None, wanted: Wanted | None) -> bool:
    """Whether a person's word is for what is wanted now."""
    return approval is not None and approval.digest == (wanted.digest if wanted is not None else "")


def with_wishes(memory: Memory, wanted: Wanted) -> Memory:
    """What the spec says for the day on which it is gone."""
    policy = wanted.policy
    return replace(
        memory,
        path=wanted.origin.position.path,
        prune=policy.prune,
        suspend=policy.suspend,
        needs=wanted.depends_on,
    )


def failed(key: Key, error: NomadError, *, wanted: Wanted | None, plan: Plan | None = None) -> Outcome:
    """What came of a look that the far side broke off; *plan* is what was being carried out."""
    digest = wanted.digest if wanted is not None else ""
    reason, kind = _classes(error)
    retry_after = error.retry_after if isinstance(error, Unavailable) else None
    return Outcome(
        key,
        Action.NOTHING,
        reason,
        str(error),
        error=kind,
        attempted=plan.decision.action if plan is not None and plan.steps else None,
        retry_after=retry_after,
        digest=digest,
    )


def _classes(error: NomadError) -> tuple[Reason, ErrorClass]:
    match error:
        case Conflict():
            return Reason.CONFLICT, ErrorClass.CONFLICT
        case Forbidden():
            return Reason.FORBIDDEN, ErrorClass.REFUSED
        case Refused():
            return Reason.REFUSED, ErrorClass.REFUSED
        case _:
            return Reason.UNAVAILABLE, ErrorClass.TRANSIENT
