"""The functions an expression may call: those that Nomad's `/v1/jobs/parse` knows, no more and no fewer."""

from __future__ import annotations

from . import (
    collection,
    conversion,
    crypto,
    datetimes,
    encoding,
    files,
    formatting,
    network,
    numeric,
    sets,
    strings,
    yaml_text,
)
from .base import Function

FUNCTIONS: dict[str, Function] = dict(
    sorted(
        (
            numeric.FUNCTIONS
            | strings.FUNCTIONS
            | formatting.FUNCTIONS
            | collection.FUNCTIONS
            | sets.FUNCTIONS
            | encoding.FUNCTIONS
            | yaml_text.FUNCTIONS
            | crypto.FUNCTIONS
            | datetimes.FUNCTIONS
            | network.FUNCTIONS
            | conversion.FUNCTIONS
            | files.FUNCTIONS
        ).items()
    )
)

__all__ = ["FUNCTIONS", "Function"]
