"""Jobs: registered, planned, stopped, evaluated."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from herdsman.devnomad.clock import SECOND, now_ns, rfc3339
from herdsman.devnomad.errors import Refused
from herdsman.devnomad.leader.worker import world_of
from herdsman.devnomad.rpc.meta import write_meta
from herdsman.devnomad.scheduler.process import blocked_eval, process
from herdsman.devnomad.state import allocs, evals, jobs
from herdsman.devnomad.state.store import Store, Txn
from herdsman.devnomad.structs.canonical import canonicalize
from herdsman.devnomad.structs.changed import spec_changed
from herdsman.devnomad.structs.cron import next_launch
from herdsman.devnomad.structs.jobdiff import annotate, diff
from herdsman.devnomad.structs.validate import Verdict, error_text, validate, warning_text
from herdsman.devnomad.types import JobKey, Row


@dataclass(frozen=True, slots=True)
class RegisterOptions:
    """What comes with a job when it is registered."""

    enforce_index: bool = False
    job_modify_index: int = 0
    preserve_counts: bool = False
    preserve_resources: bool = False
    eval_priority: int = 0
    submission: Row | None = None
    trigger: str = "job-register"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A job in its stored form that passed, and what is doubtful about it."""

    job: Row
    warnings: Sequence[str] = field(default_factory=tuple)


