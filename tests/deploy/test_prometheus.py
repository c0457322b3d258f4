"""The rules: every metric and label in them exists, every alert is tested and says what to do."""

import re
from typing import Any

import pytest
import yaml

from deploy.known import DEPLOY, Exposition, Tool, flags
from deploy.names import RULES, alerts, check, recorded, rules
from deploy.promql import read
from herdsman.adapters.metrics import HELD
from herdsman.model.plans import Reason
from herdsman.model.policies import JobPolicy

FOLDER = DEPLOY / "prometheus"
TESTS = sorted(FOLDER.glob("*.test.yaml"))
OURS = re.compile(r"(herdsman|process|python)_")


def cases() -> list[dict[str, Any]]:
    """Every group of promtool's unit tests."""
    return [case for file in TESTS for case in yaml.safe_load(file.read_text())["tests"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda r: r.get("alert") or r["record"])
def test_a_rule_reads_what_there_is(rule: dict[str, Any], told: Exposition) -> None:
    """Metrics, labels and values in a rule are those that an operator tells."""
    check(rule["expr"], told)


def test_a_rule_that_reads_what_there_is_not_is_found(told: Exposition) -> None:
    """The check above fails for a metric, a label, a value and a grouping that nobody tells."""
    for expression in (
        "herdsman_redy == 0",
        'herdsman_held{why="PruneLimit"} > 0',
        'herdsman_held{reason="PruneLimits"} > 0',
        'sum without (result) (rate(herdsman_reconcile_errors_total{class=~"transient|bugs"}[10m]))',
        "sum by (verb) (herdsman_nomad_requests_total)",
        "1",
    ):
        with pytest.raises(AssertionError):
            check(expression, told)


@pytest.mark.parametrize("name", alerts())
def test_an_alert_says_how_bad_it_is_and_what_to_do(name: str) -> None:
    """Severity is one of three, there is time to recover, and what is told names labels that the alert has."""
    alert = alerts()[name]

    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert alert["for"]
    assert set(alert["annotations"]) == {"summary", "description"}
    assert len(alert["annotations"]["description"]) > 80
    absent = alert["expr"].startswith("absent(")
    per_spec = "spec:" in alert["expr"] or "without (instance" in alert["expr"]
    shown = set(re.findall(r"\$labels\.(\w+)", str(alert["annotations"])))
    assert shown <= ({"kind", "namespace", "name", "reason"} if per_spec else set() if absent else {"instance"})


@pytest.mark.parametrize("name", alerts())
def test_what_an_alert_advises_exists(name: str) -> None:
    """`herdsman approve`, `policy.adopt`, `--workers`: what a person is told to use is there."""
    text = alerts()[name]["annotations"]["description"]
    commands = re.findall(r"\bherdsman ([a-z]+)", text)
    options = flags("run").union(*(flags(each) for each in commands))
    fields = {setting.alias or field for field, setting in JobPolicy.model_fields.items()}

    assert set(re.findall(r"(?<!\w)--[a-z-]+", text)) <= options
    assert set(re.findall(r"\bpolicy\.([a-z]\w*)", text)) - {"hcl"} <= fields


def test_every_reason_to_hold_a_change_has_its_alert() -> None:
    """What is held waits for somebody, who is told of it: by its own alert, or by one about the source."""
    expressions = [a["expr"] for n, a in alerts().items() if n not in {"HerdsmanSpecNotReady", "HerdsmanSpecUnsettled"}]
    told = {
        value
        for expression in expressions
        for selector in read(expression).selectors
        for matcher in selector.matchers
        if matcher.label == "reason" and matcher.operator in {"=", "=~"}
        for value in matcher.alternatives
    }
    by_the_source = {Reason.INVALID.value, Reason.DESIRED_INCOMPLETE.value}

    assert {r.value for r in HELD} - told - by_the_source == {Reason.SUSPENDED.value}
    assert any('suspended="True"' in expression for expression in expressions)


def test_not_ready_leaves_out_what_others_tell() -> None:
    """The general alert is silent for exactly the reasons for which a change is held or a person is awaited."""
    held = {r.value for r in HELD} - {Reason.SUSPENDED.value}
    waiting = {Reason.NEEDS_PROMOTION.value, Reason.PAUSED.value}
    for name, expected in (("HerdsmanSpecNotReady", held), ("HerdsmanSpecUnsettled", held | waiting)):
        (selector,) = (s for s in read(alerts()[name]["expr"]).selectors if s.metric != "ALERTS")
        left_out = {v for m in selector.matchers if m.label == "reason" for v in m.alternatives}

        assert left_out == expected


def test_every_alert_is_tested_both_ways() -> None:
    """Each alert has a case in which it is silent and one in which it fires, and each case names an alert."""
    silent: set[str] = set()
    fires: set[str] = set()
    for case in cases():
        for asked in case["promql_expr_test"]:
            found = re.fullmatch(r'ALERTS\{alertname="(\w+)", alertstate="firing"\}', asked["expr"])
            if found:
                (fires if asked.get("exp_samples") else silent).add(found[1])

    assert silent == set(alerts())
    assert fires == set(alerts())
    tested = str([asked["expr"] for case in cases() for asked in case["promql_expr_test"]])
    assert [name for name in recorded() if name not in tested] == []


@pytest.mark.parametrize("case", cases(), ids=lambda c: c["name"])
def test_the_series_of_a_test_exist(case: dict[str, Any], told: Exposition) -> None:
    """A unit test feeds metrics, labels and values that an operator tells."""
    for given in case["input_series"]:
        if not given["series"].startswith("up{"):
            check(given["series"], told)


def test_every_metric_of_ours_that_is_told_is_described(told: Exposition) -> None:
    """Names begin with ours or with those of the client library, and each has a help text."""
    helped = set(re.findall(r"^# HELP (\S+) \S", told.text, re.MULTILINE))
    bare = {re.sub(r"_(bucket|sum|count)$", "", name) for name in told.labels}

    assert [name for name in bare if not OURS.match(name)] == []
    assert bare - helped == set()


@pytest.mark.parametrize("file", ["scrape.yaml", "scrape-nomad.yaml"])
def test_the_scrape_job_is_the_one_that_the_rules_know(file: str) -> None:
    """The job is called `herdsman`, and brings the rules along."""
    config = yaml.safe_load((FOLDER / file).read_text())

    assert [job["job_name"] for job in config["scrape_configs"]] == ["herdsman"]
    assert [FOLDER / name for name in config["rule_files"]] == [RULES]


@pytest.mark.promtool
def test_promtool_understands_the_rules(tool: Tool) -> None:
    """`promtool check rules` finds no fault."""
    done = tool("promtool")("check", "rules", "--lint-fatal", RULES)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.promtool
@pytest.mark.parametrize("file", TESTS, ids=lambda f: f.name)
def test_the_rules_do_what_they_say(file: Any, tool: Tool) -> None:
    """`promtool test rules`: each alert fires when it should, and not before."""
    done = tool("promtool")("test", "rules", file)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.promtool
def test_the_exposition_is_well_formed(tool: Tool, told: Exposition) -> None:
    """`promtool check metrics` has nothing to say about names, types and help texts."""
    done = tool("promtool")("check", "metrics", stdin=told.text)

    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.promtool
@pytest.mark.parametrize("file", ["scrape.yaml", "scrape-nomad.yaml"])
def test_promtool_understands_the_scrape_configuration(file: str, tool: Tool) -> None:
    """`promtool check config` takes it, rules and all."""
    done = tool("promtool")("check", "config", FOLDER / file)
    if "nomad_sd_configs not found" in done.stderr:
        pytest.skip("this promtool is built without Nomad's service discovery")

    assert done.returncode == 0, done.stdout + done.stderr
