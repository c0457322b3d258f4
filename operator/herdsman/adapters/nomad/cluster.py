"""The ports `Nomad` and `HclParser` over a real cluster: which request each question becomes."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from herdsman.adapters.nomad import translate
from herdsman.adapters.nomad.client import Answer, Client, Request
from herdsman.adapters.nomad.config import NomadConfig, OnRequest
from herdsman.adapters.nomad.placements import placements
from herdsman.core import usage
from herdsman.errors import Refused, Unavailable
from herdsman.model.keys import Key
from herdsman.model.observed import (
    Allocation,
    Body,
    Deployment,
    Evaluation,
    Forecast,
    JobStub,
    Listing,
    LiveJob,
    LiveNamespace,
    Provenance,
    Registered,
    VariableItems,
)
from herdsman.model.placements import Placement
from herdsman.model.usage import Node, Sighting

PAGE = 2000
"""Jobs asked for at once."""

SOURCE_LIMIT = 1_000_000 - 10_000
"""Bytes of source that are sent. Nomad drops a submission over 1 MB without a word, so there is room left for flags."""

_VARIABLES = "default"
"""The namespace of the variables that Herdsman keeps."""

_T = TypeVar("_T")


class NomadCluster:
    """One Nomad cluster. Every method may be called from any thread, and raises a `NomadError` or nothing."""

    def __init__(
        self, config: NomadConfig, *, on_request: OnRequest | None = None, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = Client(config, on_request=on_request, sleep=sleep)

    def close(self) -> None:
        """Close the connections that are open."""
        self._client.close()

    # Reading

    def version(self) -> str:
        """The version of the agent that answers."""
        return self._ask(Request("tell its version", "get", "/v1/agent/self"), translate.agent_version)

    def listing(self) -> Listing:
        """Every job of every namespace, in pages."""
        stubs, indexes = {}, []
        for request, answer in self._pages("list the jobs", "/v1/jobs", meta="true"):
            for stub in _understand(request, answer.data, translate.job_stubs):
                stubs[stub.key] = stub
            indexes.append(answer.index)
        return Listing(min(indexes), stubs)  # what changed after the oldest page may be missing

    def stub(self, key: Key) -> JobStub | None:
        """One job as the list shows it: of those that begin with its ID, it comes first."""
        params = {"prefix": key.name, "meta": "true", "per_page": "1"}
        request = Request(f"look for {_named(key)}", "get", "/v1/jobs", namespace=key.namespace, params=params)
        return next((stub for stub in self._ask(request, translate.job_stubs) if stub.key == key), None)

    def job(self, key: Key) -> LiveJob | None:
        """One whole job."""
        request = _about(key, "read", "get", "/v1/job/:id")
        return self._find(request, lambda raw: translate.live_job(raw, key), absent="job not found")

    def versions(self, key: Key) -> Sequence[LiveJob]:
        """Every version that Nomad remembers, newest first; none where there is no job."""
        request = _about(key, "list the versions of", "get", "/v1/job/:id/versions")
        found = self._find(request, lambda raw: translate.job_versions(raw, key), absent="job versions not found")
        return found or ()

    def provenance(self, key: Key, version: int) -> Provenance | None:
        """What one of our writes left beside a job version."""
        return self._submission(key, version, lambda raw: translate.provenance(raw, version=version))

    def plan(self, key: Key, body: Body) -> Forecast:
        """The dry run of registering *body*."""
        _check_identity(key, body)
        plan = {"Job": body, "Diff": True, "PolicyOverride": False}
        return self._ask(_about(key, "plan", "post", "/v1/job/:id/plan", body=plan), translate.forecast)

    def deployments(self, key: Key) -> Sequence[Deployment]:
        """All that Nomad remembers, newest first."""
        request = _about(key, "list the deployments of", "get", "/v1/job/:id/deployments")
        return self._ask(request, translate.deployments)

    def allocations(self, key: Key) -> Sequence[Allocation]:
        """Newest first."""
        request = _about(key, "list the allocations of", "get", "/v1/job/:id/allocations")
        return self._ask(request, translate.allocations)

    def evaluations(self, key: Key) -> Sequence[Evaluation]:
        """Newest first."""
        request = _about(key, "list the evaluations of", "get", "/v1/job/:id/evaluations")
        return self._ask(request, translate.evaluations)

    def namespaces(self) -> Mapping[Key, LiveNamespace]:
        """All that the token may see."""
        return self._ask(Request("list the namespaces", "get", "/v1/namespaces"), translate.namespaces)

    def variable(self, path: str, *, namespace: str = _VARIABLES) -> VariableItems:
        """A variable; empty with index 0 where there is none."""
        request = Request(f"read the variable {path}", "get", "/v1/var/:path", (path,), namespace)
        return self._find(request, translate.variable, absent="variable not found") or VariableItems({}, 0)

    def variables(self) -> Mapping[Key, int]:
        """The index of every variable of every namespace, in pages."""
        found: dict[Key, int] = {}
        for request, answer in self._pages("list the variables", "/v1/vars"):
            found |= _understand(request, answer.data, translate.variable_indexes)
        return found

    def all_allocations(self) -> Sequence[Sighting]:
        """Those of every namespace, with what they hold and how their tasks do."""
        pages = self._pages("list the allocations", "/v1/allocations", resources="true", task_states="true")
        return [one for request, answer in pages for one in _understand(request, answer.data, usage.sightings)]

    def placements(self, job: Key | None = None) -> Sequence[Placement]:
        """The allocations of one job, or of every job of every namespace, and how their tasks do."""
        only = {"filter": f"JobID == {orjson.dumps(job.name).decode()}"} if job is not None else {}
        namespace = job.namespace if job is not None else "*"
        pages = self._pages(
            "list the allocations", "/v1/allocations", namespace=namespace, resources="true", task_states="true", **only
        )
        return [one for request, answer in pages for one in _understand(request, answer.data, placements)]

    def nodes(self) -> Sequence[Node]:
        """Every node with what it has, but without its metadata."""
        pages = self._pages("list the nodes", "/v1/nodes", resources="true")
        return [one for request, answer in pages for one in _understand(request, answer.data, usage.nodes)]

    def node_meta(self, node_id: str) -> Mapping[str, str]:
        """The metadata of a node; none where there is no node."""
        request = Request(f"read the node {node_id}", "get", "/v1/node/:id", (node_id,))
        return self._find(request, lambda raw: dict(raw.get("Meta") or {}), absent="node not found") or {}

    def parse(self, hcl: str, *, variables: Mapping[str, Any], namespace: str) -> Body:
        """The job that *hcl* describes, by the cluster's own parser. Values go as JSON: none can become syntax."""
        values = orjson.dumps(dict(variables)).decode() if variables else ""
        body = {"JobHCL": hcl, "Variables": values, "Canonicalize": False}
        request = Request("parse the jobspec", "post", "/v1/jobs/parse", namespace=namespace, body=body)
        return self._ask(request, translate.parsed)

    # Writing

    def register(
        self, key: Key, body: Body, *, if_index: int, provenance: Provenance, source: tuple[str, str]
    ) -> Registered:
        """Create (*if_index* 0) or update a job by compare-and-set, with its provenance beside it."""
        text, form = source
        if len(text.encode()) > SOURCE_LIMIT:
            text = translate.placeholder(form, provenance)
        submission = {"Source": text, "Format": form, "VariableFlags": translate.flags(provenance)}
        return self._register("register", key, body, if_index=if_index, submission=submission)

    def stop(self, live: LiveJob) -> Registered:
        """Stop by compare-and-set. A genuine provenance goes on, for the version that the stop will make."""
        version = live.version
        submission = self._submission(live.key, version, lambda raw: translate.next_submission(raw, version=version))
        body = {**live.body, "Stop": True}
        return self._register("stop", live.key, body, if_index=live.index, submission=submission)

    def purge(self, key: Key) -> None:
        """Remove a job and its history; done already is done."""
        request = _about(key, "purge", "delete", "/v1/job/:id", params={"purge": "true"})
        self._find(request, _nothing, absent="job not found")

    def put_namespace(self, body: Mapping[str, Any]) -> None:
        """Create or replace a namespace."""
        name = str(body["Name"])
        request = Request(f"write the namespace {name}", "put", "/v1/namespace/:name", (name,), body=body)
        self._ask(request, _nothing)

    def delete_namespace(self, key: Key) -> None:
        """Remove an empty namespace; done already is done."""
        request = Request(f"delete the namespace {key.name}", "delete", "/v1/namespace/:name", (key.name,))
        self._find(request, _nothing, absent="namespace not found")

    def put_variable(
        self, path: str, items: Mapping[str, str], *, if_index: int, namespace: str = _VARIABLES
    ) -> VariableItems:
        """Write a variable by compare-and-set."""
        body = {"Namespace": namespace, "Path": path, "Items": items}
        cas = {"cas": str(if_index)}
        request = Request(f"write the variable {path}", "put", "/v1/var/:path", (path,), namespace, cas, body)
        return self._ask(request, translate.variable)

    def delete_variable(self, path: str, *, if_index: int, namespace: str = _VARIABLES) -> None:
        """Remove a variable by compare-and-set; done already is done."""
        cas = {"cas": str(if_index)}
        request = Request(f"delete the variable {path}", "delete", "/v1/var/:path", (path,), namespace, cas)
        self._find(request, _nothing, absent="variable not found")

    # What several of these share

    def _ask(self, request: Request, translated: Callable[[Any], _T]) -> _T:
        return _understand(request, self._client.ask(request).data, translated)

    def _find(self, request: Request, translated: Callable[[Any], _T], *, absent: str) -> _T | None:
        """Ask for what may not be there. Only Nomad's own words say so: a stray 404 of a proxy means nothing."""
        try:
            answer = self._client.ask(request)
        except Refused as error:
            if error.message.lower().endswith(absent):
                return None
            raise
        return _understand(request, answer.data, translated)

    def _pages(self, what: str, route: str, *, namespace: str = "*", **more: str) -> Iterator[tuple[Request, Answer]]:
        token, seen = "", set[str]()
        while token not in seen:
            seen.add(token)
            params = {**more, "per_page": str(PAGE), "next_token": token or None}
            request = Request(what, "get", route, namespace=namespace, params=params)
            answer = self._client.ask(request)
            yield request, answer
            token = answer.next_token
            if not token:
                return
        raise _misunderstood(request, "its pages go round in circles")

    def _submission(self, key: Key, version: int, translated: Callable[[Any], _T]) -> _T | None:
        verb, params = f"read the source of version {version} of", {"version": str(version)}
        request = _about(key, verb, "get", "/v1/job/:id/submission", params=params)
        return self._find(request, translated, absent="not found")

    def _register(
        self, verb: str, key: Key, body: Body, *, if_index: int, submission: Mapping[str, Any] | None
    ) -> Registered:
        _check_identity(key, body)
        write = {"Job": body, "EnforceIndex": True, "JobModifyIndex": if_index}
        if submission:
            write["Submission"] = submission
        request = Request(f"{verb} {_named(key)}", "post", "/v1/jobs", namespace=key.namespace, body=write)
        return self._ask(request, translate.registered)


