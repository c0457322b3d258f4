"""What Nomad refuses in services and their checks."""

import re
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from herdsman.devnomad.structs.durations import SECOND, go_text
from herdsman.devnomad.structs.errors import joined, quoted
from herdsman.devnomad.structs.shapes import Json

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.IGNORECASE)
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_NAME_RULE = (
    "Service name must be valid per RFC 1123 and can contain only alphanumeric characters or dashes "
    "and must be no longer than 63 characters"
)
_CHECK_TYPES = {"consul": ("grpc", "http", "script", "tcp"), "nomad": ("http", "tcp")}
_WITH_PORT = frozenset({"grpc", "http", "tcp"})
_LEAST = SECOND


def service_errors(service: Json) -> Iterator[str]:
    """A service's faults, wherever it stands."""
    if not _NAME.fullmatch(_VARIABLE.sub("ENV-VAR", service["Name"])):
        yield f"{_NAME_RULE}: {quoted(service['Name'])}"
    mode = service["AddressMode"]
    if mode not in ("", "auto", "host", "driver", "alloc", "alloc_ipv6"):
        yield f'Service address_mode must be "auto", "host", or "driver"; not {quoted(mode)}'
    elif mode not in ("", "auto") and service["Address"]:
        yield 'Service address_mode must be "auto" if address is set'
    provider = service["Provider"]
    if provider not in _CHECK_TYPES:
        yield f'Service provider must be "consul", or "nomad"; not {quoted(provider)}'
        return
    for check in service["Checks"] or ():
        yield from _check_in_service(check, service)
    connect = service["Connect"]
    if connect is None:
        return
    if provider == "nomad":
        yield "Service with provider nomad cannot include Connect blocks"
    yield from joined(_connect_errors(connect))
    if connect["Native"] and not service["TaskName"]:
        yield f"Service {service['Name']} is Connect Native and requires setting the task"


def _connect_errors(connect: Json) -> Iterator[str]:
    kinds = [connect["Native"], connect["SidecarService"] is not None, connect["Gateway"] is not None]
    if sum(kinds) != 1:
        yield "Consul Connect must be exclusively native, make use of a sidecar, or represent a Gateway"
    if connect["Gateway"] is not None:
        blocks = [connect["Gateway"][key] for key in ("Ingress", "Terminating", "Mesh")]
        if sum(block is not None for block in blocks) != 1:
            yield "One Consul Gateway Configuration must be set"


def _check_in_service(check: Json, service: Json) -> Iterator[str]:
    name = check["Name"]
    if not service["PortLabel"] and not check["PortLabel"] and check["Type"] in _WITH_PORT:
        yield (
            f"Check {name} invalid: check requires a port but neither check nor service "
            f"{quoted(service['Name'])} have a port"
        )
        return
    sidecar = service["Connect"] is not None and service["Connect"]["SidecarService"] is not None
    if check["Type"] == "tcp" and sidecar:
        yield f"Check {name} invalid: tcp checks are not valid for Connect enabled services"
    # Of one check only the first fault is told.
    for complaint in check_errors(check, service["Provider"]):
        yield f"Check {name} invalid: {complaint}"
        return


def check_errors(check: Json, provider: str) -> Iterator[str]:
    """A check's faults."""
    kind = check["Type"].lower()
    if kind not in _CHECK_TYPES[provider]:
        yield f"invalid check type ({quoted(kind)}), must be one of {', '.join(_CHECK_TYPES[provider])}"
    if kind == "http":
        yield from _path_errors(check["Path"])
    if kind == "script" and not check["Command"]:
        yield "script type must have a valid script path"
    yield from _pace_errors(check)
    yield from _word_errors(check)
    yield from _restart_errors(check)
    if provider == "nomad":
        yield from _nomad_errors(check)


def _path_errors(path: str) -> Iterator[str]:
    if not path:
        yield "http type must have http path"
    elif urlsplit(path).scheme:
        yield "http type must have relative http path"


def _pace_errors(check: Json) -> Iterator[str]:
    interval, timeout, least = check["Interval"], check["Timeout"], go_text(_LEAST)
    if interval == 0:
        yield f"missing required value interval. Interval cannot be less than {least}"
    elif interval < _LEAST:
        yield f"interval ({go_text(interval)}) cannot be lower than {least}"
    if timeout == 0:
        yield f"missing required value timeout. Timeout cannot be less than {least}"
    elif timeout < _LEAST:
        yield f"timeout ({go_text(timeout)}) is lower than required minimum timeout {least}"


def _word_errors(check: Json) -> Iterator[str]:
    if check["InitialStatus"] not in ("", "critical", "passing", "warning"):
        yield (
            f"invalid initial check state ({check['InitialStatus']}), "
            'must be one of "passing", "warning", "critical" or empty'
        )
    mode = check["AddressMode"]
    if mode == "auto":
        yield f"invalid address_mode {quoted(mode)} - auto only valid for services"
    elif mode not in ("", "host", "driver", "alloc", "alloc_ipv6"):
        yield f"invalid address_mode {quoted(mode)}"
    update = check["OnUpdate"]
    if update not in ("", "ignore", "require_healthy", "ignore_warnings"):
        yield f'on_update must be "require_healthy", "ignore_warnings", or "ignore"; got {quoted(update)}'


