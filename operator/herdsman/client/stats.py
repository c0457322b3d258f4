"""How much is used, and how full the cluster is: `client.stats`."""

from collections.abc import Sequence
from typing import TypedDict, Unpack

from herdsman.client.shapes import Cluster, Granularity, Summary, Usage
from herdsman.client.transport import Transport


class Of(TypedDict, total=False):
    """Whose usage is told, and told apart by what: `namespace`, `owner`, both."""

    namespaces: Sequence[str]
    owner: str
    by: Sequence[str]


class Stats:
    """Statistics, as far as you may see them."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def usage(self, *, since: str = "", until: str = "", granularity: Granularity = "day", **of: Unpack[Of]) -> Usage:
        """What was used over time, the last 30 days where nobody says otherwise. Times are RFC 3339."""
        return self._http.get(
            Usage,
            "/v1/stats/usage",
            since=since,
            until=until,
            granularity=granularity,
            namespace=of.get("namespaces"),
            owner=of.get("owner"),
            by=of.get("by"),
        )

    def summary(self, namespace: str = "", *, owner: str | None = None) -> Summary:
        """What a namespace used in all, over the last 90 days, and your part of it."""
        return self._http.get(Summary, "/v1/stats/deployments", namespace=namespace, owner=owner)

    def cluster(self, namespaces: Sequence[str] = ()) -> Cluster:
        """Every node with what it has, and what is held of it."""
        return self._http.get(Cluster, "/v1/stats/cluster", namespace=list(namespaces))
