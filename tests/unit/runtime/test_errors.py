"""The errors that a caller may see."""

import pytest

from chatsdk_runtime import errors
from chatsdk_runtime.errors import FieldProblem, ServiceError, invalid_field

EXPECTED = {
    "BadRequest": (400, "bad_request"),
    "MalformedJson": (400, "malformed_json"),
    "Unauthorized": (401, "unauthorized"),
    "Forbidden": (403, "forbidden"),
    "ScopeMissing": (403, "scope_missing"),
    "NotFound": (404, "not_found"),
    "Conflict": (409, "conflict"),
    "PayloadTooLarge": (413, "payload_too_large"),
    "InvalidInput": (422, "invalid_input"),
    "IdempotencyMismatch": (422, "idempotency_mismatch"),
    "TooManyRequests": (429, "rate_limited"),
    "Unavailable": (503, "unavailable"),
}


def test_the_tree_is_the_documented_one() -> None:
    tree = {cls.__name__: (cls.status_code, cls.code) for cls in vars(errors).values() if _is_refusal(cls)}
    assert tree == EXPECTED
    for name, (status, code) in EXPECTED.items():
        assert any(
            name in line and f"{status}  {code}" in line for line in (errors.__doc__ or "").splitlines()
        )


def _is_refusal(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, ServiceError) and value is not ServiceError


@pytest.mark.parametrize("hint", [None, "leave it out"])
def test_one_bad_field_names_its_path_in_message_and_details(hint: str | None) -> None:
    error = invalid_field("text", "too_long", "has more than 10 characters", hint=hint)
    assert error.message == "text: has more than 10 characters"
    assert error.details == (FieldProblem("text", "too_long", "has more than 10 characters"),)
    assert error.hint == hint
