"""The commands of who runs things from the catalog, against the platform as it is."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from client.serving import Hostile, Live, told
from herdsman.cli.main import herdsman, run
from herdsman.errors import HerdsmanError
from platforms import spec_of


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Live, str]]:
    """The platform, and where it is."""
    world = Live()
    with world.at_an_address() as address:
        yield world, address


@pytest.fixture
def world(served: tuple[Live, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Live:
    """The platform, with nothing running, and Ada before it. Whoever waits there waits for the loop."""
    world, address = served
    monkeypatch.setenv("HERDSMAN_SERVER", address)
    monkeypatch.setenv("HERDSMAN_TOKEN", "ada")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for one in world.as_("root").get("/v1/admin/deployments").json():
        section = one["catalog"].partition("/")[0]
        world.as_("root").delete(f"/v1/deployments/{section}/{one['job_ID']}")
    world.settle()
    monkeypatch.setattr("herdsman.client.deployments.time.sleep", lambda _: world.settle())
    return world


def call(*words: str, stdin: str | None = None) -> Result:
    """Run a command, as from a shell but in this process."""
    return CliRunner().invoke(herdsman, words, prog_name="herdsman", standalone_mode=False, input=stdin)


def said(*words: str, stdin: str | None = None) -> str:
    """What a command that succeeds prints."""
    result = call(*words, stdin=stdin)
    assert result.exception is None, result.exception
    return result.output


def refusal(*words: str, stdin: str | None = None) -> HerdsmanError:
    """What a command that fails says."""
    error = call(*words, stdin=stdin).exception
    assert isinstance(error, HerdsmanError), error
    return error


def ordered(world: Live, title: str = "Mine", entry: str = "modules/demo") -> str:
    """The ID of a deployment that runs."""
    found = json.loads(said("deploy", entry, "--vo", "lab", "--set", f"general.title={title}", "-o", "json"))
    world.settle()
    return str(found["job_ID"])


# -- the catalog -------------------------------------------------------------------------------------------------------


def test_the_catalog_is_listed_and_shown(world: Live) -> None:
    """Both sections or one, by tags; one entry with its parameters, alone or as a schema."""
    assert [line.split()[0] for line in said("catalog", "list").splitlines()[1:]] == [
        "modules/demo", "modules/other", "tools/bench",
    ]  # fmt: skip
    assert "tools/bench" in said("catalog", "list", "--tools")
    assert "modules/" not in said("catalog", "list", "--tools")
    assert "modules/other" not in said("catalog", "list", "--tag", "example")
    shown = said("catalog", "show", "demo")
    for part in ("The modules/demo", "Long", "hardware.cpu_num", "1..8", "(secret)"):
        assert part in shown
    assert "The tools/bench" in said("catalog", "show", "tools/bench")
    assert "Long" not in said("catalog", "show", "bench", "--config")
    assert json.loads(said("catalog", "show", "demo", "--schema"))["type"] == "object"
    assert yaml.safe_load(said("catalog", "show", "demo", "-o", "yaml"))["config"]["hardware"]["ram"]["value"] == 500
    assert refusal("catalog", "show", "demos").message == "the catalog has no entry demos"
    assert "names no entry" in refusal("catalog", "show", "models/demo").message


def test_the_catalog_is_read_anew_by_its_administrators(world: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody else."""
    assert "role" in refusal("catalog", "refresh").message or "administrator" in refusal("catalog", "refresh").message
    monkeypatch.setenv("HERDSMAN_TOKEN", "root")
    assert said("catalog", "refresh") == "3 entries, 0 broken\n"


# -- from order to removal ---------------------------------------------------------------------------------------------


def test_the_walk(world: Live) -> None:
    """Deploy and wait, list, show, logs, update, stop, start, restart, delete."""
    out = said("deploy", "modules/demo", "--vo", "lab", "--set", "general.title=Mine", "--wait")
    first, *words, endpoint, other = out.splitlines()
    assert first.startswith("ordered modules/demo as ")
    assert words[-1] == "running"
    assert endpoint.split()[0] == "api"
    assert other.split()[0] == "ide"
    id_ = first.split()[-1]

    assert f"{id_[:8]}  Mine   modules/demo  lab        running" in said("list")
    shown = said("show", id_[:8])
    for part in ("running", "general.title", "Mine", "1 cores, 500 MB memory"):
        assert part in shown
    assert said("logs", "Mine", "--task", "helper") == "hello from helper"
    assert said("update", "Mine", "--set", "hardware.ram=600").startswith(f"changed Mine ({id_[:8]})")
    assert spec_of(world, id_)["spec"]["parameters"] == {"general": {"title": "Mine"}, "hardware": {"ram": 600}}
    assert said("update", "Mine", "--title", "Yours").startswith("changed Yours")
    world.settle()
    assert said("restart", "Yours") == f"Yours ({id_[:8]}): 1 restarted\n"
    assert "it stops" in said("stop", "Yours")
    world.settle()
    assert "dead" in said("list")
    assert "it starts" in said("start", "Yours")
    world.settle()
    assert said("delete", "Yours", stdin="y\n").endswith(f"removed Yours ({id_[:8]})\n")
    world.settle()
    assert said("delete", "-y", "Yours") == "there is no Yours, or no longer\n"
    assert "there are none" in said("list")


def test_a_removal_is_asked_about(world: Live) -> None:
    """No answer, or no, removes nothing."""
    ordered(world)
    assert call("delete", "Mine", stdin="n\n").exception is not None
    assert "Mine" in said("list")


