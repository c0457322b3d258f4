"""Which handler a path has. Paths are matched as Nomad matches them: by what they begin with and what they end with.

What lies between is the ID, percent-decoded once, so a job ID may hold slashes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from herdsman.devnomad.http.call import Call
    from herdsman.devnomad.http.reply import Reply

Handler: TypeAlias = "Callable[[Call], Reply | Awaitable[Reply]]"


@dataclass(frozen=True, slots=True)
class Route:
    """A family of paths: `prefix` alone, or `prefix` + ID + `suffix`."""

    prefix: str
    suffix: str | None
    methods: Mapping[str, Handler]


def exact(path: str, *, get: Handler | None = None, put: Handler | None = None, delete: Handler | None = None) -> Route:
    """One path. What takes PUT takes POST as well."""
    return Route(path, None, _methods(get, put, delete))


def under(
    prefix: str,
    suffix: str = "",
    *,
    get: Handler | None = None,
    put: Handler | None = None,
    delete: Handler | None = None,
) -> Route:
    """The paths between a prefix and a suffix."""
    return Route(prefix, suffix, _methods(get, put, delete))


def _methods(get: Handler | None, put: Handler | None, delete: Handler | None) -> Mapping[str, Handler]:
    methods: dict[str, Handler] = {}
    if get is not None:
        methods["GET"] = methods["HEAD"] = get
    if put is not None:
        methods["PUT"] = methods["POST"] = put
    if delete is not None:
        methods["DELETE"] = delete
    return methods


@dataclass(frozen=True, slots=True)
class Match:
    """A route, and the ID in the path."""

    route: Route
    between: str


class Router:
    """All routes. Of those that fit, the one that says most about the path wins."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, Route] = {}
        self._families: dict[str, list[Route]] = {}
        for route in routes:
            if route.suffix is None:
                self._exact[route.prefix] = route
            else:
                self._families.setdefault(_family(route.prefix), []).append(route)
        for family in self._families.values():
            family.sort(key=lambda route: -len(route.prefix) - len(route.suffix or ""))

    def find(self, path: str) -> Match | None:
        """The route of a path."""
        route = self._exact.get(path)
        if route is not None:
            return Match(route, "")
        for route in self._families.get(_family(path), ()):
            suffix = route.suffix or ""
            if path.startswith(route.prefix) and path.endswith(suffix) and len(path) >= len(route.prefix) + len(suffix):
                return Match(route, path[len(route.prefix) : len(path) - len(suffix)])
        return None


def _family(path: str) -> str:
    """`/v1/job/…` → `job`."""
    return path.split("/", 3)[2] if path.count("/") > 1 else ""
