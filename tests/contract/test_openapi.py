"""The OpenAPI documents are whole: who may call, what comes back, which errors there are, with examples that hold.

A route without a row in its service's documentation.py (chat: documented_replies.py) fails here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from chat_service import app as chat_app
from chat_service import documented_replies
from chatsdk_runtime.openapi import errors_of
from metrics_service import app as metrics_app
from metrics_service import documentation as metrics
from tests.contract.chat_routes import ROUTES, By
from webhook_dispatcher import app as webhooks_app
from webhook_dispatcher import documentation as webhooks

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference" / "openapi"
DOCUMENTS: dict[str, Any] = {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}
# Whose error classes there are is known once the whole service is imported.
PACKAGES = {"chat": chat_app.PACKAGE, "webhooks": webhooks_app.PACKAGE, "metrics": metrics_app.PACKAGE}
REPLIES = {"chat": documented_replies.REPLIES, "webhooks": webhooks.REPLIES, "metrics": metrics.REPLIES}
# What is answered without a body, or with a file.
WITHOUT_JSON = {
    "PUT /api/uploads/{upload_id}/data",
    "GET /api/exports/{export_id}/content",
    *(
        f"{method} /api/uploads/{{upload_id}}/{part}"
        for method in ("GET", "HEAD")
        for part in ("content", "thumbnail")
    ),
}
SECURITY: dict[By, list[set[str]]] = {
    "operator": [{"AdminToken"}],
    "server": [{"ApiKey"}],
    "user": [{"UserToken"}],
    "either": [{"ApiKey"}, {"UserToken"}],
}


def operations(service: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENTS[service]["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def media(service: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every body of a request or an answer, with what it belongs to."""
    for name, operation in operations(service):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} {kind}", content
        for status, reply in operation["responses"].items():
            for content in reply.get("content", {}).values():
                yield f"{name} {status}", content
    for name, reply in DOCUMENTS[service]["components"]["responses"].items():
        yield name, reply["content"]["application/json"]


@pytest.mark.parametrize("service", DOCUMENTS)
def test_every_operation_says_what_it_does_to_whom_it_belongs_and_who_may(service: str) -> None:
    document = DOCUMENTS[service]
    tags, schemes = {tag["name"] for tag in document["tags"]}, set(document["components"]["securitySchemes"])
    names = [operation["operationId"] for _, operation in operations(service)]
    assert len(names) == len(set(names))
    for name, operation in operations(service):
        assert operation["summary"], name
        assert operation["description"], name
        assert set(operation["tags"]) <= tags, name
        assert {scheme for one in operation["security"] for scheme in one} <= schemes, name


def test_who_may_call_is_what_the_guards_say() -> None:
    for (method, path), door in ROUTES.items():
        if door.by == "anybody":
            continue
        operation = DOCUMENTS["chat"]["paths"][path.replace(":path}", "}")][method.lower()]
        assert [set(one) for one in operation["security"]] == SECURITY[door.by], path


@pytest.mark.parametrize("service", DOCUMENTS)
def test_every_operation_has_a_row_that_says_what_it_answers(service: str) -> None:
    names = {name for name, _ in operations(service)}
    assert names - REPLIES[service].keys() == (WITHOUT_JSON if service == "chat" else set())
    assert REPLIES[service].keys() <= names


@pytest.mark.parametrize("service", DOCUMENTS)
def test_every_example_fits_its_schema(service: str) -> None:
    document, tried = DOCUMENTS[service], 0
    for name, content in media(service):
        examples = [one["value"] for one in content.get("examples", {}).values()]
        examples += [content["example"]] if "example" in content else []
        binary = content["schema"].get("format") == "binary" or "multipart" in name
        assert examples or binary or "octet-stream" in name or "/content 200" in name, name
        schema = {**content["schema"], "components": document["components"]}
        validator = jsonschema_rs.validator_for(schema)
        for example in examples:
            problems = [f"{name}: {problem}" for problem in validator.iter_errors(example)]
            assert problems == []
            tried += 1
    assert tried > 5


@pytest.mark.parametrize("service", DOCUMENTS)
def test_every_error_code_is_documented_with_its_status(service: str) -> None:
    documented = {
        (int(name.split("_")[1]), code)
        for name, reply in DOCUMENTS[service]["components"]["responses"].items()
        for code in reply["content"]["application/json"]["examples"]
    }
    known = {(one.status_code, one.code) for one in errors_of(PACKAGES[service])}
    if service != "chat":
        # The runtime has errors that this service has no route for.
        known &= documented | {pair for pair in known if pair not in {(429, "rate_limited"), *_OF_BODIES}}
    assert documented == known


_OF_BODIES = {
    (400, "bad_request"),
    (400, "malformed_json"),
    (404, "not_found"),
    (409, "conflict"),
    (413, "payload_too_large"),
}


def test_every_guarded_answer_of_chat_tells_of_the_limits() -> None:
    for name, operation in operations("chat"):
        if name in WITHOUT_JSON or {"AdminToken": []} in operation["security"] or not operation["security"]:
            continue
        good = [reply for status, reply in operation["responses"].items() if status.startswith("2")]
        assert all("X-RateLimit-Remaining" in reply["headers"] for reply in good), name
        assert "429" in operation["responses"], name
