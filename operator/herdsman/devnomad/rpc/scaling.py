"""Jobs scaled: the count of a group changed, or a note made that something wanted to."""

from herdsman.devnomad.clock import now_ns
from herdsman.devnomad.errors import BadRequest, NotFound
from herdsman.devnomad.rpc.jobs import enforce_index, launches, registered
from herdsman.devnomad.state import deployments, evals, jobs
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.types import JobKey, Row


class Scaling:
    """Requests that scale."""

    def __init__(self, store: Store) -> None:
        self._store = store

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
            enforce_index(job, request.get("JobModifyIndex") or 0)
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
            return registered(txn.index, None, "", job_index=job["ModifyIndex"])
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
        return registered(index, evaluation, "", job_index=txn.index)


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
