"""What there is to deploy: `client.modules` and `client.tools`."""

from typing import Any, Unpack

from herdsman.client.shapes import Metadata, Parameter, Refreshed, Section, Tags
from herdsman.client.transport import Transport, segment

Names = list[str]
Entries = list[Metadata]
Parameters = dict[str, dict[str, Parameter]]


class Catalog:
    """The entries of one section."""

    def __init__(self, http: Transport, section: Section) -> None:
        self._http, self._path = http, f"/v1/catalog/{section}"

    def list(self, **tags: Unpack[Tags]) -> Names:
        """The names of all entries that *tags* mean."""
        return self._http.get(Names, self._path, **_query(tags))

    def detail(self, **tags: Unpack[Tags]) -> Entries:
        """The same with what they are, but for long descriptions."""
        return self._http.get(Entries, f"{self._path}/detail", **_query(tags))

    def tags(self) -> dict[str, int]:
        """All tags, and how many entries have each."""
        return self._http.get(dict[str, int], f"{self._path}/tags")

    def metadata(self, name: str) -> Metadata:
        """All that is said of one entry."""
        return self._http.get(Metadata, f"{self._path}/{segment(name)}/metadata")

    def config(self, name: str, *, vo: str = "") -> Parameters:
        """What a user may set: group, parameter, and its default, options and range in that organisation."""
        return self._http.get(Parameters, f"{self._path}/{segment(name)}/config", vo=vo)

    def schema(self, name: str, *, vo: str = "") -> dict[str, Any]:
        """The same as a JSON Schema."""
        return self._http.get(dict[str, Any], f"{self._path}/{segment(name)}/schema", vo=vo)

    def refresh(self) -> Refreshed:
        """Read the whole catalog anew, both sections of it; needs an administrator."""
        return self._http.checked(Refreshed, self._http.call("POST", "/v1/catalog/refresh"))


def _query(tags: Tags) -> dict[str, Any]:
    return {name.replace("_", "-"): values for name, values in tags.items()}
