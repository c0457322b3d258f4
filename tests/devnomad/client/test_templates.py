"""Templates: the language, its functions, and what happens when a variable changes."""

import contextlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devnomad.support import SECOND, Api, group, job, shell, task
from herdsman.devnomad.client.templates import MissingVariable, TaskTemplates, TemplateError
from herdsman.devnomad.client.templates.files import environment

VARIABLES: Mapping[tuple[str, str], dict[str, Any]] = {
    ("default", "nomad/jobs"): {"Items": {"user": "me", "port": "80", "empty": ""}},
    ("other", "some/path"): {"Items": {"word": "elsewhere"}},
}
NODE = {
    "ID": "n",
    "Name": "devnomad",
    "Datacenter": "dc1",
    "NodeClass": "",
    "NodePool": "default",
    "Attributes": {},
    "Meta": {},
}


def _template(text: str, **more: Any) -> dict[str, Any]:
    blank = {
        "EmbeddedTmpl": text,
        "SourcePath": "",
        "DestPath": "local/out",
        "LeftDelim": "{{",
        "RightDelim": "}}",
        "Perms": "0644",
        "Envvars": False,
    }
    return blank | more


def _templates(root: Path) -> TaskTemplates:
    return TaskTemplates(root, NODE, "default", lambda namespace, path: VARIABLES.get((namespace, path)))


def _render(root: Path, text: str, **more: Any) -> str:
    _templates(root).render([_template(text, **more)], {"NAME": "value", "NOMAD_TASK_NAME": "t"})
    return (root / "local" / "out").read_text()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ('{{ env "NAME" }}', "value"),
        ('{{ env "NONE" }}|{{ envOrDefault "NONE" "other" }}', "|other"),
        ('{{ with nomadVar "nomad/jobs" }}{{ .user }}:{{ .port }}{{ end }}', "me:80"),
        ('{{ (nomadVar "nomad/jobs").user }}', "me"),
        ('{{ with nomadVar "some/path@other.global" }}{{ .word }}{{ end }}', "elsewhere"),
        ('{{ if nomadVarExists "nomad/jobs" }}yes{{ else }}no{{ end }}', "yes"),
        ('{{ if nomadVarExists "none" }}yes{{ else }}no{{ end }}', "no"),
        ('{{ range $k, $v := nomadVar "nomad/jobs" }}{{ $k }}={{ $v }};{{ end }}', "empty=;port=80;user=me;"),
        ('{{ "a" | toUpper | printf "%s-%d" }}', "A-%!d(MISSING)"),
        ('{{ printf "%s-%03d %q %v %%" "a" 7 "b" true }}', 'a-007 "b" true %'),
        ("{{ $x := 3 }}{{ add 2 $x }} {{ subtract 1 $x }} {{ multiply 2 $x }} {{ divide 2 7 }}", "5 2 6 3"),
        ('a {{- " b " -}} c', "a b c"),
        ("{{/* a comment */}}x", "x"),
        ('{{ if and true (eq 1 1) (not false) }}{{ or "" "b" }}{{ end }}', "b"),
        ("{{ if lt 1 2 }}a{{ else if gt 1 2 }}b{{ else }}c{{ end }}", "a"),
        ("{{ if gt 1 2 }}a{{ else if lt 1 2 }}b{{ else }}c{{ end }}", "b"),
        ("{{ if gt 1 2 }}a{{ else if lt 2 1 }}b{{ else }}c{{ end }}", "c"),
        ('{{ range split "," "a,b" }}[{{ . }}]{{ end }}', "[a][b]"),
        ("{{ range loop 2 }}{{ . }}{{ else }}none{{ end }}", "01"),
        ("{{ range loop 0 }}{{ . }}{{ else }}none{{ end }}", "none"),
        ('{{ index (split "," "a,b") 1 }} {{ len "abc" }}', "b 3"),
        ('{{ (parseJSON `{"a": [1, 2]}`).a }}', "[1 2]"),
        ('{{ toJSON (parseJSON `{"a": 1}`) }}', '{"a":1}'),
        ('{{ "x,y" | split "," | join "-" }}', "x-y"),
        ('{{ "a.b" | regexReplaceAll "(\\\\w)\\\\.(\\\\w)" "$2.$1" }}', "b.a"),
        ('{{ base64Encode "hi" }} {{ base64Decode "aGk=" }} {{ sha256Hex "" | len }}', "aGk= hi 64"),
        ('{{ trimSpace " a " }}{{ "ab" | trimPrefix "a" }}{{ replaceAll "a" "o" "banana" }}', "abbonono"),
        ("{{ . }}", "<no value>"),
        ("{{ true }} {{ nil }} {{ 1.5 }}", "true <no value> 1.5"),
    ],
)
def test_the_language(tmp_path: Path, text: str, expected: str) -> None:
    """Actions, pipelines, blocks and functions do what Go's templates do."""
    assert _render(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{{ key `a` }}", "needs Consul"),
        ("{{ with secret `a` }}{{ end }}", "needs Vault"),
        ("{{ nonsense 1 }}", 'function "nonsense" not defined'),
        ("{{ $x }}", 'undefined variable "$x"'),
        ("{{ if true }}", "unclosed"),
        ("{{ end }}", "unexpected"),
        ("{{ env `A`", "unclosed action"),
        ("{{ (env `A` }}", "unclosed left paren"),
        ("{{ ^ }}", "unexpected"),
        ("{{ add `a` 1 }}", "error calling add"),
        ("{{ mustEnv `NONE` }}", "error calling mustEnv"),
        ("{{ `a` 1 }}", "can't give argument"),
        ("{{ file `../../etc/passwd` }}", "outside the task directory"),
        ("{{ file `nothing` }}", "nothing"),
        ("{{ }}", "missing value"),
    ],
)
def test_what_cannot_be_rendered_is_said(tmp_path: Path, text: str, complaint: str) -> None:
    """Errors name what is wrong."""
    with pytest.raises(TemplateError, match=complaint.replace("$", r"\$")):
        _render(tmp_path, text)


