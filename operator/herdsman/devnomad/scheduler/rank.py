"""Which of the nodes that may hold a group is best: each consideration scores from -1 to 1, the mean decides."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from herdsman.devnomad.scheduler import operands, targets
from herdsman.devnomad.scheduler.fit import Fit
from herdsman.devnomad.types import Row

_MOST: Final = 18.0
_EVEN_SPREAD_TARGET: Final = "*"


@dataclass(frozen=True, slots=True)
class Siblings:
    """The allocations of the group that are placed or about to be."""

    by_node: Counter[str]
    """How many of them each node has."""
    nodes: Mapping[str, Row]


def score(
    node: Row, job: Row, group: Row, fitted: Fit, *, siblings: Siblings, avoid: frozenset[str], spread: bool
) -> Row:
    """An entry of `ScoreMetaData`: every consideration, and their mean as `NormScore`."""
    scores: dict[str, float] = {"binpack": _fitness(fitted, spread=spread)}
    collisions = siblings.by_node[node["ID"]]
    if collisions:
        scores["job-anti-affinity"] = -(collisions + 1) / max(group["Count"], 1)
    if node["ID"] in avoid:
        scores["node-reschedule-penalty"] = -1.0
    affinity = _affinity(node, affinities_of(job, group))
    if affinity:
        scores["node-affinity"] = affinity
    spreading = _spread(node, job, group, siblings)
    if spreading is not None:
        scores["allocation-spread"] = spreading
    shown = {"job-anti-affinity": 0.0, "node-affinity": 0.0, "node-reschedule-penalty": 0.0, **scores}
    return {"NodeID": node["ID"], "Scores": shown, "NormScore": sum(scores.values()) / len(scores)}


def _fitness(fitted: Fit, *, spread: bool) -> float:
    """Packing prefers full nodes, spreading empty ones."""
    total = math.pow(10, 1 - fitted.cpu_share) + math.pow(10, 1 - fitted.memory_share)
    raw = total - 2 if spread else 20 - total
    return min(max(raw, 0.0), _MOST) / _MOST


def affinities_of(job: Row, group: Row) -> list[Row]:
    """The affinities of job, group and tasks."""
    found = list(job["Affinities"] or ()) + list(group["Affinities"] or ())
    for task in group["Tasks"]:
        found += task["Affinities"] or ()
    return found


def _affinity(node: Row, affinities: Iterable[Row]) -> float:
    total = score = 0.0
    for affinity in affinities:
        weight = affinity["Weight"] or 0
        total += abs(weight)
        left, right = targets.resolve(affinity["LTarget"], node), targets.resolve(affinity["RTarget"], node)
        if operands.check(affinity["Operand"] or "=", left, right):
            score += weight
    return score / total if total else 0.0


# -- spreads -------------------------------------------------------------------------------------------------------
def spreads_of(job: Row, group: Row) -> list[Row]:
    """The spreads of group and job."""
    return list(group["Spreads"] or ()) + list(job["Spreads"] or ())


def _spread(node: Row, job: Row, group: Row, siblings: Siblings) -> float | None:
    spreads = spreads_of(job, group)
    total = sum(spread["Weight"] or 50 for spread in spreads)
    if not spreads or not total:
        return None
    return sum(
        _spread_one(node, spread, siblings, count=max(group["Count"], 1)) * (spread["Weight"] or 50) / total
        for spread in spreads
    )


def _spread_one(node: Row, spread: Row, siblings: Siblings, *, count: int) -> float:
    value = targets.resolve(spread["Attribute"], node)
    if value is None:
        return -1.0
    used: Counter[str | None] = Counter()
    for node_id, number in siblings.by_node.items():
        if number and node_id in siblings.nodes:
            used[targets.resolve(spread["Attribute"], siblings.nodes[node_id])] += number
    wanted = _targets(spread, count)
    if not wanted:
        return _even(used, value)
    desired = wanted.get(value, wanted.get(_EVEN_SPREAD_TARGET))
    if not desired:
        return -1.0
    return (desired - used[value] - 1) / desired if used[value] + 1 > desired else (desired - used[value]) / desired


def _targets(spread: Row, count: int) -> dict[str, float]:
    given = {target["Value"]: count * target["Percent"] / 100 for target in spread["SpreadTarget"] or ()}
    rest = count - sum(given.values())
    if given and rest > 0:
        given.setdefault(_EVEN_SPREAD_TARGET, rest)
    return given


def _even(used: Counter[str | None], value: str) -> float:
    """Without targets: the value that is used least is best."""
    if not used:
        return 0.0
    here, least, most = used[value], min(used.values()), max(used.values())
    if here == 0:
        return 1.0
    if here != least:
        return (least - here) / least
    return -1.0 if least == most else (most - least) / least
