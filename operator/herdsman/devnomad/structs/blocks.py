"""How each block of a job shows in a diff: one entry per block.

The entries hold Nomad's oddities too, so that nobody mends them: the spreads of a job or group, a task's lifecycle,
restart policy and scaling policies, a check's arguments and a device's constraints are no parts here and so have no
leaf; all that a diff says of them is that the block around them was edited.
"""

from collections.abc import Callable

from herdsman.devnomad.structs import flat
from herdsman.devnomad.structs.durations import go_text
from herdsman.devnomad.structs.parts import Block, Each, Leaves, Named, One, Services, Strings
from herdsman.devnomad.structs.shapes import Json


def _hide(*keys: str) -> frozenset[str]:
    return frozenset(keys)


def _pointers(*keys: str) -> Callable[[Json], Leaves]:
    """Values that the server keeps as pointers, where they are set."""
    return lambda value: {key: flat.text(value[key]) for key in keys if value.get(key) is not None}


def _nils(*keys: str) -> Callable[[Json], Leaves]:
    """Values that the server keeps as pointers, set or not."""
    return lambda value: {key: flat.text(value.get(key)) for key in keys}


def _joined(value: Json) -> Leaves:
    return {key: ",".join(items) for key, items in value.items() if items}


def _timeout(value: Json) -> Leaves:
    return {"ConnectTimeout": go_text(value["ConnectTimeout"])}


def _open(name: str) -> Block:
    """A free-form map: everything in it is a leaf."""
    return Block(name, special=lambda value: dict(flat.opaque(value)))


def _plain(name: str, shape: str, *hidden: str) -> Block:
    return Block(name, shape, _hide(*hidden), by_leaves=True)


CONSTRAINT = _plain("Constraint", "Constraint")
AFFINITY = _plain("Affinity", "Affinity")
IDENTITY = Block("Identity", "WorkloadIdentity", parts=(Strings("Audience"),))

PERIODIC = Block("Periodic", "PeriodicConfig", parts=(Strings("Specs"),))
PARAMETERIZED = Block(
    "ParameterizedJob",
    "ParameterizedJobConfig",
    parts=(Strings("MetaOptional"), Strings("MetaRequired")),
)
REGION = Block("Region", "MultiregionRegion", by_leaves=True, parts=(Strings("Datacenters", if_changed=True),))
MULTIREGION = Block(
    "Multiregion",
    "Multiregion",
    parts=(One("Strategy", _plain("Strategy", "MultiregionStrategy")), Each("Regions", REGION, "Name")),
)
UI = Block("UI", "JobUIConfig", parts=(Each("Links", _plain("Link", "JobUILink")),))

JOB = Block(
    "Job",
    "Job",
    hidden=_hide(
        "ID",
        "Status",
        "StatusDescription",
        "Version",
        "Stable",
        "SubmitTime",
        "CreateIndex",
        "ModifyIndex",
        "JobModifyIndex",
        "NomadTokenID",
    ),
    contextual=False,
    parts=(
        Strings("Datacenters", if_changed=True),
        Each("Constraints", CONSTRAINT),
        Each("Affinities", AFFINITY),
        One("Periodic", PERIODIC),
        One("ParameterizedJob", PARAMETERIZED),
        One("Multiregion", MULTIREGION),
        One("UI", UI),
    ),
)

PORT = _plain("Static Port", "Port")
DYNAMIC_PORT = _plain("Dynamic Port", "Port", "Value", "IgnoreCollision")
NETWORK = Block(
    "Network",
    "NetworkResource",
    hidden=_hide("Device", "CIDR", "IP", "MBits"),
    parts=(
        Each("ReservedPorts", PORT, "Label"),
        Each("DynamicPorts", DYNAMIC_PORT, "Label"),
        One("DNS", Block("DNS", special=_joined)),
        One("CNI", Block("CNIConfig", "CNIConfig")),
    ),
)
VOLUME = Block(
    "Volume",
    "VolumeRequest",
    parts=(One("MountOptions", Block("MountOptions", "CSIMountOptions", parts=(Strings("MountFlags"),))),),
)
CONSUL = Block("Consul", "Consul")
SCALING = Block(
    "Scaling",
    "ScalingPolicy",
    hidden=_hide("ID", "Type", "Target", "CreateIndex", "ModifyIndex"),
    contextual=False,
    parts=(One("Policy", _open("Policy")),),
)
DISCONNECT = Block("Disconnect", "DisconnectStrategy", special=_nils("StopOnClientAfter", "Replace"))

