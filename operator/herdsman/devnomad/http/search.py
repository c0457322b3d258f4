"""`/v1/search` and `/v1/search/fuzzy`."""

from herdsman.devnomad.http.call import Call
from herdsman.devnomad.http.reply import Reply, Value
from herdsman.devnomad.http.routing import exact


def prefix(call: Call) -> Reply:
    """IDs that begin with a text."""
    body = call.request("structs.SearchRequest")
    answer = call.agent.search.prefix(
        body.get("Prefix") or "",
        body.get("Context") or "",
        namespace=call.params.get("namespace") or body.get("Namespace") or "default",
        access=call.access,
    )
    return Value(answer, answer["Index"])


def fuzzy(call: Call) -> Reply:
    """Things with a text anywhere in their name."""
    body = call.request("structs.FuzzySearchRequest")
    answer = call.agent.search.fuzzy(
        body.get("Text") or "",
        body.get("Context") or "",
        namespace=call.params.get("namespace") or body.get("Namespace") or "default",
        access=call.access,
    )
    return Value(answer, answer["Index"])


ROUTES = (exact("/v1/search", put=prefix), exact("/v1/search/fuzzy", put=fuzzy))
