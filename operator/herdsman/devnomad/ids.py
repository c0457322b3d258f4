"""Names for new things: version 4 UUIDs, as Nomad gives them."""

import re
import uuid
from typing import Final

_DIGITS: Final = frozenset("0123456789abcdefABCDEF")
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def new_id() -> str:
    """A fresh UUID."""
    return str(uuid.uuid4())


def is_uuid(text: str) -> bool:
    """Whether a text has the form of a UUID."""
    return _UUID.fullmatch(text) is not None


_WHOLE: Final = 36
_HYPHENS: Final = 4


def id_fault(text: str) -> str:
    """What Nomad's index of IDs says of a text that cannot be one; empty where it can."""
    return "index error: UUID must be 36 characters" if len(text) != _WHOLE else _prefix_fault(text)


def prefix_fault(text: str) -> str:
    """What Nomad's index of IDs says of a text that cannot begin one: it is read as bytes, two digits each."""
    if len(text) > _WHOLE:
        return f"index error: Invalid UUID length. UUID have 36 characters; got {len(text)}"
    return _prefix_fault(text)


def _prefix_fault(text: str) -> str:
    digits = text.replace("-", "")
    if (hyphens := text.count("-")) > _HYPHENS:
        return f'index error: UUID should have maximum of 4 "-"; got {hyphens}'
    if len(digits) % 2:
        return "index error: Input (without hyphens) must be even length"
    wrong = next((char for char in digits if char not in _DIGITS), None)
    if wrong is None:
        return ""
    return f"index error: Invalid UUID: encoding/hex: invalid byte: U+{ord(wrong):04X} '{wrong}'"
