"""What is exported: enough for the operator's own decisions, nothing that is secret, and never half of it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.branches import Files, exported, exporter, program, ran, repository, write
from clusters import FLEET as E2E
from clusters import Cluster, document, operating, until
from harness import Harness, fleet_document, group, job_document
from herdsman.adapters.exports import read_export
from herdsman.api.app import create_app
from herdsman.api.routes.exports import named
from herdsman.bootstrap import served
from herdsman.cli import exporting
from herdsman.cli.previews import Still, against_export
from herdsman.core.blast import FAILURES, effect
from herdsman.errors import Unavailable, UsageError
from herdsman.model.identity import LOCAL, Denial, Identity
from herdsman.model.keys import job_key, namespace_key
from nomads import nomad_address

__all__ = ["nomad_address"]

FLEET = {"fleet.yaml": fleet_document()}
WEB, DB = job_key("default", "web"), job_key("default", "db")
NAMESPACE = "apiVersion: herdsman/v1\nkind: Namespace\nmetadata: {name: team}\nspec: {meta: {token: %s}}\n"


@pytest.fixture
def harness() -> Harness:
    """Two jobs at rest, and one of somebody else."""
    found = Harness({**FLEET, "web.yaml": job_document("web"), "db.yaml": job_document("db")})
    found.nomad.foreign_register({"ID": "other", "Name": "other", "Namespace": "default", "TaskGroups": [group()]})
    found.sync()
    return found


def rows(text: str) -> dict[str, dict[str, Any]]:
    """The jobs in an export, by name."""
    return {job["name"]: job for job in json.loads(text)["jobs"]}


def test_our_jobs_are_whole_and_those_of_others_are_names(harness: Harness) -> None:
    """What is nobody's business stays out of the file, but for the name that a spec might take."""
    found = rows("".join(exporter(harness).lines()))

    assert found["web"]["body"]["TaskGroups"][0]["Name"] == "g"
    assert found["web"]["stub"]["index"] == found["web"]["body"]["JobModifyIndex"]
    assert found["web"]["memory"]["digest"]
    assert found["other"].keys() == {"namespace", "name", "stub"}


def test_a_job_that_is_asked_for_is_whole(harness: Harness) -> None:
    """`--also` names it."""
    assert "body" in rows("".join(exporter(harness).lines([job_key("default", "other")])))["other"]


def test_jobs_of_namespaces_that_are_not_the_fleets_stay_out(harness: Harness) -> None:
    """Not even their names."""
    harness.files["fleet.yaml"] = fleet_document(namespaces=["default"])
    harness.nomad.spaces["far"] = {"Name": "far", "Meta": None}
    harness.nomad.foreign_register({"ID": "secret", "Name": "secret", "Namespace": "far", "TaskGroups": [group()]})
    harness.sync()

    assert "secret" not in rows("".join(exporter(harness).lines()))


def test_children_of_launching_jobs_stay_out(harness: Harness) -> None:
    """Nomad makes them by the thousand, and no spec can name them."""
    child = {"ID": "web/periodic-1", "Name": "web/periodic-1", "Namespace": "default", "ParentID": "web"}
    harness.nomad.foreign_register({**child, "TaskGroups": [group()]})
    harness.sync()

    assert rows("".join(exporter(harness).lines())).keys() == {"web", "db", "other"}


def test_what_is_written_is_read(harness: Harness, tmp_path: Path) -> None:
    """Stubs, memories and provenance come back as they were."""
    found = read_export(exported(harness, tmp_path / "x.json"))

    assert found.header.fleet == "f"
    assert found.jobs[WEB].memory == harness.store.memory(WEB)
    assert found.jobs[WEB].stub == harness.nomad.stub(WEB)
    assert found.jobs[WEB].provenance == harness.nomad.provenance(WEB, 0)
    assert namespace_key("default") in found.namespaces


def test_a_job_is_on_a_line(harness: Harness) -> None:
    """Neither end needs the whole as text."""
    head, *jobs, tail = list(exporter(harness).lines())

    assert head.endswith('"jobs":[\n')
    assert [json.loads(j.lstrip(","))["name"] for j in jobs] == ["db", "web", "other"]
    assert tail == '],"complete":true}\n'


