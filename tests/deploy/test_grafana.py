"""The dashboard: it reads what there is, nothing overlaps, and a reader is told what he sees."""

import json
import re
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.known import DEPLOY, Exposition, Tool
from deploy.names import check

DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "herdsman.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
SHOWING = [panel for panel in PANELS if panel["type"] != "row"]
VARIABLES: list[dict[str, Any]] = DASHBOARD["templating"]["list"]
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def expressions() -> list[str]:
    """Every query of a panel or an annotation, with its variables filled in."""
    queries = [target["expr"] for panel in SHOWING for target in panel["targets"]]
    queries += [note["expr"] for note in DASHBOARD["annotations"]["list"] if "expr" in note]
    return [filled(query) for query in queries]


def filled(query: str) -> str:
    """*query* as Grafana sends it."""
    for name, value in {"job": ".+", "instance": ".+", "namespace": ".*", "__rate_interval": "1m"}.items():
        query = query.replace(f"${name}", value)
    return query


@pytest.mark.parametrize("expression", expressions())
def test_a_query_reads_what_there_is(expression: str, told: Exposition) -> None:
    """Metrics, labels and values in a query are those that an operator tells; every variable is one that there is."""
    assert "$" not in expression
    check(expression, told)


@pytest.mark.parametrize("variable", VARIABLES[1:], ids=lambda v: v["name"])
def test_a_variable_offers_what_there_is(variable: dict[str, Any], told: Exposition) -> None:
    """The values to choose from are those of a label that exists."""
    found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
    assert found is not None
    check(filled(found[1]), told)
    check(f"sum by ({found[2]}) ({filled(found[1])})", told)
    assert variable["query"]["query"] == variable["definition"]
    assert variable["datasource"] == SOURCE


@pytest.mark.promtool
def test_promtool_understands_every_query(tool: Tool, tmp_path: Path) -> None:
    """Each query is PromQL."""
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(expressions())]
    file = tmp_path / "queries.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    done = tool("promtool")("check", "rules", file)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_panel_has_an_id_of_its_own() -> None:
    """Ids are unique, and so are titles."""
    for key in ("id", "title"):
        values = [panel[key] for panel in PANELS]
        assert len(set(values)) == len(values)


def test_nothing_overlaps_and_no_row_has_a_gap() -> None:
    """Panels lie beside and below each other, within 24 columns, and fill them."""
    cells = [{(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])} for g in places()]
    for one, other in combinations(cells, 2):
        assert not one & other
    everything = set().union(*cells)
    height = max(y for _, y in everything) + 1

    assert everything == {(x, y) for x in range(24) for y in range(height)}


def places() -> list[dict[str, int]]:
    """Where each panel is."""
    return [panel["gridPos"] for panel in PANELS]


def test_panels_are_listed_as_they_are_read() -> None:
    """From the top to the bottom: Grafana puts what follows a row under it."""
    tops = [panel["gridPos"]["y"] for panel in PANELS]

    assert all(above <= below for above, below in pairwise(tops))
    assert PANELS[0]["type"] == "row"


@pytest.mark.parametrize("panel", SHOWING, ids=lambda p: p["title"])
def test_a_panel_can_be_read(panel: dict[str, Any]) -> None:
    """It says what it shows and in which unit; every line has a legend; the data source is the reader's choice."""
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == SOURCE
    refs = [target["refId"] for target in panel["targets"]]
    assert len(set(refs)) == len(refs)
    for target in panel["targets"]:
        assert target["datasource"] == SOURCE
        if panel["type"] != "table":
            assert target["legendFormat"] != "__auto"


@pytest.mark.parametrize("panel", SHOWING, ids=lambda p: p["title"])
def test_a_legend_shows_labels_that_the_result_has(panel: dict[str, Any]) -> None:
    """A legend names no label that the query has summed away."""
    for target in panel["targets"]:
        shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        kept = re.findall(r"\bby \(([^)]*)\)", target["expr"])
        summed = re.search(r"\b(sum|max|min|count)\s*\(", target["expr"])
        if kept:
            assert shown <= {label.strip() for label in kept[0].split(",")} - {"le"}
        elif summed:
            assert not shown


def test_the_fleet_and_its_operator_are_all_there() -> None:
    """What a person asks first has a panel: who is not ready, what is held, who changes what, how Nomad does."""
    read = "\n".join(expressions())
    for name in (
        "herdsman_resource_info", "herdsman_held", "herdsman_drift_detected_total", "herdsman_actions_total",
        "herdsman_reconcile_total", "herdsman_reconcile_errors_total", "herdsman_reconcile_duration_seconds_bucket",
        "herdsman_workqueue_depth", "herdsman_workqueue_queue_duration_seconds_bucket",
        "herdsman_nomad_requests_total", "herdsman_nomad_request_duration_seconds_bucket",
        "herdsman_event_stream_connected", "herdsman_source_reads_total", "process_resident_memory_bytes",
        "process_cpu_seconds_total", "herdsman_build_info",
    ):  # fmt: skip
        assert name in read


def test_it_is_for_grafana_10() -> None:
    """The schema is the one of Grafana 10, nothing names a data source of somebody's, and it can be found again."""
    assert DASHBOARD["schemaVersion"] == 38
    assert DASHBOARD["uid"] == "herdsman"
    assert [v["name"] for v in VARIABLES] == ["datasource", "job", "instance", "namespace"]
    assert "__inputs" not in DASHBOARD
    uids = set(re.findall(r'"uid": "([^"]+)"', json.dumps(DASHBOARD)))
    assert uids == {"herdsman", "${datasource}", "-- Grafana --"}
