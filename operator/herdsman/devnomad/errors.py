"""What a request can be refused with: an HTTP status and the text Nomad gives.

Refused            any refusal
  NotFound         404
  BadRequest       400
  Denied           403, "Permission denied"
  Conflict         409, with the state that is in the way as its body
  NoPath           500, for what is meant for another region
  NotSimulated     501, for what this simulation leaves out
"""

from typing import Final

from herdsman.devnomad.types import Row

REGION: Final = "global"


class Refused(Exception):
    """A refusal: status and text. Nomad answers most of them with 500."""

    status = 500

    def __init__(self, text: str, *, status: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        if status is not None:
            self.status = status


class NotFound(Refused):
    """There is no such thing."""

    status = 404


class BadRequest(Refused):
    """The request itself is wrong."""

    status = 400


class Denied(Refused):
    """The token may not do this."""

    status = 403

    def __init__(self, text: str = "Permission denied") -> None:
        super().__init__(text)


class Conflict(Refused):
    """Somebody else was faster; `body` says what is there now."""

    status = 409

    def __init__(self, body: Row) -> None:
        super().__init__("conflict")
        self.body = body


class NoPath(Refused):
    """Another region is meant; there is but one."""

    def __init__(self) -> None:
        super().__init__("No path to region")


class NotSimulated(Refused):
    """Part of Nomad, but not of this simulation."""

    status = 501

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is not part of the embedded Nomad, which is a simulation; use a real Nomad for it")