def test_a_nomad_that_goes_away_in_the_middle_leaves_no_small_fleet(harness: Harness, tmp_path: Path) -> None:
    """The file says why it ends, and is refused with that."""
    fault = lambda name, key: Unavailable("gone away") if (name, key) == ("job", WEB) else None  # noqa: E731
    harness.nomad.fault = fault
    file = exported(harness, tmp_path / "x.json")

    assert json.loads(file.read_text())["error"] == "gone away"
    with pytest.raises(UsageError, match="incomplete: gone away"):
        read_export(file)


NO_EXPORTS = {
    "": "is not JSON, or was cut",
    "{": "is not JSON, or was cut",
    "[]": "it names no format",
    '{"format": "herdsman.export/v9"}': "its format is 'herdsman.export/v9'",
    '{"format": "herdsman.export/v1", "jobs": []}': "incomplete: it was cut",
    '{"format": "herdsman.export/v1", "complete": true}': "is damaged",
    '{"format": "herdsman.export/v1", "complete": true, "fleet": "f", "taken": "", "salt": "xx", "jobs": [],'
    ' "namespaces": []}': "is damaged",
}


@pytest.mark.parametrize("text", NO_EXPORTS)
def test_what_is_no_export_is_refused_in_words(text: str, tmp_path: Path) -> None:
    """With what was expected and how to get it."""
    (tmp_path / "x.json").write_text(text)

    with pytest.raises(UsageError, match="export --live") as error:
        raise UsageError(str(_refusal(tmp_path / "x.json")))
    assert NO_EXPORTS[text] in str(error.value)


def _refusal(file: Path) -> UsageError:
    with pytest.raises(UsageError) as error:
        read_export(file)
    return error.value


def test_an_export_that_is_cut_anywhere_is_refused(harness: Harness, tmp_path: Path) -> None:
    """However much of it arrived."""
    text = "".join(exporter(harness).lines())
    for end in range(0, len(text) - 2, 97):
        (tmp_path / "x.json").write_text(text[:end])
        assert _refusal(tmp_path / "x.json").hint


# -- through the API ---------------------------------------------------------------------------------------------------


@pytest.fixture
def client(harness: Harness) -> Iterator[TestClient]:
    """The API over that operator."""
    app = create_app(harness.operator, metrics=harness.metrics.text)
    app.state.export = exporter(harness).lines
    with TestClient(app, base_url="http://localhost") as found:
        yield found


def test_the_api_answers_the_same(client: TestClient) -> None:
    """`GET /v1/export`, with jobs that are asked for."""
    assert rows(client.get("/v1/export").text).keys() == {"web", "db", "other"}
    assert "body" in rows(client.get("/v1/export", params={"also": "default/other"}).text)["other"]


def test_the_api_refuses_what_names_no_job(client: TestClient) -> None:
    """As a problem, with what to write."""
    answer = client.get("/v1/export", params={"also": "web"})

    assert answer.status_code == 409
    assert "NAMESPACE/JOB" in answer.json()["hint"]
    assert named("default/a/b") == job_key("default", "a/b")


def test_the_api_asks_for_an_administrator(harness: Harness) -> None:
    """Where the operator knows users: the file is of all namespaces at once."""

    class Users:
        """Knows one user, by any token."""

        def __init__(self, admin: bool) -> None:
            self.user = replace(LOCAL, admin=admin)

        def identify(self, token: str) -> Identity | Denial:
            """That one."""
            return self.user

        def anonymous(self) -> Identity | None:
            """Nobody."""
            return None

    answers = []
    for admin in (True, False):
        app = create_app(harness.operator, metrics=harness.metrics.text, auth=Users(admin))
        app.state.export = exporter(harness).lines
        with TestClient(app, base_url="http://localhost") as found:
            answers += [found.get("/v1/export", headers={"Authorization": "Bearer x"}), found.get("/v1/export")]

    assert [a.status_code for a in answers] == [200, 401, 403, 401]


def test_a_nomad_that_does_not_answer_is_a_problem(client: TestClient, harness: Harness) -> None:
    """Before anything was sent, so that nobody keeps half a file."""
    harness.nomad.fault = lambda name, key: Unavailable("away") if name == "listing" else None

    assert client.get("/v1/export").status_code == 502


# -- the same decisions as the operator's ------------------------------------------------------------------------------

