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
            hint = next((d.hint for d in error.diagnostics if d.hint), "")
            raise Refused(str(error), hint=hint) from None


def volatile(hcl: str) -> list[str]:
    """The functions in *hcl* whose result is another each time: with them no two parses are the same job."""
    try:
        return sorted({use.name for use in jobspec.functions_used(hcl) if use.volatile})
    except jobspec.JobspecError:
        return []
