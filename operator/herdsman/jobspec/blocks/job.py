"""job: the whole, in the JSON form of the API."""

from __future__ import annotations

from herdsman.jobspec.bodies import BoundBlock

from .common import AFFINITY, CONSTRAINT, MIGRATE, RESCHEDULE, SECRET, SPREAD, UPDATE, VAULT
from .group import GROUP, hand_down
from .schema import Json, decode, flag, integer, many, one, schema, strings, text, texts
from .task import TASK

_PERIODIC = schema(
    flag("enabled", "Enabled"),
    text("cron", "Spec"),
    texts("crons", "Specs"),
    flag("prohibit_overlap", "ProhibitOverlap"),
    text("time_zone", "TimeZone"),
    constants={"SpecType": "cron"},
)
_PARAMETERIZED = schema(
    text("payload", "Payload", ""),
    texts("meta_required", "MetaRequired"),
    texts("meta_optional", "MetaOptional"),
)
_REGION = schema(
    integer("count", "Count"),
    texts("datacenters", "Datacenters"),
    text("node_pool", "NodePool", ""),
    strings("meta", "Meta"),
    label="Name",
)
_MULTIREGION = schema(
    one("strategy", "Strategy", schema(integer("max_parallel", "MaxParallel"), text("on_failure", "OnFailure"))),
    many("region", "Regions", _REGION),
)
_UI = schema(
    text("description", "Description", ""),
    many("link", "Links", schema(text("label", "Label", ""), text("url", "URL", ""))),
)
# What the server keeps and no jobspec says.
_SERVER_KEPT: Json = {
    **dict.fromkeys(
        (
            "ConsulNamespace",
            "CreateIndex",
            "DispatchIdempotencyToken",
            "JobModifyIndex",
            "ModifyIndex",
            "NomadTokenID",
            "ParentID",
            "Payload",
            "Stable",
            "Status",
            "StatusDescription",
            "Stop",
            "SubmitTime",
            "VaultNamespace",
            "Version",
            "VersionTag",
        )
    ),
    "Dispatched": False,
}


def _job(found: Json, block: BoundBlock) -> Json:
    """ID and name are the label unless said otherwise; a task outside a group makes a group of its own."""
    for key in ("ID", "Name"):
        if found[key] is None:
            found[key] = block.label
    lone = found.pop("Tasks") or []
    groups = found["TaskGroups"] or []
    assert isinstance(lone, list)
    assert isinstance(groups, list)
    groups = [*(_around(task) for task in lone), *groups]
    hand_down(found, [task for group in groups for task in group["Tasks"] or []])
    return {**found, "TaskGroups": groups or None}


def _around(task: Json) -> Json:
    group = {key: value for key, value in GROUP.defaults.items() if key not in {"Vault", "Secrets"}}
    return {**group, "Name": task["Name"], "Tasks": [task]}


JOB = schema(
    text("region", "Region"),
    text("namespace", "Namespace"),
    text("id", "ID"),
    text("name", "Name"),
    text("type", "Type"),
    integer("priority", "Priority"),
    flag("all_at_once", "AllAtOnce"),
    texts("datacenters", "Datacenters"),
    text("node_pool", "NodePool"),
    many("constraint", "Constraints", CONSTRAINT),
    many("affinity", "Affinities", AFFINITY),
    many("group", "TaskGroups", GROUP),
    one("update", "Update", UPDATE),
    one("multiregion", "Multiregion", _MULTIREGION),
    many("spread", "Spreads", SPREAD),
    one("periodic", "Periodic", _PERIODIC),
    one("parameterized", "ParameterizedJob", _PARAMETERIZED),
    one("reschedule", "Reschedule", RESCHEDULE),
    one("migrate", "Migrate", MIGRATE),
    strings("meta", "Meta"),
    one("ui", "UI", _UI),
    many("task", "Tasks", TASK),
    one("vault", "Vault", VAULT),
    many("secret", "Secrets", SECRET),
    constants=_SERVER_KEPT,
    finish=_job,
)


def decode_job(block: BoundBlock) -> Json:
    return decode(block, JOB)
