"""service and check: what is announced to Consul or Nomad, and how its health is known."""

from __future__ import annotations

from .common import IDENTITY
from .connect import CONNECT
from .schema import duration, flag, integer, many, one, schema, string_lists, strings, text, texts

_CHECK_RESTART = schema(
    integer("limit", "Limit", 0),
    duration("grace", "Grace"),
    flag("ignore_warnings", "IgnoreWarnings", default=False),
)
_CHECK = schema(
    text("name", "Name", ""),
    text("type", "Type", ""),
    text("command", "Command", ""),
    texts("args", "Args"),
    text("path", "Path", ""),
    text("protocol", "Protocol", ""),
    text("port", "PortLabel", ""),
    flag("expose", "Expose", default=False),
    text("address_mode", "AddressMode", ""),
    text("advertise", "Advertise", ""),
    duration("interval", "Interval", 0),
    duration("timeout", "Timeout", 0),
    text("initial_status", "InitialStatus", ""),
    text("notes", "Notes", ""),
    flag("tls_skip_verify", "TLSSkipVerify", default=False),
    text("tls_server_name", "TLSServerName", ""),
    string_lists("header", "Header"),
    text("method", "Method", ""),
    one("check_restart", "CheckRestart", _CHECK_RESTART),
    text("grpc_service", "GRPCService", ""),
    flag("grpc_use_tls", "GRPCUseTLS", default=False),
    text("task", "TaskName", ""),
    integer("success_before_passing", "SuccessBeforePassing", 0),
    integer("failures_before_critical", "FailuresBeforeCritical", 0),
    integer("failures_before_warning", "FailuresBeforeWarning", 0),
    text("body", "Body", ""),
    text("on_update", "OnUpdate", ""),
)

SERVICE = schema(
    text("name", "Name", ""),
    texts("tags", "Tags"),
    texts("canary_tags", "CanaryTags"),
    flag("enable_tag_override", "EnableTagOverride", default=False),
    text("port", "PortLabel", ""),
    text("address_mode", "AddressMode", ""),
    text("address", "Address", ""),
    many("check", "Checks", _CHECK),
    one("check_restart", "CheckRestart", _CHECK_RESTART),
    one("connect", "Connect", CONNECT),
    strings("meta", "Meta"),
    strings("canary_meta", "CanaryMeta"),
    strings("tagged_addresses", "TaggedAddresses"),
    text("task", "TaskName", ""),
    text("on_update", "OnUpdate", ""),
    one("identity", "Identity", IDENTITY),
    one("weights", "Weights", schema(integer("passing", "Passing", 0), integer("warning", "Warning", 0))),
    text("provider", "Provider", ""),
    text("cluster", "Cluster", ""),
    text("kind", "Kind", ""),
)
