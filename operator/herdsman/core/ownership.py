"""Whose a live job is: its stamp says so, or our record of that very job (design §5, "Ownership")."""

from dataclasses import dataclass

from herdsman.model.memory import Memory


@dataclass(frozen=True, slots=True)
class Owner:
    """Whether a job is ours, and in words whose it is; *nobody* where it may be taken over."""

    ours: bool
    words: str
    nobody: bool = False


def owner_of(*, stamp: str, create_index: int, parent: str, memory: Memory, fleet: str) -> Owner:
    """The owner of a live job with this *stamp*, `CreateIndex` and *parent*; *memory* is our record of its name."""
    if parent:
        return Owner(ours=False, words=f"the job {parent}, which launched it")
    if stamp:
        return Owner(ours=stamp == fleet, words=f"the fleet {stamp}")
    if memory.owned and memory.create_index == create_index:
        return Owner(ours=True, words=f"the fleet {fleet}")
    return Owner(ours=False, words="nobody that Herdsman knows; to take it over, set policy.adopt", nobody=True)
