"""Which tables there are, how their rows are found, and which watch keys a change of a row touches."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Final

from herdsman.devnomad.state.tables import Table
from herdsman.devnomad.types import Row


def _job_of(row: Row) -> Hashable:
    return row["Namespace"], row["JobID"]


def tables() -> dict[str, Table]:
    """Every table, empty."""
    made = (
        Table("jobs", indexes={"parent": lambda row: row["ParentID"] and (row["Namespace"], row["ParentID"])}),
        Table("versions", indexes={"job": lambda row: (row["Namespace"], row["ID"])}),
        Table("submissions", indexes={"job": _job_of}),
        Table("summaries"),
        Table("evals", indexes={"job": _job_of}),
        Table(
            "allocs",
            indexes={
                "job": _job_of,
                "node": lambda row: row["NodeID"],
                "eval": lambda row: row["EvalID"],
                "deployment": lambda row: row["DeploymentID"],
            },
        ),
        Table("deployments", indexes={"job": _job_of}),
        Table("nodes"),
        Table("pools"),
        Table("namespaces"),
        Table("variables"),
        Table("policies"),
        Table("tokens", indexes={"secret": lambda row: row["SecretID"]}),
        Table("roles", indexes={"name": lambda row: row["Name"]}),
        Table(
            "services",
            indexes={
                "name": lambda row: (row["Namespace"], row["ServiceName"]),
                "alloc": lambda row: row["AllocID"],
            },
        ),
        Table("scaling_policies", indexes={"job": _scaled_job}),
        Table("scaling_events"),
        Table("launches"),
        Table("settings"),
    )
    return {table.name: table for table in made}


def _scaled_job(row: Row) -> Hashable:
    return row["Target"]["Namespace"], row["Target"]["Job"]


def _named(table: str, *fields: str) -> Callable[[Row], Iterable[Hashable]]:
    """Touches the table, and the row under the named fields."""

    def touched(row: Row) -> Iterable[Hashable]:
        return (table,), (table, *(row[field] for field in fields))

    return touched


def _in_job(table: str) -> Callable[[Row], Iterable[Hashable]]:
    def touched(row: Row) -> Iterable[Hashable]:
        return (table,), (table, row["ID"]), (table, "job", row["Namespace"], row["JobID"])

    return touched


def _alloc(row: Row) -> Iterable[Hashable]:
    return (
        *_in_job("allocs")(row),
        ("allocs", "node", row["NodeID"]),
        ("allocs", "eval", row["EvalID"]),
        ("allocs", "deployment", row["DeploymentID"]),
    )


def _service(row: Row) -> Iterable[Hashable]:
    return ("services",), ("services", row["Namespace"], row["ServiceName"])


WATCHED: Final[Mapping[str, Callable[[Row], Iterable[Hashable]]]] = {
    "jobs": _named("jobs", "Namespace", "ID"),
    "versions": _named("versions", "Namespace", "ID"),
    "submissions": _named("submissions", "Namespace", "JobID"),
    "summaries": _named("summaries", "Namespace", "JobID"),
    "evals": _in_job("evals"),
    "allocs": _alloc,
    "deployments": _in_job("deployments"),
    "nodes": _named("nodes", "ID"),
    "pools": _named("pools", "Name"),
    "namespaces": _named("namespaces", "Name"),
    "variables": _named("variables", "Namespace", "Path"),
    "policies": _named("policies", "Name"),
    "tokens": _named("tokens", "AccessorID"),
    "roles": _named("roles", "ID"),
    "services": _service,
    "scaling_policies": _named("scaling_policies", "ID"),
    "scaling_events": _named("scaling_events", "Namespace", "JobID"),
    "launches": _named("launches", "Namespace", "ID"),
    "settings": _named("settings", "Name"),
}
