"""`/v1/catalog`: what there is to deploy, filtered by tags, and its parameters as a namespace may set them."""

from typing import Any

import jsonschema
import pytest

from herdsman.model.catalog import Limits, Range
from herdsman.platform import PlatformConfig
from platforms import World

MODULES = "/v1/catalog/modules"


@pytest.fixture(scope="module")
def world() -> World:
    """Two modules and a tool, and a namespace with limits."""
    limits = {"lab": Limits("lab", cpu=Range(1, 4), memory=Range(600, 1000))}
    return World(config=PlatformConfig(public_catalog=True, limits=limits, vos={"vo.lab.eu": "lab"}))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["demo", "other"]),
        ("tags=web", ["demo", "other"]),
        ("tags=WEB&tags=gpu", ["other"]),
        ("tags=web&tags=nothing", []),
        ("tags-any=gpu&tags-any=example", ["demo", "other"]),
        ("tags-any=nothing", []),
        ("not-tags=web&not-tags=gpu", ["demo"]),
        ("not-tags=nothing", ["demo", "other"]),
        ("not-tags-any=gpu&not-tags-any=nothing", ["demo"]),
        ("tags=web&not-tags-any=gpu", ["demo"]),
    ],
)
def test_tags_filter(world: World, query: str, names: list[str]) -> None:
    """All of these, one of these, not all of these, none of these; in lists of names and of details alike."""
    api = world.as_(None)

    assert api.get(f"{MODULES}?{query}").json() == names
    assert [e["name"] for e in api.get(f"{MODULES}/detail?{query}").json()] == names


def test_an_entry_says_what_it_is(world: World) -> None:
    """Whole for one, without its long parts in a list; modules and tools apart."""
    api = world.as_(None)
    (tool,) = api.get("/v1/catalog/tools/detail").json()
    whole = api.get("/v1/catalog/tools/bench").json()

    assert whole == api.get("/v1/catalog/tools/bench/metadata").json()
    assert whole.keys() - tool.keys() == {"description", "links"}
    assert (whole["id"], whole["license"], whole["tags"]) == ("tools/bench", "MIT", ["tool"])
    assert api.get(f"{MODULES}/tags").json() == {"example": 1, "gpu": 1, "web": 2}


@pytest.mark.parametrize("rest", ["", "/metadata", "/config?vo=lab", "/schema"])
@pytest.mark.parametrize("name", ["nothing", "bench", "%2e%2e", "demo%2f..%2fother"])
def test_what_is_not_there_is_not_found(world: World, rest: str, name: str) -> None:
    """With a hint at what may have been meant, and no way out of the section."""
    assert world.as_(None).get(f"{MODULES}/{name}{rest}").status_code == 404


def test_parameters_are_those_that_the_namespace_allows(world: World) -> None:
    """Ranges no wider than its limits, defaults inside of them, by namespace or by VO; a secret has no default."""
    api = world.as_(None)
    wide = api.get(f"{MODULES}/demo/config").json()["hardware"]
    narrow = api.get(f"{MODULES}/demo/config?vo=lab").json()

    assert (wide["cpu_num"]["range"], wide["ram"]["range"], wide["ram"]["value"]) == ([1, 8], [100, 4000], 500)
    assert narrow["hardware"]["cpu_num"]["range"] == [1, 4]
    assert (narrow["hardware"]["ram"]["range"], narrow["hardware"]["ram"]["value"]) == ([600, 1000], 600)
    assert "the namespace lab" in narrow["hardware"]["ram"]["note"]
    assert (
        narrow
        == api.get(f"{MODULES}/demo/config?vo=vo.lab.eu").json()
        == world.as_("bob").get(f"{MODULES}/demo/config").json()
    )
    assert narrow["general"]["password"]["secret"] is True
    assert narrow["general"]["password"]["value"] == ""


@pytest.mark.parametrize(
    ("conf", "fits"),
    [
        ({}, True),
        ({"hardware": {"cpu_num": 4}}, True),
        ({"hardware": {"cpu_num": 5}}, False),
        ({"hardware": {"ram": 100}}, False),
        ({"general": {"title": "x" * 46}}, False),
        ({"other": {}}, False),
    ],
)
def test_the_schema_and_the_platform_agree(world: World, conf: dict[str, Any], fits: bool) -> None:
    """What the JSON Schema of the parameters refuses is refused as an order, and the other way round."""
    schema = world.as_(None).get(f"{MODULES}/demo/schema?vo=lab").json()
    ordered = world.as_("ada").post(
        "/v1/deployments/modules?dry_run=true", json={"catalog": "demo", "vo": "lab", "conf": conf}
    )

    assert jsonschema.Draft202012Validator(schema).is_valid(conf) is fits
    assert (ordered.status_code == 200) is fits


@pytest.mark.parametrize(("who", "status"), [(None, 401), ("nobody", 403), ("ada", 403), ("head", 403), ("root", 200)])
def test_only_administrators_refresh(world: World, who: str | None, status: int) -> None:
    """A refresh goes out and reads; not everybody may cause that."""
    before = world.refreshed
    answer = world.as_(who).post("/v1/catalog/refresh")

    assert answer.status_code == status
    assert world.refreshed - before == (status == 200)
    if status == 200:
        assert answer.json() == {"entries": 3, "broken": {}, "problem": ""}


def test_a_catalog_that_is_not_public_needs_a_role() -> None:
    """Unless a setting says otherwise: any role in any namespace will do."""
    world = World(config=PlatformConfig())

    for path in ("", "/detail", "/tags", "/demo", "/demo/metadata", "/demo/config", "/demo/schema"):
        codes = [world.as_(who).get(f"{MODULES}{path}").status_code for who in (None, "nobody", "viewer")]
        assert codes == [401, 403, 200], path
