"""Seals: secrets replaced by what still tells changed from same, and hardly anything else.

A plain digest of a secret would let everybody who has the file try out guesses. So a seal is made three ways worse for
a guesser: a salt of its own per file and job (nothing can be prepared, no two jobs be compared), scrypt (each guess
costs ten milliseconds and four megabytes), and above all it is cut to sixteen bits: one wrong guess in 65,536 fits as
well, so of a password that is not in a dictionary no seal can ever tell which it is. That is enough here: whether a
job of ours changed is known from the digest of its spec, a seal only says which of its values did.

A key kept out of the file would be stronger against dictionaries, but every pipeline would have to hold it, and who
holds it could guess again.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from herdsman.core.normalize import said
from herdsman.core.redact import MASK, redact
from herdsman.model.keys import Key
from herdsman.model.observed import STAMP, Body

PREFIX = "herdsman:sealed:"

_COST, _BLOCK, _BYTES = 1 << 12, 8, 2

_NAMES = frozenset({"ID", "Name", "Namespace", "ParentID"})
"""What things are called is no secret, however random it looks: all else refers to it."""

_FREE = re.compile(r"(?:^|\.)(?:Env|Meta|Config|Header|GetterOptions|GetterHeaders)\b")
"""Maps in which a person chose the names."""


class Sealer:
    """Seals with one *salt*; equal values of one job have equal seals."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        self._known: dict[tuple[Key, str], str] = {}

    def body(self, key: Key, body: Body) -> dict[str, Any]:
        """*body* of *key* with a seal for each value that may be a secret."""
        return {name: value if name in _NAMES else self._within(key, name, value) for name, value in body.items()}

    def meta(self, key: Key, meta: Mapping[str, str]) -> dict[str, str]:
        """The `Meta` of a namespace, sealed as in a body."""
        sealed: dict[str, str] = self._within(key, "Meta", dict(meta))
        return sealed

    def items(self, key: Key, items: Mapping[str, str]) -> dict[str, str]:
        """The items of a variable: all of them are sealed, but for the stamp."""
        return {name: text if name == STAMP else self._seal(key, text) for name, text in items.items()}

    def _within(self, key: Key, path: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: self._under(key, path, str(name), below) for name, below in value.items()}
        if isinstance(value, list | tuple):
            return [self._within(key, f"{path}[{_name(one, place)}]", one) for place, one in enumerate(value)]
        return self._seal(key, said(value)) if _secret(path, value) else value

    def _under(self, key: Key, path: str, name: str, value: Any) -> Any:
        """A field of a block, or an entry of a free map: either spelling of its path may be what gives it away."""
        if name == STAMP or (name in _NAMES and not _FREE.search(path)):
            return value
        if not isinstance(value, Mapping | list | tuple) and _secret(f"{path}[{name}]", value):
            return self._seal(key, said(value))
        return self._within(key, f"{path}.{name}", value)

    def _seal(self, key: Key, value: str) -> str:
        if value.startswith(PREFIX):
            return value
        known = self._known.get((key, value))
        if known is None:
            salt = hashlib.sha256(self._salt + b"\0" + str(key).encode()).digest()
            tag = hashlib.scrypt(
                value.encode("utf-8", "surrogatepass"), salt=salt, n=_COST, r=_BLOCK, p=1, dklen=_BYTES
            )
            known = self._known[key, value] = f"{PREFIX}{tag.hex()}"
        return known


def _secret(path: str, value: Any) -> bool:
    return value is not None and not isinstance(value, bool) and redact(path, said(value)) == MASK


def _name(element: Any, place: int) -> str:
    name = element.get("Name") if isinstance(element, Mapping) else None
    return name if isinstance(name, str) and name else str(place)


def unseal(text: str) -> str:
    """Words about a change, with each seal as any secret is shown."""
    return MASK if text.startswith(PREFIX) else text
