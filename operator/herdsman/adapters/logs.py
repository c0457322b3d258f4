"""Logs by structlog: JSON for machines, lines for a terminal; what looks like a secret never gets that far."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog

_SECRET_KEY = re.compile(r"token|secret|password|passwd|authorization|api_?key|private", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"(X-Nomad-Token[\"']?\s*[:=]\s*[\"']?|Bearer\s+)[^\s\"',}]+|(://[^/\s:@]+:)[^\s@/]+(?=@)", re.IGNORECASE
)
_REDACTED = "(sensitive)"


def configure(*, form: str, level: str, stream: TextIO | None = None) -> None:
    """Send all logs to *stream* (standard error) as `json` or `console` from *level* on; `auto` asks the stream."""
    stream = stream or sys.stderr
    terminal = stream.isatty()
    renderer: Any = structlog.processors.JSONRenderer()
    if form == "console" or (form == "auto" and terminal):
        renderer = structlog.dev.ConsoleRenderer(colors=terminal, pad_event_to=0)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=stream, format="%(message)s", force=True)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its retries are told by our own words


def redact(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that masks values whose name or look says credential, however deep they are."""
    for name, value in line.items():
        line[name] = _redacted(name, value)
    return line


def _redacted(name: str, value: Any) -> Any:
    if _SECRET_KEY.search(name) and value:
        return _REDACTED
    if isinstance(value, str):
        return _SECRET_TEXT.sub(lambda m: f"{m[1] or m[2]}{_REDACTED}", value)
    if isinstance(value, Mapping):
        return {k: _redacted(str(k), v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted("", v) for v in value]
    return value
