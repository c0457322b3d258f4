"""Consul Connect: the tasks and ports that Nomad adds to a group for its services in the mesh.

A service with a sidecar gets an Envoy task and a port, a gateway gets an Envoy task, and the task behind a native
service is marked. What is there already stays: canonicalising twice adds nothing.
"""

from herdsman.devnomad.structs import defaults, stored
from herdsman.devnomad.structs.durations import SECOND
from herdsman.devnomad.structs.shapes import SHAPES, Json

_TASK = SHAPES["Task"]
_ENVOY: Json = {
    "Driver": "docker",
    "LogConfig": {"MaxFiles": 2, "MaxFileSizeMB": 2},
    "Resources": {"CPU": 250, "MemoryMB": 128},
    "ShutdownDelay": 5 * SECOND,
}
_ARGUMENTS = (
    "-c",
    "${NOMAD_SECRETS_DIR}/envoy_bootstrap.json",
    "-l",
    "${meta.connect.log_level}",
    "--concurrency",
    "${meta.connect.proxy_concurrency}",
    "--disable-hot-restart",
)
_OVERRIDES = ("Name", "User", "KillTimeout", "KillSignal", "LogConfig", "VolumeMounts", "Identities")


def add_mesh(job: Json) -> None:
    """Add to every group of a stored job what its services in the mesh need."""
    for group in job["TaskGroups"] or ():
        for service in group["Services"] or ():
            connect = service["Connect"]
            if connect is None:
                continue
            if connect["SidecarService"] is not None:
                _add_proxy(service, group, job)
            elif connect["Gateway"] is not None:
                _add_gateway(service, group, job)
            elif connect["Native"]:
                _mark_native(service, group)


def _add_proxy(service: Json, group: Json, job: Json) -> None:
    name = f"connect-proxy-{service['Name']}"
    task = _envoy(name, f"connect-proxy:{service['Name']}", "sidecar")
    task["Lifecycle"] = {"Hook": "prestart", "Sidecar": True}
    _add_task(task, service, group, job)
    networks = group["Networks"] or []
    ports = networks[0].get("DynamicPorts") or [] if networks else []
    if networks and name not in (port["Label"] for port in ports):
        # -1: the port is the same inside the network as outside.
        networks[0]["DynamicPorts"] = [*ports, {"Label": name, "To": -1, "HostNetwork": "default"}]


def _add_gateway(service: Json, group: Json, job: Json) -> None:
    gateway = service["Connect"]["Gateway"]
    kind = next((one for one in ("Ingress", "Terminating", "Mesh") if gateway[one] is not None), "Ingress").lower()
    task = _envoy(f"connect-{kind}-{service['Name']}", f"connect-{kind}:{service['Name']}", "gateway")
    if any(network.get("Mode") == "host" for network in group["Networks"] or ()):
        task["Config"]["network_mode"] = "host"
    _add_task(task, service, group, job)


def _mark_native(service: Json, group: Json) -> None:
    tasks = group["Tasks"] or []
    if not service["TaskName"] and len(tasks) == 1:
        service["TaskName"] = tasks[0]["Name"]
    for task in tasks:
        if task["Name"] == service["TaskName"]:
            task["Kind"] = f"connect-native:{service['Name']}"


def _envoy(name: str, kind: str, image: str) -> Json:
    config = {"image": f"${{meta.connect.{image}_image}}", "args": list(_ARGUMENTS)}
    return _ENVOY | {"Name": name, "Kind": kind, "Config": config}


def _add_task(task: Json, service: Json, group: Json, job: Json) -> None:
    if any(other["Kind"] == task["Kind"] for other in group["Tasks"] or ()):
        return
    own = service["Connect"]["SidecarTask"]
    filled = _TASK.fill(_merged(task, own) if own is not None else task)
    defaults.complete_task(filled, group, job)
    kept = _TASK.keep(filled)
    stored.settle_identities(kept)
    group["Tasks"] = [*(group["Tasks"] or ()), kept]


def _merged(task: Json, own: Json) -> Json:
    """The Envoy task as the service's `sidecar_task` wants it."""
    merged = task | {key: own[key] for key in _OVERRIDES if own[key]}
    merged["ShutdownDelay"] = own["ShutdownDelay"]
    merged["Resources"] = task["Resources"] | {key: value for key, value in own["Resources"].items() if value}
    if own["Driver"] not in ("", task["Driver"]):
        merged |= {"Driver": own["Driver"], "Config": own["Config"]}
    else:
        merged["Config"] = task["Config"] | (own["Config"] or {})
    for key in ("Env", "Meta"):
        merged[key] = own[key]
    return merged
