"""The port `HclParser` where there is no cluster: our own reading of HCL2 jobspecs."""

from collections.abc import Mapping
from typing import Any

from herdsman import jobspec
from herdsman.errors import Refused
from herdsman.model.observed import Body


class OfflineHclParser:
    """Parses on the spot. The namespace, which only decides who may ask a cluster, does not matter here."""

    def parse(self, hcl: str, *, variables: Mapping[str, Any], namespace: str) -> Body:
        """The job that *hcl* describes. Raises `Refused` with the position and what is wrong there."""
        try:
            return jobspec.parse(hcl, variables=variables)
        except jobspec.JobspecError as error:
            raise Refused(str(error)) from None
