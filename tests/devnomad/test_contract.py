"""The recorded answers of a real Nomad, replayed: every scenario of the contract must agree."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from devnomad.support import Api, serving

CONTRACT = Path(__file__).parents[1] / "contract" / "nomad"


def _checker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("nomad_contract", CONTRACT / "nomad_contract.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHECKER = _checker()
SCENARIOS = CHECKER.load_scenarios(CONTRACT)
ACL_SCENARIOS = CHECKER.load_scenarios(CONTRACT / "acl")


@pytest.fixture(scope="module")
def server() -> Iterator[Api]:
    """A server for the whole contract, as the recordings had one."""
    with serving() as api:
        yield api


def _disagreements(api: Api, name: str, folder: Path, scenarios: dict[str, object]) -> list[str]:
    run = CHECKER.Run(CHECKER.Client(f"http://127.0.0.1:{api.port}"))
    scenarios[name](run)  # type: ignore[operator]
    got = {step["step"]: step for step in json.loads(json.dumps(run.steps))}
    want = json.loads((folder / "recorded" / f"{name}.json").read_text())
    found = [f"{step}: not in a real answer" for step in got.keys() - {each["step"] for each in want}]
    for each in want:
        step = got.get(each["step"])
        differences = ["no such answer"] if step is None else CHECKER.differences(each, step)
        found += [f"{each['step']}: {line}" for line in differences]
    return found


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_agrees_with_a_real_nomad(server: Api, name: str) -> None:
    """Every step of a scenario is answered as the real server answered it."""
    assert _disagreements(server, name, CONTRACT, SCENARIOS) == []


@pytest.mark.parametrize("name", ACL_SCENARIOS)
def test_acl_scenario_agrees_with_a_real_nomad(name: str) -> None:
    """With access control on, every step is answered as the real server answered it."""
    with serving(acl=True) as api:
        assert _disagreements(api, name, CONTRACT / "acl", ACL_SCENARIOS) == []
