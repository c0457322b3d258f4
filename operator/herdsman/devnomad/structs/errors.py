"""Errors and warnings as text: Nomad's lists of several, and Go's way to quote."""

import json
from collections.abc import Iterable, Sequence


def error_text(errors: Sequence[str]) -> str:
    """Several errors as one text, the way Nomad words them."""
    if not errors:
        return ""
    head = "1 error occurred:" if len(errors) == 1 else f"{len(errors)} errors occurred:"
    return "\n\t* ".join([head, *errors]) + "\n\n"


def warning_text(warnings: Sequence[str]) -> str:
    """The `Warnings` of an answer."""
    if not warnings:
        return ""
    head = "1 warning:" if len(warnings) == 1 else f"{len(warnings)} warnings:"
    return f"{head}\n\n" + "\n".join(f"* {warning}" for warning in warnings)


def nested(prefix: str, errors: Iterable[str]) -> list[str]:
    """One error that holds others, or none where there are none."""
    found = tuple(errors)
    return [f"{prefix}: {error_text(found)}"] if found else []


def joined(errors: Iterable[str]) -> list[str]:
    """Several errors of one block, as the one error that Nomad makes of them."""
    found = tuple(errors)
    return [error_text(found)] if found else []


def quoted(value: object) -> str:
    """A text as Go quotes it."""
    return json.dumps(str(value), ensure_ascii=False)
