"""Every error that crosses a border of Herdsman, drawn once.

    HerdsmanError                  has `message` (what happened) and `hint` (what to do), both fit for a reader
    ├── UsageError                 the caller asked for what makes no sense (exit code 1)
    │   └── UnknownError           the caller named something that does not exist
    ├── SettingsError              a setting is missing, malformed or contradicts another (exit code 1)
    ├── SourceError                specs could not be read at all: folder gone, repository unreachable
    ├── StoreError                 the status file cannot be opened or written
    └── NomadError                 the cluster, by what happens next
        ├── Conflict               compare-and-set lost: somebody was faster        → look again now
        ├── Unavailable            network, timeout, 429, 5xx that is no refusal    → back off, try again
        └── Refused                validation, permission, unknown namespace        → wait for a new spec
            └── Forbidden          401/403: the token may not                       → wait, probe slowly

Bad specs are values (`model.desired.Rejection`), not exceptions; a bug is any other exception, caught once
in `runtime.worker`. Adapters translate the exceptions of their library into these; none leaks (style §3.9).
"""


class HerdsmanError(Exception):
    """An error with words for a reader: *message* says what happened, *hint* what to do about it."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(HerdsmanError):
    """The caller asked for what makes no sense as things stand."""


class UnknownError(UsageError):
    """The caller named something that does not exist."""


class SettingsError(HerdsmanError):
    """A setting is missing, malformed, or contradicts another."""


class SourceError(HerdsmanError):
    """The specs could not be read at all; what was wanted before stays wanted."""


class StoreError(HerdsmanError):
    """The status file cannot be opened or written."""


class NomadError(HerdsmanError):
    """Nomad did not do what was asked. *status* is the HTTP status, 0 where no answer came."""

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.status = status


class Conflict(NomadError):
    """A compare-and-set write lost: the job was changed since it was read."""


class Unavailable(NomadError):
    """No answer, or one that says nothing about the request. *retry_after* is in seconds, where Nomad named it."""

    def __init__(self, message: str, *, hint: str = "", status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint, status=status)
        self.retry_after = retry_after


class Refused(NomadError):
    """Nomad understood and refuses; the same request will be refused again."""


class Forbidden(Refused):
    """The token is unknown, expired, or lacks a capability."""
