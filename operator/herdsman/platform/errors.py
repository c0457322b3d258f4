"""Why something is not done, by what the caller can do about it. None of these repeats what may be a secret."""

from collections.abc import Sequence
from dataclasses import dataclass

from herdsman.errors import HerdsmanError


@dataclass(frozen=True, slots=True)
class FieldFault:
    """What is wrong with one field of a request, like `conf.general.title`."""

    field: str
    message: str
    hint: str = ""


class PlatformError(HerdsmanError):
    """What all have in common. *title* is short and always the same, *retry_after* in seconds."""

    title = "Failed"

    def __init__(
        self, message: str, *, hint: str = "", faults: Sequence[FieldFault] = (), retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.faults = tuple(faults)
        self.retry_after = retry_after


class NotThere(PlatformError):
    """There is no such thing, or none that the caller may know of."""

    title = "Not known"


class NotAllowed(PlatformError):
    """The caller may know of it, and no more."""

    title = "Not allowed"


class Unfitting(PlatformError):
    """The request is understood, and asks for what cannot be: *faults* says where."""

    title = "Not valid"


class NotNow(PlatformError):
    """It goes against how things stand."""

    title = "Not possible"


class Exceeded(PlatformError):
    """A quota leaves no room for it."""

    title = "Quota exceeded"


class Changed(PlatformError):
    """It is not any more what the caller saw of it."""

    title = "Changed meanwhile"


class TooOften(PlatformError):
    """Too many requests; later they are welcome."""

    title = "Too many requests"


class Away(PlatformError):
    """What is needed for it does not answer, or has no room at the moment."""

    title = "Not available"
