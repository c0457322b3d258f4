"""Deployments and variables among the documents of a snapshot: what is made of them, and what is wrong with them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import pytest
import yaml

from harness import fleet_document, job_document, sealed, unseal
from herdsman.adapters.catalog import read_catalog
from herdsman.adapters.hcl import OfflineHclParser
from herdsman.core.deployments import Workshop
from herdsman.core.desire import desire
from herdsman.core.parse import parse_file
from herdsman.load import Bodies
from herdsman.model.catalog import Catalog, Entry
from herdsman.model.desired import Desired, DesiredJob, DesiredVariable
from herdsman.model.keys import Key, job_key, namespace_key, variable_key
from herdsman.model.sources import Snapshot, SourceFile

WEB = job_key("default", "web")
SECRETS = variable_key("default", "nomad/jobs/web")

USER = """
general:
  title: {name: Title, value: "", max_length: 45}
  password: {name: Password, value: "", secret: true, min_length: 4}
  token: {name: Token, value: "", secret: true, generate: 24}
hardware:
  count: {name: Count, value: 1, range: [1, 5]}
"""

HCL = """
variable "deployment_id" { type = string }
variable "owner" { type = string }
variable "title" { type = string }
variable "count" { type = number }
variable "secrets_given" { type = list(string) }
job "deployment" {
  id   = var.deployment_id
  name = var.deployment_id
  meta { owner = var.owner }
  ui { description = var.title }
  group "g" {
    count = var.count
    task "t" {
      driver = "mock_driver"
      env { GIVEN = join(",", var.secrets_given) }
    }
  }
}
"""


def catalog(hcl: str = HCL, user: str = USER) -> Catalog:
    files = {"metadata.yaml": b"title: T\nsummary: S", "user.yaml": user.encode(), "nomad.hcl": hcl.encode()}
    return read_catalog({f"modules/web/{n}": d for n, d in files.items()}, folder="catalog")


CATALOG = catalog()
ENTRY = CATALOG.entries["modules/web"]
NEWER = catalog(HCL.replace("mock_driver", "raw_exec"))


WORKSHOP = Workshop(catalog=CATALOG, decrypt=unseal)


def deployment(name: str = "web", **spec: Any) -> str:
    body = {"catalog": "modules/web", "owner": "4711@issuer"} | spec
    metadata = {"name": name, "labels": {"team": "web"}}
    return yaml.safe_dump({"apiVersion": "herdsman/v1", "kind": "Deployment", "metadata": metadata, "spec": body})


def variable(path: str, **spec: Any) -> str:
    metadata = {"name": path}
    return yaml.safe_dump({"apiVersion": "herdsman/v1", "kind": "Variable", "metadata": metadata, "spec": spec})


def load(*documents: str, workshop: Workshop | None = WORKSHOP, more: Mapping[str, str] | None = None) -> Desired:
    texts = {"a.yaml": "---\n".join(documents), **(more or {})}
    files = {p: SourceFile(p, t.encode(), sha256(t.encode()).hexdigest()) for p, t in texts.items()}
    parsed = [parse_file(p, t.encode()) for p, t in texts.items()]
    return desire(parsed, Snapshot("r1", files), default_fleet="f", last_fleet=None, workshop=workshop)


def job(found: Desired, key: Key = WEB) -> DesiredJob:
    assert [str(r) for r in found.rejections] == []
    wanted = found.wanted[key]
    assert isinstance(wanted, DesiredJob)
    return wanted


def secrets(found: Desired) -> DesiredVariable:
    wanted = found.wanted[SECRETS]
    assert isinstance(wanted, DesiredVariable)
    return wanted


# -- what it comes to --------------------------------------------------------------------------------------------------


def test_a_deployment_is_a_job_of_its_name() -> None:
    """Entry and values make the job; owner, entry and version are told to whoever asks."""
    found = load(deployment(parameters={"general": {"title": "Mine"}, "hardware": {"count": 2}}))
    body = Bodies(OfflineHclParser())(job(found))

    assert (body["ID"], body["Meta"], body["TaskGroups"][0]["Count"]) == ("web", {"owner": "4711@issuer"}, 2)
    order = found.orders[WEB]
    assert (order.entry, order.owner, order.title, order.template) == (
        "modules/web",
        "4711@issuer",
        "Mine",
        ENTRY.digest,
    )
    assert (order.values["hardware"]["count"], order.labels, order.position.line) == (2, {"team": "web"}, 1)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"title": "another"}, True),
        ({"description": "another"}, True),
        ({"createdAt": "2026-01-01T00:00:00Z", "expiresAfter": "1h"}, True),
        ({"upgrade": "window"}, True),
        ({"policy": {"prune": "keep"}}, True),
        ({"parameters": {"hardware": {"count": 1}}}, True),
        ({"parameters": {"hardware": {"count": 2}}}, False),
        ({"owner": "somebody else"}, False),
        ({"stopped": True}, False),
    ],
    ids=str,
)
def test_the_digest_is_of_template_and_values(change: dict[str, Any], same: bool) -> None:
    """What is told of a deployment does not touch its job; what decides the job does."""
    assert (job(load(deployment(**change))).digest == job(load(deployment())).digest) is same


def test_a_new_template_is_a_new_digest() -> None:
    """An upgrade of the entry reaches the job."""
    newer = job(load(deployment(), workshop=replace(WORKSHOP, catalog=NEWER)))

    assert newer.digest != job(load(deployment())).digest


def test_a_deployment_and_a_job_of_one_name_reject_each_other() -> None:
    """They would be one job in Nomad."""
    found = load(deployment(), job_document("web"))

    assert found.wanted == {}
    assert found.frozen.keys() == {WEB}


# -- what is wrong with it ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"catalog": "modules/wep"}, 'no entry modules/wep (did you mean "modules/web"?)'),
        ({"catalog": "web"}, "spec.catalog: not a name for a catalog entry"),
        ({"parameters": {"general": {"titel": "x"}}}, 'general.titel: unknown parameter (did you mean "title"?)'),
        ({"parameters": {"hardware": {"count": 9}}}, "spec.parameters.hardware.count: expected 1 to 5, got 9"),
        ({"parameters": {"general": {"title": "${x}"}}}, "spec.parameters.general.title: may not hold ${"),
        ({"parameters": {"general": {"password": "hello"}}}, "general.password: a secret may not stand here in clear"),
        ({"parameters": {"general": {"password": sealed("abc")}}}, "general.password: shorter than 4 characters"),
        ({"parameters": {"general": {"password": sealed("damaged"[::-1])}}}, "not encrypted for this operator"),
        ({"owner": ""}, "spec.owner: expected one line"),
        ({"owner": "${x}"}, "spec.owner: may not hold ${"),
        ({"expiresAfter": "1h"}, "spec.createdAt: missing (expiresAfter counts from it)"),
        ({"createdAt": "yesterday"}, "spec.createdAt: expected a time with its zone"),
        ({"createdAt": "2026-01-01T00:00:00"}, "spec.createdAt: expected a time with its zone"),
        ({"upgrade": "pin"}, "spec.template: missing"),
        ({"upgrade": "pin", "template": "0" * 24}, "spec.template: the version 0000000000000000"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place_and_freezes_the_job(spec: dict[str, Any], told: str) -> None:
    """File, line and parameter; and the live job stays."""
    found = load(deployment(**spec))

    assert found.wanted == {}
    assert found.frozen.keys() == {WEB}
    assert any(told in str(r) for r in found.rejections), [str(r) for r in found.rejections]
    assert all(r.position.path == "a.yaml" and r.position.line > 1 for r in found.rejections)
    assert "hello" not in str(found.rejections)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    """Also beside a secret that cannot be read."""
    found = load(deployment(parameters={"general": {"password": "hello", "x": 1}, "hardware": {"count": 9}}))

    assert len(found.rejections) == 3


@pytest.mark.parametrize(
    ("catalog_now", "told"),
    [
        (Catalog(problem="the network is down"), "not all of the catalog can be read: the network is down"),
        (catalog(user="general: ["), "the entry modules/web cannot be used"),
        (Catalog(), "the catalog has no entry modules/web"),
    ],
)
def test_an_entry_that_is_gone_freezes_its_deployments(catalog_now: Catalog, told: str) -> None:
    """They are still listed with their owner."""
    found = load(deployment(), workshop=replace(WORKSHOP, catalog=catalog_now))

    assert found.frozen.keys() == {WEB}
    assert told in found.rejections[0].message
    assert (found.orders[WEB].owner, found.orders[WEB].latest) == ("4711@issuer", "")


# -- versions of an entry ----------------------------------------------------------------------------------------------

WINDOW = fleet_document(windows=[{"schedule": "0 22 * * *", "duration": "2h"}])
INSIDE, OUTSIDE = datetime(2026, 5, 5, 22, 30, tzinfo=UTC), datetime(2026, 5, 5, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("spec", "now", "applied", "newer"),
    [
        ({}, OUTSIDE, ENTRY.digest, True),
        ({"template": ENTRY.digest}, OUTSIDE, ENTRY.digest, True),
        ({"upgrade": "pin", "template": ENTRY.digest}, INSIDE, ENTRY.digest, False),
        ({"upgrade": "window"}, OUTSIDE, ENTRY.digest, False),
        ({"upgrade": "window"}, INSIDE, ENTRY.digest, True),
        ({"upgrade": "window"}, OUTSIDE, "", True),
        ({"upgrade": "window", "template": ENTRY.digest}, OUTSIDE, "", False),
        ({"upgrade": "window", "template": ENTRY.digest}, None, "", False),
    ],
    ids=str,
)
def test_an_upgrade_comes_when_its_policy_says(
    spec: dict[str, Any], now: datetime | None, applied: str, newer: bool
) -> None:
    """auto at once, pin never, window in a window; and what is new begins with the newest."""
    kept: Callable[[str], Entry | None] = {ENTRY.digest: ENTRY}.get
    workshop = replace(WORKSHOP, catalog=NEWER, kept=kept, applied=lambda key: applied, now=now)
    found = load(WINDOW, deployment(**spec), workshop=workshop)

    latest = NEWER.entries["modules/web"].digest
    assert (found.orders[WEB].template, found.orders[WEB].latest) == (latest if newer else ENTRY.digest, latest)


def test_a_pinned_version_must_be_of_the_same_entry() -> None:
    """A digest is no way to another entry's template."""
    other = replace(ENTRY, name="other")
    workshop = replace(WORKSHOP, catalog=NEWER, kept=lambda digest: other)

    assert load(deployment(upgrade="pin", template="a" * 24), workshop=workshop).frozen.keys() == {WEB}


