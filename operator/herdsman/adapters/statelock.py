"""One process to a state directory: two would take each other's memory for their own."""

import fcntl
from pathlib import Path

from herdsman.errors import SettingsError


class StateLock:
    """A lock on *folder*, held until `close` or the end of the process. Raises `SettingsError` where another has it."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / "lock").open("a")
        except OSError as error:
            words = (error.strerror or str(error)).lower()
            raise SettingsError(f"the state directory {folder} cannot be used: {words}", hint="see --state") from None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise SettingsError(
                f"another process keeps its state in {folder}", hint="stop it, or give this one another --state"
            ) from None

    def close(self) -> None:
        """Let go of it."""
        self._file.close()
