"""Entries on a Nomad: it parses and takes the jobs of all of them, and the page of one is there for real."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, seed, settings

from catalog import making
from catalog.making import FACTS, FULL, PLAIN, Given
from herdsman.adapters.nomad import NomadCluster, NomadConfig
from herdsman.core.catalog import render
from herdsman.model.catalog import Facts, Rendered

PATIENCE = 60.0

SOME = settings(
    max_examples=5, phases=[Phase.generate], deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="session")
def nomad(nomad_address: str) -> Iterator[NomadCluster]:
    """A cluster to parse with."""
    adapter = NomadCluster(NomadConfig(address=nomad_address))
    yield adapter
    adapter.close()


def facts_of(name: str) -> Facts:
    """Facts of a deployment that has its own place on a shared Nomad."""
    return replace(FACTS, deployment_id=f"catalog-{name}", namespace="default")


def call(address: str, method: str, path: str, body: object = None) -> Any:
    """What Nomad answers; it must be content."""
    answer = requests.request(method, f"{address}/v1/{path}", json=body, timeout=30)
    assert answer.ok, (path, answer.status_code, answer.text)
    return answer.json() if answer.content else None


def made(entry_id: str, parameters: object, name: str, *, full: bool = False) -> Rendered:
    """A deployment of a shipped entry."""
    entry = making.shipped().entries[entry_id]
    found = render(entry, parameters, facts=facts_of(name), site=FULL if full else PLAIN)
    assert isinstance(found, Rendered), found
    return found


@pytest.mark.parametrize("entry_id", making.shipped_ids())
def test_nomad_takes_the_jobs_of_every_entry(entry_id: str, nomad: NomadCluster, nomad_address: str) -> None:
    """The defaults and some random sets are parsed as our own jobspec parses them, and registered."""
    entry = making.shipped().entries[entry_id]
    ids: set[str] = set()

    def take(parameters: Given, *, full: bool) -> None:
        name = entry_id.replace("/", "-") + ("-batch" if entry.is_batch(parameters) else "")  # no job changes its type
        job_id = facts_of(name).deployment_id
        ids.add(job_id)
        found = made(entry_id, parameters, name, full=full)
        job = nomad.parse(found.source.text, variables=found.source.variables, namespace="default")

        assert job == making.job_of(found)
        assert call(nomad_address, "POST", "jobs", {"Job": {**job, "Stop": True}})["JobModifyIndex"] > 0
        assert call(nomad_address, "GET", f"job/{job_id}")["Meta"]["catalog_entry"] == FACTS.catalog_entry

    @seed(2)
    @SOME
    @given(making.parameter_sets(entry))
    def some(parameters: Given) -> None:
        take(parameters, full=True)

    try:
        take(making.minimal(entry), full=False)
        some()
    finally:
        for job_id in ids:
            call(nomad_address, "DELETE", f"job/{job_id}?purge=true")


# -- a page that is there ----------------------------------------------------------------------------------------------

GREETING = "Grüße <b>\"an\" alle</b> {{ env `PATH` }} $(id) '\\' \u202e🚀"


@pytest.fixture
def page(nomad: NomadCluster, nomad_address: str) -> Iterator[Callable[[Given], str]]:
    """Deploys the page with parameters, and answers its address once it is healthy; gone with the test."""
    job_id = facts_of("page").deployment_id

    def deploy(parameters: Given) -> str:
        found = made("modules/hello-web", parameters, "page")
        if found.needs_variable:
            variable = {"Path": found.secrets_path, "Items": dict(found.items)}
            call(nomad_address, "PUT", f"var/{found.secrets_path}", variable)
        job = nomad.parse(found.source.text, variables=found.source.variables, namespace="default")
        call(nomad_address, "POST", "jobs", {"Job": job})
        return until(lambda: address_of(nomad_address, job_id))

    yield deploy
    call(nomad_address, "DELETE", f"job/{job_id}?purge=true")
    call(nomad_address, "DELETE", f"var/nomad/jobs/{job_id}")


def until(look: Callable[[], str | None]) -> str:
    """What *look* finds, as soon as it does."""
    end = time.monotonic() + PATIENCE
    while (found := look()) is None:
        assert time.monotonic() < end, f"waited in vain for {look}"
        time.sleep(0.1)
    return found


def address_of(nomad_address: str, job_id: str) -> str | None:
    """Where the newest allocation serves its page, once it says that it is healthy."""
    allocations = call(nomad_address, "GET", f"job/{job_id}/allocations")
    running = [a["ID"] for a in allocations if a["ClientStatus"] == "running" and a["DesiredStatus"] == "run"]
    if not running:
        return None
    port = call(nomad_address, "GET", f"allocation/{running[0]}")["AllocatedResources"]["Shared"]["Ports"][0]
    address = f"http://{port['HostIP']}:{port['Value']}"
    try:
        return address if requests.get(f"{address}/health", timeout=5).ok else None
    except requests.ConnectionError:
        return None


def test_the_page_says_what_a_user_wrote(page: Callable[[Given], str]) -> None:
    """A greeting that would be code elsewhere is text on the page, and nobody is asked for a password."""
    address = page({"general": {"greeting": GREETING, "colour": "dark"}})
    answer = requests.get(address, timeout=5)

    assert answer.status_code == 200
    assert (
        GREETING.replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;").replace("'", "&#x27;") in answer.text
    )
    assert "background: #222" in answer.text


def test_the_page_asks_for_the_password(page: Callable[[Given], str]) -> None:
    """The password comes from the Nomad variable: without it the page is closed, with it open."""
    password = "open ${sesame} {{ now }}"
    address = page({"general": {"visitor_password": password}})

    assert requests.get(address, timeout=5).status_code == 401
    assert requests.get(address, timeout=5, auth=("anybody", "wrong")).status_code == 401
    assert requests.get(address, timeout=5, auth=("anybody", password)).status_code == 200
