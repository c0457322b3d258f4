"""Namespaces and node pools."""

import hashlib
import re
from typing import Final

from herdsman.devnomad.errors import BadRequest, NotFound, Refused
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.structs.errors import error_text
from herdsman.devnomad.types import Row

_NAME: Final = re.compile(r"[a-zA-Z0-9-]{1,128}")
_POOL_NAME: Final = re.compile(r"[a-zA-Z0-9-_]{1,128}")
_MAX_DESCRIPTION: Final = 256
BUILT_IN_POOLS: Final = {
    "all": "Node pool with all nodes in the cluster.",
    "default": "Default node pool.",
}


class Namespaces:
    """Requests about namespaces."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ensure_default(self) -> None:
        """Make what every cluster has."""
        if "default" not in self._store.namespaces:
            self.upsert({"Name": "default", "Description": "Default shared namespace"})

    def upsert(self, body: Row) -> int:
        """Make or change a namespace; answers the index."""
        name = body.get("Name") or ""
        if not _NAME.fullmatch(name):
            text = f'invalid name "{name}". Must match regex ^[a-zA-Z0-9-]{{1,128}}$'
            raise Refused(f'Invalid namespace "{name}": {error_text([text])}')
        if len(body.get("Description") or "") > _MAX_DESCRIPTION:
            raise Refused(f'Invalid namespace "{name}": {error_text(["description longer than 256"])}')
        if body.get("Quota"):
            raise Refused("Quotas are part of Nomad Enterprise", status=501)
        old = self._store.namespaces.get(name)
        with self._store.write("") as txn:
            row = {
                "Name": name,
                "Description": body.get("Description") or "",
                "Quota": "",
                "Capabilities": body.get("Capabilities"),
                "NodePoolConfiguration": None,
                "VaultConfiguration": None,
                "ConsulConfiguration": None,
                "Meta": body.get("Meta"),
                "OptionalExtraClaims": None,
                "RequiredExtraClaims": None,
                "Hash": _hash(name, body.get("Description"), body.get("Meta")),
                "CreateIndex": old["CreateIndex"] if old else txn.index,
                "ModifyIndex": txn.index,
            }
            txn.put(self._store.namespaces, name, row)
        return txn.index

    def delete(self, name: str) -> int:
        """Remove a namespace in which no job lives; garbage collection forgets those that lived there."""
        if name == "default":
            raise Refused("can not delete default namespace")
        if name not in self._store.namespaces:
            raise Refused("namespace not found")
        alive = [job for job in self._store.jobs if job["Namespace"] == name and job["Status"] != "dead"]
        if alive:
            raise Refused(f'namespace "{name}" has non-terminal jobs in regions: [global]')
        if any(row["Namespace"] == name for row in self._store.variables):
            raise Refused(f'namespace "{name}" has variables in regions: [global]')
        with self._store.write("") as txn:
            txn.delete(self._store.namespaces, name)
        return txn.index


def _hash(*parts: object) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=32).hexdigest()


class Pools:
    """Requests about node pools."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def ensure_built_in(self) -> None:
        """Make what every cluster has."""
        for name, description in BUILT_IN_POOLS.items():
            if name not in self._store.pools:
                self._put({"Name": name, "Description": description})

    def upsert(self, body: Row) -> int:
        """Make or change a node pool; answers the index."""
        name = body.get("Name") or ""
        if not _POOL_NAME.fullmatch(name):
            text = f'invalid name "{name}", must match regex ^[a-zA-Z0-9-_]{{1,128}}$'
            raise BadRequest(f'invalid node pool "{name}": {error_text([text])}')
        if name in BUILT_IN_POOLS:
            raise BadRequest(f'modifying node pool "{name}" is not allowed')
        return self._put(body)

    def _put(self, body: Row) -> int:
        old = self._store.pools.get(body["Name"])
        with self._store.write("NodePoolUpserted") as txn:
            row = {
                "Name": body["Name"],
                "Description": body.get("Description") or "",
                "Meta": body.get("Meta"),
                "NodeIdentityTTL": body.get("NodeIdentityTTL") or 86_400_000_000_000,
                "SchedulerConfiguration": body.get("SchedulerConfiguration"),
                "Hash": _hash(body["Name"], body.get("Description"), body.get("Meta")),
                "CreateIndex": old["CreateIndex"] if old else txn.index,
                "ModifyIndex": txn.index,
            }
            txn.put(self._store.pools, body["Name"], row)
        return txn.index

    def delete(self, name: str) -> int:
        """Remove a node pool that nobody uses."""
        if name in BUILT_IN_POOLS:
            raise BadRequest(f'deleting node pool "{name}" is not allowed')
        if name not in self._store.pools:
            raise NotFound("node pool not found")
        if any(node["NodePool"] == name for node in self._store.nodes):
            raise Refused(f'node pool "{name}" has nodes in regions: [global]')
        if any(job["NodePool"] == name and job["Status"] != "dead" for job in self._store.jobs):
            raise Refused(f'node pool "{name}" has non-terminal jobs in regions: [global]')
        with self._store.write("NodePoolDeleted") as txn:
            txn.delete(self._store.pools, name)
        return txn.index
