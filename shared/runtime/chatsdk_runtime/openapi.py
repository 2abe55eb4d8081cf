"""OpenAPI documents that are whole: what each route answers, to whom, with which errors, with examples.

FastAPI knows the requests. What it cannot know is put beside it here, from what the service says in one place
(`ServiceDocument`): replies by route, who may call, which errors there are. A route says nothing of it itself.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chatsdk_runtime.errors import FieldProblem, ServiceError
from chatsdk_runtime.openapi_examples import ExampleMaker
from chatsdk_runtime.web import ErrorReply, error_object

Json = dict[str, Any]
Replies = Mapping[int, type[BaseModel]]

_METHODS: Final = ("get", "put", "post", "patch", "delete", "head")
_READING: Final = frozenset({"get", "head"})
_REQUEST_ID: Final = "req_01890a5dac96774bbcceb302099a8057"
_SENTENCE = re.compile(r"(?<=[a-z0-9`)])[.;:](?=\s|$)")
_REF: Final = "#/components/schemas/{model}"
_IDEMPOTENCY_KEY: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same request is answered with the first answer, for seven days.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[A-Za-z0-9._:-]+$"},
}
_DESCRIPTIONS: Final = {
    400: "The request cannot be read.",
    401: "No credential, or one that is not valid (any more).",
    403: "The credential is valid, but may not do this.",
    404: "There is no such thing, or none that the caller may know of.",
    409: "The state has moved on, or does not allow it.",
    410: "It is gone for good.",
    413: "The body is larger than the route takes.",
    415: "The body is of a kind that the route does not take.",
    422: "A field has a value that cannot be taken.",
    423: "It is held, and may not be deleted for now.",
    429: "Too many calls; `Retry-After` says when to come back.",
    503: "A part that this call needs is away or full; the same call may be made again.",
}


@dataclass(frozen=True, slots=True)
class ServiceDocument:
    """What a service says of its routes, by "METHOD /path".

    `replies`: the models of good answers by status. `security_of`: who may call a route, as OpenAPI's alternatives,
    [] for anybody. `further`: statuses of refusals that do not follow from the rules below. `bodies`: examples of
    request bodies that say more than the required fields. `by_name`: examples of fields by their name.
    `keyless`: changes that take no Idempotency-Key. `far_reaching`: packages whose errors other packages' routes give. `reply_headers`: what every answer to a known caller carries.
    """

    package: str
    description: str
    replies: Mapping[str, Replies]
    security_schemes: Json
    security_of: Callable[[APIRoute], list[Json]]
    tags: Mapping[str, str]
    by_name: Mapping[str, Any]
    further: Mapping[str, Sequence[int]] = field(default_factory=dict)
    bodies: Mapping[str, Json] = field(default_factory=dict)
    keyless: frozenset[str] = frozenset()
    far_reaching: frozenset[str] = frozenset()
    reply_headers: Json = field(default_factory=dict)


def document(app: FastAPI, service: ServiceDocument) -> None:
    """Have the application describe itself so, from its next description on."""
    plain = app.openapi
    finished: list[tuple[Json, Json]] = []

    def whole() -> Json:
        described = plain()
        # FastAPI makes a new one when routes were added.
        if not finished or finished[0][0] is not described:
            finished[:] = [(described, _Finisher(described, app, service).finish())]
        return finished[0][1]

    app.openapi = whole  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def errors_of(package: str) -> list[type[ServiceError]]:
    """Every error that a service may answer with: the runtime's, and those of its own modules."""
    found: list[type[ServiceError]] = []
    waiting: list[type[ServiceError]] = [ServiceError]
    while waiting:
        for one in waiting.pop().__subclasses__():
            waiting.append(one)
            owner = one.__module__.split(".")[0]
            if owner in {package, "chatsdk_runtime"} and not one.__name__.startswith("_"):
                found.append(one)
    return sorted(found, key=lambda one: (one.status_code, one.code, one.__module__))


def error_example(error_class: type[ServiceError]) -> Json:
    """What the error looks like; where its text depends on the case, with a case made up."""
    error = error_class.__new__(error_class)
    try:
        error_class.__init__(error, **_made_up(error_class))
    except (TypeError, AttributeError):
        ServiceError.__init__(error, _first_sentence(inspect.getdoc(error_class) or error_class.code) + ".")
    if error_class.code == "invalid_input":
        error.details = (FieldProblem("name", "missing", "required, but not given"),)
    return {"error": error_object(error, _REQUEST_ID)}


