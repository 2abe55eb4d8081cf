"""Errors that a caller may see, and the one shape in which they are rendered.

Services subclass `ServiceError` in their own `errors.py`; `web` renders every one of them as
`{"error": {"code", "message", "hint"?, "requestId", "details"?}}`. Remote misbehaviour is never one of
these: what the other side does is a value.

    ServiceError
    ├── BadRequest            400  bad_request
    │   └── MalformedJson     400  malformed_json
    ├── Unauthorized          401  unauthorized
    ├── Forbidden             403  forbidden
    │   └── ScopeMissing      403  scope_missing
    ├── NotFound              404  not_found
    ├── Conflict              409  conflict
    ├── PayloadTooLarge       413  payload_too_large
    ├── InvalidInput          422  invalid_input
    ├── IdempotencyMismatch   422  idempotency_mismatch
    ├── TooManyRequests       429  rate_limited
    └── Unavailable           503  unavailable
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing wrong with one field: where (`memberIds[1]`), a stable code, and a sentence for a person."""

    path: str
    code: str
    message: str


class ServiceError(Exception):
    """A refusal with a status, a stable code, a message for a person and, where there is one, the fix.

    `extra` holds further members of the error object (a conflict's `current`), `headers` response headers.
    """

    status_code: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        details: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = tuple(details)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


class BadRequest(ServiceError):
    """The request cannot be read at all (malformed JSON, a broken cursor)."""

    status_code = 400
    code = "bad_request"


class MalformedJson(BadRequest):
    """The body is not JSON."""

    code = "malformed_json"


class Unauthorized(ServiceError):
    """No credential, or one that is not valid (any more)."""

    status_code = 401
    code = "unauthorized"


class Forbidden(ServiceError):
    """The credential is valid, but may not do this."""

    status_code = 403
    code = "forbidden"


class ScopeMissing(Forbidden):
    """The credential is limited to certain scopes, and what is asked needs another one."""

    code = "scope_missing"

    def __init__(self, *scopes: str) -> None:
        named = ", ".join(scopes)
        super().__init__(
            f"This credential lacks the scope {named}.",
            hint=f"Use a key or a token that was made with the scope {named}, or with no scopes at all.",
        )


class NotFound(ServiceError):
    """No such thing, or none that this caller may know of."""

    status_code = 404
    code = "not_found"


class Conflict(ServiceError):
    """The state has moved on; `extra["current"]` shows where to."""

    status_code = 409
    code = "conflict"


class PayloadTooLarge(ServiceError):
    """The body is larger than the route takes."""

    status_code = 413
    code = "payload_too_large"


class InvalidInput(ServiceError):
    """A field has a value that cannot be taken; `details` names each by path."""

    status_code = 422
    code = "invalid_input"


class IdempotencyMismatch(ServiceError):
    """A key that was used before came back with another request."""

    status_code = 422
    code = "idempotency_mismatch"


class TooManyRequests(ServiceError):
    """A rate limit; `Retry-After` says when to come back."""

    status_code = 429
    code = "rate_limited"


class Unavailable(ServiceError):
    """A part that this call needs is away or full; nothing was done, the same call may be made again."""

    status_code = 503
    code = "unavailable"


def invalid_field(path: str, code: str, message: str, *, hint: str | None = None) -> InvalidInput:
    """The common case of one bad field."""
    return InvalidInput(f"{path}: {message}", hint=hint, details=[FieldProblem(path, code, message)])