# -- secrets -----------------------------------------------------------------------------------------------------------


def test_secrets_become_a_variable_that_the_job_waits_for() -> None:
    """Neither the job nor what is told of it holds them; what is to be made up is only named."""
    found = load(deployment(parameters={"general": {"password": sealed("open sesame")}}))
    wanted = job(found)

    assert SECRETS in wanted.depends_on
    assert (secrets(found).items, secrets(found).generate) == ({"password": "open sesame"}, {"token": 24})
    assert found.orders[WEB].secrets == ("password", "token")
    assert "open sesame" not in repr(found)
    assert Bodies(OfflineHclParser())(wanted)["TaskGroups"][0]["Tasks"][0]["Env"] == {"GIVEN": "password,token"}


def test_another_secret_changes_the_variable_and_not_the_job() -> None:
    """A job is not restarted because a password is another; its template sees to that."""
    one, other = (load(deployment(parameters={"general": {"password": sealed(s)}})) for s in ("first", "second"))

    assert job(one).digest == job(other).digest
    assert secrets(one).digest != secrets(other).digest


def test_without_an_identity_an_encrypted_secret_is_refused() -> None:
    """And the message says what to do."""
    found = load(
        deployment(parameters={"general": {"password": sealed("x")}}), workshop=replace(WORKSHOP, decrypt=None)
    )

    assert "no age identity" in str(found.rejections[0])
    assert "--age-identity" in str(found.rejections[0])