CHECK = Block(
    "Check",
    "ServiceCheck",
    parts=(
        One("Header", _open("Header")),
        One("CheckRestart", _plain("CheckRestart", "CheckRestart")),
    ),
)
_TLS = Block(
    "TLS",
    "ConsulGatewayTLSConfig",
    parts=(Strings("CipherSuites"), One("SDS", _plain("SDS", "ConsulGatewayTLSSDSConfig"))),
)
_HEADERS = tuple(
    One(key, Block(key, "ConsulHTTPHeaderModifiers", parts=(Strings("Remove"),)))
    for key in ("RequestHeaders", "ResponseHeaders")
)
_LISTENER = Block(
    "Listener",
    "ConsulIngressListener",
    parts=(
        Each(
            "Services",
            Block(
                "ConsulIngressService",
                "ConsulIngressService",
                special=_pointers("MaxConnections", "MaxPendingRequests", "MaxConcurrentRequests"),
                parts=(Strings("Hosts"), One("TLS", _TLS), *_HEADERS),
            ),
            "Name",
        ),
    ),
)
GATEWAY = Block(
    "Gateway",
    parts=(
        One(
            "Proxy",
            Block(
                "Proxy",
                "ConsulGatewayProxy",
                hidden=_hide("ConnectTimeout"),
                special=_timeout,
                parts=(
                    Named(
                        "EnvoyGatewayBindAddresses",
                        Block("EnvoyGatewayBindAddresses", "ConsulGatewayBindAddress"),
                    ),
                    One("Config", _open("Config")),
                ),
            ),
        ),
        One(
            "Ingress",
            Block("Ingress", parts=(One("TLS", _TLS), Each("Listeners", _LISTENER, "Port"))),
        ),
        One(
            "Terminating",
            Block("Terminating", parts=(Each("Services", Block("Service", "ConsulLinkedService"), "Name"),)),
        ),
        One("Mesh", Block("Mesh")),
    ),
)
_UPSTREAM = Block(
    "ConsulUpstreams",
    "ConsulUpstream",
    parts=(
        One("MeshGateway", _plain("MeshGateway", "ConsulMeshGateway")),
        One("Config", _open("Config")),
    ),
)
_PROXY = Block(
    "ConsulProxy",
    "ConsulProxy",
    parts=(
        Each("Upstreams", _UPSTREAM, "DestinationName"),
        One("Expose", Block("Expose", parts=(Each("Paths", Block("Paths", "ConsulExposePath"), "Path"),))),
        One(
            "TransparentProxy",
            Block(
                "TransparentProxy",
                "ConsulTransparentProxy",
                parts=tuple(
                    Strings(key)
                    for key in (
                        "ExcludeInboundPorts",
                        "ExcludeOutboundPorts",
                        "ExcludeOutboundCIDRs",
                        "ExcludeUIDs",
                    )
                ),
            ),
        ),
        One("Config", _open("Config")),
    ),
)

