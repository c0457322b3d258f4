"""Whether a register makes a new version, and what the server fills into scaling policies.

A version's scaling policies carry an ID and the indexes at which they last changed. The ID passes from version to
version and makes no difference; the indexes do: a group registered with a new policy differs from the same body
registered again (and shows an `Edited` without any field in a plan), and once that body is stored again, no more.
"""

from collections.abc import Callable

from herdsman.devnomad.structs.shapes import Json

# A tag (`VersionTag`) is not among them: a tagged version and the same body without a tag are two.
SERVER_KEPT = frozenset(
    {
        "Status",
        "StatusDescription",
        "Stable",
        "Version",
        "CreateIndex",
        "ModifyIndex",
        "JobModifyIndex",
        "SubmitTime",
        "NomadTokenID",
    }
)
_POLICY_KEPT = frozenset({"ID", "CreateIndex", "ModifyIndex"})


def spec_changed(old: Json, new: Json) -> bool:
    """Whether two jobs in stored form differ in anything but server-kept values."""
    changed = [key for key, value in new.items() if key not in SERVER_KEPT and old.get(key) != value]
    if changed != ["TaskGroups"]:
        return bool(changed)
    before, after = old["TaskGroups"] or [], new["TaskGroups"] or []
    return [without_policy_id(group) for group in before] != [without_policy_id(group) for group in after]


def without_policy_id(group: Json) -> Json:
    """A group as it compares: the ID of its scaling policy is the server's alone."""
    if group["Scaling"] is None or not group["Scaling"]["ID"]:
        return group
    return group | {"Scaling": group["Scaling"] | {"ID": ""}}


def settle_policies(job: Json, old: Json | None, *, index: int, new_id: Callable[[], str]) -> Json:
    """The job as the store keeps it: a new or changed policy takes this index, an unchanged one keeps its ID."""
    known = {group["Name"]: group["Scaling"] for group in (old or {}).get("TaskGroups") or ()}
    groups = [_settled(group, known.get(group["Name"]), index, new_id) for group in job["TaskGroups"] or ()]
    return job | {"TaskGroups": groups or None}


def _settled(group: Json, known: Json | None, index: int, new_id: Callable[[], str]) -> Json:
    policy = group["Scaling"]
    if policy is None:
        return group
    same = known is not None and all(known[key] == policy[key] for key in policy if key not in _POLICY_KEPT)
    kept = {"ID": known["ID"] if known is not None and known["ID"] else new_id()}
    if not same:
        kept |= {"CreateIndex": known["CreateIndex"] if known else index, "ModifyIndex": index}
    return group | {"Scaling": policy | kept}
