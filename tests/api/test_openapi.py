"""The OpenAPI document of the platform: it has examples, it is kept, and no request that it allows or forbids is a 500.

Requests are made from the document itself: what its schemas allow, and what they do not.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from platforms import BASE, PEOPLE, World

WORLD = World()
DOCUMENT: dict[str, Any] = WORLD.app.openapi()
TAGS = {"catalog", "deployments", "try me"}
IDS = [WORLD.order(n)["job_ID"] for n in ("ada", "bob")]


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if TAGS & set(operation.get("tags", ())):
                yield method.upper(), path, operation


OPERATIONS = list(_operations())
NAMES = [f"{method} {path}" for method, path, _ in OPERATIONS]


def test_the_platform_is_in_the_document() -> None:
    """Every route that users know, and those that they lacked."""
    assert set(NAMES) >= {
        "GET /v1/catalog/{section}",
        "GET /v1/catalog/{section}/detail",
        "GET /v1/catalog/{section}/tags",
        "GET /v1/catalog/{section}/{name}",
        "GET /v1/catalog/{section}/{name}/metadata",
        "GET /v1/catalog/{section}/{name}/config",
        "GET /v1/catalog/{section}/{name}/schema",
        "POST /v1/catalog/refresh",
        "GET /v1/deployments/{section}",
        "POST /v1/deployments/{section}",
        "GET /v1/deployments/{section}/{id}",
        "PUT /v1/deployments/{section}/{id}",
        "DELETE /v1/deployments/{section}/{id}",
        "POST /v1/deployments/{section}/{id}/stop",
        "POST /v1/deployments/{section}/{id}/start",
        "POST /v1/deployments/{section}/{id}/restart",
        "GET /v1/deployments/{section}/{id}/logs",
        "GET /v1/deployments/{section}/{id}/events",
        "GET /v1/admin/deployments",
        "GET /v1/try_me",
        "POST /v1/try_me",
        "GET /v1/try_me/{id}",
        "DELETE /v1/try_me/{id}",
    }


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_every_route_and_every_error_is_explained(method: str, path: str, operation: dict[str, Any]) -> None:
    """A sentence for the route, and for each error a media type, words and an example."""
    assert operation["description"].rstrip(".") != operation["summary"]
    errors = {s: r for s, r in operation["responses"].items() if s.startswith(("4", "5"))}
    assert errors, f"{method} {path} can fail"
    for status, response in errors.items():
        content = response["content"]
        assert response["description"], status
        example = content["application/problem+json"]["example"]
        assert (example["status"], bool(example["title"])) == (int(status), True)


# -- requests out of the document --------------------------------------------------------------------------------------

Schema = Mapping[str, Any]
TEXTS = st.one_of(
    st.sampled_from(
        [*IDS, "demo", "other", "bench", "lab", "team", "modules/demo", "running", "auto", "..", "a/b", "0"]
    ),
    st.sampled_from(["${1+1}", "%{if}", "\u2028", "\x00", "\ud800", "é" * 300, '"}}task', "null", "1e999", 'W/"x"']),
    st.text(max_size=20),
)
ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.sampled_from([2**64, -1, math.nan, math.inf, 1e308]), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
CONF = st.dictionaries(
    st.sampled_from(["general", "hardware", "other"]),
    st.one_of(
        st.none(),
        st.dictionaries(
            st.sampled_from(["title", "desc", "password", "cpu_num", "ram", "count", "x"]),
            st.one_of(st.integers(0, 9), TEXTS, ANYTHING),
            max_size=4,
        ),
    ),
    max_size=3,
)


def from_schema(schema: Schema, name: str = "") -> st.SearchStrategy[Any]:
    """Values that *schema* allows, as far as it says; beside them, values that are nothing of the sort."""
    return st.one_of(_fitting(schema, name), _fitting(schema, name), _fitting(schema, name), ANYTHING)


def _fitting(schema: Schema, name: str = "") -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _fitting(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]], name)
    if name == "conf":
        return CONF
    if "anyOf" in schema:
        return st.one_of(*(_fitting(s, name) for s in schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "string":
            return TEXTS
        case "integer":
            low, high = schema.get("minimum", -5), schema.get("maximum", 5000)
            return st.integers(low, high)
        case "number":
            return st.floats(0.001, 1e6)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "array":
            return st.lists(_fitting(schema.get("items", {})), max_size=3)
        case "object":
            required = set(schema.get("required", ()))
            parts = {n: from_schema(s, n) for n, s in schema.get("properties", {}).items()}
            return st.fixed_dictionaries(
                {n: s for n, s in parts.items() if n in required},
                optional={n: s for n, s in parts.items() if n not in required},
            )
        case _:
            return ANYTHING


def _in_address(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    text = text.encode(errors="replace").decode().replace("\x00", "\x01")
    return text.replace("\n", " ")  # a path with a line break is no path of the API, but of a page


@st.composite
def requests(draw: st.DrawFn, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    """A request for one operation."""
    query: list[tuple[str, str]] = []
    headers: dict[str, str] = {}
    for parameter in operation.get("parameters", ()):
        name, where, required = parameter["name"], parameter["in"], parameter.get("required", False)
        if not required and draw(st.booleans()):
            continue
        value = draw(from_schema(parameter["schema"], name))
        if where == "path":
            known = st.sampled_from(IDS) if name == "id" else st.sampled_from(["demo", "modules", "tools"])
            value = draw(st.one_of(known, st.just(value)))
            text = _in_address(value).replace("/", "_").strip(".") or "x"
            path = path.replace(f"{{{name}}}", quote(text, safe=""))
        elif where == "query":
            values = value if isinstance(value, list) else [value]
            query += [(name, _in_address(v)) for v in values]
        else:
            headers[name] = quote(_in_address(value))[:200]
    if path.endswith("/events"):
        query = [*((k, v) for k, v in query if k != "follow"), ("follow", "false")]
    who = draw(st.sampled_from([None, *PEOPLE, "garbage"]))
    if who:
        headers["Authorization"] = f"Bearer {who}"
    made: dict[str, Any] = {"url": path, "params": query, "headers": headers}
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = draw(st.one_of(from_schema(schema), st.just(None)))
        made["content"] = draw(st.sampled_from([json.dumps(body), json.dumps(body), json.dumps(body), "{", "", "\xff"]))
        made["headers"]["Content-Type"] = draw(st.sampled_from(["application/json"] * 5 + ["text/plain"]))
    return made


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=NAMES)
def test_every_answer_is_one_that_the_document_announces(method: str, path: str, operation: dict[str, Any]) -> None:
    """No 500, no status without a word about it, no error that is not a problem, and no answer of another shape."""
    api = TestClient(WORLD.app, base_url=BASE, raise_server_exceptions=False)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(request=requests(path, operation))
    def check(request: dict[str, Any]) -> None:
        answer = api.request(method, **request, follow_redirects=False)
        assert str(answer.status_code) in operation["responses"], (answer.status_code, answer.text)
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == answer.status_code
        elif answer.headers.get("content-type") == "application/json":
            _check_shape(operation["responses"], answer.status_code, answer.json())

    check()


def _check_shape(responses: dict[str, Any], status: int, body: Any) -> None:
    """The body is as it was announced; a dry run has a shape of its own."""
    said = responses[str(status)].get("content", {}).get("application/json", {}).get("schema")
    if said is None or (isinstance(body, dict) and "over_quota" in body):
        said = {"$ref": "#/components/schemas/PreviewOut"} if isinstance(body, dict) and "over_quota" in body else {}
    jsonschema.Draft202012Validator({**said, "components": DOCUMENT["components"]}).validate(body)