def _made_up(error_class: type[ServiceError]) -> Json:
    parameters = inspect.signature(error_class.__init__).parameters
    values: Mapping[str, Any] = {"str": "ann", "int": 3, "float": 1.0, "Mapping[str, Any]": {}}
    wanted = {
        name: parameter
        for name, parameter in parameters.items()
        if name != "self"
        and parameter.default is inspect.Parameter.empty
        and parameter.kind in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}
    }
    if list(wanted) == ["message"]:
        return {"message": _first_sentence(inspect.getdoc(error_class) or "") + "."}
    return {
        name: values[str(parameter.annotation)]
        for name, parameter in wanted.items()
        if _known(parameter, values)
    }


def _known(parameter: inspect.Parameter, values: Mapping[str, Any]) -> bool:
    return str(parameter.annotation) in values


class _Finisher:
    """One description on its way from what FastAPI knows to the whole."""

    def __init__(self, described: Json, app: FastAPI, service: ServiceDocument) -> None:
        self._described = described
        self._service = service
        self._routes = _routes(app)
        self._schemas: Json = described.setdefault("components", {}).setdefault("schemas", {})
        self._responses: Json = {}
        self._names: set[str] = set()
        self._errors: dict[int, list[type[ServiceError]]] = {}
        for error in errors_of(service.package):
            self._errors.setdefault(error.status_code, []).append(error)
        self._models = self._reply_models()
        self._reply_headers = {
            name: {"$ref": f"#/components/headers/{name}"} for name in service.reply_headers
        }
        self._examples = ExampleMaker(self._schemas, service.by_name)

    def finish(self) -> Json:
        """Every operation, then what they refer to."""
        for path, operations in self._described["paths"].items():
            for method, operation in operations.items():
                if method in _METHODS:
                    self._complete(f"{method.upper()} {path}", method, operation)
        components = self._described["components"]
        components["securitySchemes"] = self._service.security_schemes
        components["responses"] = dict(sorted(self._responses.items()))
        if self._service.reply_headers:
            components["headers"] = self._service.reply_headers
        components["parameters"] = {"IdempotencyKey": _IDEMPOTENCY_KEY}
        used = {
            tag
            for one in self._described["paths"].values()
            for op in one.values()
            for tag in op.get("tags", ())
        }
        self._described["tags"] = [
            {"name": name, "description": text} for name, text in self._service.tags.items() if name in used
        ]
        self._described["info"]["description"] = self._service.description
        for unused in ("HTTPValidationError", "ValidationError"):
            self._schemas.pop(unused, None)
        return self._described

    def _reply_models(self) -> Mapping[type[BaseModel], Json]:
        """References to the schemas of all replies, which are added to the document."""
        wanted: dict[type[BaseModel], None] = {ErrorReply: None}
        wanted |= {model: None for replies in self._service.replies.values() for model in replies.values()}
        references, made = models_json_schema(
            [(model, "serialization") for model in wanted], ref_template=_REF, by_alias=True
        )
        for name, schema in made.get("$defs", {}).items():
            existing = self._schemas.setdefault(name, schema)
            assert existing == schema or name.startswith("Error"), f"two models are called {name}"
        return {model: references[model, "serialization"] for model in wanted}

    def _complete(self, name: str, method: str, operation: Json) -> None:
        route = self._routes[name]
        self._name_it(operation, route, method)
        operation["security"] = self._service.security_of(route)
        self._complete_request(name, method, operation)
        refusals = {int(status) for status in operation["responses"] if int(status) >= 400}
        for status in refusals & {422}:
            del operation["responses"][str(status)]
        for reply in operation["responses"].values():
            if len(reply.get("content", ())) > 1:
                # FastAPI's own guess, beside what the route says.
                reply["content"].pop("application/json", None)
        for status, model in self._service.replies.get(name, {}).items():
            self._add_reply(operation, status, model)
        for status in sorted(self._statuses(name, method, operation)):
            operation["responses"][str(status)] = self._refusal(status, _domain_of(route))
        operation["responses"] = dict(sorted(operation["responses"].items()))

    def _name_it(self, operation: Json, route: APIRoute, method: str) -> None:
        """A name that stays (`messages_send_message`), and a line that says what the route does."""
        module = route.endpoint.__module__.removeprefix(f"{self._service.package}.")
        place = re.sub(r"[._]?api$", "", module).replace(".", "_")
        name = f"{place}_{route.endpoint.__name__}" if place else route.endpoint.__name__
        # One function may answer several methods or paths.
        name = f"{name}_{method}" if name in self._names else name
        self._names.add(name)
        operation["operationId"] = name
        written = inspect.getdoc(route.endpoint)
        if written:
            operation["summary"] = route.summary or _first_sentence(written)
            operation["description"] = written

    def _complete_request(self, name: str, method: str, operation: Json) -> None:
        takes_key = method not in _READING and operation["security"] and name not in self._service.keyless
        if takes_key:
            reference = {"$ref": "#/components/parameters/IdempotencyKey"}
            operation.setdefault("parameters", []).append(reference)
        for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
            if media_type == "application/json":
                content["example"] = self._service.bodies.get(name) or self._examples.request(
                    content["schema"]
                )

    def _add_reply(self, operation: Json, status: int, model: type[BaseModel]) -> None:
        schema = self._models[model]
        reply = operation["responses"].setdefault(str(status), {})
        reply["description"] = inspect.cleandoc(model.__doc__ or "").split("\n\n")[0].replace("\n", " ")
        reply["content"] = {"application/json": {"schema": schema, "example": self._examples.reply(schema)}}
        if operation["security"] and self._service.reply_headers:
            reply["headers"] = self._reply_headers

    def _statuses(self, name: str, method: str, operation: Json) -> Iterable[int]:
        """Which refusals an operation can give: they follow from what it takes and from whom."""
        parameters = {one["name"]: one["in"] for one in operation.get("parameters", ()) if "name" in one}
        changes, has_body = method not in _READING, "requestBody" in operation
        statuses = {503, 422}
        if operation["security"]:
            statuses |= {401, 403}
            statuses |= {429} if self._service.reply_headers else set()
        if "path" in parameters.values() or changes:
            statuses.add(404)
        if has_body or "cursor" in parameters:
            statuses.add(400)
        if has_body:
            statuses.add(413)
        if changes:
            statuses.add(409)
        return statuses | set(self._service.further.get(name, ()))

    def _refusal(self, status: int, domain: str) -> Json:
        """A reference to the response with this status, in which every code that may come is shown."""
        classes = [one for one in self._errors.get(status, ()) if self._may_come(one, domain)]
        special = bool(domain) and any(_domain_of_error(one) == domain for one in classes)
        key = f"error_{status}_{domain}" if special else f"error_{status}"
        if key not in self._responses:
            examples: Json = {}
            for one in classes:
                text = _first_sentence(inspect.getdoc(one) or one.code)
                examples.setdefault(one.code, {"summary": text, "value": error_example(one)})
            content = {"schema": self._models[ErrorReply], "examples": examples}
            reply: Json = {
                "description": _DESCRIPTIONS.get(status, "Refused."),
                "content": {"application/json": content},
            }
            if status in {429, 503}:
                reply["headers"] = {
                    "Retry-After": {
                        "description": "Seconds to wait.",
                        "schema": {"type": "integer", "minimum": 0},
                    }
                }
            if status == 429:
                reply["headers"] |= self._reply_headers
            self._responses[key] = reply
        return {"$ref": f"#/components/responses/{key}"}

    def _may_come(self, error: type[ServiceError], domain: str) -> bool:
        """A domain's own errors come from its routes only, those of some from all."""
        return _domain_of_error(error) in {"", domain, *self._service.far_reaching}


def _routes(app: FastAPI) -> Mapping[str, APIRoute]:
    found: dict[str, APIRoute] = {}
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute):
            for method in route.methods or ():
                # The first one is asked, and described.
                found.setdefault(f"{method} {route.path_format}", route)
    return found


def _first_sentence(text: str) -> str:
    return _SENTENCE.split(" ".join(text.split("\n\n", maxsplit=1)[0].split()), maxsplit=1)[0]


def _domain_of(route: APIRoute) -> str:
    parts = route.endpoint.__module__.split(".")
    return parts[1] if len(parts) > 2 else ""


def _domain_of_error(error: type[ServiceError]) -> str:
    parts = error.__module__.split(".")
    return parts[1] if len(parts) > 2 else ""
