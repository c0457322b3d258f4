"""What Nomad warns of though it registers the job."""

from collections.abc import Iterator

from herdsman.devnomad.structs.errors import error_text, joined, quoted
from herdsman.devnomad.structs.shapes import Json

_REPLACED = (
    ("MaxClientDisconnect", "MaxClientDisconnect will be deprecated favor of Disconnect.LostAfter"),
    ("StopAfterClientDisconnect", "StopAfterClientDisconnect will be deprecated favor of Disconnect.StopOnClientAfter"),
    ("PreventRescheduleOnLost", "PreventRescheduleOnLost will be deprecated favor of Disconnect.Replace"),
)
_VAULT_GRACE = (
    "VaultGrace has been deprecated as of Nomad 0.11 and ignored since Vault 0.5. "
    "Please remove VaultGrace / vault_grace from template block."
)


def job_warnings(job: Json, *, oversubscription: bool) -> Iterator[str]:
    """All warnings of a job in stored form."""
    groups = job["TaskGroups"] or ()
    for group in groups:
        if group["Services"] and not _delays_shutdown(group):
            yield (
                f"group {quoted(group['Name'])} defines services, "
                "but neither the group nor any of its tasks have shutdown_delay set"
            )
        if found := list(_group_warnings(group)):
            yield f"Group {quoted(group['Name'])} has warnings: {error_text(found)}"
    promoted = sum(group["Update"] is not None and group["Update"]["AutoPromote"] for group in groups)
    if 0 < promoted < len(groups):
        yield "auto_promote must be true for all groups to enable automatic promotion"
    if not oversubscription:
        yield from _memory_warnings(job)


def _delays_shutdown(group: Json) -> bool:
    return bool(group["ShutdownDelay"]) or any(task["ShutdownDelay"] for task in group["Tasks"] or ())


def _group_warnings(group: Json) -> Iterator[str]:
    count, update = group["Count"], group["Update"]
    if update is not None and 1 < count < update["MaxParallel"]:
        yield (
            f"Update max parallel count is greater than task group count ({update['MaxParallel']} > {count}). "
            "A destructive change would result in the simultaneous replacement of all allocations."
        )
    yield from (warning for key, warning in _REPLACED if group[key])
    if any(network.get("MBits") for network in group["Networks"] or ()):
        yield "mbits has been deprecated as of Nomad 0.12.0. Please remove mbits from the network block"
    for task in group["Tasks"] or ():
        yield from joined(f"Task {quoted(task['Name'])}: {warning}" for warning in _task_warnings(task))


def _task_warnings(task: Json) -> Iterator[str]:
    if task["Resources"]["IOPS"]:
        yield "IOPS has been deprecated as of Nomad 0.9.0. Please remove IOPS from resource block."
    if task["Resources"]["Networks"]:
        yield (
            "task network resources have been deprecated as of Nomad 0.12.0. "
            "Please configure networking via group network block."
        )
    for number, template in enumerate(task["Templates"] or ()):
        if template["VaultGrace"]:
            yield from joined([f"Template[{number}] {_VAULT_GRACE}"])


def _memory_warnings(job: Json) -> Iterator[str]:
    for group in job["TaskGroups"] or ():
        for task in group["Tasks"] or ():
            if task["Resources"]["MemoryMaxMB"]:
                name = quoted(f"{group['Name']}.{task['Name']}")
                yield (
                    f"Memory oversubscription is not enabled; Task {name} memory_max value will be ignored. "
                    "Update the Scheduler Configuration to allow oversubscription."
                )