@given(st.text())
def test_any_text_is_rendered_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever stands in a template, it is rendered or refused as a template: nothing else happens."""
    root = tmp_path_factory.getbasetemp() / "any"
    with contextlib.suppress(TemplateError):
        _render(root, "{{ " + text + " }}")


def test_a_missing_variable_is_told_apart(tmp_path: Path) -> None:
    """A variable that is not there yet is no mistake of the template; it is known what to watch."""
    templates = _templates(tmp_path)
    with pytest.raises(MissingVariable, match="nomad/jobs/none"):
        templates.render([_template('{{ with nomadVar "nomad/jobs/none" }}{{ end }}')], {})
    assert templates.watched == {("default", "nomad/jobs/none")}


def test_delimiters_permissions_and_sources(tmp_path: Path) -> None:
    """Delimiters and permissions are as configured; a source may be a file of the task."""
    assert _render(tmp_path, '[[ env "NAME" ]] {{ }}', LeftDelim="[[", RightDelim="]]", Perms="600") == "value {{ }}"
    assert (tmp_path / "local" / "out").stat().st_mode & 0o777 == 0o600
    (tmp_path / "local" / "in").write_text('{{ env "NAME" }}!')
    assert _render(tmp_path, "", SourcePath="local/in") == "value!"
    with pytest.raises(TemplateError, match="outside the task directory"):
        _render(tmp_path, "x", DestPath="../escaped")


def test_only_changed_texts_count_as_changed(tmp_path: Path) -> None:
    """Rendering again tells which templates gave another text."""
    templates = _templates(tmp_path)
    both = [_template('{{ env "NAME" }}'), _template("same", DestPath="local/same")]
    assert templates.render(both, {"NAME": "a"}).changed == both
    assert templates.render(both, {"NAME": "b"}).changed == both[:1]
    assert templates.render(both, {"NAME": "b"}).changed == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "A=1\n# no\n\nB = two words \nexport C='3'\nD=\"4\"\nnothing",
            {"A": "1", "B": "two words", "C": "3", "D": "4"},
        ),
        ("A=x=y", {"A": "x=y"}),
        ("", {}),
        ('A="a \\"b\\" \\\\ \\u00e9"\nB=\'\\n\'', {"A": 'a "b" \\ é', "B": "\\n"}),
        ('A="half \\', {"A": '"half \\'}),
    ],
)
def test_lines_become_the_environment(text: str, expected: dict[str, str]) -> None:
    """A template with `env = true` is read as `KEY=value` lines."""
    assert environment(text) == expected


# -- live ----------------------------------------------------------------------------------------------------------
def _with_variable(path: str, script: str, **template: Any) -> dict[str, Any]:
    text = f'{{{{ with nomadVar "{path}" }}}}{{{{ .word }}}}{{{{ end }}}}\n'
    made = {"EmbeddedTmpl": text, "DestPath": "local/word", "Splay": 0} | template
    return shell(script, Templates=[made], KillTimeout=SECOND // 10)


def _says(api: Api, job_id: str, wanted: str) -> None:
    (alloc,) = api.allocs(job_id)
    path = f"/v1/client/fs/logs/{alloc['ID']}?task=t&type=stdout&plain=true"
    api.wait_for(path, lambda text: text.split() == wanted.split())


def test_a_task_waits_for_its_variable(nomad: Api) -> None:
    """A task whose template reads a variable that is not there waits for it, and says so."""
    nomad.register(job("tmpl-wait", group(Tasks=[_with_variable("tmpl/wait", "cat local/word; exec sleep 100")])))
    waiting = nomad.wait_for(
        "/v1/job/tmpl-wait/allocations",
        lambda found: (
            found and "Template" in [e["Type"] for e in found[0]["TaskStates"]["t"]["Events"]]
            if found and found[0]["TaskStates"]
            else False
        ),
    )
    assert waiting[0]["ClientStatus"] == "pending"
    assert "Missing: nomad.var.block(tmpl/wait)" in waiting[0]["TaskStates"]["t"]["Events"][-1]["DisplayMessage"]
    nomad.put("/v1/var/tmpl/wait", {"Items": {"word": "there"}})
    nomad.running("tmpl-wait")
    _says(nomad, "tmpl-wait", "there")
    nomad.purge("tmpl-wait")


def test_a_waiting_task_can_be_stopped(nomad: Api) -> None:
    """A task that waits for a variable ends when its job is stopped."""
    nomad.register(job("tmpl-stop", group(Tasks=[_with_variable("tmpl/never", "exec sleep 100")])))
    nomad.wait_for("/v1/job/tmpl-stop/allocations", lambda found: found and found[0]["TaskStates"])
    nomad.delete("/v1/job/tmpl-stop")
    nomad.wait_for("/v1/job/tmpl-stop/allocations", lambda found: found[0]["ClientStatus"] == "complete")
    nomad.purge("tmpl-stop")


def test_a_changed_variable_restarts_its_task(nomad: Api) -> None:
    """With `change_mode = restart` the task starts anew when its template gives another text, and only then."""
    nomad.put("/v1/var/tmpl/restart", {"Items": {"word": "one"}})
    nomad.register(job("tmpl-restart", group(Tasks=[_with_variable("tmpl/restart", "cat local/word; exec sleep 100")])))
    nomad.running("tmpl-restart")
    _says(nomad, "tmpl-restart", "one")
    nomad.put("/v1/var/tmpl/restart", {"Items": {"word": "one", "other": "x"}})
    nomad.put("/v1/var/tmpl/restart", {"Items": {"word": "two"}})
    _says(nomad, "tmpl-restart", "one two")
    (alloc,) = nomad.allocs("tmpl-restart")
    state = nomad.wait_for(f"/v1/allocation/{alloc['ID']}", lambda a: a["TaskStates"]["t"]["Restarts"] == 1)
    events = [event["DisplayMessage"] for event in state["TaskStates"]["t"]["Events"]]
    assert "Template with change_mode restart re-rendered" in events
    nomad.purge("tmpl-restart")


@pytest.mark.parametrize(("mode", "signal", "says"), [("signal", "SIGHUP", "ready hup two"), ("noop", "", "ready")])
def test_other_change_modes(nomad: Api, mode: str, signal: str, says: str) -> None:
    """With `signal` the task is signalled, with `noop` the file changes and nothing else happens."""
    name = f"tmpl-{mode}"
    nomad.put(f"/v1/var/{name}", {"Items": {"word": "one"}})
    script = "trap 'echo hup; cat local/word' HUP; echo ready; while true; do sleep 0.05; done"
    wanted = _with_variable(name, script, ChangeMode=mode, ChangeSignal=signal)
    nomad.register(job(name, group(Tasks=[wanted])))
    (alloc,) = nomad.running(name)
    file = f"/v1/client/fs/cat/{alloc['ID']}?path=t/local/word"
    nomad.wait_for(file, lambda text: text == "one\n")
    _says(nomad, name, "ready")
    nomad.put(f"/v1/var/{name}", {"Items": {"word": "two"}})
    nomad.wait_for(file, lambda text: text == "two\n")
    _says(nomad, name, says)
    assert nomad.get(f"/v1/allocation/{alloc['ID']}")["TaskStates"]["t"]["Restarts"] == 0
    nomad.purge(name)


def test_simulated_tasks_follow_their_variables_too(nomad: Api) -> None:
    """A simulated container restarts as a real one would."""
    nomad.put("/v1/var/tmpl/docker", {"Items": {"word": "one"}})
    text = '{{ with nomadVar "tmpl/docker" }}{{ .word }}{{ end }}'
    made = {"EmbeddedTmpl": text, "DestPath": "secrets/word", "Splay": 0}
    container = task(Driver="docker", Config={"image": "x"}, Templates=[made])
    nomad.register(job("tmpl-docker", group(Tasks=[container])))
    (alloc,) = nomad.running("tmpl-docker")
    nomad.put("/v1/var/tmpl/docker", {"Items": {"word": "two"}})
    nomad.wait_for(f"/v1/allocation/{alloc['ID']}", lambda a: a["TaskStates"]["t"]["Restarts"] == 1)
    nomad.purge("tmpl-docker")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{{ if true }}" * 3000 + "x" + "{{ end }}" * 3000, "nested too deeply"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "nested too deeply"),
        ("{{ range loop 99999999 }}x{{ end }}", "more than 200000 steps"),
        ("{{ range 99999999 }}x{{ end }}", "more than 200000 steps"),
        ("{{ loop 99999999 }}", "too long to be shown"),
        ('{{ range loop 9 }}{{ printf "%999999d" 1 }}{{ end }}', "more than 4 MiB"),
        ('{{ multiply 999999999999 "a" }}', "is no number"),
        ('{{ "a" | indent 999999999999 }}', "indent must be between"),
        ('{{ "a" | regexMatch "(" }}', "missing closing )"),
    ],
)
def test_no_template_keeps_the_server_busy(tmp_path: Path, text: str, complaint: str) -> None:
    """What would take all time or memory there is ends in an error of the task."""
    with pytest.raises(TemplateError, match=re.escape(complaint)):
        _render(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{ printf "%9999999999d" 1 }}', "%!d(BADWIDTH)"),
        ('{{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" | regexMatch "^(a+)+$" }}', "false"),
        ('{{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" | regexReplaceAll "(a|aa)+$" "x" }}', "a" * 40 + "!"),
        ('{{ "a-b" | regexReplaceAll "(a)-(b)" "${2}$1" }}', "ba"),
        ("{{ range loop 2 4 }}{{ . }}{{ end }}", "23"),
    ],
)
def test_regular_expressions_and_widths_are_gos(tmp_path: Path, text: str, expected: str) -> None:
    """Go's engine takes linear time, and Go's layouts have a widest width."""
    assert _render(tmp_path, text) == expected
