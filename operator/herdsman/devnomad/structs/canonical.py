"""Two canonical forms: a parsed job's, and the one the server stores."""

from herdsman.devnomad.structs import connect, defaults, implied, stored
from herdsman.devnomad.structs.shapes import JOB, Json


def canonicalize_api(job: Json) -> Json:
    """What `/v1/jobs/parse` with `Canonicalize: true` answers for a parsed job."""
    filled = JOB.fill(job)
    defaults.complete(filled)
    return filled


def canonicalize(job: Json) -> Json:
    """The full stored form that `GET /v1/job/:id` answers, server-kept values zero."""
    kept = stored.store(canonicalize_api(job))
    connect.add_mesh(kept)
    implied.add_constraints(kept)
    return kept
