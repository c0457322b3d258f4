"""Strings as Nomad's language sees them: normalised, counted in graphemes, quoted the Go way."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_SURROGATE = re.compile("[\ud800-\udfff]")
_GO_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    '"': '\\"',
    "\\": "\\\\",
}
_JOINER = "\u200d"


def normalized(text: str) -> str:
    """Every string value is kept in NFC, so that two ways to write one letter are equal."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def encodable(text: str) -> str:
    """Half a surrogate pair is no character; it becomes the replacement character, as it does in Go."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def go_quote(text: str) -> str:
    """Go's %q."""
    return '"' + "".join(_GO_ESCAPES.get(c) or (c if c.isprintable() else _hex_escape(c)) for c in text) + '"'


def _hex_escape(char: str) -> str:
    code = ord(char)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def graphemes(text: str) -> Iterator[str]:
    """The characters as a reader counts them: a letter with its accents is one, and so is a flag or a family of emoji.

    The rules are those of Unicode's default clusters that matter in practice; rare scripts may be split finer.
    """
    if text.isascii() and "\r" not in text:
        yield from text
        return
    start = 0
    for at in range(1, len(text)):
        if not _joined(text, at, start):
            yield text[start:at]
            start = at
    if text:
        yield text[start:]


def _joined(text: str, at: int, start: int) -> bool:
    before, here = text[at - 1], text[at]
    if before == "\r":
        return here == "\n"
    if before == "\n" or here < "\u0300":
        return False
    if _extends(here):
        return True
    if before == _JOINER and at - 1 > start:
        return here > "\u2000"
    if _is_flag_half(here) and _is_flag_half(before):
        return (at - start) % 2 == 1
    return _hangul_joined(before, here)


def _extends(char: str) -> bool:
    return char == _JOINER or "\U0001f3fb" <= char <= "\U0001f3ff" or unicodedata.category(char) in {"Mn", "Me", "Mc"}


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _hangul_joined(before: str, here: str) -> bool:
    leads = "\u1100" <= before <= "\u115f"
    has_vowel = "\u1160" <= before <= "\u11a7" or ("\uac00" <= before <= "\ud7a3" and (ord(before) - 0xAC00) % 28 == 0)
    syllable = "\uac00" <= before <= "\ud7a3"
    if "\u1160" <= here <= "\u11a7":
        return leads or has_vowel
    if "\u11a8" <= here <= "\u11ff":
        return has_vowel or syllable or "\u11a8" <= before <= "\u11ff"
    return leads and ("\u1100" <= here <= "\u115f" or "\uac00" <= here <= "\ud7a3")
