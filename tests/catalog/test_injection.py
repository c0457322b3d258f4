"""A value stays a value: whatever a user writes, it is refused or changes the job in that value alone."""

import re
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import pytest

from catalog import making
from catalog.hostile import HOSTILE
from catalog.making import FACTS, FULL, Given, Path
from herdsman.core.catalog import render, told
from herdsman.model.catalog import Entry, Facts, Kind, Parameter, Rendered, Rule, Site

ENTRIES = making.shipped_ids()


@dataclass(frozen=True)
class Spot:
    """A place where a user writes free text: a parameter, or a text in an object in its list."""

    entry: Entry
    parameter: Parameter
    rule: Rule
    field: str = ""

    @property
    def name(self) -> str:
        """What a test is called by."""
        return f"{self.entry.id} {self.parameter.path}" + (f"[].{self.field}" if self.field else "")

    def given(self, text: str) -> Given:
        """Parameters with that text, and with all that makes it mean something."""
        value: Any = [{self.field: text}] if self.field else text
        base = making.with_conditions(self.entry, self.parameter)
        if "storage" in self.entry.groups:  # what only counts where the storage is complete
            address = {"rclone_url": "https://share.example.org/dav", "rclone_user": "ada", "rclone_password": "secret"}
            base = {**base, "storage": address}
        return making.put(base, self.parameter, value)


def spots(entry: Entry) -> Iterator[Spot]:
    """All of an entry."""
    for parameter in entry.parameters:
        rule = parameter.rule
        if rule.free_text:
            yield Spot(entry, parameter, rule)
        elif rule.kind is Kind.LIST and rule.items is not None:
            parts = {"": rule.items, **{name: field.rule for name, field in rule.items.fields.items()}}
            yield from (Spot(entry, parameter, part, name) for name, part in parts.items() if part.free_text)


SPOTS = {spot.name: spot for entry_id in ENTRIES for spot in spots(making.shipped().entries[entry_id])}


def test_the_table_is_whole() -> None:
    """There are some 300 values, and every free text of every entry is tried."""
    assert len(HOSTILE) >= 300
    assert len(set(HOSTILE.values())) > 290
    assert {spot.entry.id for spot in SPOTS.values()} == set(ENTRIES)
    assert "modules/ai4os-demo-app storage.datasets[].doi" in SPOTS
    assert len(SPOTS) >= 40


def leaves_of(spot: Spot, text: str) -> tuple[Rendered, Mapping[Path, Any]] | None:
    """The job with that text in the place, leaf by leaf; None where the text is refused, with words for it."""
    found = render(spot.entry, spot.given(text), facts=FACTS, site=FULL)
    if isinstance(found, Rendered):
        return found, dict(making.leaves(making.job_of(found)))
    assert {fault.loc[:3] for fault in found} == {("parameters", spot.parameter.group, spot.parameter.key)}
    words = [told(fault) for fault in found]
    assert all(4 < len(line) < 600 and line.isprintable() for line in words), words
    if spot.parameter.secret and len(text) > 12:
        assert not any(text in line for line in words)
    return None


def as_it_is(text: str) -> str:
    """A text that is data where it stands."""
    return text


def in_base64(text: str) -> str:
    """A text that whatever reads the place of it cannot read."""
    return b64encode(text.encode()).decode()


@dataclass(frozen=True)
class Place:
    """Where a text stands, and how it is written there."""

    before: str
    behind: str
    written: Callable[[str], str]

    def leaf(self, text: str) -> str:
        """What is there with that *text*."""
        return self.before + self.written(text) + self.behind


@dataclass(frozen=True)
class Frame:
    """Where a text goes in a job: by place, what stands before and behind it, and how it is written there."""

    job: Mapping[Path, Any]
    places: Mapping[Path, "Place"]

    def job_with(self, text: str) -> Mapping[Path, Any]:
        """The job as it must be with *text* in those places, and all else as it was."""
        return {**self.job, **{path: place.leaf(text) for path, place in self.places.items()}}


def frame(spot: Spot) -> Frame:
    """What two harmless texts show of where a text goes."""
    one, other = harmless(spot.rule)
    found, changed = leaves_of(spot, one), leaves_of(spot, other)
    assert found is not None
    assert changed is not None
    job, second = found[1], changed[1]
    assert job.keys() == second.keys()
    places = {path: around(job[path], second[path], one, other) for path in job if job[path] != second[path]}
    return Frame(job, places)


def harmless(rule: Rule) -> tuple[str, str]:
    """Two texts that a rule takes, and that differ."""
    if not rule.pattern:
        return ("harmless one", "another text")
    different = making.variants(rule.pattern, rule.example, rule.min_length, rule.max_length)
    found = next((v for v in different if v != rule.example), None) or rule.example.replace("31", "30")
    return rule.example, found


