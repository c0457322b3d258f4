"""The tail of every answer to a write."""

from herdsman.devnomad.types import Row


def write_meta(index: int) -> Row:
    """The fields that Nomad adds to the answer of a write."""
    return {"Index": index, "LastContact": 0, "KnownLeader": False, "NextToken": ""}
