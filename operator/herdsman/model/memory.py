"""What the store remembers per key between two looks: evidence for sameness, ownership, and what must not be repeated.

Losing it costs two or three reads a job, never truth (design §5).
"""

from dataclasses import dataclass

from herdsman.model.desired import Prune
from herdsman.model.keys import Key
from herdsman.model.quotas import Demand


@dataclass(frozen=True, slots=True)
class Memory:
    """One key's evidence. A *digest* of "" means that nothing was ever found in sync."""

    digest: str = ""  # of the desired job when it was last found, or made, the same as the live one
    lens: str = ""  # which fields counted in that comparison: ignore rules, counts, stops
    index: int = 0  # live JobModifyIndex at that moment
    create_index: int = 0  # lineage: another CreateIndex is another job of the same name
    version: int = 0  # live Version at that moment
    count: int = 0  # allocations that the live job asks for, summed over its groups
    deploys: bool = False  # whether the live version gets a deployment
    unread: bool = False  # written, and what Nomad made of it not read back yet
    prior: int = -1  # the live index before that write: still the same where the write changed nothing
    adopted: bool = False  # taken over without a stamp, which must not be added alone
    owned: bool = False  # made or adopted by this fleet: outlives a lost Meta
    settled: int = -1  # the version whose deployment is known to have succeeded
    completed: str = ""  # the digest with which a batch job ended, well or not
    halted: str = ""  # the digest with which somebody stopped it, and the policy respects that
    reverted: str = ""  # the digest that Nomad's auto_revert rejected
    written: float = 0.0  # when we last wrote it, s since the epoch
    path: str = ""  # the file that last declared it
    prune: Prune | None = None  # policy for the day on which it is wanted no more
    suspend: bool = False
    needs: tuple[Key, ...] = ()  # what it depended on: removals go the other way round
    rested: bool = False  # stopped because its spec says so: to run again is no drift, and no policy's business
    keys: tuple[str, ...] = ()  # the items of a variable that are ours
    attached: bool = False  # a variable that a job brings along: it goes with the job
    demand: Demand | None = None  # what the job that was last written asks for
    template: str = ""  # the digest of the catalog entry that it was last written from

    @property
    def ended(self) -> bool:
        """Whether it was a batch job that came to its end as it was last written: it holds nothing any more."""
        return bool(self.completed) and self.completed == self.digest

    @property
    def known(self) -> bool:
        """Whether there is anything to compare with."""
        return bool(self.digest)
