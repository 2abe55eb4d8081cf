"""Who stands behind a change, from what its call was made with. Pure."""

from __future__ import annotations

from chat_service.audit.views import ActorKind
from chat_service.events.log import Cause


def kind_of(cause: Cause) -> ActorKind:
    """A key is the app's server, in whoever's name; a user has a token; an operator a call and neither of them."""
    if cause.key_id is not None:
        return "server"
    if cause.actor_id is not None:
        return "user"
    return "operator" if cause.request_id is not None else "system"