class Jobs:
    """Requests about jobs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # -- admission -------------------------------------------------------------------------------------------------
    def judge(self, job: Row) -> Verdict:
        """Judge a job in stored form, by itself and by what this cluster has."""
        settings = self._store.setting("scheduler") or {}
        verdict = validate(job, oversubscription=bool(settings.get("MemoryOversubscriptionEnabled")))
        errors = list(verdict.errors)
        namespace = self._store.namespaces.get(job["Namespace"])
        if namespace is None:
            errors.append(f'job "{job["ID"]}" is in nonexistent namespace "{job["Namespace"]}"')
        elif job["NodePool"] not in self._store.pools:
            errors.append(f'job "{job["ID"]}" is in nonexistent node pool "{job["NodePool"]}"')
        else:
            errors += _unwelcome(job, namespace)
        return Verdict(tuple(errors), verdict.warnings)

    def admit(self, raw: Row) -> Admitted:
        """Fill in what a job leaves out and refuse what is wrong with it."""
        job = canonicalize(raw)
        verdict = self.judge(job)
        if verdict.errors:
            raise Refused(error_text(verdict.errors))
        return Admitted(job, verdict.warnings)

    # -- register --------------------------------------------------------------------------------------------------
    def register(self, raw: Row, options: RegisterOptions) -> Row:
        """Register a job; only one that differs from what is there makes a new version."""
        admitted = self.admit(raw)
        job, store = admitted.job, self._store
        key = jobs.key_of(job)
        old = store.jobs.get(key)
        if options.enforce_index:
            enforce_index(old, options.job_modify_index)
        if old is not None:
            _check_update(old, job)
            job = _preserve(old, job, options)
        warnings = warning_text(admitted.warnings)
        if old is None or spec_changed(old, job):
            return self._store_version(job, options, warnings)
        return self._evaluate_only(old, options, warnings)

    def _store_version(self, job: Row, options: RegisterOptions, warnings: str) -> Row:
        store = self._store
        with store.write("JobRegistered") as txn:
            stored = jobs.upsert(txn, {**job, "SubmitTime": now_ns()})
            jobs.put_submission(txn, stored, options.submission)
        evaluation = self._evaluate(stored, options, index=txn.index, kind="JobRegistered")
        return registered(txn.index, evaluation, warnings, job_index=txn.index)

    def _evaluate_only(self, old: Row, options: RegisterOptions, warnings: str) -> Row:
        index = self._store.index
        evaluation = None
        if not launches(old):
            index = self._store.next_index()
            evaluation = self._evaluate(old, options, index=index, kind="EvaluationUpdated")
        return registered(index, evaluation, warnings, job_index=old["ModifyIndex"])

    def _evaluate(self, job: Row, options: RegisterOptions, *, index: int, kind: str) -> Row | None:
        if launches(job):
            return None
        priority = options.eval_priority or job["Priority"]
        with self._store.write(kind, index=index) as txn:
            row = evals.new_eval(job, options.trigger, JobModifyIndex=index)
            return evals.upsert(txn, {**row, "Priority": priority})

    # -- plan ------------------------------------------------------------------------------------------------------
    def plan(self, raw: Row, *, want_diff: bool) -> Row:
        """What registering a job would do, without doing it."""
        admitted = self.admit(raw)
        store, job = self._store, admitted.job
        key = jobs.key_of(job)
        old = store.jobs.get(key)
        if old is None:
            candidate = {**job, "CreateIndex": store.index + 1, "JobModifyIndex": store.index + 1}
        elif spec_changed(old, job):
            candidate = {
                **job,
                "CreateIndex": old["CreateIndex"],
                "ModifyIndex": store.index + 1,
                "JobModifyIndex": old["JobModifyIndex"] + 1,
                "Version": old["Version"] + 1,
            }
        else:
            candidate = old
        evaluation = evals.new_eval(candidate, "job-register", AnnotatePlan=True, CreateIndex=0, ModifyIndex=0)
        plan = process(world_of(store, evaluation, job=candidate))
        updates = {name: desired.as_row() for name, desired in plan.desired.items()}
        difference = None
        if want_diff:
            difference = diff(old, job, contextual=True)
            annotate(difference, updates)
        created = [_shown(blocked_eval(plan))] if any(plan.queued.values()) else None
        return {
            "Annotations": {"DesiredTGUpdates": updates, "PreemptedAllocs": None},
            "FailedTGAllocs": plan.failed or None,
            "JobModifyIndex": old["JobModifyIndex"] if old else 0,
            "CreatedEvals": created,
            "Diff": difference,
            "NextPeriodicLaunch": _next_launch(job),
            "Warnings": warning_text(admitted.warnings),
            "Index": old["ModifyIndex"] if old else 0,
        }

    # -- deregister ------------------------------------------------------------------------------------------------
    def deregister(self, key: JobKey, *, purge: bool, eval_priority: int = 0, no_delay: bool = False) -> Row:
        """Stop a job, and forget it where that is asked for; `no_delay` leaves out its shutdown delays."""
        store = self._store
        old = store.jobs.get(key)
        tail = {"VolumeEvalID": "", "VolumeEvalIndex": 0}
        if old is None:
            return {"EvalID": "", "EvalCreateIndex": 0, "JobModifyIndex": 0, **tail, **write_meta(0)}
        with store.write("JobDeregistered") as txn:
            if purge:
                jobs.delete(txn, old)
            else:
                jobs.upsert(txn, {**old, "Stop": True, "SubmitTime": now_ns()})
            if no_delay:
                self._hurry(txn, key)
        evaluation = None
        if not launches(old):
            with store.write("JobDeregistered", index=txn.index) as second:
                row = evals.new_eval(old, "job-deregister", JobModifyIndex=txn.index)
                evaluation = evals.upsert(second, {**row, "Priority": eval_priority or old["Priority"]})
        return {
            "EvalID": evaluation["ID"] if evaluation else "",
            "EvalCreateIndex": txn.index if evaluation else 0,
            "JobModifyIndex": txn.index,
            **tail,
            **write_meta(txn.index),
        }

    # -- evaluate --------------------------------------------------------------------------------------------------
    def evaluate(self, key: JobKey, *, force_reschedule: bool) -> Row:
        """Look at a job anew; with `force_reschedule` failed allocations are replaced whatever their policy says."""
        job = self._store.jobs.get(key)
        if job is None:
            raise Refused("job not found")
        if job["Periodic"]:
            raise Refused("can't evaluate periodic job")
        if launches(job):
            raise Refused("can't evaluate parameterized job")
        with self._store.write("EvaluationUpdated") as txn:
            if force_reschedule:
                self._force(txn, key)
            evaluation = evals.upsert(txn, evals.new_eval(job, "job-register", JobModifyIndex=job["ModifyIndex"]))
        return registered(txn.index, evaluation, "", job_index=job["ModifyIndex"])

    def _hurry(self, txn: Txn, key: JobKey) -> None:
        for alloc in self._store.job_allocs(key):
            transition = {**(alloc["DesiredTransition"] or allocs.NO_TRANSITION), "NoShutdownDelay": True}
            allocs.upsert(txn, {**alloc, "DesiredTransition": transition})

    def _force(self, txn: Txn, key: JobKey) -> None:
        for alloc in self._store.job_allocs(key):
            if alloc["ClientStatus"] == "failed" and alloc["DesiredStatus"] == "run" and not alloc["NextAllocation"]:
                transition = {**(alloc["DesiredTransition"] or allocs.NO_TRANSITION), "ForceReschedule": True}
                allocs.upsert(txn, {**alloc, "DesiredTransition": transition})


def launches(job: Row) -> bool:
    """Whether a job only launches others: periodic, or parameterized and not dispatched."""
    return bool(job["Periodic"] or (job["ParameterizedJob"] and not job["Dispatched"]))


def registered(index: int, evaluation: Row | None, warnings: str, *, job_index: int) -> Row:
    """The answer to a register, and to what comes down to one."""
    return {
        "EvalID": evaluation["ID"] if evaluation else "",
        "EvalCreateIndex": evaluation["CreateIndex"] if evaluation else 0,
        "JobModifyIndex": job_index,
        "Warnings": warnings,
        **write_meta(index),
    }


def enforce_index(old: Row | None, index: int) -> None:
    """Refuse where the job is not as the caller last saw it."""
    head = f"Enforcing job modify index {index}: "
    if old is None:
        if index:
            raise Refused(head + "job does not exist")
    elif index == 0:
        raise Refused(head + "job already exists")
    elif old["JobModifyIndex"] != index:
        raise Refused(f"{head}job exists with conflicting job modify index: {old['JobModifyIndex']}")


def _unwelcome(job: Row, namespace: Row) -> Iterator[str]:
    """What a job uses that its namespace does not allow."""
    groups = job["TaskGroups"] or ()
    used = {
        "TaskDrivers": ("task driver", {task["Driver"] for group in groups for task in group["Tasks"] or ()}),
        "NetworkModes": (
            "group network mode",
            {network.get("Mode") or "host" for group in groups for network in group["Networks"] or ()},
        ),
    }
    capabilities = namespace["Capabilities"] or {}
    for field_name, (word, values) in used.items():
        enabled, disabled = capabilities.get(f"Enabled{field_name}"), capabilities.get(f"Disabled{field_name}")
        for value in sorted(values):
            if (enabled and value not in enabled) or value in (disabled or ()):
                yield f'used {word} "{value}" is not allowed in namespace "{namespace["Name"]}"'


def _check_update(old: Row, new: Row) -> None:
    if old["Type"] != new["Type"]:
        raise Refused(f'cannot update job from type "{old["Type"]}" to "{new["Type"]}"')
    for field_name, word in (("Periodic", "periodic"), ("ParameterizedJob", "parameterized")):
        if bool(old[field_name]) != bool(new[field_name]):
            before, after = ("", "non-") if old[field_name] else ("non-", "")
            raise Refused(f"cannot update {before}{word} job to being {after}{word}")
    if old["Dispatched"] != new["Dispatched"]:
        raise Refused("field 'Dispatched' is read-only")


def _preserve(old: Row, job: Row, options: RegisterOptions) -> Row:
    if not options.preserve_counts and not options.preserve_resources:
        return job
    known = {group["Name"]: group for group in old["TaskGroups"] or ()}
    groups = [_preserve_group(group, known.get(group["Name"]), options) for group in job["TaskGroups"]]
    return {**job, "TaskGroups": groups}


def _preserve_group(group: Row, old: Row | None, options: RegisterOptions) -> Row:
    if old is None:
        return group
    kept = {**group, "Count": old["Count"]} if options.preserve_counts else group
    if options.preserve_resources:
        tasks = {task["Name"]: task["Resources"] for task in old["Tasks"]}
        kept = {
            **kept,
            "Tasks": [{**task, "Resources": tasks.get(task["Name"], task["Resources"])} for task in kept["Tasks"]],
        }
    return kept


def _next_launch(job: Row) -> str | None:
    if not job["Periodic"] or not job["Periodic"]["Enabled"]:
        return None
    moment = next_launch(job["Periodic"], datetime.now(UTC))
    return rfc3339(int(moment.timestamp()) * SECOND) if moment else None


def _shown(evaluation: Row) -> Row:
    return {key: value for key, value in evaluation.items() if value}
