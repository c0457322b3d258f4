"""Herdsman as a Nomad job: it parses, Nomad takes it, its parts fit together, and its policy is enough and no more."""

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from deploy.known import DEPLOY, Tool, variables
from herdsman.adapters.events import NomadEvents
from herdsman.adapters.nomad import NomadCluster, NomadConfig
from herdsman.api.app import create_app
from herdsman.bootstrap import offline
from herdsman.errors import Forbidden
from herdsman.jobspec import declared_variables, parse
from herdsman.model.keys import job_key, namespace_key, variable_key
from herdsman.model.observed import Provenance
from herdsman.runtime.service import Pace
from nomads import PATIENCE, embedded_command, free_port, started

JOB = (DEPLOY / "nomad" / "herdsman.nomad.hcl").read_text()
POLICY = (DEPLOY / "nomad" / "policy.hcl").read_text()
GIVEN = {"image": "herdsman:0.1.0", "git_image": "git-sync:v4.4.2", "specs_repo": "https://git.example/fleet.git"}
WEB, ELSEWHERE = job_key("default", "web"), job_key("elsewhere", "web")
HCL = 'job "web" {\n  group "g" {\n    count = 0\n    task "t" {\n      driver = "raw_exec"\n    }\n  }\n}\n'
FROM = Provenance(fleet="f", digest="d", version=0)


def job() -> Any:
    """The job in the form of Nomad's API."""
    return parse(JOB, variables=GIVEN)


def task(name: str) -> Any:
    """One of its tasks."""
    (group,) = job()["TaskGroups"]
    return next(t for t in group["Tasks"] if t["Name"] == name)


def test_it_asks_only_for_what_nobody_can_guess() -> None:
    """Images that somebody must build or mirror and the repository have no default; nothing is called latest."""
    declared = {v.name: v for v in declared_variables(JOB)}

    assert {name for name, variable in declared.items() if variable.required} == set(GIVEN)
    assert "latest" not in JOB
    assert set(re.findall(r"-var (\w+)=", JOB)) == set(GIVEN)


def test_there_is_one_of_it() -> None:
    """One allocation, replaced without a canary, with time to stop and with its state kept."""
    (group,) = job()["TaskGroups"]

    assert group["Count"] == 1
    assert (group["Update"]["MaxParallel"], group["Update"]["Canary"]) == (1, 0)
    assert group["EphemeralDisk"]["Sticky"]
    assert group["EphemeralDisk"]["Migrate"]
    assert task("herdsman")["KillTimeout"] / 1e9 > Pace().grace


def test_its_token_is_its_workload_identity() -> None:
    """Herdsman reads the file that the identity writes, and talks to the socket that Nomad gives each task."""
    found = task("herdsman")

    assert found["Identity"]["File"]
    assert found["Env"]["HERDSMAN_NOMAD_TOKEN_FILE"] == "${NOMAD_SECRETS_DIR}/nomad_token"
    assert found["Env"]["NOMAD_ADDR"] == "unix://${NOMAD_SECRETS_DIR}/api.sock"
    NomadConfig(address=found["Env"]["NOMAD_ADDR"]).check()


def test_variables_are_those_that_herdsman_reads() -> None:
    """Each variable of the task is a setting."""
    assert set(task("herdsman")["Env"]) <= variables()


def test_specs_are_where_git_puts_them() -> None:
    """Herdsman reads below the link that git-sync swaps."""
    git = task("git")["Env"]

    assert task("herdsman")["Env"]["HERDSMAN_SPECS"] == f"{git['GITSYNC_ROOT']}/{git['GITSYNC_LINK']}/specs"


