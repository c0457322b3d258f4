"""The tail of answers to writes that look like answers to queries: so Nomad has it for most that register."""

from herdsman.devnomad.types import Row


def write_meta(index: int) -> Row:
    """Index, and what else a query would tell."""
    return {"Index": index, "LastContact": 0, "KnownLeader": False, "NextToken": ""}
