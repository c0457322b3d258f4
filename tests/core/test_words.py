"""A plan's diff as lines for a reader, held against what a real Nomad recorded."""

from typing import Any

import pytest

from devnomad.structs.replay import steps
from herdsman.core.redact import CHANGED, MASK
from herdsman.core.words import blast_radius, changes, sentence
from herdsman.model.observed import FieldChange, GroupUpdates

RECORDED: dict[str, Any] = {
    s.name: s.answer["Diff"]
    for scenario in ("plan_edits", "plan_edits_rich")
    for s in steps(scenario)
    if s.status == 200 and isinstance(s.answer, dict) and s.answer.get("Diff")
}

SAID: dict[str, list[str]] = {
    "no change": [],
    "nothing": [],
    "spreads gone": [],
    "lifecycle": [],
    "count up": ["TaskGroups[g].Count: 1 → 3"],
    "priority": ["Priority: 50 → 80"],
    "job meta edited": ["Meta[k]: v → w"],
    "job meta removed": ["Meta[k]: v → (none)"],
    "datacenters": ["Datacenters.Datacenters: (none) → dc2"],
    "env edited": ["TaskGroups[g].Tasks[t].Env[A]: 1 → 9"],
    "image": ["TaskGroups[usergroup].Tasks[main].Config.image: example/app:1 → example/app:2"],
    "affinity weight": [
        "Affinity.LTarget: ${node.datacenter} → (none)",
        "Affinity.Operand: = → (none)",
        "Affinity.RTarget: dc1 → (none)",
        "Affinity.Weight: 60 → (none)",
        "Affinity.LTarget: (none) → ${node.datacenter}",
        "Affinity.Operand: (none) → =",
        "Affinity.RTarget: (none) → dc1",
        "Affinity.Weight: (none) → 10",
    ],
    "check path": ["TaskGroups[usergroup].Service.Check.Path: /health → /ready"],
    "memory max": ["TaskGroups[usergroup].Tasks[main].Resources.MemoryMaxMB: 512 → 1024"],
}


@pytest.mark.parametrize("name", SAID)
def test_a_recorded_diff_is_said(name: str) -> None:
    """Every field that Nomad names as changed is a line; context and what is only `Edited` is none."""
    assert [sentence(c) for c in changes(RECORDED[name])] == SAID[name]


@pytest.mark.parametrize("name", RECORDED)
def test_no_line_says_nothing(name: str) -> None:
    """What is told has a path, and two sides that differ, unless both are masked."""
    for change in changes(RECORDED[name]):
        assert change.path
        assert change.old != change.new


def test_of_a_template_only_the_change_is_told() -> None:
    """The text of a template may hold anything."""
    (change,) = changes(RECORDED["template text"])

    assert change.path == "TaskGroups[usergroup].Tasks[main].Template.EmbeddedTmpl"
    assert (change.old, change.new) == (MASK, CHANGED)


@pytest.mark.parametrize("diff", [None, {}, {"Type": "None"}, {"Fields": None, "Objects": None, "TaskGroups": None}])
def test_no_diff_says_nothing(diff: Any) -> None:
    """Nomad leaves out what is empty."""
    assert changes(diff) == ()


def test_a_sentence_says_nothing_as_none() -> None:
    """A value that comes or goes is told as such."""
    assert sentence(FieldChange("Meta[a]", "", "x")) == "Meta[a]: (none) → x"


RADII: dict[str, dict[str, GroupUpdates]] = {
    "": {"web": GroupUpdates(ignore=3)},
    "web: 2 replaced": {"web": GroupUpdates(destructive=2, ignore=1)},
    "db: 1 stopped; web: 2 replaced, 1 updated in place, 3 placed": {
        "web": GroupUpdates(place=3, in_place=1, destructive=2),
        "db": GroupUpdates(stop=1),
    },
    "web: 1 canaries, 2 migrated": {"web": GroupUpdates(canary=1, migrate=2)},
}


@pytest.mark.parametrize("words", RADII)
def test_the_blast_radius_is_said_by_group(words: str) -> None:
    """What happens to allocations, worst first, groups by name; nothing where nothing moves."""
    assert blast_radius(RADII[words]) == words