def test_only_health_and_metrics_get_out(tmp_path: Path) -> None:
    """Every path that the proxy lets through is a route, the check's among them, and ports and names fit together."""
    (group,) = job()["TaskGroups"]
    (service,) = group["Services"]
    (port,) = group["Networks"][0]["DynamicPorts"]
    text = task("proxy")["Templates"][0]["EmbeddedTmpl"]
    _, operator = offline(tmp_path, fleet="f")
    routes = set(create_app(operator, metrics=lambda: b"").openapi()["paths"])
    let_through = re.search(r"deny_status 404 unless \{ path ([^}]+) \}", text)
    assert let_through is not None

    assert set(let_through[1].split()) == {"/healthz", "/readyz", "/metrics"}
    assert set(let_through[1].split()) <= routes
    assert (service["Provider"], service["Name"], service["PortLabel"]) == ("nomad", "herdsman", port["Label"])
    assert [check["Path"] for check in service["Checks"]] == ["/healthz"]
    assert f"bind :{port['To']}\n" in text
    listen = task("herdsman")["Env"]["HERDSMAN_LISTEN"]
    assert f"server herdsman {listen}\n" in text
    assert f"set-header Host {listen}\n" in text


def test_haproxy_understands_its_configuration(tool: Tool, tmp_path: Path) -> None:
    """`haproxy -c` finds no fault."""
    file = tmp_path / "haproxy.cfg"
    file.write_text(task("proxy")["Templates"][0]["EmbeddedTmpl"])
    done = tool("haproxy")("-c", "-f", file)

    assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True, slots=True)