def _restart_errors(check: Json) -> Iterator[str]:
    restart, update = check["CheckRestart"], check["OnUpdate"]
    if restart is None:
        return
    if update == "ignore":
        yield f"on_update value {quoted(update)} is not compatible with check_restart"
    if update == "ignore_warnings" and not restart["IgnoreWarnings"]:
        yield f'on_update value {quoted(update)} not supported with check_restart ignore_warnings value "false"'
    if restart["Limit"] < 0:
        yield f"limit must be greater than or equal to 0 but found {restart['Limit']}"
    if restart["Grace"] < 0:
        yield f"grace period cannot be negative but found {go_text(restart['Grace'])}"


def _nomad_errors(check: Json) -> Iterator[str]:
    for key, word in (
        ("Expose", "expose"),
        ("SuccessBeforePassing", "success_before_passing"),
        ("FailuresBeforeCritical", "failures_before_critical"),
        ("FailuresBeforeWarning", "failures_before_warning"),
        ("TLSServerName", "tls_server_name"),
    ):
        if check[key]:
            yield f"{word} may only be set for Consul service checks"
    if check["AddressMode"] == "driver":
        yield "address_mode = driver may only be set for Consul service checks"
    if check["Type"] == "http" and check["Body"] and check["Method"] in ("", "GET"):
        yield "http checks may not set Body content with case GET method"


def script_check_errors(services: Sequence[Json], group: str) -> Iterator[str]:
    """Script checks of a group's services must say in which task they run."""
    for service in services:
        for check in service["Checks"] or ():
            if not service["TaskName"] and check["Type"] == "script" and not check["TaskName"]:
                yield f"Service [{group}]->{service['Name']} or Check {check['Name']} must specify task parameter"


def group_service_errors(services: Sequence[Json], tasks: Sequence[Json]) -> Iterator[str]:
    """Faults of a group's services, and of how its tasks' services go with them."""
    known = {task["Name"] for task in tasks}
    providers = {service["Provider"] for task in tasks for service in task["Services"] or ()}
    for number, service in enumerate(services):
        providers.add(service["Provider"])
        if faults := joined(service_errors(service)):
            yield f"Service[{number}] {service['Name']} validation failed: {faults[0]}"
            continue
        if service["AddressMode"] == "driver":
            yield (
                f'service {quoted(service["Name"])} cannot use address_mode="driver", '
                'only services defined in a "task" block can use this mode'
            )
        for check in service["Checks"] or ():
            yield from _group_check_errors(check, known)
    if len(providers) > 1:
        yield "Multiple service providers used: task group services must use the same provider"


def _group_check_errors(check: Json, known: set[str]) -> Iterator[str]:
    if check["AddressMode"] == "driver":
        yield (
            f'Check {quoted(check["Name"])} invalid: cannot use address_mode="driver", '
            'only checks defined in a "task" service block can use this mode'
        )
    if check["TaskName"] and check["TaskName"] not in known:
        yield f"Check {check['Name']} invalid: refers to non-existent task {check['TaskName']}"


def task_service_errors(task: Json, networks: Sequence[Json]) -> Iterator[str]:
    """Faults of a task's services: names, ports, and what only a group may say."""
    wanted: dict[str, set[str]] = {}
    known: set[tuple[str, str]] = set()
    for number, service in enumerate(task["Services"] or ()):
        name, port = service["Name"], service["PortLabel"]
        if faults := joined(service_errors(service)):
            yield f"service[{number}] {quoted(name)} validation failed: {faults[0]}"
        if service["AddressMode"] == "alloc":
            yield (
                f'service {quoted(name)} cannot use address_mode="alloc", '
                'only services defined in a "group" block can use this mode'
            )
        if (name, port) in known:
            yield f"service {quoted(name)} is duplicate"
        known.add((name, port))
        if port and not (service["AddressMode"] == "driver" and port.isdecimal()):
            wanted.setdefault(port, set()).add(name)
        if service["Connect"] is not None:
            yield (f'service {quoted(name)} cannot have "connect" block, only services defined in a "group" block can')
        yield from _task_check_errors(service, wanted)
    labels = {port["Label"] for network in networks for port in _ports(network)}
    for label in sorted(wanted.keys() - labels):
        names = ", ".join(sorted(wanted[label]))
        yield f"port label {quoted(label)} referenced by services {names} does not exist"


def _ports(network: Json) -> Iterator[Json]:
    yield from network.get("ReservedPorts") or ()
    yield from network.get("DynamicPorts") or ()


def _task_check_errors(service: Json, wanted: dict[str, set[str]]) -> Iterator[str]:
    known: set[str] = set()
    for check in service["Checks"] or ():
        name = check["Name"]
        if name in known:
            yield f"check {quoted(name)} is duplicate"
        known.add(name)
        if check["AddressMode"] == "alloc":
            yield (
                f'check {quoted(name)} cannot use address_mode="alloc", '
                'only checks defined in a "group" service block can use this mode'
            )
        if check["Type"] not in _WITH_PORT:
            continue
        port = check["PortLabel"] or service["PortLabel"]
        if not port:
            yield f"check {quoted(name)} is missing a port"
        elif not port.lstrip("-").isdecimal():
            wanted.setdefault(port, set()).add(service["Name"])
        elif check["AddressMode"] != "driver":
            yield (f'check {quoted(name)} cannot use a numeric port {int(port)} without setting address_mode="driver"')
        elif int(port) <= 0:
            yield f"check {quoted(name)} has invalid numeric port {int(port)}"