VARIANTS: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"Priority": 60},
    {"Meta": {"a": "b"}},
    {"TaskGroups": [group(count=3)]},
    {"TaskGroups": [group(), group("h", 2)]},
    {"policy": {"destructive": "approve"}, "Meta": {"a": "c"}},
    {"policy": {"prune": "stop"}},
    {"policy": {"prune": "keep"}, "Priority": 9},
    {"policy": {"drift": "warn"}},
    {"policy": {"stopped": "respect"}},
    {"policy": {"suspend": True}, "Priority": 8},
    {"policy": {"adopt": "if-equal"}},
    {"Constraints": [{"LTarget": "${attr.kernel.name}", "RTarget": "linux", "Operand": "="}]},
    {"Spreads": [{"Attribute": "${node.datacenter}", "Weight": 20}]},
)
NAMES = ("a", "b", "c", "d")
HAPPENINGS = ("nothing", "edit", "stop", "purge", "suspend")

worlds = st.lists(st.integers(0, len(VARIANTS) - 1), min_size=len(NAMES), max_size=len(NAMES))


def files_of(world: list[int]) -> dict[str, str | bytes]:
    """The specs of a made-up fleet."""
    chosen = {name: VARIANTS[number] for name, number in zip(NAMES, world, strict=True)}
    return {**FLEET, **{f"{n}.yaml": job_document(n, **dict(v)) for n, v in chosen.items() if v is not None}}


def happen(harness: Harness, name: str, what: str) -> None:
    """Something happens to a job behind the operator's back."""
    key = job_key("default", name)
    if key not in harness.nomad.jobs:
        return
    match what:
        case "edit":
            harness.nomad.foreign_edit(key, lambda b: b.update(Priority=33))
        case "stop":
            harness.nomad.foreign_stop(key)
        case "purge":
            harness.nomad.foreign_purge(key)
        case "suspend":
            harness.store.suspend(key, suspended=True)
        case _:
            pass


def still(files: Files) -> Still:
    """A source that holds these."""
    return Still(Harness(dict(files)).snapshot())