def test_a_variable_document_may_not_take_the_place_of_the_secrets() -> None:
    """Two would write it; the deployment is the one that is held."""
    found = load(deployment(), variable("nomad/jobs/web", items={"a": "b"}))

    assert found.frozen.keys() == {WEB}
    assert found.wanted.keys() == {SECRETS}


def test_the_secrets_of_a_rejected_deployment_stay() -> None:
    """Where it is only refused beside others, its variable is frozen with it."""
    team = yaml.safe_dump(
        {
            "apiVersion": "herdsman/v1",
            "kind": "Namespace",
            "metadata": {"name": "default"},
            "spec": {"policy": {"dependsOn": ["web"]}},
        }
    )
    found = load(deployment(), team)

    assert found.frozen.keys() == {WEB, SECRETS, namespace_key("default")}


# -- variables ---------------------------------------------------------------------------------------------------------


def test_a_variable_has_its_items_in_clear_and_only_there() -> None:
    """Encrypted ones beside plain ones; no representation of it shows any."""
    found = load(variable("a/b", items={"greeting": "hello there"}, encrypted={"password": sealed("open sesame")}))
    wanted = found.wanted[variable_key("default", "a/b")]

    assert isinstance(wanted, DesiredVariable)
    assert wanted.items == {"greeting": "hello there", "password": "open sesame"}
    assert "hello there" not in repr(found)
    assert "open sesame" not in repr(found)


