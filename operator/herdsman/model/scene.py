"""What holds for the whole fleet while one key is looked at: texts that say why something is forbidden, or nothing."""

from dataclasses import dataclass

from herdsman.model.desired import Desired, Wanted
from herdsman.model.keys import Key


@dataclass(frozen=True, slots=True)
class Scene:
    """The surroundings of one key."""

    desired: Desired
    claimed: str = ""  # the fleet's name belongs to another source
    dependency: str = ""  # what it needs is not Ready
    dependents: str = ""  # what needs it is still there
    unread: str = ""  # a file that may declare it could not be understood
    limited: str = ""  # too many removals at once
    circuit: str = ""  # corrected too often
    refused: str = ""  # Nomad refused this digest, and it is too early to ask again
    expired: str = ""  # its spec stands, but its time is over
    over_quota: str = ""  # there is too little left of a quota for what it asks for

    def wanted(self, key: Key) -> Wanted | None:
        """What is wanted of *key* now."""
        return None if self.expired else self.desired.wanted.get(key)
