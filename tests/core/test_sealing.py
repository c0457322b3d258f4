"""Seals: what may be a secret is gone, and whether it changed can still be told."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from herdsman.core.redact import MASK, redact
from herdsman.core.sealing import PREFIX, Sealer, unseal
from herdsman.model.keys import job_key
from herdsman.model.observed import STAMP

KEY, OTHER = job_key("default", "web"), job_key("default", "db")
SALT = bytes(range(16))


def job(**task: Any) -> dict[str, Any]:
    """A job with one task."""
    return {"ID": "web", "TaskGroups": [{"Name": "g", "Count": 2, "Tasks": [{"Name": "t", **task}]}]}


def task_of(body: dict[str, Any]) -> dict[str, Any]:
    """That task."""
    found: dict[str, Any] = body["TaskGroups"][0]["Tasks"][0]
    return found


HIDDEN: list[tuple[dict[str, Any], str]] = [
    ({"Env": {"DB_PASSWORD": "hunter2"}}, "hunter2"),
    ({"Env": {"key": "hunter2"}}, "hunter2"),
    ({"Env": {"URL": "postgres://u:hunter2@db/x"}}, "hunter2"),
    ({"Config": {"args": ["--password=hunter2"]}}, "hunter2"),
    ({"Config": {"auth": [{"username": "u", "password": "hunter2"}]}}, "hunter2"),
    ({"Meta": {"api_key": "hunter2"}}, "hunter2"),
    ({"Templates": [{"EmbeddedTmpl": "token = hunter2"}]}, "hunter2"),
    ({"Artifacts": [{"GetterHeaders": {"Authorization": "hunter2"}}]}, "hunter2"),
    ({"Config": {"password": 271828}}, "271828"),
]


@pytest.mark.parametrize(("task", "secret"), HIDDEN)
def test_what_may_be_a_secret_is_sealed(task: dict[str, Any], secret: str) -> None:
    """Names, looks and whole templates: whatever a reader is not shown is not exported either."""
    sealed = Sealer(SALT).body(KEY, job(**task))

    assert secret not in repr(sealed)
    assert PREFIX in repr(sealed)


def test_the_rest_stays_as_it_is() -> None:
    """Counts, images, plain values, the stamp and what things are called."""
    body = job(Env={"A": "1"}, Config={"image": "x:1"}, Driver="docker") | {"Meta": {STAMP: "secret-token-fleet"}}

    assert Sealer(SALT).body(KEY, body) == body


def test_a_name_that_looks_random_stays() -> None:
    """What things are called is what all else refers to."""
    name = "aB3" * 12
    body = {"ID": name, "Name": name, "TaskGroups": [{"Name": name, "Tasks": []}]}

    assert Sealer(SALT).body(KEY, body) == body


def test_seals_tell_changed_from_same() -> None:
    """Equal values of one job have one seal; another value, job or file another."""
    sealer = Sealer(SALT)
    one = task_of(sealer.body(KEY, job(Env={"TOKEN": "a"})))["Env"]["TOKEN"]

    assert task_of(Sealer(SALT).body(KEY, job(Env={"TOKEN": "a"})))["Env"]["TOKEN"] == one
    assert task_of(sealer.body(KEY, job(Env={"TOKEN": "b"})))["Env"]["TOKEN"] != one
    assert task_of(sealer.body(OTHER, job(Env={"TOKEN": "a"})))["Env"]["TOKEN"] != one
    assert task_of(Sealer(b"x" * 16).body(KEY, job(Env={"TOKEN": "a"})))["Env"]["TOKEN"] != one


def test_a_seal_is_sealed_no_more() -> None:
    """Sealing twice is sealing once, so that a body may pass through several hands."""
    sealer = Sealer(SALT)
    once = sealer.body(KEY, job(Env={"TOKEN": "a"}, Templates=[{"EmbeddedTmpl": "x"}]))

    assert sealer.body(KEY, once) == once


def test_a_seal_holds_sixteen_bits() -> None:
    """Too few to tell one secret from the next 65,536: four hexadecimal digits."""
    seal = task_of(Sealer(SALT).body(KEY, job(Env={"TOKEN": "a"})))["Env"]["TOKEN"]

    assert len(seal) == len(PREFIX) + 4
    assert unseal(seal) == MASK
    assert unseal("plain") == "plain"


names = st.sampled_from(["A", "TOKEN", "password", "key", "url", "PATH", "x_key", "image"])
values = st.one_of(st.text(max_size=40), st.sampled_from(["hvs.abcdefghij", "--token x", "https://u:p@h/", "aB3" * 12]))


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(names, values), st.dictionaries(names, values), st.lists(values, max_size=3))
def test_what_a_reader_may_not_see_never_leaves(env: dict[str, str], config: dict[str, str], args: list[str]) -> None:
    """Every leaf that `redact` would mask, by the path under which Nomad tells of it, is sealed."""
    task = task_of(Sealer(SALT).body(KEY, job(Env=env, Config={**config, "args": args})))
    leaves = [(f"Env[{k}]", v, task["Env"][k]) for k, v in env.items()]
    leaves += [(f"Config[{k}]", v, task["Config"][k]) for k, v in config.items() if k != "args"]
    leaves += [(f"Config[args][{n}]", v, task["Config"]["args"][n]) for n, v in enumerate(args)]

    for path, value, found in leaves:
        if redact(f"TaskGroups[g].Tasks[t].{path}", value) == MASK:
            assert found.startswith(PREFIX)
