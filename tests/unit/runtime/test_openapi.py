"""What a document gains: replies, refusals and callers that follow from what a service says of its routes."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from chatsdk_runtime.errors import Forbidden, ServiceError, invalid_field
from chatsdk_runtime.openapi import ServiceDocument, document, error_example, errors_of


class Thing(BaseModel):
    """A thing.

    More about things.
    """

    id: str
    size: int | None


class NewThing(BaseModel):
    name: str


async def make_thing(thing_id: str, body: NewThing) -> None:
    """Make a thing (201); it stays.

    For ever.
    """


async def show_things(cursor: str | None = None) -> None:
    """All things."""


def described(**more: Any) -> dict[str, Any]:
    app, router = FastAPI(), APIRouter(tags=["things"])
    router.add_api_route("/things/{thing_id}", make_thing, methods=["POST"], status_code=201)
    router.add_api_route("/things", show_things, methods=["GET"])
    app.include_router(router)
    service = ServiceDocument(
        package="tests",
        description="Things.",
        replies={"POST /things/{thing_id}": {201: Thing}},
        security_schemes={"Key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
        security_of=lambda route: [{"Key": []}] if "{" in route.path else [],
        tags={"things": "Of all kinds.", "unused": "None."},
        by_name={"id": "t1"},
        **more,
    )
    document(app, service)
    assert app.openapi() is app.openapi()
    return app.openapi()


def test_a_route_is_named_and_summed_up_by_its_function() -> None:
    made = described()["paths"]["/things/{thing_id}"]["post"]
    assert made["operationId"].endswith("make_thing")
    assert made["summary"] == "Make a thing (201)"
    assert made["description"].endswith("For ever.")


def test_refusals_follow_from_what_a_route_takes_and_from_whom() -> None:
    paths = described()["paths"]
    assert set(paths["/things/{thing_id}"]["post"]["responses"]) == {
        *("201", "400", "401", "403", "404", "409", "413", "422", "503")
    }
    assert set(paths["/things"]["get"]["responses"]) == {"200", "400", "422", "503"}
    assert "410" in described(further={"GET /things": [410]})["paths"]["/things"]["get"]["responses"]


def test_limits_are_told_with_answers_to_known_callers() -> None:
    headers = {"X-Left": {"schema": {"type": "integer"}}}
    paths = described(reply_headers=headers)["paths"]
    made = paths["/things/{thing_id}"]["post"]["responses"]
    assert set(made["201"]["headers"]) == {"X-Left"}
    assert "429" in made
    assert "429" not in paths["/things"]["get"]["responses"]


def test_a_reply_has_the_models_first_paragraph_its_schema_and_an_example() -> None:
    reply = described()["paths"]["/things/{thing_id}"]["post"]["responses"]["201"]
    assert reply["description"] == "A thing."
    content = reply["content"]["application/json"]
    assert content == {
        "schema": {"$ref": "#/components/schemas/Thing"},
        "example": {"id": "t1", "size": None},
    }


def test_changes_take_a_key_unless_they_are_excepted() -> None:
    key = {"$ref": "#/components/parameters/IdempotencyKey"}
    path = "/things/{thing_id}"
    assert key in described()["paths"][path]["post"]["parameters"]
    assert key not in described(keyless=frozenset({f"POST {path}"}))["paths"][path]["post"]["parameters"]


def test_only_tags_that_are_used_are_told_of() -> None:
    assert described()["tags"] == [{"name": "things", "description": "Of all kinds."}]


def test_errors_show_their_own_words_or_a_made_up_case() -> None:
    class TooBig(Forbidden):
        """It is too big; make it smaller."""

        code = "too_big"

        def __init__(self, size: int, *, unit: object) -> None:
            super().__init__(f"{size} {unit}")

    class Closed(Forbidden):
        """Closed."""

        code = "closed"

        def __init__(self, who: str, *, hint: str = "wait") -> None:
            super().__init__(f"closed by {who}", hint=hint)

    assert error_example(Closed)["error"]["message"] == "closed by ann"
    assert error_example(TooBig)["error"]["message"] == "It is too big."
    assert error_example(type(invalid_field("x", "y", "z")))["error"]["details"]


def test_a_service_has_its_own_errors_and_the_runtimes() -> None:
    found = errors_of("no_such_package")
    assert ServiceError not in found
    assert {one.__module__.split(".")[0] for one in found} == {"chatsdk_runtime"}
