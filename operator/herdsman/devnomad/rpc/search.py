"""Search: by the beginning of an ID, or for a text anywhere in a name."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from herdsman.devnomad.acl.access import Access
from herdsman.devnomad.errors import Refused
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.structs.errors import quoted
from herdsman.devnomad.types import Row

LIMIT: Final = 20
ALL: Final = "all"
_SHORTEST_FUZZY: Final = 2
_CONTEXTS: Final = (
    "allocs", "jobs", "nodes", "node_pools", "evals", "deployment", "plugins", "volumes", "host_volumes",
    "scaling_policy", "vars", "namespaces",
)  # fmt: skip
_BY_UUID: Final = frozenset({"allocs", "nodes", "evals", "deployment", "scaling_policy"})
_IN_JOBS: Final = ("groups", "services", "tasks", "images", "commands", "classes")


class Search:
    """Requests that search. Everybody finds only what he may see."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # -- by prefix -------------------------------------------------------------------------------------------------
    def prefix(self, text: str, context: str, *, namespace: str, access: Access) -> Row:
        """IDs that begin with a text."""
        contexts = self._contexts(namespace, access)
        _check_context(context)
        chosen = list(contexts) if context in {ALL, ""} else [context]
        matches: dict[str, list[str] | None] = {}
        truncated: dict[str, bool] = {}
        for each in chosen:
            beginning = _even(text) if each in _BY_UUID else text
            found = sorted(name for name in contexts[each]() if name.startswith(beginning))
            matches[each], truncated[each] = found[:LIMIT] or None, len(found) > LIMIT
        return self._answer(matches, truncated)

    def _contexts(self, namespace: str, access: Access) -> Mapping[str, Callable[[], Iterable[str]]]:
        store = self._store

        def visible(rows: Iterable[Row], capability: str) -> Iterator[Row]:
            for row in rows:
                if namespace in {"*", row["Namespace"]} and access.namespace(row["Namespace"], capability):
                    yield row

        return {
            "jobs": lambda: (row["ID"] for row in visible(store.jobs, "read-job")),
            "evals": lambda: (row["ID"] for row in visible(store.evals, "read-job")),
            "allocs": lambda: (row["ID"] for row in visible(store.allocs, "read-job")),
            "deployment": lambda: (row["ID"] for row in visible(store.deployments, "read-job")),
            "nodes": lambda: (row["ID"] for row in store.nodes if access.coarse("node", "read")),
            "node_pools": lambda: (row["Name"] for row in store.pools if access.pool(row["Name"], "read")),
            "namespaces": lambda: (row["Name"] for row in store.namespaces if access.sees_namespace(row["Name"])),
            "scaling_policy": lambda: (
                row["ID"]
                for row in store.scaling_policies
                if access.namespace(row["Target"]["Namespace"], "list-scaling-policies")
            ),
            "vars": lambda: (
                row["Path"]
                for row in store.variables
                if namespace in {"*", row["Namespace"]} and access.variable(row["Namespace"], row["Path"], "list")
            ),
            "plugins": tuple,
            "volumes": tuple,
            "host_volumes": tuple,
        }

    def _answer(self, matches: Row, truncations: dict[str, bool]) -> Row:
        return {
            "Matches": matches,
            "Truncations": truncations,
            "Index": self._store.index,
            "LastContact": 0,
            "KnownLeader": True,
            "NextToken": "",
        }

    # -- anywhere --------------------------------------------------------------------------------------------------
    def fuzzy(self, text: str, context: str, *, namespace: str, access: Access) -> Row:
        """Things with a text anywhere in their name, the closest first."""
        if len(text) < _SHORTEST_FUZZY:
            raise Refused(f"fuzzy search query must be at least {_SHORTEST_FUZZY} characters, got {len(text)}")
        _check_context(context)
        wanted = (
            {"jobs", "allocs", "nodes", "node_pools", "namespaces", "plugins"} if context in {ALL, ""} else {context}
        )
        found: dict[str, list[Row]] = {}
        for kind, name, scope in self._named(wanted, namespace, access):
            if text.lower() in name.lower():
                found.setdefault(kind, []).append({"ID": name, "Scope": scope})
        truncations = dict.fromkeys(sorted(wanted), False)
        for kind, entries in found.items():
            entries.sort(key=lambda entry: _distance(text, entry["ID"]))
            if len(entries) > LIMIT:
                truncations["jobs" if kind in _IN_JOBS else kind] = True
            found[kind] = entries[:LIMIT]
        if context in {ALL, ""}:
            prefixes = self.prefix(text, ALL, namespace=namespace, access=access)["Matches"]
            for kind in ("deployment", "evals", "volumes", "scaling_policy"):
                found[kind] = [{"ID": name} for name in prefixes[kind] or ()]
                truncations[kind] = False
        return self._answer(found, truncations)

    def _named(self, wanted: set[str], namespace: str, access: Access) -> Iterator[tuple[str, str, list[str]]]:
        store = self._store

        def visible(row: Row) -> bool:
            return namespace in {"*", row["Namespace"]} and access.namespace(row["Namespace"], "read-job")

        if "jobs" in wanted:
            for job in filter(visible, store.jobs):
                yield from _in_job(job)
        if "allocs" in wanted:
            for alloc in filter(visible, store.allocs):
                yield "allocs", alloc["Name"], [alloc["Namespace"], alloc["ID"]]
        if "nodes" in wanted and access.coarse("node", "read"):
            for node in store.nodes:
                yield "nodes", node["Name"], [node["ID"]]
        if "node_pools" in wanted:
            for pool in store.pools:
                if access.pool(pool["Name"], "read"):
                    yield "node_pools", pool["Name"], [pool["Name"]]
        if "namespaces" in wanted:
            for row in store.namespaces:
                if access.sees_namespace(row["Name"]):
                    yield "namespaces", row["Name"], [row["Name"]]


def _check_context(context: str) -> None:
    if context not in {ALL, "", *_CONTEXTS}:
        known = " ".join(_CONTEXTS)
        raise Refused(f"context must be one of [{known}] or 'all' for all contexts; got {quoted(context)}")


def _even(text: str) -> str:
    """The beginning of an ID is read as bytes: an odd last digit does not count."""
    return text[:-1] if len(text.replace("-", "")) % 2 else text


def _distance(text: str, name: str) -> tuple[bool, int, str]:
    return name != text, name.lower().find(text.lower()), name


def _in_job(job: Row) -> Iterator[tuple[str, str, list[str]]]:
    namespace, job_id = job["Namespace"], job["ID"]
    yield "jobs", job["Name"], [namespace, job_id]
    for group in job["TaskGroups"] or ():
        inside = [namespace, job_id, group["Name"]]
        yield "groups", group["Name"], [namespace, job_id]
        for service in group["Services"] or ():
            yield "services", service["Name"], inside
        for task in group["Tasks"]:
            yield "tasks", task["Name"], inside
            for service in task["Services"] or ():
                yield "services", service["Name"], [*inside, task["Name"]]
            for kind, field in (("images", "image"), ("commands", "command"), ("classes", "class")):
                value = (task["Config"] or {}).get(field)
                if isinstance(value, str):
                    yield kind, value, [*inside, task["Name"]]
