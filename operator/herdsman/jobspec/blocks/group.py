"""group: tasks that run together."""

from __future__ import annotations

from copy import deepcopy

from herdsman.jobspec.bodies import BoundBlock

from .common import (
    AFFINITY,
    CONSTRAINT,
    CONSUL,
    GROUP_SCALING,
    MIGRATE,
    RESCHEDULE,
    RESTART,
    SECRET,
    SPREAD,
    UPDATE,
    VAULT,
)
from .network import NETWORK
from .schema import Json, duration, flag, integer, keyed, many, one, schema, strings, text, texts
from .service import SERVICE
from .task import TASK

_DISCONNECT = schema(
    duration("lost_after", "LostAfter"),
    flag("replace", "Replace"),
    text("reconcile", "Reconcile"),
    duration("stop_on_client_after", "StopOnClientAfter"),
)
_EPHEMERAL_DISK = schema(flag("sticky", "Sticky"), flag("migrate", "Migrate"), integer("size", "SizeMB"))
_VOLUME = schema(
    text("type", "Type", ""),
    text("source", "Source", ""),
    flag("read_only", "ReadOnly", default=False),
    flag("sticky", "Sticky", default=False),
    text("access_mode", "AccessMode", ""),
    text("attachment_mode", "AttachmentMode", ""),
    flag("per_alloc", "PerAlloc", default=False),
    one("mount_options", "MountOptions", schema(text("fs_type", "FSType", ""), texts("mount_flags", "MountFlags"))),
    label="Name",
)


def hand_down(found: Json, tasks: object) -> None:
    """A vault block or secrets around tasks are for those tasks; a task's own come first. The API has them on tasks
    only.
    """
    vault, secrets = found.pop("Vault"), found.pop("Secrets") or []
    assert isinstance(secrets, list)
    for task in tasks if isinstance(tasks, list) else []:
        if task["Vault"] is None and vault is not None:
            task["Vault"] = deepcopy(vault)
        own = task["Secrets"] or []
        names = {secret["Name"] for secret in own}
        task["Secrets"] = [*own, *(deepcopy(secret) for secret in secrets if secret["Name"] not in names)] or None


def _group(found: Json, _block: BoundBlock) -> Json:
    hand_down(found, found["Tasks"])
    return found


GROUP = schema(
    integer("count", "Count"),
    many("constraint", "Constraints", CONSTRAINT),
    many("affinity", "Affinities", AFFINITY),
    many("task", "Tasks", TASK),
    many("spread", "Spreads", SPREAD),
    keyed("volume", "Volumes", _VOLUME),
    one("restart", "RestartPolicy", RESTART),
    one("disconnect", "Disconnect", _DISCONNECT),
    one("reschedule", "ReschedulePolicy", RESCHEDULE),
    one("ephemeral_disk", "EphemeralDisk", _EPHEMERAL_DISK),
    one("update", "Update", UPDATE),
    one("migrate", "Migrate", MIGRATE),
    many("network", "Networks", NETWORK),
    strings("meta", "Meta"),
    many("service", "Services", SERVICE),
    duration("shutdown_delay", "ShutdownDelay"),
    duration("stop_after_client_disconnect", "StopAfterClientDisconnect"),
    duration("max_client_disconnect", "MaxClientDisconnect"),
    duration("max_run_duration", "MaxRunDuration"),
    one("scaling", "Scaling", GROUP_SCALING),
    one("consul", "Consul", CONSUL),
    flag("prevent_reschedule_on_lost", "PreventRescheduleOnLost"),
    one("vault", "Vault", VAULT),
    many("secret", "Secrets", SECRET),
    label="Name",
    finish=_group,
)
