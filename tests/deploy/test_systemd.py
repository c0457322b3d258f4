"""The unit and its settings: each directive is known, each setting is there with its default, and they fit together."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from deploy.known import DEPLOY, Tool, flags, variables
from herdsman import settings
from herdsman.runtime.service import Pace

UNIT = DEPLOY / "systemd" / "herdsman.service"
SETTINGS = DEPLOY / "systemd" / "herdsman.yaml"


def directives() -> list[tuple[str, str]]:
    """Every `Name=value` of the unit."""
    return re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE)


def directive(name: str) -> str:
    """The one value of a directive."""
    (value,) = (v for n, v in directives() if n == name)
    return value


def test_every_setting_is_there_and_no_other() -> None:
    """The file names each setting once."""
    named = re.findall(r"^#?(\w+):(?: |$)", SETTINGS.read_text(), re.MULTILINE)

    assert sorted(named) == sorted(settings.Settings.model_fields)


def test_every_setting_is_explained() -> None:
    """Above each setting, or above the few that belong together, stands what it is."""
    lines = SETTINGS.read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(r"^#?\w+: ", line):
            above = next(one for one in reversed(lines[:number]) if not re.match(r"^#?\w+: ", one))
            assert re.match(r"^# \S", above), f"nobody explains {line}"


def test_what_is_commented_out_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file as it stands loads, and switching all its defaults on changes nothing."""
    for name in variables():
        monkeypatch.delenv(name, raising=False)
    every = tmp_path / "herdsman.yaml"
    every.write_text(re.sub(r"^#(?=\w)", "", SETTINGS.read_text(), flags=re.MULTILINE))
    as_it_stands = settings.load({}, file=SETTINGS).model_dump()
    active = yaml.safe_load(SETTINGS.read_text())
    defaults = {
        name: setting.get_default(call_default_factory=True) for name, setting in settings.Settings.model_fields.items()
    }

    assert set(yaml.safe_load(every.read_text())) == set(defaults)
    assert settings.load({}, file=every).model_dump() == as_it_stands
    assert {n: v for n, v in as_it_stands.items() if n not in active} == {
        n: v for n, v in defaults.items() if n not in active
    }


def test_the_settings_are_those_of_the_unit() -> None:
    """The state is the directory that systemd makes, and no secret lies in a file that all may read."""
    active = yaml.safe_load(SETTINGS.read_text())

    assert active["state"] == f"/var/lib/{directive('StateDirectory')}"
    assert set(active) == {"specs", "state"}


def test_what_the_unit_runs_exists() -> None:
    """The command, its flags and the variables that the unit names are Herdsman's."""
    program, subcommand, *arguments = shlex.split(directive("ExecStart"))

    assert program.endswith("/herdsman")
    assert {a for a in arguments if a.startswith("-")} <= flags(subcommand)
    assert set(re.findall(r"\b(?:HERDSMAN|NOMAD)_\w+", UNIT.read_text())) <= variables()


def test_it_is_given_the_time_to_stop() -> None:
    """Looks under way may end before systemd kills."""
    assert directive("KillSignal") == "SIGTERM"
    assert int(directive("TimeoutStopSec")) > Pace().grace
    assert directive("Restart") == "on-failure"


def test_it_may_do_little() -> None:
    """No root, no capability, nothing to write to but its state."""
    expected = {
        "DynamicUser": "yes",
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "CapabilityBoundingSet": "",
        "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    }

    assert {name: directive(name) for name in expected} == expected
    assert [name for name, _ in directives() if name in {"ReadWritePaths", "User", "Environment"}] == []


def test_systemd_understands_the_unit(tool: Tool, tmp_path: Path) -> None:
    """`systemd-analyze verify` has nothing to say about it, but that the program is not installed here."""
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE))
    done = tool("systemd-analyze")("verify", "--man=no", unit)
    if "Failed to" in done.stderr and UNIT.name not in done.stderr:
        pytest.skip(f"systemd-analyze cannot work here: {done.stderr.strip()}")

    assert (done.returncode, done.stdout + done.stderr) == (0, "")