def around(leaf: Any, changed: Any, one: str, other: str) -> Place:
    """What stands before and behind a text, in a leaf that holds it once."""
    places = (
        Place(leaf[:at], leaf[at + len(written(one)) :], written)
        for written in (as_it_is, in_base64)
        for at in range(len(leaf))
        if leaf.startswith(written(one), at)
    )
    found = [place for place in places if place.leaf(other) == changed]
    assert found, (leaf, changed)
    return found[0]


@pytest.mark.parametrize("name", SPOTS)
def test_a_text_is_refused_or_stays_a_text(name: str) -> None:
    """Each hostile value is refused with words, or the job that results differs in that value alone."""
    spot = SPOTS[name]
    known = frame(spot)
    refused = 0
    for what, text in HOSTILE.items():
        if text == spot.parameter.default:
            continue
        result = leaves_of(spot, text)
        if result is None:
            refused += 1
            continue
        expected = known.job_with(unicodedata.normalize("NFC", text.replace("\r\n", "\n")))
        rendered, job = result

        assert job == expected, what
        if spot.parameter.secret:
            assert rendered.items[spot.parameter.key] == text
            assert not known.places, "a secret stands in the job"
    assert refused > (20 if spot.rule.interpolate else 60)
    if spot.rule.pattern == "" and not spot.parameter.secret:
        assert refused < 200  # what only looks dangerous is a user's to write


@pytest.mark.parametrize(
    "name", [name for name, spot in SPOTS.items() if not (spot.parameter.secret or spot.rule.interpolate)]
)
def test_interpolation_is_never_taken(name: str) -> None:
    """`${` and `%{` are refused wherever a user may write, but where Nomad reads neither: in a secret and a script."""
    for what, text in HOSTILE.items():
        if "${" in text or "%{" in text:
            assert leaves_of(SPOTS[name], text) is None, what


@pytest.mark.parametrize("name", [name for name, spot in SPOTS.items() if spot.rule.interpolate])
def test_what_may_hold_interpolation_is_not_seen_by_nomad(name: str) -> None:
    """A text that is let in with `${` or `{{` adds none of these to the job: what reads them there finds no more."""
    spot, taken = SPOTS[name], 0
    known, marks = frame(spot), ("${", "%{", "{{")
    assert {place.written for place in known.places.values()} == {in_base64}
    for what, text in HOSTILE.items():
        found = leaves_of(spot, text) if any(mark in text for mark in marks) else None
        if found is not None:
            taken += 1
            assert [str(found[1]).count(m) for m in marks] == [str(known.job).count(m) for m in marks], what
    assert taken > 30


def test_an_owner_is_no_way_in() -> None:
    """Whoever somebody says to be is refused, or stands in the job as it is and nowhere else."""
    entry = making.shipped().entries["modules/hello-web"]
    harmless = dict(making.leaves(making.job_of(making.rendered(entry))))
    taken = 0
    for what, text in HOSTILE.items():
        found = render(entry, {}, facts=replace(FACTS, owner=text), site=making.PLAIN)
        if isinstance(found, Rendered):
            taken += 1
            job = dict(making.leaves(making.job_of(found)))
            assert job == {**harmless, ("Meta", "owner"): unicodedata.normalize("NFC", text)}, what
        else:
            assert [fault.loc for fault in found] == [("owner",)], what
    assert 50 < taken < 250


@pytest.mark.parametrize("fact", ["deployment_id", "namespace", "node_type"])
def test_a_name_is_no_way_in(fact: str) -> None:
    """What names are made of holds no syntax of anything."""
    entry = making.shipped().entries["modules/hello-web"]
    for what, text in HOSTILE.items():
        facts = Facts(**{**asdict(FACTS), fact: text})
        found = render(entry, {}, facts=facts, site=making.PLAIN)
        if isinstance(found, Rendered):
            assert re.fullmatch(r"[A-Za-z0-9_-]+", text), what
        else:
            assert [fault.loc for fault in found] == [(fact,)], what


@pytest.mark.parametrize("fact", ["domain", "registry", "platform_registry", "notify_url"])
def test_a_site_is_no_way_in(fact: str) -> None:
    """A host, a registry and an address hold nothing that a rule of a proxy, an image or a shell would take apart."""
    entry = making.shipped().entries["modules/ai4os-demo-app"]
    for what, text in HOSTILE.items():
        found = render(entry, {}, facts=FACTS, site=Site(**{**asdict(FULL), fact: text}))
        if isinstance(found, Rendered):
            assert not set(text) & set("\"'`${}\\ <>|\0\r\n"), what
