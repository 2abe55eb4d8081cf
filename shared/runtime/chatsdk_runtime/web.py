"""HTTP doors: one error shape, one request id, one canonical line, one body limit.

`new_app` makes a FastAPI application whose every answer, also of a route that does not exist, has the
contract's shape. The middleware is plain ASGI: it runs on every request of the hot path.
What stands as raw headers in `scope["state"]["response_headers"]` goes out with the answer, whatever that is.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Lifespan, Message, Receive, Scope, Send

from chatsdk_runtime.errors import (
    BadRequest,
    FieldProblem,
    InvalidInput,
    MalformedJson,
    PayloadTooLarge,
    ServiceError,
    Unavailable,
)
from chatsdk_runtime.ids import new_request_id
from chatsdk_runtime.instruments import RuntimeInstruments
from chatsdk_runtime.postgres import DATABASE_AWAY, is_bad_argument

log = structlog.get_logger()

_REQUEST_ID = re.compile(r"^[A-Za-z0-9._:-]{1,128}$")
_TRACEPARENT = re.compile(r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
}


class ErrorDetail(BaseModel):
    """One field's problem, as the documentation shows it."""

    path: str
    code: str
    message: str


class ErrorObject(BaseModel):
    """What went wrong, for programs (`code`) and people (`message`, `hint`)."""

    code: str
    message: str
    hint: str | None = None
    requestId: str  # noqa: N815 - its name on the wire
    details: list[ErrorDetail] | None = None


class ErrorReply(BaseModel):
    """The body of every refusal."""

    error: ErrorObject


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """The paths that match `path` whole take bodies of up to `max_bytes`, whatever the others take."""

    path: re.Pattern[str]
    max_bytes: int


class RawJson(Response):
    """An answer whose JSON bytes exist already."""

    media_type = "application/json"


def json_response(content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer from plain values."""
    return RawJson(orjson.dumps(content), status_code, headers)


def new_app(
    *,
    title: str,
    version: str,
    instruments: RuntimeInstruments,
    max_body_bytes: int,
    larger_bodies: Sequence[BodyLimit] = (),
    lifespan: Lifespan[FastAPI] | None = None,
    documented: bool = True,
) -> FastAPI:
    """A FastAPI application with our error shape, request ids, canonical lines and limits."""
    app = FastAPI(
        title=title,
        version=version,
        lifespan=lifespan,
        openapi_url="/openapi.json" if documented else None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses={422: {"model": ErrorReply, "description": "A field has a value that cannot be taken."}},
        exception_handlers={
            ServiceError: _render_service_error,
            RequestValidationError: _render_validation_error,
            HTTPException: _render_http_exception,
        },
    )
    app.add_middleware(
        _Edge, instruments=instruments, max_body_bytes=max_body_bytes, larger_bodies=tuple(larger_bodies)
    )
    return app


def request_id(request: Request) -> str:
    """The id that the answer, the log line and the error object carry."""
    return str(request.scope["state"]["request_id"])


def traceparent(request: Request) -> str | None:
    """The caller's W3C trace context, if it sent a well-formed one."""
    value = request.headers.get("traceparent")
    return value if value is not None and _TRACEPARENT.match(value) else None


async def streamed_body(request: Request) -> AsyncIterator[bytes]:
    """The body as it arrives, for what is too large to be held.

    Raises:
        BadRequest: it ended before it was whole.
    """
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise BadRequest("The body ended early.") from None


def field_problems(errors: Sequence[Mapping[str, Any]]) -> list[FieldProblem]:
    """Pydantic's errors as paths a caller recognises: `memberIds[1]`, not `("body", "memberIds", 1)`."""
    return [FieldProblem(field_path(error["loc"]), str(error["type"]), _sentence(error)) for error in errors]


def field_path(location: Sequence[str | int]) -> str:
    """Join a location into `attachments[0].url`; the part that says body, query or path is left out."""
    parts = list(location)
    if parts and parts[0] in ("body", "query", "path", "header"):
        parts = parts[1:]
    path = ""
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path or "body"


def _sentence(error: Mapping[str, Any]) -> str:
    kind, message = error["type"], str(error["msg"])
    if kind == "extra_forbidden":
        return "unknown field; remove it or check its spelling"
    if kind == "missing":
        return "required, but not given"
    return message.removeprefix("Value error, ")


def error_object(error: ServiceError, request_id: str) -> dict[str, Any]:
    """The contract's error object."""
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.hint is not None:
        body["hint"] = error.hint
    body["requestId"] = request_id
    if error.details:
        body["details"] = [
            {"path": problem.path, "code": problem.code, "message": problem.message}
            for problem in error.details
        ]
    body.update(error.extra)
    return body


def error_response(error: ServiceError, scope: Scope) -> Response:
    """The answer that refuses a request."""
    scope["state"]["error_code"] = error.code
    body = error_object(error, scope["state"]["request_id"])
    return json_response({"error": body}, error.status_code, error.headers)


async def _render_service_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return error_response(error, request.scope)


async def _render_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        rendered = MalformedJson("The body is not valid JSON.", hint=_json_hint(problems[0]))
        return error_response(rendered, request.scope)
    details = field_problems(problems)
    message = "; ".join(f"{problem.path}: {problem.message}" for problem in details[:3])
    return error_response(InvalidInput(message, details=details), request.scope)


def _json_hint(problem: Mapping[str, Any]) -> str:
    position = problem["loc"][-1] if problem["loc"] else "?"
    return f"{problem.get('ctx', {}).get('error', 'syntax error')} at character {position}"


async def _render_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error, _BodyTooLarge):
        return error_response(error.refusal, request.scope)
    code = _CODES.get(error.status_code, "error")
    if error.status_code == 404:
        message = f"No route {request.method} {request.url.path}."
    else:
        message = str(error.detail)
    rendered = _Plain(error.status_code, code, message, headers=error.headers or {})
    return error_response(rendered, request.scope)


