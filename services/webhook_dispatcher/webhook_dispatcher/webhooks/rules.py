"""What a webhook's fields may be. Pure; every problem names its path and the fix."""

from __future__ import annotations

from collections.abc import Sequence

from chatsdk_contracts.catalogue import EVENT_GROUPS, WEBHOOK_EVENT_TYPES
from chatsdk_contracts.signatures import parse_secret
from chatsdk_runtime.errors import FieldProblem, InvalidInput
from chatsdk_runtime.outgoing.address_guard import AddressPolicy
from chatsdk_runtime.outgoing.url_rules import UrlProblem, check_url

MAX_EVENTS = 100
_PATTERNS = frozenset(
    {"*"} | {f"{group}.*" for group, types in EVENT_GROUPS.items() if WEBHOOK_EVENT_TYPES & set(types)}
)
_EVENTS_HINT = "Use event types such as message.new, a group such as message.*, or * for everything; the catalogue lists all."
_OWN_KEY_HINT = "Leave `secret` out to get one made, or send whsec_ and the base64 of 24 to 64 random bytes."


def check_events(events: Sequence[str]) -> list[str]:
    """The events without repeats, in the order given.

    Raises:
        InvalidInput: for what no event type or group is called.
    """
    known = WEBHOOK_EVENT_TYPES | _PATTERNS
    problems = [
        FieldProblem(f"events[{position}]", "unknown_event", f"there is no event type {event[:100]!r}")
        for position, event in enumerate(events)
        if event not in known
    ]
    if problems:
        raise InvalidInput(_sentence(problems), hint=_EVENTS_HINT, details=problems)
    return list(dict.fromkeys(events))


def check_secret(secret: str) -> str:
    """The caller's own secret.

    Raises:
        InvalidInput: when it is not `whsec_` and the base64 of 24 to 64 bytes.
    """
    try:
        parse_secret(secret)
    except ValueError as problem:
        details = [FieldProblem("secret", "invalid_secret", str(problem))]
        raise InvalidInput(_sentence(details), hint=_OWN_KEY_HINT, details=details) from None
    return secret


def check_target(url: str, *, allow_http: bool, policy: AddressPolicy) -> str:
    """The URL in the form in which it is dialled.

    Raises:
        InvalidInput: when it may not be dialled, with what to change.
    """
    answer = check_url(url, allow_http=allow_http, policy=policy)
    if isinstance(answer, UrlProblem):
        details = [FieldProblem("url", answer.code, answer.message)]
        raise InvalidInput(_sentence(details), hint=answer.hint, details=details)
    return answer.url


def _sentence(problems: Sequence[FieldProblem]) -> str:
    return "; ".join(f"{problem.path}: {problem.message}" for problem in problems[:3])
