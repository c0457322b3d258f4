"""A policy's rules, checked and spelt out: which capabilities they give where."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from herdsman.devnomad.acl.reader import RulesError, read

DENY: Final = "deny"
_NAMESPACE_NAME: Final = re.compile(r"[a-zA-Z0-9*-]{1,128}")

_NAMESPACE_SCALE: Final = frozenset({"list-scaling-policies", "read-scaling-policy", "read-job-scaling", "scale-job"})
_NAMESPACE_READ: Final = (_NAMESPACE_SCALE - {"scale-job"}) | {
    "list-jobs",
    "parse-job",
    "read-job",
    "csi-list-volume",
    "csi-read-volume",
    "host-volume-read",
}
_NAMESPACE_WRITE: Final = (
    _NAMESPACE_READ
    | _NAMESPACE_SCALE
    | {
        "plan-job",
        "submit-job",
        "dispatch-job",
        "read-logs",
        "read-fs",
        "alloc-exec",
        "alloc-lifecycle",
        "csi-write-volume",
        "csi-mount-volume",
        "submit-recommendation",
        "host-volume-write",
        "host-volume-create",
        "host-volume-register",
        "host-volume-delete",
    }
)
_NAMESPACE_POLICIES: Final[Mapping[str, frozenset[str]]] = {
    DENY: frozenset({DENY}),
    "read": _NAMESPACE_READ,
    "write": _NAMESPACE_WRITE,
    "scale": _NAMESPACE_SCALE,
}
_NAMESPACE_ALL: Final = _NAMESPACE_WRITE | frozenset(
    {DENY, "alloc-node-exec", "csi-register-plugin", "sentinel-override", "list-recommendations"}
)
_VARIABLE_ALL: Final = frozenset({DENY, "list", "read", "write", "destroy"})
_POOL_POLICIES: Final[Mapping[str, frozenset[str]]] = {
    DENY: frozenset({DENY}),
    "read": frozenset({"read"}),
    "write": frozenset({"read", "write", "delete"}),
}
_COARSE: Final[Mapping[str, frozenset[str]]] = {
    "agent": frozenset({"read", "write", DENY}),
    "node": frozenset({"read", "write", DENY}),
    "operator": frozenset({"read", "write", DENY}),
    "quota": frozenset({"read", "write", DENY}),
    "plugin": frozenset({"list", "read", "write", DENY}),
}


@dataclass(slots=True)
class Rules:
    """What a policy gives: capabilities by namespace, variable path and pool, and the coarse scopes."""

    namespaces: dict[str, set[str]] = field(default_factory=dict)
    variables: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    pools: dict[str, set[str]] = field(default_factory=dict)
    coarse: dict[str, str] = field(default_factory=dict)


def parse(text: str) -> Rules:
    """Read rules; `RulesError` with Nomad's words where they say what cannot be."""
    blocks, rules = read(text), Rules()
    for label, body in _labelled(blocks.pop("namespace", {}), default="default"):
        _namespace(rules, label, body)
    for label, body in _labelled(blocks.pop("node_pool", {}), default=""):
        if not label:
            raise RulesError("Invalid node pool name ''")
        rules.pools[label] = _expand(body, _POOL_POLICIES, frozenset({DENY, "read", "write", "delete"}), "node pool")
    for label, body in _labelled(blocks.pop("host_volume", {}), default=""):
        _expand(
            body,
            {
                DENY: frozenset({DENY}),
                "read": frozenset({"mount-readonly"}),
                "write": frozenset({"mount-readonly", "mount-readwrite"}),
            },
            frozenset({DENY, "mount-readonly", "mount-readwrite"}),
            f'host volume "{label}"',
        )
    for scope, allowed in _COARSE.items():
        if scope in blocks:
            rules.coarse[scope] = _coarse(scope, blocks.pop(scope), allowed)
    if blocks:
        raise RulesError(f"invalid ACL policy: unknown rule {next(iter(blocks))!r}")
    return rules


def _labelled(value: Any, *, default: str) -> Iterable[tuple[str, Any]]:
    """The bodies of blocks by label; one without a label has its fields right inside."""
    if not isinstance(value, dict):
        raise RulesError("error parsing: a rule must be a block")
    inside = {key: inner for key, inner in value.items() if not isinstance(inner, dict) or key == "variables"}
    if inside:
        yield default, inside
    for label, body in value.items():
        if label not in inside:
            yield label, body


def _namespace(rules: Rules, label: str, body: Any) -> None:
    if not _NAMESPACE_NAME.fullmatch(label):
        raise RulesError(f"Invalid namespace name: {label!r}")
    rules.namespaces[label] = _expand(body, _NAMESPACE_POLICIES, _NAMESPACE_ALL, "namespace")
    paths = _block(_block(_block(body).get("variables")).get("path"))
    for path, inner in paths.items():
        capabilities = set(_texts(_block(inner).get("capabilities")))
        for each in capabilities - _VARIABLE_ALL:
            raise RulesError(f"Invalid variable capability '{each}' in namespace {label}")
        if not capabilities:
            raise RulesError(f"Invalid missing capabilities for variables in namespace {label}")
        if capabilities & {"read", "write"}:
            capabilities.add("list")
        rules.variables.setdefault(label, {})[path] = capabilities


def _expand(body: Any, policies: Mapping[str, frozenset[str]], known: frozenset[str], what: str) -> set[str]:
    fields = _block(body)
    policy, capabilities = fields.get("policy") or "", _texts(fields.get("capabilities"))
    if not isinstance(policy, str):
        raise RulesError(f"error parsing: a {what} policy must be a text")
    if policy and policy not in policies:
        raise RulesError(f"Invalid {what} policy: {policy!r}")
    for each in capabilities:
        if each not in known:
            raise RulesError(f"Invalid {what} capability '{each}': &{{policy:{policy!r} capabilities:{capabilities}}}")
    return set(policies.get(policy, frozenset())) | set(capabilities)


def _block(value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise RulesError("error parsing: a rule must be a block")
    return value or {}


def _texts(value: Any) -> list[str]:
    if value is not None and not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
        raise RulesError("error parsing: capabilities must be a list of texts")
    return value or []


def _coarse(scope: str, body: Any, allowed: frozenset[str]) -> str:
    policy = body.get("policy") or "" if isinstance(body, dict) else ""
    if not isinstance(policy, str) or policy not in allowed:
        raise RulesError(f"Invalid {scope} policy: {policy!r}")
    return str(policy)
