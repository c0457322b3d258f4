"""The platform over a whole operator in one thread: users with tokens, a catalog, specs in memory, and a Nomad twin."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import yaml
from fastapi.testclient import TestClient

from harness import Harness, fleet_document, sealed, unseal
from herdsman.adapters.catalog import CachedCatalog, FromPackage, read_catalog
from herdsman.api.app import create_app
from herdsman.errors import Conflict, Refused
from herdsman.model.catalog import Catalog, Site
from herdsman.model.identity import Denial, Identity, Role, Why
from herdsman.model.keys import Key
from herdsman.model.placements import Placement, PortAddress, TaskState
from herdsman.model.usage import NOTHING, Node
from herdsman.model.writes import WriteRequest, Written, check_path, check_request, digest, meets
from herdsman.platform import PlatformConfig, TryMeConfig
from herdsman.platform.assembly import assemble
from herdsman.usecases import Operator

BASE = "http://127.0.0.1:8080"
ISSUER = "https://login.example.org"

USER = """
general:
  title: {name: Title, value: "", max_length: 45}
  desc: {name: Description, value: "", max_length: 1000, multiline: true, display: true}
  password: {name: Password, value: "", secret: true, min_length: 4}
hardware:
  cpu_num: {name: CPUs, value: 1, range: [1, 8], resource: cpu}
  ram: {name: RAM, value: 500, range: [100, 4000], resource: memory}
  count: {name: Count, value: 1, range: [1, 5]}
