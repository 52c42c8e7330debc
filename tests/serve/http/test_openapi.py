"""The OpenAPI document says what the routes do, with the records' own schemas."""

import json

import pytest
import sidecars
from starlette.testclient import TestClient

from bwalloc.control import Decision, Telemetry, json_schema
from bwalloc.serve.http import Settings, create_app


def document(**settings):
    supervisor = sidecars.supervisor()
    app = create_app(supervisor, Settings(**settings))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        return client.get("/openapi.json").json()


@pytest.fixture(scope="module")
def plain():
    return document()


@pytest.mark.parametrize("kind", [Telemetry, Decision])
def test_records_have_the_schemas_of_control(plain, kind):
    schemas, wanted = plain["components"]["schemas"], json_schema(kind)
    parts = wanted.pop("$defs")
    for name, part in {**parts, kind.__name__: wanted}.items():
        shown = json.dumps(schemas[name]).replace("#/components/schemas/", "#/$defs/")
        assert part == json.loads(shown)


def references(tree):
    if isinstance(tree, dict):
        if "$ref" in tree:
            yield tree["$ref"]
        for value in tree.values():
            yield from references(value)
    if isinstance(tree, list):
        for value in tree:
            yield from references(value)


def test_every_reference_leads_somewhere(plain):
    known = {f"#/components/schemas/{name}" for name in plain["components"]["schemas"]}

    assert set(references(plain)) <= known
    assert f"{plain['paths']}".count("#/components/schemas/Telemetry") == 2


def test_every_route_is_in_it_and_says_how_it_refuses(plain):
    posts = {path for path, item in plain["paths"].items() if "post" in item}
    named = "decide swap rollback shadow kill revive override release approve reject"

    assert {f"/v1/{name}" for name in named.split()} == posts
    for path in posts:
        responses = plain["paths"][path]["post"]["responses"]
        assert {"400", "401", "413", "415", "422"} <= set(responses)
        for status, response in responses.items():
            if status.startswith("4"):
                assert ["application/problem+json"] == list(response["content"])


def test_nothing_of_the_framework_shows(plain):
    assert "HTTPValidationError" not in json.dumps(plain)


def test_operation_ids_are_unique_and_plain(plain):
    ids = [each["operationId"] for item in plain["paths"].values() for each in item.values()]

    assert len(ids) == len(set(ids))
    assert all(name.isidentifier() for name in ids)


def test_the_token_is_asked_for_where_there_is_one(plain):
    assert "security" not in plain
    locked = document(token=sidecars.TOKEN)
    assert [{"token": []}] == locked["security"]
    assert {"type": "http", "scheme": "bearer"} == locked["components"]["securitySchemes"]["token"]
    assert [] == locked["paths"]["/health/live"]["get"]["security"]
