"""What the platform knows goes into a job beside what a user says; and secrets go past it."""

from dataclasses import asdict, fields, replace

import pytest

from catalog.making import FACTS, FULL, PLAIN, entry, job_text, rendered
from herdsman.core.catalog import fact_faults, resolve, variables_for
from herdsman.model.catalog import FACTS as KNOWN_FACTS
from herdsman.model.catalog import Facts, Resolved, Site

SECRETS = """
g:
  title: {name: Title, value: "", display: true}
  p: {name: P, value: ""}
  a: {name: A, value: "", secret: true}
  b: {name: B, value: "", secret: true}
  c: {name: C, value: "", secret: true, generate: 20}
"""
TAKES = job_text("p", "a", "b", "title", "secrets_path", "secrets_given: list(string)", "owner", "unset: number")


def test_a_jobspec_gets_what_it_declares() -> None:
    """Parameters, facts and which secrets there are; never a secret, a text for display, or what nobody knows."""
    found = rendered(entry(SECRETS, TAKES), {"g": {"title": "T", "p": "x", "b": "sesame", "a": ""}})

    assert found.source.variables == {
        "deployment_id": "d-1",
        "p": "x",
        "secrets_path": "nomad/jobs/d-1",
        "secrets_given": ["b", "c"],
        "owner": FACTS.owner,
    }
    assert (found.items, found.generate) == ({"b": "sesame"}, {"c": 20})
    assert found.needs_variable
    assert found.source.text == TAKES


def test_nothing_shown_of_it_has_a_secret() -> None:
    """Log lines and tracebacks show a repr: no secret is in it, nor in what the values come with."""
    found = rendered(entry(SECRETS, TAKES), {"g": {"b": "sesame"}})

    assert "sesame" not in repr(found)
    assert "sesame" not in str(found.resolved)
    assert "sesame" not in repr(found.source)


def test_a_job_without_secrets_needs_no_variable() -> None:
    """Where nothing is secret, there is nothing to be written before the job."""
    found = rendered(entry("g: {p: {name: P, value: 1}}", job_text("p: number")))

    assert (found.items, found.generate, found.needs_variable) == ({}, {}, False)


def test_every_fact_is_a_variable() -> None:
    """Each field of facts and site reaches a jobspec that asks for it, by its name and with its type."""
    names = [field.name for field in (*fields(Facts), *fields(Site))]
    of = entry("g: {}", job_text(*(f"{name}: {KNOWN_FACTS[name]}" for name in names if name != "deployment_id")))
    resolved = resolve(of, None)
    assert isinstance(resolved, Resolved)

    assert variables_for(of, resolved, facts=FACTS, site=FULL) == asdict(FACTS) | asdict(FULL)
    assert set(KNOWN_FACTS) == {*names, "secrets_path", "secrets_given"}


GOOD: list[tuple[Facts, Site]] = [
    (FACTS, PLAIN),
    (FACTS, FULL),
    (replace(FACTS, deployment_id="a" * 48, namespace="N-" * 64, owner="Zoë <zoe@example.org>", priority=1), PLAIN),
    (FACTS, replace(PLAIN, registry="localhost:5000", domain="a.b-c.d", notify_url="http://x/?a=b&c=d")),
]


@pytest.mark.parametrize(("facts", "site"), GOOD)
def test_facts_that_do(facts: Facts, site: Site) -> None:
    """What a job can hold is accepted."""
    assert list(fact_faults(facts, site)) == []


BAD: list[tuple[dict[str, object], dict[str, object], str]] = [
    ({"deployment_id": ""}, {}, "deployment_id"),
    ({"deployment_id": "a" * 49}, {}, "deployment_id"),
    ({"deployment_id": "A"}, {}, "deployment_id"),
    ({"deployment_id": "-a"}, {}, "deployment_id"),
    ({"deployment_id": "a/b"}, {}, "deployment_id"),
    ({"deployment_id": "a\n"}, {}, "deployment_id"),
    ({"namespace": "a b"}, {}, "namespace"),
    ({"namespace": "*"}, {}, "namespace"),
    ({"owner": ""}, {}, "owner"),
    ({"owner": "a\nb"}, {}, "owner"),
    ({"owner": "${1+1}"}, {}, "owner"),
    ({"owner": "a" * 513}, {}, "owner"),
    ({"node_type": "a b"}, {}, "node_type"),
    ({"priority": 0}, {}, "priority"),
    ({"priority": 101}, {}, "priority"),
    ({}, {"domain": "a`b"}, "domain"),
    ({}, {"domain": ""}, "domain"),
    ({}, {"registry": "https://x"}, "registry"),
    ({}, {"platform_registry": "x/"}, "platform_registry"),
    ({}, {"service_provider": "eureka"}, "service_provider"),
    ({}, {"notify_url": "ftp://x"}, "notify_url"),
    ({}, {"notify_url": "http://x/$(id) "}, "notify_url"),
]


@pytest.mark.parametrize(("facts", "site", "expected"), BAD)
def test_facts_that_do_not(facts: dict[str, object], site: dict[str, object], expected: str) -> None:
    """What cannot stand in a job is told by its name, before a job is made of it."""
    found = list(fact_faults(Facts(**{**asdict(FACTS), **facts}), Site(**{**asdict(PLAIN), **site})))

    assert [fault.loc for fault in found] == [(expected,)]
    assert found[0].message