def _named(key: Key) -> str:
    return f"the job {key.name} in namespace {key.namespace}"


def _about(
    key: Key, verb: str, method: str, route: str, *, params: Mapping[str, Any] | None = None, body: Any = None
) -> Request:
    """A request about one job."""
    return Request(f"{verb} {_named(key)}", method, route, (key.name,), key.namespace, params or {}, body)


def _check_identity(key: Key, body: Body) -> None:
    """Nomad believes the query before the body: a body for another namespace would land in the wrong one."""
    job_id, namespace = body.get("ID"), body.get("Namespace") or "default"
    if (job_id, namespace) != (key.name, key.namespace):
        raise Refused(
            f"the body for {_named(key)} says it is the job {job_id} in namespace {namespace}",
            hint="a spec and the job in it must agree on ID and namespace",
        )


def _understand(request: Request, data: Any, translated: Callable[[Any], _T]) -> _T:
    """Translate an answer; one that is not as documented is no answer."""
    try:
        return translated(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _misunderstood(request, f"{type(error).__name__}: {error}") from error


def _misunderstood(request: Request, why: str) -> Unavailable:
    return Unavailable(
        f"Nomad was asked to {request.what} and answered what is not in its documentation: {why}",
        hint="is this the address of a Nomad, of version 1.7 or later?",
    )


def _nothing(_: Any) -> None:
    """For answers that hold nothing of use."""
