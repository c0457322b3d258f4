"""The whole world of facts about one key, small enough to be tried out."""

from collections.abc import Iterator
from dataclasses import fields
from itertools import product
from typing import Any

from herdsman.core.decide import Facts, decide

TEXTS = frozenset(f.name for f in fields(Facts) if f.type in (str, "str"))
WORDS = TEXTS - {"owner"}
NAMES = frozenset(f.name for f in fields(Facts)) - {"owner"}
FOR_THE_UNWANTED = frozenset({"keep", "stop_only", "stopped", "expired", "unread", "limited", "dependents"})
FOR_THE_WANTED = frozenset(
    {
        "warn_only",
        "finished",
        "halted",
        "same",
        "spec_changed",
        "reverted",
        "dependency",
        "circuit",
        "unapproved",
        "closed",
        "adoptable",
        "halt",
        "over_quota",
        "rolled_back",
        "rollback_due",
    }
)
RARE = frozenset({"halt", "over_quota", "rolled_back", "rollback_due"})
"""Facts for the wanted that are tried out beside the others, not times all of them: each of them doubles the world."""

FOR_A_HALT = frozenset({"same", "adoptable", "spec_changed", "reverted", "dependency", "over_quota"})
FOR_A_ROLLBACK = frozenset({"same", "spec_changed", "reverted", "halt", "dependency", "over_quota", "rollback_due"})
AFTER_A_QUOTA = frozenset({"circuit", "unapproved", "closed"})
"""What a quota hides where it holds, and has nothing to do with where it does not."""

COMMON = NAMES - FOR_THE_UNWANTED - FOR_THE_WANTED - {"wanted", "frozen"}


def facts_of(names: frozenset[str], *, wanted: bool, **fixed: Any) -> Iterator[Facts]:
    """Every combination of the facts in *names* with those *fixed*; a fact that is a text says its own name."""
    ordered = sorted(names)
    for values in product([False, True], repeat=len(ordered)):
        said: dict[str, Any] = {n: (n if v else "") if n in WORDS else v for n, v in zip(ordered, values, strict=True)}
        yield Facts(wanted=wanted, **fixed, **said)


WORLD = [
    (facts, decide(facts))
    for facts in (
        *facts_of((COMMON | FOR_THE_WANTED) - RARE, wanted=True),
        *facts_of(COMMON | FOR_A_HALT, wanted=True, halt=True),
        *facts_of((COMMON | FOR_THE_WANTED) - RARE - AFTER_A_QUOTA, wanted=True, over_quota="over_quota"),
        *facts_of(COMMON | FOR_A_ROLLBACK, wanted=True, rolled_back="rolled_back"),
        *facts_of(COMMON | FOR_THE_UNWANTED | {"frozen"}, wanted=False),
    )
]
"""All facts that matter, with what was decided: `test_decide` says why these are all."""


def possible(facts: Facts) -> bool:
    """What is not live is neither ours nor stopped nor the same as anything."""
    return facts.live or not (facts.ours or facts.stopped or facts.same or facts.adoptable)