def test_a_dry_run_writes_nothing(world: Live) -> None:
    """Neither an order nor a change; what would come of it is shown."""
    before = len(world.writer.requests)
    assert said("deploy", "modules/demo", "--vo", "lab", "--dry-run").startswith("create (")
    assert len(world.writer.requests) == before
    ordered(world)
    out = said("update", "Mine", "--set", "hardware.ram=600", "--dry-run")
    assert out.startswith("update (SpecChanged)")
    assert out.endswith("nothing was written\n")
    assert json.loads(said("update", "Mine", "--title", "T", "--dry-run", "-o", "json"))["plan"]
    assert len(world.writer.requests) == before + 1


def test_a_secret_is_asked_for_or_read(world: Live, tmp_path: Path) -> None:
    """Without echo, twice; or from a file or standard input. It is nowhere in what is printed, nor in the spec."""
    out = said(
        "deploy", "modules/demo", "--vo", "lab", "--title", "A", "--ask", "general.password", stdin="sesam\nsesam\n"
    )
    assert "sesam" not in out
    out = said(
        "deploy", "modules/demo", "--vo", "lab", "--title", "B", "--set-file", "general.password=-", stdin="sesam\n"
    )
    assert "sesam" not in out
    world.settle()
    ids = [one["job_ID"] for one in json.loads(said("list", "-o", "json"))]
    assert len(ids) == 2
    for id_ in ids:
        assert "sesam\n" not in yaml.safe_dump(spec_of(world, id_))
        assert "(sensitive)" in said("show", id_)
    assert "is secret" in refusal("deploy", "modules/demo", "--set", "general.password=sesam").message


def test_lists_are_narrowed(world: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """By entry, status and organisation; everybody's for who administers."""
    ordered(world, "One")
    ordered(world, "Two", "tools/bench")
    assert "One" not in said("list", "--entry", "tools/bench")
    assert "Two" in said("list", "--status", "running", "--vo", "lab")
    assert "there are none" in said("list", "--status", "failed")
    monkeypatch.setenv("HERDSMAN_TOKEN", "head")
    assert "there are none" in said("list")
    assert {one["title"] for one in json.loads(said("list", "--all-owners", "-o", "json"))} == {"One", "Two"}


def test_a_name_has_to_be_one_deployments(world: Live) -> None:
    """A title that two have is answered with their IDs, a strange one with where to look."""
    one, two = ordered(world, "Same"), ordered(world, "Same")
    error = refusal("show", "Same")
    assert one in error.message
    assert two in error.message
    assert "herdsman list" in refusal("logs", "Nothing").hint
    assert refusal("show", one[:3]).message == f"you have no deployment {one[:3]}"


def test_what_does_not_fit_is_a_sentence(world: Live) -> None:
    """The field, what was given, what is taken."""
    assert (
        "conf.hardware.ram: expected 100 to 4"
        in refusal("deploy", "modules/demo", "--vo", "lab", "--set", "hardware.ram=1").message
    )
    assert refusal("deploy", "modules/demo", "--set", "hardware.rma=1").hint == "did you mean hardware.ram?"
    assert "names no entry" in refusal("deploy", "demo").message
    assert "there is no entry" in refusal("deploy", "modules/dmo").message
    assert "in which virtual organisation" in refusal("deploy", "modules/demo").message
    assert "nothing is to be different" in refusal("update", "x").message


def test_waiting_for_what_fails_says_where_to_look(world: Live) -> None:
    """Exit code 1, and the command to look with."""
    error = refusal("deploy", "modules/demo", "--vo", "lab", "--wait", "--timeout", "0")
    assert error.message.startswith("after 0 s ")


def test_a_module_is_tried(world: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until when is said at once, where is said in the end."""
    monkeypatch.setenv("HERDSMAN_TOKEN", "trier")
    out = said("try-me", "demo", "--expires-after", "300", "--wait")
    assert out.startswith("demo can be tried until ")
    assert "running" in out
    assert "api" in out.splitlines()[-2]


def test_statistics_are_shown(world: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was used, and how full the cluster is."""
    monkeypatch.setenv("HERDSMAN_TOKEN", "root")
    assert "in all" in said("stats", "--since", "2020-01-01")
    assert json.loads(said("stats", "--by", "day", "-o", "json"))["granularity"] == "day"
    cluster = said("stats", "--cluster")
    assert "n1" in cluster
    assert cluster.splitlines()[-1].startswith("free: ")
    assert "one of" in refusal("stats", "--usage", "--cluster").message


# -- the program -------------------------------------------------------------------------------------------------------


ANSWERS = [
    told("<html>", kind="text/html"),
    told('[{"job_ID": 1}]'),
    told("{}"),
    b"",
    told("", "302 Found", "Location: http://h"),
]


@pytest.mark.parametrize("words", [["list"], ["deploy", "modules/demo"], ["stats"], ["catalog", "list"], ["logs", "x"]])
@pytest.mark.parametrize("answer", ANSWERS)
def test_no_answer_is_a_traceback(
    words: list[str], answer: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever a server answers, it is told in words, and the exit code is 1."""
    monkeypatch.setenv("HERDSMAN_TOKEN", "a-secret-token")
    monkeypatch.setattr("herdsman.client.transport.time.sleep", lambda _: None)
    with Hostile(answer) as server:
        monkeypatch.setenv("HERDSMAN_SERVER", server.address)
        monkeypatch.setattr("sys.argv", ["herdsman", *words])
        assert run() == 1
    shown = capsys.readouterr()
    assert "error: " in shown.err
    assert "Traceback" not in shown.err
    assert "a-secret-token" not in shown.out + shown.err
