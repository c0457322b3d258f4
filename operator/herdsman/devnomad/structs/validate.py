"""What Nomad refuses to register, and what it warns of: the whole job.

What depends on the cluster (is there such a namespace, such a node pool?) is for the server to say.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from herdsman.devnomad.structs import rules
from herdsman.devnomad.structs.cron import spec_errors
from herdsman.devnomad.structs.errors import error_text, joined, nested, quoted, warning_text
from herdsman.devnomad.structs.shapes import Json
from herdsman.devnomad.structs.validate_group import group_errors
from herdsman.devnomad.structs.warnings import job_warnings

__all__ = ["Verdict", "error_text", "validate", "warning_text"]

MIN_PRIORITY, MAX_PRIORITY = 1, 100
MAX_COUNT = 50_000
_TYPES = frozenset({"service", "batch", "system", "sysbatch", "core"})
_LAUNCHED = frozenset({"batch", "sysbatch"})
_MAX_DESCRIPTION = 1_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a job (it is refused if there are errors) and what is doubtful."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def validate(job: Json, *, oversubscription: bool = False, vault: bool = False) -> Verdict:
    """Judge a job in stored form, for a cluster with or without memory oversubscription and Vault."""
    checks = (_mesh_errors(job), _vault_errors(job, enabled=vault), _job_errors(job), _request_errors(job))
    errors = tuple(chain.from_iterable(checks))
    return Verdict(errors, () if errors else tuple(job_warnings(job, oversubscription=oversubscription)))


def _mesh_errors(job: Json) -> Iterator[str]:
    """A sidecar lives in one bridge network. The first fault is told."""
    for group in job["TaskGroups"] or ():
        name, networks = group["Name"], group["Networks"] or []
        connects = (service["Connect"] for service in group["Services"] or ())
        if not any(connect is not None and connect["SidecarService"] is not None for connect in connects):
            continue
        if len(networks) != 1:
            yield f"Consul Connect sidecars require exactly 1 network, found {len(networks)} in group {quoted(name)}"
            return
        mode = networks[0].get("Mode", "")
        if mode != "bridge":
            yield f"Consul Connect sidecar requires bridge network, found {quoted(mode)} in group {quoted(name)}"
            return


def _vault_errors(job: Json, *, enabled: bool) -> Iterator[str]:
    for group in job["TaskGroups"] or ():
        for task in group["Tasks"] or ():
            if task["Vault"] is not None and not enabled:
                yield f"Vault {quoted(task['Vault']['Cluster'])} not enabled but used in the job"
                return


def _request_errors(job: Json) -> Iterator[str]:
    """What a job may be, but not be registered as."""
    if job["Type"] == "core":
        yield "job type cannot be core"
    if job["Payload"]:
        yield "job can't be submitted with a payload, only dispatched"
    if not MIN_PRIORITY <= job["Priority"] <= MAX_PRIORITY:
        yield f"job priority must be between [{MIN_PRIORITY}, {MAX_PRIORITY}]"


def _job_errors(job: Json) -> Iterator[str]:
    yield from _identity_errors(job)
    yield from rules.placement_errors(job, job["Type"])
    yield from _groups_errors(job)
    for group in job["TaskGroups"] or ():
        yield from nested(f"Task group {group['Name']} validation failed", group_errors(group, job["Type"]))
    yield from _launch_errors(job)
    total = sum(group["Count"] for group in job["TaskGroups"] or ())
    if total > MAX_COUNT:
        yield f"total count was greater than configured job_max_count: {total} > {MAX_COUNT}"
    if job["Multiregion"] is not None:
        yield "Multiregion jobs are unlicensed."
    if job["UI"] is not None and len(job["UI"]["Description"]) > _MAX_DESCRIPTION:
        length = len(job["UI"]["Description"])
        yield f"UI description must be under {_MAX_DESCRIPTION} characters, currently {length}"


def _identity_errors(job: Json) -> Iterator[str]:
    if not job["ID"]:
        yield "Missing job ID"
    elif " " in job["ID"]:
        yield "Job ID contains a space"
    elif "\0" in job["ID"]:
        yield "Job ID contains a null character"
    if not job["Name"]:
        yield "Missing job name"
    elif "\0" in job["Name"]:
        yield "Job Name contains a null character"
    if not job["Type"]:
        yield "Missing job type"
    elif job["Type"] not in _TYPES:
        yield f"Invalid job type: {quoted(job['Type'])}"
    if "" in job["Datacenters"]:
        yield "Job datacenter must be non-empty string"
    if not job["TaskGroups"]:
        yield "Missing job task groups"


def _groups_errors(job: Json) -> Iterator[str]:
    known: dict[str, int] = {}
    kind = job["Type"]
    for number, group in enumerate(job["TaskGroups"] or (), 1):
        name, stop = group["Name"], group["StopAfterClientDisconnect"]
        if not name:
            yield f"Job task group {number} missing name"
        elif known.setdefault(name, number) != number:
            yield f"Job task group {number} redefines '{name}' from group {known[name]}"
        if group["ShutdownDelay"] is not None and group["ShutdownDelay"] < 0:
            yield "ShutdownDelay must be a positive value"
        if stop is not None and stop > 0 and kind not in ("batch", "service"):
            yield "stop_after_client_disconnect can only be set in batch and service jobs"
        elif stop is not None and stop < 0:
            yield "stop_after_client_disconnect must be a positive value"
        if kind == "system" and group["Count"] > 1:
            yield (f"Job task group {name} has count {group['Count']}. Count cannot exceed 1 with system scheduler")


def _launch_errors(job: Json) -> Iterator[str]:
    periodic, parameterized = job["Periodic"], job["ParameterizedJob"]
    if periodic is not None and periodic["Enabled"]:
        if job["Type"] not in _LAUNCHED:
            yield 'Periodic can only be used with "batch" or "sysbatch" scheduler'
        yield from joined(spec_errors(periodic))
    if parameterized is not None:
        if job["Type"] not in _LAUNCHED:
            yield 'Parameterized job can only be used with "batch" or "sysbatch" scheduler'
        yield from joined(_dispatch_errors(parameterized))


def _dispatch_errors(block: Json) -> Iterator[str]:
    if block["Payload"] not in ("optional", "required", "forbidden"):
        yield f"Unknown payload requirement: {quoted(block['Payload'])}"
    optional = block["MetaOptional"] or ()
    both = [key for key in block["MetaRequired"] or () if key in optional]
    if both:
        listed = " ".join(both)
        yield (f"Required and optional meta keys should be disjoint. Following keys exist in both: [{listed}]")
