"""A job's versions: gone back to, marked as stable, named."""

from herdsman.devnomad.clock import now_ns
from herdsman.devnomad.errors import Refused
from herdsman.devnomad.rpc.jobs import Jobs, RegisterOptions
from herdsman.devnomad.rpc.meta import write_meta
from herdsman.devnomad.state import jobs
from herdsman.devnomad.state.store import Store
from herdsman.devnomad.types import JobKey, Row


class Versions:
    """Requests about versions."""

    def __init__(self, store: Store, registrar: Jobs) -> None:
        self._store, self._jobs = store, registrar

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
        return self._jobs.register({**wanted, "VersionTag": None}, RegisterOptions(submission=submission))

    def set_stability(self, key: JobKey, version: int, *, stable: bool) -> Row:
        """Say of a version that it works. Of an older one, that makes it the current one: so Nomad does."""
        row = self._store.versions.get((*key, version))
        if row is None:
            raise Refused(f'job "{key[1]}" in namespace "{key[0]}" at version {version} not found')
        with self._store.write() as txn:
            if row["Stable"] is not stable:
                jobs.replace(txn, {**row, "Stable": stable})
        return {"JobModifyIndex": txn.index, "Index": txn.index}

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
