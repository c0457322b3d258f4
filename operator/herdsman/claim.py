"""Whose a fleet's name is: one Nomad variable says so, so that two operators never take turns on one fleet.

The variable `herdsman/fleets/<name>` names the source. The same name from another source writes nothing (design §5).
"""

from herdsman.errors import Conflict
from herdsman.ports import Nomad


def claim(nomad: Nomad, *, fleet: str, source: str, take_over: bool = False) -> str:
    """Claim *fleet* for *source*; the answer is empty where it is ours, else the words that say whose it is.

    Writes only where the name is free, or where *take_over* is asked for. Raises `NomadError`.
    """
    path = f"herdsman/fleets/{fleet}"
    for _ in range(3):
        found = nomad.variable(path)
        holder = found.items.get("source", "")
        if holder == source:
            return ""
        if holder and not take_over:
            return (
                f"the fleet {fleet} belongs to the source {holder}, this one is {source}: nothing is written."
                " Give one of them another name in its Fleet document; if the source moved, start once with --take-over"
            )
        try:
            nomad.put_variable(path, {**found.items, "source": source}, if_index=found.index)
        except Conflict:  # two operators start at once: look who won
            continue
        return ""
    return f"the claim on the fleet {fleet} keeps changing; nothing is written"