class _BodyTooLarge(HTTPException):
    """What reading the body raises: FastAPI turns every other exception there into "400, cannot be parsed"."""

    def __init__(self, refusal: PayloadTooLarge) -> None:
        super().__init__(refusal.status_code)
        self.refusal = refusal


class _Plain(ServiceError):
    """An error whose status and code are values, for what the framework raises."""

    def __init__(self, status_code: int, code: str, message: str, **rest: Any) -> None:
        super().__init__(message, **rest)
        self.status_code = status_code  # type: ignore[misc]
        self.code = code  # type: ignore[misc]


class _Edge:
    """Outermost: request id, body limit, metrics, the canonical line, and what no handler foresaw."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        instruments: RuntimeInstruments,
        max_body_bytes: int,
        larger_bodies: Sequence[BodyLimit],
    ) -> None:
        self._app = app
        self._instruments = instruments
        self._max_body_bytes = max_body_bytes
        self._larger_bodies = larger_bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send, self._instruments)
        self._instruments.http_in_flight.inc()
        try:
            declared = exchange.declared_length
            if declared is not None and declared > self._max_body_bytes:
                self._check(declared, scope["path"])
            await self._app(scope, self._limited(receive, scope["path"]), exchange.send)
        except ServiceError as error:
            await exchange.answer(error, receive)
        except Exception as failure:  # noqa: BLE001 - the last door: everything is answered and logged here
            await self._unforeseen(failure, exchange, scope, receive)
        finally:
            self._instruments.http_in_flight.dec()
            exchange.finish()

    async def _unforeseen(
        self, failure: Exception, exchange: _Exchange, scope: Scope, receive: Receive
    ) -> None:
        if isinstance(failure, DATABASE_AWAY) and not is_bad_argument(failure):
            problem = f"{type(failure).__name__}: {failure}"
            log.warning("database_away", error=problem, request_id=exchange.request_id)
            away = Unavailable(
                "The database cannot be reached right now.",
                hint="Send the same request again in a moment; an Idempotency-Key makes that safe for a change.",
                headers={"Retry-After": "1"},
            )
            await exchange.answer(away, receive)
            return
        log.error("request_failed", request_id=exchange.request_id, path=scope["path"], exc_info=failure)
        if exchange.status_code is not None:
            raise failure
        await exchange.answer(ServiceError("Something went wrong on our side."), receive)

    def _limited(self, receive: Receive, path: str) -> Receive:
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > self._max_body_bytes:
                    try:
                        self._check(taken, path)
                    except PayloadTooLarge as refusal:
                        raise _BodyTooLarge(refusal) from None
            return message

        return counted

    def _check(self, size: int, path: str) -> None:
        """Raises PayloadTooLarge. The paths are looked through only for what is too large for most of them."""
        limits = [one.max_bytes for one in self._larger_bodies if one.path.fullmatch(path)]
        limit = max(limits, default=self._max_body_bytes)
        if size > limit:
            raise PayloadTooLarge(
                f"The body is larger than {limit} bytes.", hint="Send less, or upload files as attachments."
            )


class _Exchange:
    """One request and its answer, for the line and the metrics that close it."""

    def __init__(self, scope: Scope, send: Send, instruments: RuntimeInstruments) -> None:
        self._scope = scope
        self._send = send
        self._instruments = instruments
        self._started_s = time.perf_counter()
        self.status_code: int | None = None
        self.declared_length: int | None = None
        given = None
        for name, value in scope["headers"]:
            if name == b"x-request-id":
                given = value.decode("latin-1")
            elif name == b"content-length" and value.isdigit():
                self.declared_length = int(value)
        self.request_id = given if given is not None and _REQUEST_ID.match(given) else new_request_id()
        state: MutableMapping[str, Any] = scope.setdefault("state", {})
        # The lifespan's state is shared by all requests; ours is this request's.
        scope["state"] = {**state, "request_id": self.request_id}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status_code = message["status"]
            headers = message.setdefault("headers", [])
            headers.append((b"x-request-id", self.request_id.encode()))
            headers.extend(self._scope["state"].get("response_headers", ()))
        await self._send(message)

    async def answer(self, error: ServiceError, receive: Receive) -> None:
        if self.status_code is None:
            await error_response(error, self._scope)(self._scope, receive, self.send)

    def finish(self) -> None:
        duration_s = time.perf_counter() - self._started_s
        route = self._scope.get("route")
        template = getattr(route, "path", None) or "unmatched"
        method, status = self._scope["method"], self.status_code or 499
        self._instruments.count_http(method, template, status, duration_s)
        state = self._scope["state"]
        fields = {
            "method": method,
            "route": template,
            "status_code": status,
            "duration_ms": round(duration_s * 1000, 2),
            "request_id": self.request_id,
        }
        for name in ("app_id", "user_id", "error_code"):
            if name in state:
                fields[name] = state[name]
        write: Callable[..., Any] = log.error if status >= 500 else log.info
        write("http_request", **fields)
