"""What things may be called, and why not otherwise."""

import re
from typing import Final

NAMESPACE: Final = r"[a-zA-Z0-9-]{1,128}"
"""A Nomad namespace: https://developer.hashicorp.com/nomad/docs/other-specifications/namespace"""

NAMESPACE_GLOB: Final = r"[a-zA-Z0-9*?-]{1,128}"

FLEET: Final = r"[a-zA-Z0-9_-]{1,64}"
"""A fleet: its name becomes part of a Nomad variable's path, which allows no more than this."""

PATH: Final = (
    r"(?!herdsman(?:/|$))(?!nomad(?:$|/(?!(?:jobs|job-templates)(?:/|$))))[a-zA-Z0-9_~-]+(?:/[a-zA-Z0-9_~-]+)*"
)
"""The path of a Nomad variable, at most 128 characters: https://developer.hashicorp.com/nomad/docs/concepts/variables

Below `nomad` there are only `jobs` and `job-templates`; below `herdsman` Herdsman keeps variables of its own.
"""

ITEM: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
"""The name of an item of a Nomad variable."""

VARIABLE: Final = r"[A-Za-z_][A-Za-z0-9_-]{0,127}"
"""An HCL2 variable."""

JOB: Final = r"[^\s/]+(?:/[^\s/]+)*"
"""The outline of a job ID for editors; `check_job_id` is what holds."""

_LONGEST_JOB: Final = 255

_ENDPOINTS: Final = frozenset(
    {
        "action", "actions", "allocations", "deployment", "deployments", "dispatch", "evaluate", "evaluations", "plan",
        "revert", "scale", "services", "stable", "submission", "summary", "tag", "versions",
    }
)  # fmt: skip
"""Last parts of the paths below `/v1/job/`: https://developer.hashicorp.com/nomad/api-docs/jobs"""


def check_job_id(name: str) -> None:
    """Raise `ValueError`, with words for a reader, where *name* may not be a job's ID."""
    reason = _why_no_job_id(name)
    if reason:
        raise ValueError(reason)


def is_job_id(name: str) -> bool:
    """Whether *name* may be a job's ID."""
    return not _why_no_job_id(name)


def _why_no_job_id(name: str) -> str:
    if not name:
        return "a job needs a name"
    if len(name) > _LONGEST_JOB:
        return f"longer than {_LONGEST_JOB} characters"
    if any(c.isspace() for c in name):
        return "a job's name may hold no spaces: Nomad refuses them"
    if not name.isprintable():
        return "a job's name may hold no control characters or other invisible ones"
    if "\\" in name:
        return "a job's name may hold no backslash: some clients take it for a slash"
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "a job's name may have no empty part and no part . or ..: an address that holds it leads elsewhere"
    if len(parts) > 1 and (parts[-1] in _ENDPOINTS or parts[-2:] == ["periodic", "force"]):
        return f"a job's name may not end in /{parts[-1]}: Nomad's API would take that for a request about another job"
    if any(part.startswith(("periodic-", "dispatch-")) for part in parts[1:]):
        return "only children of periodic and parameterized jobs may be called …/periodic-… and …/dispatch-…"
    return ""


def fits(pattern: str, name: str) -> bool:
    """Whether all of *name* is as *pattern* says."""
    return re.fullmatch(pattern, name) is not None
