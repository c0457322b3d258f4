"""Batch jobs for whoever writes scripts and types commands: ordered with a script, and found among the others."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import herdsman.client as errors
from client.serving import Live
from herdsman.cli.main import herdsman
from herdsman.client import Client
from herdsman.errors import HerdsmanError

SCRIPT = 'python train.py --out "${HOME}"\n'
ENTRY = "modules/ai4os-demo-app"


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Live, str]]:
    """The platform with the entries of the package, and where it is."""
    world = Live(packaged=True)
    with world.at_an_address() as address:
        yield world, address


@pytest.fixture
def world(served: tuple[Live, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Live:
    """The platform with nobody's deployments, and Ada before it."""
    world, address = served
    monkeypatch.setenv("HERDSMAN_SERVER", address)
    monkeypatch.setenv("HERDSMAN_TOKEN", "ada")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for one in world.as_("root").get("/v1/admin/deployments").json():
        section = "batch" if one["batch"] else one["catalog"].partition("/")[0]
        world.as_("root").delete(f"/v1/deployments/{section}/{one['job_ID']}")
    world.settle()
    return world


@pytest.fixture
def ada(world: Live, served: tuple[Live, str]) -> Iterator[Client]:
    """Her client."""
    with Client(served[1], "ada") as client:
        yield client


def said(*words: str, stdin: str | None = None) -> str:
    """What a command that succeeds prints."""
    result = CliRunner().invoke(herdsman, words, prog_name="herdsman", standalone_mode=False, input=stdin)
    assert result.exception is None, result.exception
    return result.output


def test_the_client_orders_reads_and_removes_batch_jobs(world: Live, ada: Client) -> None:
    """`client.batch` knows nothing else; `client.deployments` knows them among all."""
    made = ada.batch.create(ENTRY, vo="lab", script=SCRIPT, title="Train")
    served = ada.deployments.create(ENTRY, vo="lab")
    world.settle()
    id_ = made["job_ID"]

    one = ada.batch.get(id_)
    assert (one["batch"], one["script"], one["catalog"]) == (True, SCRIPT, ENTRY)
    assert [d["job_ID"] for d in ada.batch.list()] == [id_]
    assert [d["job_ID"] for d in ada.deployments.list("modules")] == [served["job_ID"]]
    assert {d["job_ID"] for d in ada.deployments.list()} == {id_, served["job_ID"]}
    for ref in (id_, f"batch/{id_}", one):
        assert ada.deployments.get(ref)["job_ID"] == id_
        assert ada.batch.logs(ref).read() == "hello from main"
    with pytest.raises(errors.NotFound):
        ada.batch.get(served["job_ID"])
    assert ada.batch.amend(one, {"hardware": {"ram": 3000}})["script"] == SCRIPT
    world.settle()
    assert ada.batch.stop(id_)["job_ID"] == id_
    ada.batch.delete(id_)
    world.settle()
    assert ada.batch.list() == []


def test_a_script_says_that_it_is_a_batch_job(world: Live, ada: Client) -> None:
    """Whoever has one need not know where such jobs are; whoever forgot it is told."""
    assert ada.deployments.create(ENTRY, vo="lab", script="true")["batch"]
    preview = ada.batch.preview(ENTRY, vo="lab", script="true")
    assert (preview["job"] or {})["Type"] == "batch"
    with pytest.raises(errors.Invalid, match="needs a script"):
        ada.batch.create(ENTRY, vo="lab")


def test_a_file_is_deployed_as_a_batch_job(world: Live, tmp_path: Path) -> None:
    """The list says what it is, and the other commands find it; so it goes from standard input, too."""
    path = tmp_path / "train.sh"
    path.write_text(SCRIPT)
    out = said("deploy", ENTRY, "--vo", "lab", "--script", str(path), "--title", "Train")
    id_ = out.splitlines()[0].split()[-1]
    world.settle()

    assert f"{id_[:8]}  Train  {ENTRY} (batch)" in said("list")
    assert SCRIPT.strip() in said("show", "Train")
    assert f"{ENTRY} (batch)" in said("show", id_)
    assert said("logs", "Train") == "hello from main"
    assert "removed" in said("delete", "-y", "Train")
    world.settle()
    piped = json.loads(said("deploy", ENTRY, "--vo", "lab", "--script", "-", "-o", "json", stdin="true"))
    assert (piped["script"], piped["batch"]) == ("true", True)


def test_what_is_no_script_is_refused_in_words(world: Live, tmp_path: Path) -> None:
    """A file that is no text, and an entry that takes no script."""
    path = tmp_path / "binary"
    path.write_bytes(b"\x7fELF\xff\xfe")
    for words in (["deploy", ENTRY, "--script", str(path)], ["deploy", "modules/demo", "--script", "-"]):
        given = [*words, "--vo", "lab"]
        result = CliRunner().invoke(herdsman, given, prog_name="herdsman", standalone_mode=False, input="true")
        assert isinstance(result.exception, HerdsmanError)
        assert any(said in result.exception.message for said in ("no text in UTF-8", "runs no scripts"))
