"""Jobs: registered, planned, stopped, reverted, scaled."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from herdsman.devnomad.clock import SECOND, now_ns, rfc3339
from herdsman.devnomad.errors import BadRequest, NotFound, Refused
from herdsman.devnomad.leader.worker import world_of
from herdsman.devnomad.rpc.meta import write_meta
from herdsman.devnomad.scheduler.process import blocked_eval, process
from herdsman.devnomad.state import allocs, deployments, evals, jobs
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
        if job["Namespace"] not in self._store.namespaces:
            errors.append(f'job "{job["ID"]}" is in nonexistent namespace "{job["Namespace"]}"')
        elif job["NodePool"] not in self._store.pools:
            errors.append(f'job "{job["ID"]}" is in nonexistent node pool "{job["NodePool"]}"')
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
            _enforce(old, options.job_modify_index)
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
        return _registered(txn.index, evaluation, warnings, job_index=txn.index)

    def _evaluate_only(self, old: Row, options: RegisterOptions, warnings: str) -> Row:
        index = self._store.index
        evaluation = None
        if not launches(old):
            index = self._store.next_index()
            evaluation = self._evaluate(old, options, index=index, kind="EvaluationUpdated")
        return _registered(index, evaluation, warnings, job_index=old["ModifyIndex"])

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
    def deregister(self, key: JobKey, *, purge: bool, eval_priority: int = 0) -> Row:
        """Stop a job, and forget it where that is asked for."""
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

    # -- versions --------------------------------------------------------------------------------------------------
    def revert(self, key: JobKey, version: int, *, enforce: int | None) -> Row:
        """Make an older version the next one."""
        current = self._store.jobs.get(key)
        if current is None:
            raise Refused(f'job "{key[1]}" not found')
        if version == current["Version"]:
            raise Refused("can't revert to current version")
        wanted = self._store.versions.get((*key, version))
        if wanted is None:
            raise Refused(f'job "{key[1]}" in namespace "{key[0]}" at version {version} not found')
        if enforce is not None and enforce != current["Version"]:
            raise Refused(f"Current job has version {current['Version']}; enforcing version {enforce}")
        submission = self._store.submissions.get((*key, version))
        return self.register({**wanted, "VersionTag": None}, RegisterOptions(submission=submission))

    def set_stability(self, key: JobKey, version: int, *, stable: bool) -> Row:
        """Say of a version that it works. Of an older one, that makes it the current one: so Nomad does."""
        row = self._store.versions.get((*key, version))
        if row is None:
            raise Refused(f'job "{key[1]}" at version {version} not found')
        with self._store.write() as txn:
            if row["Stable"] is not stable:
                jobs.replace(txn, {**row, "Stable": stable})
        return {"JobModifyIndex": txn.index, **write_meta(txn.index)}

    def tag(self, key: JobKey, version: int | None, name: str, description: str) -> Row:
        """Give a version a name."""
        versions = self._store.job_versions(key)
        if not versions:
            raise Refused(f'job "{key[1]}" not found')
        wanted = versions[0] if version is None else next((v for v in versions if v["Version"] == version), None)
        if wanted is None:
            raise Refused(f'job "{key[1]}" version {version} not found')
        if any((v["VersionTag"] or {}).get("Name") == name and v is not wanted for v in versions):
            raise Refused(f'tag "{name}" already exists on a different version of job "{key[1]}"')
        tag = {"Name": name, "Description": description, "TaggedTime": now_ns()}
        return {**tag, **write_meta(self._put_tag(wanted, tag))}

    def untag(self, key: JobKey, name: str) -> Row:
        """Take a name away."""
        versions = self._store.job_versions(key)
        tagged = next((v for v in versions if (v["VersionTag"] or {}).get("Name") == name), None)
        if tagged is None:
            raise Refused(f'tag "{name}" not found on job "{key[1]}"')
        index = self._put_tag(tagged, None)
        return {"Name": "", "Description": "", "TaggedTime": 0, **write_meta(index)}

    def _put_tag(self, version: Row, tag: Row | None) -> int:
        store, key = self._store, jobs.key_of(version)
        with store.write() as txn:
            row = {**version, "VersionTag": tag, "ModifyIndex": txn.index}
            txn.put(store.versions, (*key, version["Version"]), row)
            current = store.jobs.get(key)
            if current is not None and current["Version"] == version["Version"]:
                txn.put(store.jobs, key, row)
        return txn.index

    # -- scale -----------------------------------------------------------------------------------------------------
    def scale(self, key: JobKey, request: Row) -> Row:
        """Change the count of a group, or note that something wanted to."""
        count, group_name = _scale_request(request)
        job = self._store.jobs.get(key)
        if job is None:
            raise NotFound(f'job "{key[1]}" not found')
        group = next((each for each in job["TaskGroups"] or () if each["Name"] == group_name), None)
        if group is None:
            raise BadRequest(f'task group "{group_name}" specified for scaling does not exist in job')
        if request.get("EnforceIndex"):
            _enforce(job, request.get("JobModifyIndex") or 0)
        event = {
            "Count": count,
            "PreviousCount": group["Count"],
            "Message": request.get("Message") or "",
            "Error": bool(request.get("Error")),
            "Meta": request.get("Meta"),
            "EvalID": None,
        }
        if count is None:
            with self._store.write() as txn:
                jobs.record_scaling(txn, job, group_name, event)
            return _registered(txn.index, None, "", job_index=job["ModifyIndex"])
        self._check_scaling(key, group, count)
        return self._scale(job, group, count, event)

    def _check_scaling(self, key: JobKey, group: Row, count: int) -> None:
        if deployments.active(self._store.latest_deployment(key)):
            raise BadRequest("job scaling blocked due to active deployment")
        policy = group["Scaling"]
        if policy is None:
            return
        if count > policy["Max"]:
            raise BadRequest(f"group count was greater than scaling policy maximum: {count} > {policy['Max']}")
        if count < policy["Min"]:
            raise BadRequest(f"group count was less than scaling policy minimum: {count} < {policy['Min']}")

    def _scale(self, job: Row, group: Row, count: int, event: Row) -> Row:
        groups = [{**each, "Count": count} if each is group else each for each in job["TaskGroups"]]
        scaled = {**job, "TaskGroups": groups, "SubmitTime": now_ns(), "VersionTag": None}
        submission = self._store.submissions.get((*jobs.key_of(job), job["Version"]))
        with self._store.write("JobRegistered") as txn:
            stored = jobs.upsert(txn, scaled)
            jobs.put_submission(txn, stored, submission)
        evaluation = None
        if not launches(job):
            with self._store.write("EvaluationUpdated") as second:
                row = evals.new_eval(stored, "job-scaling", JobModifyIndex=txn.index)
                evaluation = evals.upsert(second, row)
                event["EvalID"] = evaluation["ID"]
                jobs.record_scaling(second, stored, group["Name"], event)
        index = evaluation["CreateIndex"] if evaluation else txn.index
        return _registered(index, evaluation, "", job_index=txn.index)

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
        return _registered(txn.index, evaluation, "", job_index=job["ModifyIndex"])

    def _force(self, txn: Txn, key: JobKey) -> None:
        for alloc in self._store.job_allocs(key):
            if alloc["ClientStatus"] == "failed" and alloc["DesiredStatus"] == "run" and not alloc["NextAllocation"]:
                transition = {**(alloc["DesiredTransition"] or allocs.NO_TRANSITION), "ForceReschedule": True}
                allocs.upsert(txn, {**alloc, "DesiredTransition": transition})


def launches(job: Row) -> bool:
    """Whether a job only launches others: periodic, or parameterized and not dispatched."""
    return bool(job["Periodic"] or (job["ParameterizedJob"] and not job["Dispatched"]))


def _registered(index: int, evaluation: Row | None, warnings: str, *, job_index: int) -> Row:
    return {
        "EvalID": evaluation["ID"] if evaluation else "",
        "EvalCreateIndex": evaluation["CreateIndex"] if evaluation else 0,
        "JobModifyIndex": job_index,
        "Warnings": warnings,
        **write_meta(index),
    }


def _enforce(old: Row | None, index: int) -> None:
    head = f"Enforcing job modify index {index}: "
    if old is None:
        if index:
            raise Refused(head + "job does not exist")
    elif index == 0:
        raise Refused(head + "job already exists")
    elif old["JobModifyIndex"] != index:
        raise Refused(f"{head}job exists with conflicting job modify index: {old['JobModifyIndex']}")


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


def _scale_request(request: Row) -> tuple[int | None, str]:
    target = request.get("Target") or {}
    group = target.get("Group") or ""
    if not group:
        raise BadRequest("missing task group name for scaling action")
    count = request.get("Count")
    if count is not None and count < 0:
        raise BadRequest("scaling action count can't be negative")
    if request.get("Error") and count is not None:
        raise BadRequest("scaling action should not contain count if error is true")
    return count, group


def _shown(evaluation: Row) -> Row:
    return {key: value for key, value in evaluation.items() if value}
