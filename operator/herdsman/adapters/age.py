"""Encryption with age (https://age-encryption.org) over pyrage, which the extra `age` brings along.

An identity file is what `age-keygen` writes: lines that begin with `AGE-SECRET-KEY-`; all else in it is a comment. It
is read again for every text, so that a rotated key needs no restart.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

from herdsman.errors import SettingsError, SourceError

_KEY = "AGE-SECRET-KEY-"


class Age:
    """The operator's identities: what is encrypted for one of them can be read. Safe from any thread."""

    def __init__(self, identity: Path) -> None:
        """Raises `SettingsError` where pyrage is not installed, or the file holds no identity."""
        try:
            self._age: Any = import_module("pyrage")
        except ImportError:
            raise SettingsError(
                "an age identity is named, but what reads it is not installed", hint="pip install 'herdsman[age]'"
            ) from None
        self._path = identity
        self._identities()

    def decrypt(self, text: str) -> str:
        """What an armoured *text* says. Raises `SourceError` with words that repeat nothing of it."""
        try:
            return str(self._age.decrypt(text.strip().encode(), self._identities()).decode())
        except self._age.DecryptError:
            raise SourceError(
                "it is not encrypted for this operator, or was damaged", hint=f"encrypt it for {self.recipient}"
            ) from None
        except UnicodeDecodeError:
            raise SourceError("what is encrypted is not UTF-8 text") from None
        except SettingsError as error:
            raise SourceError(error.message, hint=error.hint) from None

    def encrypt(self, text: str) -> str:
        """*text* for this operator alone, in armoured form."""
        recipients = [identity.to_public() for identity in self._identities()]
        return str(self._age.encrypt(text.encode(), recipients, armored=True).decode())

    @property
    def recipient(self) -> str:
        """For whom to encrypt: the first identity's public key. It is no secret."""
        return str(self._identities()[0].to_public())

    def _identities(self) -> list[Any]:
        try:
            lines = [line.strip() for line in self._path.read_text().splitlines()]
            found = [self._age.x25519.Identity.from_str(line) for line in lines if line.startswith(_KEY)]
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise SettingsError(f"the age identity {self._path} cannot be read: {reason}") from None
        except self._age.IdentityError:
            raise SettingsError(f"{self._path} holds a line that is no age identity") from None
        if not found:
            raise SettingsError(
                f"{self._path} holds no age identity", hint=f"write one with age-keygen -o {self._path.name}"
            )
        return found
