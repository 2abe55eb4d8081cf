"""Every answer, also of what no handler foresaw, has the contract's shape."""

import json
import re
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, ConfigDict

from chatsdk_runtime.errors import Conflict, FieldProblem, invalid_field
from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.web import BodyLimit, field_path, json_response, new_app, request_id, traceparent

TRACE = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"


class Item(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    sizes: list[int] = []


def make_app(registry: CollectorRegistry) -> FastAPI:
    app = new_app(
        title="t",
        version="1",
        instruments=RuntimeInstruments(registry),
        max_body_bytes=1_000,
        larger_bodies=[BodyLimit(re.compile(r"/items/large-[^/]+"), 3_000)],
    )

    @app.post("/items/{item_id}")
    async def create(item_id: str, item: Item, request: Request) -> Response:
        return json_response({"id": item_id, "requestId": request_id(request), "trace": traceparent(request)})

    @app.get("/conflict")
    async def conflict() -> Response:
        raise Conflict("moved on", hint="read again", extra={"current": {"version": 2}})

    @app.get("/field")
    async def field() -> Response:
        raise invalid_field("memberIds[1]", "unknown_user", "no such user")

    @app.get("/away")
    async def away() -> Response:
        raise ConnectionRefusedError("5432")

    @app.get("/broken")
    async def broken() -> Response:
        raise KeyError("a secret detail")

    return app


@pytest.fixture(name="registry")
def _registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture(name="client")
def _client(registry: CollectorRegistry) -> TestClient:
    return TestClient(make_app(registry), raise_server_exceptions=False)


def error_of(response: Any) -> dict[str, Any]:
    error: dict[str, Any] = response.json()["error"]
    assert error["requestId"] == response.headers["x-request-id"]
    return error


@pytest.mark.parametrize(
    ("location", "path"),
    [
        (("body", "memberIds", 1), "memberIds[1]"),
        (("body", "attachments", 0, "url"), "attachments[0].url"),
        (("query", "limit"), "limit"),
        (("path", "id"), "id"),
        (("body",), "body"),
        ((), "body"),
        (("body", 0, "x"), "[0].x"),
        (("body", "body"), "body"),
    ],
)
def test_a_location_becomes_a_path(location: tuple[str | int, ...], path: str) -> None:
    assert field_path(location) == path


def test_every_field_error_is_named_by_path(client: TestClient) -> None:
    response = client.post("/items/1", json={"sizes": [1, "x"], "colour": "red"})
    assert response.status_code == 422
    error = error_of(response)
    assert error["code"] == "invalid_input"
    assert {problem["path"]: problem["code"] for problem in error["details"]} == {
        "name": "missing",
        "sizes[1]": "int_parsing",
        "colour": "extra_forbidden",
    }


@pytest.mark.parametrize("body", ["{", '{"name": }', "nonsense"])
def test_malformed_json_is_400_and_says_where(client: TestClient, body: str) -> None:
    response = client.post("/items/1", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400
    error = error_of(response)
    assert error["code"] == "malformed_json"
    assert "at character" in error["hint"]


def test_bytes_that_are_no_text_are_400(client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    response = client.post("/items/1", content=b'{"name": "\xff"}', headers=headers)
    assert response.status_code == 400
    assert error_of(response)["code"] in {"malformed_json", "bad_request"}


def test_a_body_over_the_limit_is_413_declared_or_not(client: TestClient) -> None:
    big = json.dumps({"name": "x" * 2_000}).encode()
    for content in (big, iter([big[:900], big[900:]])):
        response = client.post("/items/1", content=content, headers={"content-type": "application/json"})
        assert response.status_code == 413
        error = error_of(response)
        assert error["code"] == "payload_too_large"
        assert "1000" in error["message"]


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/items/large-1", 2_000, 200),
        ("/items/large-1", 3_001, 413),
        ("/items/small", 2_000, 413),
    ],
)
def test_a_path_may_take_larger_bodies_than_the_others(
    client: TestClient, path: str, size: int, status: int
) -> None:
    body = json.dumps({"name": ""}).encode()
    big = body.replace(b'""', b'"' + b"x" * (size - len(body)) + b'"')
    assert len(big) == size
    for content in (big, iter([big[:900], big[900:]])):
        response = client.post(path, content=content, headers={"content-type": "application/json"})
        assert response.status_code == status


def test_a_route_or_method_that_does_not_exist_has_the_shape_too(client: TestClient) -> None:
    response = client.get("/nowhere")
    assert (response.status_code, error_of(response)["code"]) == (404, "not_found")
    response = client.delete("/conflict")
    assert (response.status_code, error_of(response)["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "GET"


def test_a_refusal_carries_hint_and_extras(client: TestClient) -> None:
    response = client.get("/conflict")
    assert response.status_code == 409
    error = error_of(response)
    assert (error["code"], error["message"], error["hint"]) == ("conflict", "moved on", "read again")
    assert error["current"] == {"version": 2}


def test_a_field_refused_by_a_rule_looks_like_one_refused_by_its_type(client: TestClient) -> None:
    error = error_of(client.get("/field"))
    problem = FieldProblem("memberIds[1]", "unknown_user", "no such user")
    assert error["details"] == [{"path": problem.path, "code": problem.code, "message": problem.message}]


def test_a_database_that_is_away_is_503_with_retry_after(client: TestClient) -> None:
    response = client.get("/away")
    assert (response.status_code, error_of(response)["code"]) == (503, "unavailable")
    assert response.headers["retry-after"] == "1"


def test_what_no_handler_foresaw_is_500_without_details(client: TestClient) -> None:
    response = client.get("/broken")
    assert (response.status_code, error_of(response)["code"]) == (500, "internal_error")
    assert "secret" not in response.text


def test_the_callers_request_id_is_kept_if_it_is_sound(client: TestClient) -> None:
    body = {"name": "x"}
    given = client.post("/items/1", json=body, headers={"x-request-id": "mine-1"})
    assert given.headers["x-request-id"] == given.json()["requestId"] == "mine-1"
    for unsound in ("a b", "x" * 129, "<script>"):
        made = client.post("/items/1", json=body, headers={"x-request-id": unsound})
        assert made.headers["x-request-id"] == made.json()["requestId"] != unsound


@pytest.mark.parametrize(("sent", "kept"), [(TRACE, TRACE), ("nonsense", None), (None, None)])
def test_a_well_formed_trace_context_is_passed_on(
    client: TestClient, sent: str | None, kept: str | None
) -> None:
    headers = {"traceparent": sent} if sent else {}
    assert client.post("/items/1", json={"name": "x"}, headers=headers).json()["trace"] == kept


def test_requests_are_counted_by_route_template(client: TestClient, registry: CollectorRegistry) -> None:
    for number in range(3):
        client.post(f"/items/{number}", json={"name": "x"})
    client.get("/nowhere/else")
    counted = {
        tuple(sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == "chatsdk_http_requests_total"
    }
    assert counted == {("POST", "/items/{item_id}", "200"): 3, ("GET", "unmatched", "404"): 1}
    assert registry.get_sample_value("chatsdk_http_requests_in_flight") == 0