DEVICE = Block("Device", "RequestedDevice")
NUMA = Block("NUMA", "NUMAResource", parts=(Strings("Devices"),))
RESOURCES = Block(
    "Resources",
    "Resources",
    parts=(Each("Networks", NETWORK), Each("Devices", DEVICE, "Name"), One("NUMA", NUMA)),
)
LOGS = _plain("LogConfig", "LogConfig")
_SIDECAR_TASK = Block(
    "SidecarTask",
    "SidecarTask",
    parts=(One("Config", _open("Config")), One("Resources", RESOURCES), One("LogConfig", LOGS)),
)
CONNECT = Block(
    "ConsulConnect",
    "ConsulConnect",
    parts=(
        One(
            "SidecarService",
            Block(
                "SidecarService",
                "ConsulSidecarService",
                parts=(Strings("Tags"), One("Proxy", _PROXY)),
            ),
        ),
        One("SidecarTask", _SIDECAR_TASK),
        One("Gateway", GATEWAY),
    ),
)
SERVICE = Block(
    "Service",
    "Service",
    parts=(
        Strings("CanaryTags"),
        Each("Checks", CHECK, "Name"),
        One("Connect", CONNECT),
        One("Identity", IDENTITY),
        Strings("Tags"),
        One("Weights", _plain("Weights", "ServiceWeights")),
    ),
)

TEMPLATE = Block(
    "Template",
    "Template",
    special=_pointers("Uid", "Gid"),
    parts=(
        # Nomad names the waiting times after the block around them.
        One("Wait", Block("Template", special=_nils("Min", "Max"))),
        One("ChangeScript", Block("ChangeScript", "ChangeScript", parts=(Strings("Args"),))),
    ),
)
VAULT = Block("Vault", "Vault", parts=(Strings("Policies"),))
ACTION = Block("Action", "Action", parts=(Strings("Args"),))
SECRET = Block("Secret", "Secret", parts=(One("Config", _open("Config")),))
SCHEDULE = Block("Schedule", parts=(One("Cron", _plain("Cron", "TaskScheduleCron")),))

GROUP = Block(
    "TaskGroup",
    "TaskGroup",
    hidden=_hide("Name"),
    contextual=False,
    parts=(
        Each("Constraints", CONSTRAINT),
        Each("Affinities", AFFINITY),
        One("RestartPolicy", _plain("RestartPolicy", "RestartPolicy")),
        One("Disconnect", DISCONNECT),
        One("ReschedulePolicy", _plain("ReschedulePolicy", "ReschedulePolicy")),
        One("EphemeralDisk", _plain("EphemeralDisk", "EphemeralDisk")),
        One("Consul", CONSUL),
        # The pace of old rolling updates is not shown.
        One("Update", _plain("Update", "UpdateStrategy", "Stagger")),
        One("Migrate", _plain("Migrate", "MigrateStrategy")),
        Each("Networks", NETWORK),
        Services("Services", SERVICE),
        Named("Volumes", VOLUME),
        One("Scaling", SCALING),
    ),
)
# A change of these shows only between two versions of a group, not where the group itself comes or goes.
GROUP_POINTERS = ("ShutdownDelay", "StopAfterClientDisconnect", "MaxClientDisconnect", "MaxRunDuration")

TASK = Block(
    "Task",
    "Task",
    hidden=_hide("Name"),
    contextual=False,
    parts=(
        Each("Constraints", CONSTRAINT),
        Each("Affinities", AFFINITY),
        One("Config", _open("Config")),
        One("Resources", RESOURCES),
        One("LogConfig", LOGS),
        One("DispatchPayload", _plain("DispatchPayload", "DispatchPayloadConfig")),
        Each("Artifacts", _plain("Artifact", "TaskArtifact"), "RelativeDest"),
        Services("Services", SERVICE),
        One("Vault", VAULT),
        One("Consul", CONSUL),
        Each("Templates", TEMPLATE, "DestPath"),
        One("Identity", IDENTITY),
        Each("Identities", IDENTITY, "Name"),
        Each("VolumeMounts", _plain("VolumeMount", "VolumeMount")),
        One("CSIPluginConfig", _plain("CSIPluginConfig", "TaskCSIPluginConfig")),
        Each("Actions", ACTION, "Name"),
        Each("Secrets", SECRET, "Name"),
        One("Schedule", SCHEDULE),
    ),
)
