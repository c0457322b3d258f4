"""connect: a service's place in Consul's mesh, by a sidecar, natively, or as a gateway."""

from __future__ import annotations

from .common import IDENTITY, LOGS, VOLUME_MOUNT
from .resources import RESOURCES
from .schema import duration, flag, integer, keyed, many, one, opaque, ports, schema, strings, text, texts

_UPSTREAM = schema(
    text("destination_name", "DestinationName", ""),
    text("destination_namespace", "DestinationNamespace", ""),
    text("destination_partition", "DestinationPartition", ""),
    text("destination_peer", "DestinationPeer", ""),
    text("destination_type", "DestinationType", ""),
    text("datacenter", "Datacenter", ""),
    text("local_bind_address", "LocalBindAddress", ""),
    integer("local_bind_port", "LocalBindPort", 0),
    text("local_bind_socket_mode", "LocalBindSocketMode", ""),
    text("local_bind_socket_path", "LocalBindSocketPath", ""),
    one("mesh_gateway", "MeshGateway", schema(text("mode", "Mode", ""))),
    opaque("config", "Config"),
)
_EXPOSE = schema(
    many(
        "path",
        "Paths",
        schema(
            text("path", "Path", ""),
            text("protocol", "Protocol", ""),
            integer("local_path_port", "LocalPathPort", 0),
            text("listener_port", "ListenerPort", ""),
        ),
    ),
    constants={"Path": None},
)
_TRANSPARENT_PROXY = schema(
    text("uid", "UID", ""),
    integer("outbound_port", "OutboundPort", 0),
    texts("exclude_inbound_ports", "ExcludeInboundPorts"),
    texts("exclude_outbound_cidrs", "ExcludeOutboundCIDRs"),
    ports("exclude_outbound_ports", "ExcludeOutboundPorts"),
    texts("exclude_uids", "ExcludeUIDs"),
    flag("no_dns", "NoDNS", default=False),
)
_SIDECAR_SERVICE = schema(
    texts("tags", "Tags"),
    text("port", "Port", ""),
    flag("disable_default_tcp_check", "DisableDefaultTCPCheck", default=False),
    strings("meta", "Meta"),
    one(
        "proxy",
        "Proxy",
        schema(
            text("local_service_address", "LocalServiceAddress", ""),
            integer("local_service_port", "LocalServicePort", 0),
            many("upstreams", "Upstreams", _UPSTREAM),
            one("expose", "Expose", _EXPOSE),
            one("transparent_proxy", "TransparentProxy", _TRANSPARENT_PROXY),
            opaque("config", "Config"),
            constants={"ExposeConfig": None},
        ),
    ),
)
_SIDECAR_TASK = schema(
    text("name", "Name", ""),
    text("driver", "Driver", ""),
    text("user", "User", ""),
    opaque("config", "Config"),
    strings("env", "Env"),
    one("resources", "Resources", RESOURCES),
    strings("meta", "Meta"),
    duration("kill_timeout", "KillTimeout"),
    one("logs", "LogConfig", LOGS),
    duration("shutdown_delay", "ShutdownDelay"),
    text("kill_signal", "KillSignal", ""),
    many("volume_mount", "VolumeMounts", VOLUME_MOUNT),
    many("identity", "Identities", IDENTITY),
)

# -- gateways ---------------------------------------------------------------------------------------------------------

_TLS = schema(
    flag("enabled", "Enabled", default=False),
    text("tls_min_version", "TLSMinVersion", ""),
    text("tls_max_version", "TLSMaxVersion", ""),
    texts("cipher_suites", "CipherSuites"),
    one("sds", "SDS", schema(text("cluster_name", "ClusterName", ""), text("cert_resource", "CertResource", ""))),
)
_HEADERS = schema(strings("add", "Add"), strings("set", "Set"), texts("remove", "Remove"))
_INGRESS_SERVICE = schema(
    text("name", "Name", ""),
    texts("hosts", "Hosts"),
    integer("max_connections", "MaxConnections"),
    integer("max_pending_requests", "MaxPendingRequests"),
    integer("max_concurrent_requests", "MaxConcurrentRequests"),
    one("tls", "TLS", _TLS),
    one("request_headers", "RequestHeaders", _HEADERS),
    one("response_headers", "ResponseHeaders", _HEADERS),
)
_INGRESS = schema(
    one("tls", "TLS", _TLS),
    many(
        "listener",
        "Listeners",
        schema(
            integer("port", "Port", 0),
            text("protocol", "Protocol", ""),
            many("service", "Services", _INGRESS_SERVICE),
        ),
    ),
)
_LINKED_SERVICE = schema(
    text("name", "Name", ""),
    text("ca_file", "CAFile", ""),
    text("cert_file", "CertFile", ""),
    text("key_file", "KeyFile", ""),
    text("sni", "SNI", ""),
)
_BIND_ADDRESS = schema(text("address", "Address", ""), integer("port", "Port", 0), label="Name")
_GATEWAY_PROXY = schema(
    duration("connect_timeout", "ConnectTimeout"),
    flag("envoy_gateway_bind_tagged_addresses", "EnvoyGatewayBindTaggedAddresses", default=False),
    keyed("envoy_gateway_bind_addresses", "EnvoyGatewayBindAddresses", _BIND_ADDRESS),
    flag("envoy_gateway_no_default_bind", "EnvoyGatewayNoDefaultBind", default=False),
    text("envoy_dns_discovery_type", "EnvoyDNSDiscoveryType", ""),
    opaque("config", "Config"),
)
_GATEWAY = schema(
    one("proxy", "Proxy", _GATEWAY_PROXY),
    one("ingress", "Ingress", _INGRESS),
    one("terminating", "Terminating", schema(many("service", "Services", _LINKED_SERVICE))),
    one("mesh", "Mesh", schema()),
)

CONNECT = schema(
    flag("native", "Native", default=False),
    one("gateway", "Gateway", _GATEWAY),
    one("sidecar_service", "SidecarService", _SIDECAR_SERVICE),
    one("sidecar_task", "SidecarTask", _SIDECAR_TASK),
)
