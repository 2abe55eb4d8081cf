"""Scopes: what a credential may do beyond saying who calls. A credential without scopes may do all that its kind may.

A user's token never carries more than `USER_SCOPES`: what an app's servers manage is not for users.
"""

from collections.abc import Iterable
from typing import Final, Literal, get_args

UserScope = Literal[
    "chat:read",
    "chat:write",
    "channel:create",
    "reaction:write",
    "typing:write",
    "upload:write",
    "search:read",
    "workspaces:manage",
]
"""What a user's token may carry; workspaces are managed by their members."""

Scope = Literal[
    UserScope,
    "users:manage",
    "tokens:mint",
    "webhooks:manage",
    "moderation:manage",
    "keys:manage",
    "export:create",
    "import:create",
    "metrics:read",
]
"""What an API key may carry."""

SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
USER_SCOPES: Final[frozenset[str]] = frozenset(get_args(UserScope))


def allows(granted: frozenset[str], wanted: str) -> bool:
    """Whether a credential with these scopes may do what asks for `wanted`."""
    return not granted or wanted in granted


def missing(granted: frozenset[str], wanted: Iterable[str] | None) -> list[str]:
    """The scopes that a credential lacks to hand `wanted` on; None stands for a credential without limits.

    Nobody gives what they do not have: a limited credential cannot make an unlimited one.
    """
    if not granted:
        return []
    return sorted(set(SCOPES if wanted is None else wanted) - granted)