@pytest.mark.parametrize(
    ("path", "spec", "told"),
    [
        ("a", {}, "spec.items: expected items, or encrypted ones"),
        ("a", {"items": {"password": "x"}}, "spec.items.password: looks like a secret"),
        ("a", {"items": {"x": "ghp_" + "a1B2" * 9}}, "spec.items.x: looks like a secret"),
        ("a", {"items": {"n": 5}}, "spec.items.n: expected text, got a number"),
        ("a", {"items": {"a b": "x"}}, "not a name for an item"),
        ("a", {"items": {"herdsman_fleet": "x"}}, "Herdsman's own"),
        ("a", {"items": {"a": "x"}, "encrypted": {"a": sealed("x")}}, "spec.encrypted.a: stands under items, too"),
        ("a", {"encrypted": {"a": "x"}}, "spec.encrypted.a: expected a text that was encrypted with age, got a text"),
        ("a", {"encrypted": {"a": sealed("damaged"[::-1])}}, "spec.encrypted.a: it is not encrypted for this operator"),
        ("a", {"items": {"a": "x" * 70_000}}, "larger than 61,440 bytes"),
        ("nomad/x", {"items": {"a": "x"}}, "metadata.name: not a path for a Nomad variable"),
        ("herdsman/fleets/f", {"items": {"a": "x"}}, "metadata.name: not a path for a Nomad variable"),
        ("a//b", {"items": {"a": "x"}}, "metadata.name: not a path for a Nomad variable"),
    ],
)
def test_what_is_wrong_with_a_variable_is_told(path: str, spec: dict[str, Any], told: str) -> None:
    """With its place, and never with a value."""
    found = load(variable(path, **spec))

    assert found.wanted == {}
    assert told in str(found.rejections[0])
    assert "ghp_" not in str(found.rejections[0])


def test_what_only_looks_like_a_secret_may_be_allowed() -> None:
    """One line says that it was meant."""
    found = load(variable("a", items={"password_hint": "your cat"}, allowPlain=True))

    assert found.rejections == ()


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("nomad/jobs", True),
        ("nomad/jobs/web", True),
        ("nomad/jobs/web/group", True),
        ("nomad/jobs/web/group/task", True),
        ("nomad/jobs/webs", False),
        ("nomad/job-templates/web", False),
        ("web", False),
    ],
)
def test_a_job_waits_for_the_variables_that_it_may_read(path: str, needed: bool) -> None:
    """Those of its own identity, without saying so."""
    found = load(job_document("web"), variable(path, items={"a": "b"}))

    assert (variable_key("default", path) in job(found).depends_on) is needed
