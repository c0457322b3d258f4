"""task: one thing that runs."""

from __future__ import annotations

from herdsman.jobspec.bodies import BoundBlock

from .common import (
    AFFINITY,
    CONSTRAINT,
    CONSUL,
    IDENTITY,
    LOGS,
    RESTART,
    SECRET,
    TASK_SCALING,
    VAULT,
    VOLUME_MOUNT,
)
from .resources import RESOURCES
from .schema import Json, duration, flag, integer, many, one, opaque, schema, strings, text, texts
from .service import SERVICE

_SECOND = 1_000_000_000

_CHANGE_SCRIPT = schema(
    text("command", "Command"),
    texts("args", "Args"),
    duration("timeout", "Timeout", 5 * _SECOND),
    flag("fail_on_error", "FailOnError", default=False),
    flag("run_on_first_render", "RunOnFirstRender", default=False),
    finish=lambda found, _block: {**found, "Args": found["Args"] or []},
)
_TEMPLATE = schema(
    text("source", "SourcePath"),
    text("destination", "DestPath"),
    text("data", "EmbeddedTmpl"),
    text("change_mode", "ChangeMode", "restart"),
    one("change_script", "ChangeScript", _CHANGE_SCRIPT),
    text("change_signal", "ChangeSignal"),
    flag("once", "Once"),
    duration("splay", "Splay", 5 * _SECOND),
    text("perms", "Perms", "0644"),
    integer("uid", "Uid"),
    integer("gid", "Gid"),
    text("left_delimiter", "LeftDelim"),
    text("right_delimiter", "RightDelim"),
    flag("env", "Envvars"),
    duration("vault_grace", "VaultGrace"),
    one("wait", "Wait", schema(duration("min", "Min"), duration("max", "Max"))),
    flag("error_on_missing_key", "ErrMissingKey", default=False),
)
_ARTIFACT = schema(
    text("source", "GetterSource"),
    text("destination", "RelativeDest"),
    text("mode", "GetterMode"),
    strings("options", "GetterOptions"),
    strings("headers", "GetterHeaders"),
    flag("insecure", "GetterInsecure"),
    flag("chown", "Chown", default=False),
)
_CSI_PLUGIN = schema(
    text("id", "ID", ""),
    text("type", "Type", ""),
    text("mount_dir", "MountDir", ""),
    text("stage_publish_base_dir", "StagePublishBaseDir", ""),
    duration("health_timeout", "HealthTimeout", 0),
)
_SCHEDULE = schema(
    one(
        "cron",
        "Cron",
        schema(text("start", "Start", ""), text("end", "End", ""), text("timezone", "Timezone", "")),
    )
)


def _task(found: Json, block: BoundBlock) -> Json:
    """The identity without a name is the default one; a task with a CSI plugin says so, the others have no such key."""
    if found["CSIPluginConfig"] is None:
        del found["CSIPluginConfig"]
    identities = found["Identities"] or []
    assert isinstance(identities, list)
    default = [identity for identity in identities if identity["Name"] in {"", "default"}]
    found["Identities"] = [identity for identity in identities if identity["Name"] not in {"", "default"}] or None
    found["Identity"] = default[0] if default else None
    if len(default) > 1:
        detail = "Only one identity block in a task can omit the name."
        block.scope.run.report("Duplicate identity block", detail, block.header)
    return found


TASK = schema(
    text("driver", "Driver", ""),
    text("user", "User", ""),
    one("lifecycle", "Lifecycle", schema(text("hook", "Hook", ""), flag("sidecar", "Sidecar", default=False))),
    opaque("config", "Config"),
    many("constraint", "Constraints", CONSTRAINT),
    many("affinity", "Affinities", AFFINITY),
    strings("env", "Env"),
    many("service", "Services", SERVICE),
    one("resources", "Resources", RESOURCES),
    one("restart", "RestartPolicy", RESTART),
    strings("meta", "Meta"),
    duration("kill_timeout", "KillTimeout"),
    one("logs", "LogConfig", LOGS),
    many("artifact", "Artifacts", _ARTIFACT),
    one("vault", "Vault", VAULT),
    one("consul", "Consul", CONSUL),
    many("template", "Templates", _TEMPLATE),
    one("dispatch_payload", "DispatchPayload", schema(text("file", "File", ""))),
    many("volume_mount", "VolumeMounts", VOLUME_MOUNT),
    one("csi_plugin", "CSIPluginConfig", _CSI_PLUGIN),
    flag("leader", "Leader", default=False),
    duration("shutdown_delay", "ShutdownDelay", 0),
    text("kill_signal", "KillSignal", ""),
    text("kind", "Kind", ""),
    many("scaling", "ScalingPolicies", TASK_SCALING),
    many("identity", "Identities", IDENTITY),
    many("action", "Actions", schema(text("command", "Command", ""), texts("args", "Args"), label="Name")),
    many("secret", "Secrets", SECRET),
    one("schedule", "Schedule", _SCHEDULE),
    label="Name",
    constants={"Identity": None},
    finish=_task,
)