@settings(max_examples=80, deadline=None)
@given(
    before=worlds,
    after=worlds,
    happenings=st.lists(st.sampled_from(HAPPENINGS), min_size=len(NAMES), max_size=len(NAMES)),
)
def test_the_file_leads_to_the_operators_own_decisions(
    before: list[int], after: list[int], happenings: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the fleet was, whatever happened to it, whatever it shall be: action, reason and effect are the same."""
    harness = Harness(files_of(before))
    harness.sync()
    for name, what in zip(NAMES, happenings, strict=True):
        happen(harness, name, what)
    file = exported(harness, tmp_path_factory.mktemp("x") / "x.json")
    harness.view.relist()
    harness.files = files_of(after)
    harness.load()

    found = against_export(still(harness.files), read_export(file), fleet="f").plans

    expected = {p.key: (p.decision.action, p.decision.reason, effect(p)) for p in harness.operator.plan()}
    assert {p.key: (p.decision.action, p.decision.reason, effect(p)) for p in found} == expected


@settings(max_examples=15, deadline=None)
@given(before=worlds)
def test_by_its_own_export_a_fleet_at_rest_is_at_rest(
    before: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing would be written."""
    harness = Harness(files_of(before))
    harness.sync()
    export = read_export(exported(harness, tmp_path_factory.mktemp("x") / "x.json"))

    found = against_export(still(harness.files), export, fleet="f").plans

    assert [p for p in found if p.decision.writes or p.decision.reason in FAILURES] == []


# -- no secret, anywhere -----------------------------------------------------------------------------------------------

MARKER = "s3cr3tMARKERx"
PLACES: tuple[dict[str, Any], ...] = (
    {"Env": {"DB_PASSWORD": MARKER}},
    {"Env": {"URL": f"amqp://u:{MARKER}@host/"}},
    {"Config": {"args": [f"--token={MARKER}"]}},
    {"Config": {"auth": {"password": MARKER}}},
    {"Templates": [{"EmbeddedTmpl": f"x = {MARKER}", "DestPath": "local/x"}]},
    {"Meta": {"api_key": MARKER}},
    {"Env": {"X": f"hvs.{MARKER}"}},
)


def variable(text: str) -> str:
    """A variable that holds the marker in an item that does not look like it."""
    head = "apiVersion: herdsman/v1\nkind: Variable\nmetadata: {name: conf/app}\n"
    return f"{head}spec: {{items: {{plain: {text}}}}}\n"


def with_secret(place: dict[str, Any], suffix: str) -> str:
    """A job that holds the marker there."""
    task = {"Name": "t", "Driver": "mock_driver", **json.loads(json.dumps(place).replace(MARKER, MARKER + suffix))}
    return job_document("web", TaskGroups=[{"Name": "g", "Count": 1, "Tasks": [task]}])


@settings(max_examples=5, deadline=None)
@given(before=st.sampled_from(PLACES), after=st.sampled_from(PLACES))
def test_no_secret_is_in_any_output(
    before: dict[str, Any], after: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Neither in the file nor in any rendering of a difference, whatever changed into what."""
    folder = tmp_path_factory.mktemp("x")
    base: Files = {
        **FLEET,
        "web.yaml": with_secret(before, "1"),
        "ns.yaml": NAMESPACE % MARKER,
        "v.yaml": variable(MARKER),
    }
    branch: Files = {
        **FLEET,
        "web.yaml": with_secret(after, "2"),
        "ns.yaml": NAMESPACE % f"{MARKER}2",
        "v.yaml": variable(f"{MARKER}2"),
    }
    harness = Harness(dict(base))
    harness.sync()
    file = exported(harness, folder / "x.json")
    specs = repository(folder / "repo", base, branch) / "specs"

    assert MARKER not in file.read_text()
    for form in ("text", "json", "yaml", "markdown", "junit"):
        for words in (["--against", file], ["--base", "main"], ["--base", "main", "--against", file]):
            found = ran("diff", specs, *words, "-o", form)
            assert found.code == 2
            assert MARKER not in found.out
        assert MARKER not in ran("validate", specs, "-o", form).out


# -- a real operator on a Nomad ----------------------------------------------------------------------------------------


@pytest.fixture
def cluster(nomad_address: str) -> Cluster:
    """An empty cluster."""
    found = Cluster(nomad_address)
    found.wipe()
    return found


def test_from_end_to_end(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exported through the API and from the cluster itself, a fleet at rest is the same; a change is told, offline."""
    specs = tmp_path / "specs"
    secret = {"Name": "t", "Driver": "mock_driver", "Config": {"run_for": "1h"}, "Env": {"TOKEN": MARKER}}
    service = document("e2e-secret", TaskGroups=[{"Name": "g", "Count": 1, "Tasks": [secret]}])
    write(specs, {"fleet.yaml": E2E, "web.yaml": document("e2e-web"), "secret.yaml": service})
    files = [tmp_path / "api.json", tmp_path / "nomad.json"]
    with operating(specs, cluster.address) as wired, served(wired.app, "127.0.0.1:0") as address:
        until(lambda: [s.ready for s in wired.operator.statuses()] == [True, True])
        index = cluster.index()
        assert program(monkeypatch, "export", "--live", "--server", address) == 0
        files[0].write_text(capsys.readouterr().out)
        assert program(monkeypatch, "export", "--live", specs, "--nomad", cluster.address) == 0
        files[1].write_text(capsys.readouterr().out)
        assert cluster.index() == index
    for file in files:
        assert MARKER not in file.read_text()
        assert ran("diff", specs, "--against", file).code == 0

    write(specs, {"fleet.yaml": E2E, "web.yaml": document("e2e-web", Priority=70)})
    for file in files:
        found = ran("diff", specs, "--against", file, "-o", "json")
        assert {p["name"]: p["effect"] for p in found.json()["plans"]} == {
            "e2e-web": "in-place",
            "e2e-secret": "purge",
        }


def test_export_says_what_it_needs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each way to call it wrongly is answered with the right one."""
    assert program(monkeypatch, "export") == 1
    assert "herdsman export --live" in capsys.readouterr().err
    assert program(monkeypatch, "export", "--live", "--nomad", "http://127.0.0.1:9") == 1
    assert "--fleet" in capsys.readouterr().err
    assert program(monkeypatch, "export", "--live", "--server", "http://127.0.0.1:9") == 1
    assert "no operator at" in capsys.readouterr().err


def test_a_broken_off_export_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], harness: Harness
) -> None:
    """The exit code says so, too, with the words of what broke it off."""
    harness.nomad.fault = lambda name, key: Unavailable("gone away") if (name, key) == ("job", WEB) else None
    monkeypatch.setattr(exporting, "from_operator", lambda server, also: exporter(harness).lines())

    assert program(monkeypatch, "export", "--live") == 1
    assert "broken off: gone away" in capsys.readouterr().err
