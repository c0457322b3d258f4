"""Blocks that jobs, groups and tasks share."""

from __future__ import annotations

from herdsman.jobspec.bodies import BoundBlock

from .schema import (
    Json,
    Schema,
    byte,
    duration,
    flag,
    integer,
    many,
    opaque,
    schema,
    strings,
    text,
    texts,
)

# A constraint may name its operator as an argument: `regexp = "^a"` for `operator = "regexp"`, `value = "^a"`.
_OPERATORS = ("version", "semver", "regexp", "set_contains")
_AFFINITY_OPERATORS = (*_OPERATORS, "set_contains_any", "set_contains_all")


def _constraint(found: Json, _block: BoundBlock) -> Json:
    operator, left, right = found["operator"], found["attribute"], found["value"]
    for name in _OPERATORS:
        if found[name] is not None:
            operator, right = name, found[name]
    if found["distinct_property"] is not None:
        operator, left = "distinct_property", found["distinct_property"]
    if found["distinct_hosts"] is not None:
        operator, right = "distinct_hosts", "true" if found["distinct_hosts"] else "false"
    return {"LTarget": left or "", "Operand": operator or "=", "RTarget": right or ""}


def _affinity(found: Json, _block: BoundBlock) -> Json:
    operator, right = found["operator"], found["value"]
    for name in _AFFINITY_OPERATORS:
        if found[name] is not None:
            operator, right = name, found[name]
    return {
        "LTarget": found["attribute"] or "",
        "Operand": operator or "=",
        "RTarget": right or "",
        "Weight": found["weight"],
    }


CONSTRAINT = schema(
    *(text(name, name) for name in ("attribute", "operator", "value", *_OPERATORS, "set_contains_any")),
    text("distinct_property", "distinct_property"),
    flag("distinct_hosts", "distinct_hosts"),
    finish=_constraint,
)
AFFINITY = schema(
    *(text(name, name) for name in ("attribute", "operator", "value", *_AFFINITY_OPERATORS)),
    integer("weight", "weight"),
    finish=_affinity,
)
SPREAD = schema(
    text("attribute", "Attribute", ""),
    integer("weight", "Weight"),
    many("target", "SpreadTarget", schema(byte("percent", "Percent", 0), label="Value")),
)
UPDATE = schema(
    duration("stagger", "Stagger"),
    integer("max_parallel", "MaxParallel"),
    text("health_check", "HealthCheck"),
    duration("min_healthy_time", "MinHealthyTime"),
    duration("healthy_deadline", "HealthyDeadline"),
    duration("progress_deadline", "ProgressDeadline"),
    integer("canary", "Canary"),
    flag("auto_revert", "AutoRevert"),
    flag("auto_promote", "AutoPromote"),
)
MIGRATE = schema(
    integer("max_parallel", "MaxParallel"),
    text("health_check", "HealthCheck"),
    duration("min_healthy_time", "MinHealthyTime"),
    duration("healthy_deadline", "HealthyDeadline"),
)
RESCHEDULE = schema(
    integer("attempts", "Attempts"),
    duration("interval", "Interval"),
    duration("delay", "Delay"),
    text("delay_function", "DelayFunction"),
    duration("max_delay", "MaxDelay"),
    flag("unlimited", "Unlimited"),
)
RESTART = schema(
    integer("attempts", "Attempts"),
    duration("interval", "Interval"),
    duration("delay", "Delay"),
    text("mode", "Mode"),
    flag("render_templates", "RenderTemplates"),
)
CONSUL = schema(
    text("namespace", "Namespace", ""),
    text("cluster", "Cluster", ""),
    text("partition", "Partition", ""),
)


def _vault(found: Json, _block: BoundBlock) -> Json:
    for key, default in (("Env", True), ("DisableFile", False), ("ChangeMode", "restart")):
        if found[key] is None:
            found[key] = default
    return found


VAULT = schema(
    texts("policies", "Policies"),
    text("role", "Role", ""),
    text("namespace", "Namespace"),
    text("cluster", "Cluster", ""),
    flag("env", "Env"),
    flag("disable_file", "DisableFile"),
    text("change_mode", "ChangeMode"),
    text("change_signal", "ChangeSignal"),
    flag("allow_token_expiration", "AllowTokenExpiration"),
    finish=_vault,
)
IDENTITY = schema(
    text("name", "Name", ""),
    texts("aud", "Audience"),
    text("change_mode", "ChangeMode", ""),
    text("change_signal", "ChangeSignal", ""),
    flag("env", "Env", default=False),
    flag("file", "File", default=False),
    text("filepath", "Filepath", ""),
    text("service_name", "ServiceName", ""),
    duration("ttl", "TTL", 0),
    strings("extra_claims", "ExtraClaims"),
)
SECRET = schema(
    text("provider", "Provider", ""),
    text("path", "Path", ""),
    opaque("config", "Config"),
    strings("env", "Env"),
    label="Name",
)
LOGS = schema(
    integer("max_files", "MaxFiles"),
    integer("max_file_size", "MaxFileSizeMB"),
    flag("disabled", "Disabled"),
    flag("enabled", "Enabled"),
)
VOLUME_MOUNT = schema(
    text("volume", "Volume"),
    text("destination", "Destination"),
    flag("read_only", "ReadOnly"),
    text("propagation_mode", "PropagationMode"),
    text("selinux_label", "SELinuxLabel"),
)


def _scaling(found: Json, _block: BoundBlock) -> Json:
    return {**found, "Type": "horizontal"}


_VERTICAL = {"cpu": "vertical_cpu", "mem": "vertical_mem"}


def _task_scaling(found: Json, block: BoundBlock) -> Json:
    if block.label not in _VERTICAL:
        detail = 'scaling policy name must be "cpu" or "mem".'
        block.scope.run.report("Invalid scaling policy name", detail, block.header)
    return {**found, "Type": _VERTICAL.get(block.label, "")}


def _scaling_schema(*, task: bool) -> Schema:
    return schema(
        integer("min", "Min"),
        integer("max", "Max"),
        flag("enabled", "Enabled"),
        opaque("policy", "Policy"),
        label="Type" if task else "",
        constants={"ID": "", "Namespace": "", "Target": None, "CreateIndex": 0, "ModifyIndex": 0},
        finish=_task_scaling if task else _scaling,
    )


GROUP_SCALING = _scaling_schema(task=False)
TASK_SCALING = _scaling_schema(task=True)