class Guarded:
    """A Nomad with access control, and the token that may do everything."""

    address: str
    root: str

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Call it as root."""
        return _ask(f"{self.address}{path}", method, self.root, body)

    def token(self, rules: str) -> str:
        """A token with these rules and no others."""
        name = f"p{abs(hash(rules))}"
        self.ask("POST", f"/v1/acl/policy/{name}", {"Name": name, "Rules": rules})
        return str(self.ask("PUT", "/v1/acl/token", {"Name": name, "Type": "client", "Policies": [name]})["SecretID"])

    def cluster(self, rules: str) -> NomadCluster:
        """The adapter, with such a token."""
        return NomadCluster(NomadConfig(address=self.address, token=self.token(rules)), sleep=lambda _: None)


def _ask(url: str, method: str, token: str = "", body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"X-Nomad-Token": token} if token else {}, method=method)
    with build_opener(ProxyHandler({})).open(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """The embedded Nomad with access control, and a second namespace."""
    folder, port = tmp_path_factory.mktemp("acl"), free_port()
    address = f"http://127.0.0.1:{port}"
    with started(embedded_command(port, "--acl"), folder):
        nomad = Guarded(address, _bootstrapped(address))
        nomad.ask("PUT", "/v1/namespace/elsewhere", {"Name": "elsewhere"})
        yield nomad


def _bootstrapped(address: str) -> str:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with suppress(OSError):
            return str(_ask(f"{address}/v1/acl/bootstrap", "POST")["SecretID"])
        time.sleep(0.05)
    pytest.fail(f"no Nomad at {address}")


def _register(cluster: NomadCluster) -> None:
    for key in (WEB, ELSEWHERE):
        body = {**cluster.parse(HCL, variables={}, namespace=key.namespace), "Namespace": key.namespace}
        cluster.register(key, body, if_index=0, provenance=FROM, source=(HCL, "hcl2"))


NODE = "00000000-0000-0000-0000-000000000000"


def _change_a_variable(cluster: NomadCluster) -> None:
    for namespace in ("default", "elsewhere"):
        written = cluster.put_variable("nomad/jobs/web", {"a": "b"}, if_index=0, namespace=namespace)
        assert variable_key(namespace, "nomad/jobs/web") in cluster.variables()
        cluster.delete_variable("nomad/jobs/web", if_index=written.index, namespace=namespace)


def _stop(cluster: NomadCluster) -> None:
    live = cluster.job(WEB)
    assert live is not None
    cluster.stop(live)


def _purge(cluster: NomadCluster) -> None:
    for key in (WEB, ELSEWHERE):
        cluster.purge(key)


CALLS: dict[str, Callable[[NomadCluster], object]] = {
    "version": lambda c: c.version(),
    "listing": lambda c: c.listing(),
    "parse": lambda c: c.parse(HCL, variables={}, namespace="default"),
    "plan": lambda c: c.plan(WEB, c.parse(HCL, variables={}, namespace="default")),
    "register": _register,
    "stub": lambda c: c.stub(WEB),
    "job": lambda c: c.job(WEB),
    "provenance": lambda c: c.provenance(WEB, 0),
    "deployments": lambda c: c.deployments(WEB),
    "allocations": lambda c: c.allocations(WEB),
    "evaluations": lambda c: c.evaluations(ELSEWHERE),
    "namespaces": lambda c: c.namespaces(),
    "variable": lambda c: c.variable("herdsman/fleets/f"),
    "put_variable": lambda c: c.put_variable("herdsman/fleets/f", {"source": "here"}, if_index=0),
    "versions": lambda c: c.versions(WEB),
    "variables": lambda c: c.variables(),
    "all_allocations": lambda c: c.all_allocations(),
    "placements": lambda c: c.placements(WEB),
    "nodes": lambda c: c.nodes(),
    "node_meta": lambda c: c.node_meta(NODE),
    "delete_variable": _change_a_variable,
    "stop": _stop,
    "purge": _purge,
}
"""All that Herdsman asks of Nomad, in an order in which it works."""


def test_the_policy_is_enough(guarded: Guarded) -> None:
    """With it, every call works in every namespace, but those that Nomad keeps for management tokens."""
    public = {name for name in vars(NomadCluster) if not name.startswith("_")}
    management = {"put_namespace", "delete_namespace"}
    assert set(CALLS) == public - management - {"close"}
    with closing(guarded.cluster(POLICY)) as cluster:
        for call in CALLS.values():
            call(cluster)
        with pytest.raises(Forbidden):
            cluster.put_namespace({"Name": "new"})
        with pytest.raises(Forbidden):
            cluster.delete_namespace(namespace_key("elsewhere"))


def test_the_policy_opens_the_event_stream(guarded: Guarded) -> None:
    """With it, events of all namespaces can be followed; without read-job they cannot."""
    for rules, reason in ((POLICY, "connected"), (POLICY.replace('"read-job", ', ""), "403")):
        events = NomadEvents(NomadConfig(address=guarded.address, token=guarded.token(rules)))
        hint = next(iter(events.follow()))
        events.close()

        assert hint.reason.startswith(reason)


@pytest.mark.parametrize(
    ("without", "denied"),
    [
        ('"list-jobs", ', "listing"),
        ('"read-job", ', "job"),
        (', "submit-job"', "register"),
        ('"read", ', "variable"),
        (', "write"', "put_variable"),
        ('agent {\n  policy = "read"\n}', "version"),
        ('node {\n  policy = "read"\n}', "nodes"),
        (', "destroy"', "delete_variable"),
    ],
)
def test_the_policy_is_no_more_than_enough(without: str, denied: str, guarded: Guarded) -> None:
    """Take anything away, and Nomad refuses something."""
    less = POLICY.replace(without, "")
    assert less != POLICY
    with closing(guarded.cluster(less)) as cluster, pytest.raises(Forbidden):
        CALLS[denied](cluster)


def test_the_most_specific_rule_counts_alone(guarded: Guarded) -> None:
    """What the policy says of `default` must repeat what it says of `*`."""
    default = POLICY.index('namespace "default"')
    less = POLICY[:default] + re.sub(r"  capabilities = .*list-jobs.*\n", "", POLICY[default:])
    with closing(guarded.cluster(less)) as cluster:
        cluster.job(ELSEWHERE)
        with pytest.raises(Forbidden):
            cluster.job(WEB)


def test_nomad_takes_the_job(guarded: Guarded) -> None:
    """A plan of the job is no error, and the policy lets Herdsman itself plan it."""
    with closing(guarded.cluster(POLICY)) as cluster:
        body = cluster.parse(JOB, variables=GIVEN, namespace="default")
        cluster.plan(job_key("default", "herdsman"), body)
