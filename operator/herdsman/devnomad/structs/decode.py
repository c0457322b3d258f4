"""A request's job, type-checked as Nomad's JSON decoding (Go's) does it.

Durations are whole nanoseconds: a text such as "30s" is refused, as everywhere in a JSON job. `null` counts as unsaid.
"""

from herdsman.devnomad.structs.shapes import JOB, Json, NotBase64, WrongType


class DecodeError(ValueError):
    """Nomad's 400; `str()` is the answer's text."""


def decode_job(raw: object, *, request: str = "JobRegisterRequest") -> Json:
    """The job with known keys only, spelt properly; `request` is the Go type whose `Job` it is.

    Keys are found in any case, unknown ones are dropped, the first value of a wrong type raises DecodeError.
    """
    try:
        return JOB.decode(raw)
    except WrongType as wrong:
        at = ".".join([wrong.struct or request, "Job", *wrong.path])
        raise DecodeError(f"json: cannot unmarshal {wrong.kind} into Go struct field {at} of type {wrong.go}") from None
    except NotBase64 as e:
        raise DecodeError(str(e)) from None