"""

HCL = """
variable "deployment_id" { type = string }
variable "namespace" { type = string }
variable "owner" { type = string }
variable "title" { type = string }
variable "cpu_num" { type = number }
variable "ram" { type = number }
variable "count" { type = number }
variable "secrets_given" { type = list(string) }
variable "domain" { type = string }
job "deployment" {
  id        = var.deployment_id
  name      = var.deployment_id
  namespace = var.namespace
  meta { owner = var.owner }
  ui { description = var.title }
  group "usergroup" {
    count = var.count
    network {
      port "api" {}
      port "ide" {}
    }
    service {
      name     = "${var.deployment_id}-api"
      port     = "api"
      provider = "nomad"
      tags     = ["traefik.http.routers.x.rule=Host(`api-${var.deployment_id}.${var.domain}`)"]
    }
    service {
      name     = "${var.deployment_id}-ide"
      port     = "ide"
      provider = "nomad"
      tags     = ["traefik.http.routers.x.rule=Host(`ide-${var.deployment_id}.$${meta.domain}-${var.domain}`)"]
    }
    task "main" {
      driver = "mock_driver"
      config {
        image   = "org/demo:latest"
        command = "deep-start"
        args    = ["--deepaas"]
      }
      env { GIVEN = join(",", var.secrets_given) }
      resources {
        cores  = var.cpu_num
        memory = var.ram
      }
    }
    task "helper" {
      driver = "mock_driver"
      lifecycle { hook = "prestart" }
    }
  }
}
"""


def entries() -> Catalog:
    """Two modules and a tool, beside what the package brings along."""
    one = {"user.yaml": USER.encode(), "nomad.hcl": HCL.encode()}
    files: dict[str, bytes] = {}
    for id_, tags in (("modules/demo", "[web, example]"), ("modules/other", "[web, gpu]"), ("tools/bench", "[tool]")):
        about = f"title: The {id_}\nsummary: S\ndescription: Long\ntags: {tags}\nlicence: MIT\n"
        files |= {f"{id_}/{n}": d for n, d in {**one, "metadata.yaml": about.encode()}.items()}
    return read_catalog(files, folder="catalog")


def person(name: str, *, admin: bool = False, **grants: Role) -> Identity:
    """Somebody with roles in namespaces."""
    return Identity(subject=name, issuer=ISSUER, name=name.title(), email=f"{name}@x.org", grants=grants, admin=admin)


PEOPLE = {
    "ada": person("ada", lab=Role.USER, team=Role.USER),
    "bob": person("bob", lab=Role.USER),
    "head": person("head", lab=Role.ADMIN),
    "viewer": person("viewer", lab=Role.VIEWER),
    "trier": person("trier", default=Role.TRY_ME),
    "nobody": person("nobody"),
    "root": person("root", admin=True),
}


class Tokens:
    """`ports.Auth`: the token is the name."""

    def identify(self, token: str) -> Identity | Denial:
        """Whose token that is."""
        return PEOPLE.get(token) or Denial(Why.UNKNOWN_TOKEN)

    def anonymous(self) -> Identity | None:
        """Nobody."""
        return None


class MemoryWriter:
    """`ports.SpecWriter` over a dict of files."""

    def __init__(self, files: dict[str, str | bytes]) -> None:
        self._files, self._lock = files, threading.Lock()
        self.done: dict[str, str] = {}
        self.requests: list[WriteRequest] = []
        self.answer: Callable[[Written], Written] = lambda written: written
        self.trouble: Exception | None = None

    def write(self, request: WriteRequest) -> Written:
        """All edits, or none."""
        check_request(request)
        with self._lock:
            if self.trouble is not None:
                raise self.trouble
            if request.request_id in self.done:
                return Written(self.done[request.request_id], repeated=True)
            for edit in request.edits:
                if not meets(edit, self._read(edit.path)):
                    raise Conflict(f"{edit.path} is not as expected")
            for edit in request.edits:
                if edit.content is None:
                    self._files.pop(edit.path, None)
                else:
                    self._files[edit.path] = edit.content
            self.requests.append(request)
            self.done[request.request_id] = f"r{len(self.requests)}"
            return self.answer(Written(self.done[request.request_id]))

    def read(self, path: str) -> bytes | None:
        """A file."""
        check_path(path)
        return self._read(path)

    def read_at(self, path: str, revision: str) -> bytes | None:
        """There is no history."""
        return None

    def describe(self) -> str:
        """A name."""
        return "memory"

    def _read(self, path: str) -> bytes | None:
        found = self._files.get(path)
        return found.encode() if isinstance(found, str) else found


class Allocations:
    """`ports.PlacementReader`: what runs in the twin has an allocation, unless a test says what it has."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self.told: dict[Key, list[Placement]] = {}
        self.calls = 0

    def placements(self, job: Key | None = None) -> Sequence[Placement]:
        """Those of one job, or all."""
        self.calls += 1
        keys = [job] if job is not None else list(self._harness.nomad.jobs)
        return [one for key in keys for one in self.told.get(key, self._running(key))]

    def _running(self, key: Key) -> list[Placement]:
        job = self._harness.nomad.jobs.get(key)
        return [] if job is None or job.body["Stop"] else [placement(key)]

    def nodes(self) -> Sequence[Node]:
        """One node."""
        self.calls += 1
        return [Node("n1", "node-1", "dc1", "default", "ready", True, False, 1, NOTHING)]

    def node_meta(self, node_id: str) -> Mapping[str, str]:
        """Its domain."""
        self.calls += 1
        return {"domain": "site"}


def placement(key: Key, client: str = "running", **more: Any) -> Placement:
    """An allocation whose main task does as the allocation does."""
    state = {"running": "running", "unknown": "running", "pending": "pending"}.get(client, "dead")
    tasks = {"helper": TaskState("dead"), "main": TaskState(state, client == "failed", "Exit Code: 1")}
    made = Placement(
        id=f"alloc-{key.name}",
        job=key,
        group="usergroup",
        node="n1",
        client=client,
        desired="run",
        created=1,
        tasks=tasks,
        cpu_mhz={"main": 2500},
        ports={"api": PortAddress("10.0.0.1", 2000), "ide": PortAddress("10.0.0.1", 2001)},
    )
    return replace(made, **more)


