"""What handlers answer: a value for JSON, raw bytes, nothing, or a stream; and how that becomes an HTTP response."""

import gzip
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import orjson

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"
_WORTH_PACKING: Final = 1_400


@dataclass(slots=True)
class Value:
    """A value, as JSON."""

    value: Any
    index: int | None = None
    """For `X-Nomad-Index`; none where Nomad sends no such header."""
    next_token: str = ""
    status: int = 200


@dataclass(slots=True)
class Raw:
    """Bytes as they are."""

    body: bytes = b""
    content_type: str = TEXT
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Stream:
    """Bytes as they come."""

    chunks: AsyncIterator[bytes]
    content_type: str = JSON


Reply: TypeAlias = Value | Raw | Stream


def nothing(index: int | None = None) -> Raw:
    """An empty answer, with the index of the write where there was one."""
    headers = {"X-Nomad-Index": str(index)} if index is not None else {}
    return Raw(headers=headers)


def encode(value: Any, *, pretty: bool) -> bytes:
    """A value as JSON; `pretty` as people read it."""
    if pretty:
        return json.dumps(value, indent=4, ensure_ascii=False).encode() + b"\n"
    return orjson.dumps(value)


def headers_of(reply: Value | Raw) -> list[tuple[bytes, bytes]]:
    """The headers that a reply asks for."""
    if isinstance(reply, Raw):
        out = [(b"content-type", reply.content_type.encode())]
        return out + [(key.lower().encode(), value.encode()) for key, value in reply.headers.items()]
    out = [(b"content-type", JSON.encode())]
    if reply.index is not None:
        out += [
            (b"x-nomad-index", str(reply.index).encode()),
            (b"x-nomad-knownleader", b"true"),
            (b"x-nomad-lastcontact", b"0"),
        ]
    if reply.next_token:
        out.append((b"x-nomad-nexttoken", reply.next_token.encode()))
    return out


def pack(body: bytes, headers: list[tuple[bytes, bytes]], *, accepts_gzip: bool) -> bytes:
    """Compress a body where the caller takes that and it pays."""
    if not accepts_gzip or len(body) < _WORTH_PACKING:
        return body
    headers.append((b"content-encoding", b"gzip"))
    return gzip.compress(body, compresslevel=1)
