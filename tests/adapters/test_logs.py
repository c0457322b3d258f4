"""Log lines: JSON that parses, constant events, and no secret in any of them."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from herdsman.adapters.logs import configure, redact


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Other tests have their own logging."""
    root, level = logging.getLogger(), logging.getLogger().level
    handlers = root.handlers[:]
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def stream() -> io.StringIO:
    """Where the lines go."""
    return io.StringIO()


def test_a_line_is_one_json_object(stream: io.StringIO) -> None:
    """With event, level, time in UTC, what was bound, and what was said."""
    configure(form="json", level="info", stream=stream)
    with structlog.contextvars.bound_contextvars(key="Job/default/web"):
        structlog.get_logger("herdsman").warning("drift", changes=["a", "b"], text='quote " and\nline', number=5)

    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "drift",
        "level": "warning",
        "key": "Job/default/web",
        "changes": ["a", "b"],
        "text": 'quote " and\nline',
        "number": 5,
    }


@pytest.mark.parametrize(("level", "told"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_only_what_is_loud_enough_is_told(stream: io.StringIO, level: str, told: int) -> None:
    """From the level on."""
    configure(form="json", level=level, stream=stream)
    log = structlog.get_logger("herdsman")
    for name in ("debug", "info", "warning", "error"):
        getattr(log, name)("x")

    assert len(lines(stream)) == told


def test_a_stream_that_is_no_terminal_gets_json(stream: io.StringIO) -> None:
    """`auto` asks it."""
    configure(form="auto", level="info", stream=stream)
    structlog.get_logger("herdsman").info("x")

    assert lines(stream)[0]["event"] == "x"


def test_a_terminal_gets_lines_for_people() -> None:
    """Not JSON."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    configure(form="auto", level="info", stream=terminal)
    structlog.get_logger("herdsman").info("hello", key="web")

    assert "hello" in terminal.getvalue()
    assert not terminal.getvalue().startswith("{")


def test_libraries_are_heard_from_a_warning_on(stream: io.StringIO) -> None:
    """Through the standard library's logging; urllib3 not before an error, because its retries are told by ours."""
    configure(form="json", level="debug", stream=stream)
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("urllib3.connectionpool").warning("retrying")
    logging.getLogger("some.library").warning("attention")

    assert stream.getvalue() == "attention\n"


# -- secrets -----------------------------------------------------------------------------------------------------------


def redacted(**line: Any) -> dict[str, Any]:
    return dict(redact(None, "info", line))


@pytest.mark.parametrize(
    "name", ["token", "nomad_token", "X-Nomad-Token", "password", "client_secret", "api_key", "APIKEY", "Authorization"]
)
def test_what_is_called_a_secret_is_not_told(name: str) -> None:
    """Whatever its value looks like; nothing stays nothing."""
    assert redacted(**{name: "hunter2"}) == {name: "(sensitive)"}
    assert redacted(**{name: ""}) == {name: ""}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("GET with X-Nomad-Token: hunter2", "GET with X-Nomad-Token: (sensitive)"),
        ("{'X-Nomad-Token': 'hunter2', 'a': 1}", "{'X-Nomad-Token': '(sensitive)', 'a': 1}"),
        ("Authorization: Bearer hunter2", "Authorization: Bearer (sensitive)"),
        ("clone https://me:hunter2@example.org/x.git", "clone https://me:(sensitive)@example.org/x.git"),
    ],
)
def test_what_looks_like_a_secret_is_not_told(text: str, said: str) -> None:
    """Inside any text, and in every text of a list."""
    assert redacted(event=text, more=[text, 5]) == {"event": said, "more": [said, 5]}


@pytest.mark.parametrize(
    "text", ["looked", "Job/default/web", "/srv/specs/web.yaml:3:1", "TaskGroups[web].Count: 1 → 3", "12:30:05"]
)
def test_what_is_no_secret_is_told(text: str) -> None:
    """Keys, places and changes are what a log is read for."""
    assert redacted(event=text, key=text) == {"event": text, "key": text}


@pytest.mark.parametrize(
    "line",
    [
        {"call": {"token": "hunter2"}},
        {"call": {"headers": {"X-Nomad-Token": "hunter2"}}},
        {"calls": [{"password": "hunter2"}]},
        {"pair": ("Bearer hunter2",)},
    ],
    ids=["mapping", "nested", "list", "tuple"],
)
def test_a_secret_is_found_wherever_it_is(line: dict[str, Any], stream: io.StringIO) -> None:
    """A processor that guards a log guards all of it."""
    configure(form="json", level="info", stream=stream)
    structlog.get_logger("herdsman").info("x", **line)

    assert "hunter2" not in stream.getvalue()


@pytest.mark.parametrize("text", ["http://127.0.0.1:4646/v1/jobs", "https://nomad.example.org:4646 does not answer"])
def test_an_address_with_a_port_is_no_secret(text: str) -> None:
    """Which Nomad does not answer is the first thing to know."""
    assert redacted(event=text) == {"event": text}