class Said:
    """`ports.Tasks`: what tasks say, and which were started anew."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.restarted: list[str] = []
        self.trouble: Exception | None = None

    def logs(
        self, allocation: str, task: str, *, stream: str, follow: bool, tail: int | None = None
    ) -> Iterator[bytes]:
        """Two pieces."""
        if self.trouble is not None:
            raise self.trouble
        self.asked.append((allocation, task, stream, follow, tail))
        return iter([b"hello ", b"", f"from {task}".encode()])

    def restart(self, allocation: str) -> None:
        """Remember it."""
        if self.trouble is not None:
            raise self.trouble
        self.restarted.append(allocation)


def namespace_document(name: str, **owner: int) -> str:
    """A `Namespace` with quotas for each owner."""
    spec: dict[str, Any] = {"policy": {"adopt": "always"}}
    if owner:
        spec["quotas"] = {"owner": owner}
    document = {"apiVersion": "herdsman/v1", "kind": "Namespace", "metadata": {"name": name}, "spec": spec}
    return yaml.safe_dump(document)


class World:
    """An operator, its platform, and clients of the API."""

    def __init__(
        self,
        files: Mapping[str, str] | None = None,
        *,
        config: PlatformConfig | None = None,
        site: Site | None = None,
        encrypt: Callable[[str], str] | None = sealed,
        auth: bool = True,
        packaged: bool = False,
    ) -> None:
        spaces = {f"{n}.yaml": namespace_document(n) for n in ("lab", "team", "default")}
        self.harness = Harness({"fleet.yaml": fleet_document(), **spaces, **(files or {})})
        self.harness.catalog = entries()
        if packaged:
            self.harness.catalog = self.harness.catalog.over(
                CachedCatalog(FromPackage(), clock=self.harness.clock).catalog()
            )
        self.site = site or Site(domain="apps.example.org")
        self.harness.loader._site = self.site  # as bootstrap gives it
        self.writer = MemoryWriter(self.harness.files)
        self.allocations, self.said = Allocations(self.harness), Said()
        self.refreshed = 0
        self.operator = Operator(self.harness, self.harness.ports, source="here", nomad="twin", writer=self.writer)
        self.config = config or PlatformConfig(
            writes=100_000, try_me=TryMeConfig(namespace="default", anonymous=True, starts=100)
        )
        self.platform = assemble(
            self.harness,
            self.harness.ports,
            writer=self.writer,
            cluster=self.allocations,
            tasks=self.said,
            catalog=lambda: self.harness.catalog,
            refresh=self._refresh,
            site=self.site,
            encrypt=encrypt,
            decrypt=unseal,
            config=self.config,
            salt=b"salt",
        )
        self.app = create_app(self.operator, metrics=self.harness.metrics.text, auth=Tokens() if auth else None)
        self.app.state.platform = self.platform
        self.harness.sync()

    def _refresh(self) -> Catalog:
        self.refreshed += 1
        return self.harness.catalog

    def settle(self) -> None:
        """The loop takes everything up, and the cache of allocations after it."""
        self.harness.sync()
        self.harness.clock.advance(1.5)
        self.platform.placements.tick()

    def as_(self, name: str | None) -> TestClient:
        """A client with that person's token."""
        headers = {"Authorization": f"Bearer {name}"} if name else {}
        return TestClient(self.app, base_url=BASE, headers=headers)

    def order(self, name: str = "ada", **body: Any) -> dict[str, Any]:
        """A deployment that *name* orders in the lab, carried out."""
        answer = self.as_(name).post("/v1/deployments/modules", json={"catalog": "demo", "vo": "lab", **body})
        assert answer.status_code == 201, answer.text
        self.settle()
        made: dict[str, Any] = answer.json()
        return made


def refuse(words: str = "no") -> Refused:
    """A refusal of Nomad's."""
    return Refused(words)


@contextmanager
def at_most_calls(world: World, most: int) -> Iterator[None]:
    """No more than so many questions to Nomad while the block runs."""
    before = len(world.harness.nomad.calls) + world.allocations.calls
    yield
    asked = len(world.harness.nomad.calls) + world.allocations.calls - before
    assert asked <= most, world.harness.nomad.calls[-asked:]


def spec_of(world: World, id_: str, namespace: str = "lab") -> dict[str, Any]:
    """The spec file of a deployment, as YAML reads it."""
    content = world.harness.files[f"deployments/{namespace}/{id_}.yaml"]
    found: dict[str, Any] = yaml.safe_load(content)
    return found


def etag_of(world: World, id_: str, namespace: str = "lab") -> str:
    """The digest of the spec file."""
    content = world.harness.files[f"deployments/{namespace}/{id_}.yaml"]
    return digest(content.encode() if isinstance(content, str) else content)
