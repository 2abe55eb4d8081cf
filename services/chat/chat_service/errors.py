"""What the chat service refuses, beyond the runtime's errors; `chatsdk_runtime.web` renders all of them.

ServiceError
├── Unauthorized            401  unauthorized
├── Forbidden               403  forbidden
│   ├── NotAMember          403  not_a_member
│   ├── RoleTooLow          403  role_too_low
│   ├── MembershipFixed     403  membership_fixed
│   └── ChannelFrozen       403  channel_frozen
├── NotFound                404  not_found
│   ├── AppNotFound         404  app_not_found
│   ├── ApiKeyNotFound      404  api_key_not_found
│   ├── UserNotFound        404  user_not_found
│   ├── ChannelNotFound     404  channel_not_found
│   ├── MemberNotFound      404  member_not_found
│   ├── MessageNotFound     404  message_not_found
│   └── PollNotFound        404  poll_not_found
├── Conflict                409  conflict
│   ├── VersionConflict     409  conflict        (extra: current)
│   ├── PollExists          409  poll_exists     (extra: current)
│   ├── PollEnded           409  poll_closed
│   └── LastOwner           409  last_owner
└── Unavailable             503  unavailable
    ├── Overloaded          503  overloaded
    ├── OutcomeUnknown      503  outcome_unknown
    └── AdminClosed         503  admin_closed
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatsdk_contracts.polls import Poll
from chatsdk_runtime.errors import Conflict, Forbidden, NotFound, Unavailable

# Types of channel that everybody in the app may see and join; the others are joined by being added.
JOINABLE_TYPES = frozenset({"public", "team", "livestream"})


class NotAMember(Forbidden):
    """The channel is known to the caller, who is not in it."""

    code = "not_a_member"

    def __init__(self, channel_id: str, channel_type: str) -> None:
        if channel_type in JOINABLE_TYPES:
            hint = f"Join first: POST /api/channels/{channel_id}/join."
        else:
            hint = f"Whoever runs it may add the user: POST /api/channels/{channel_id}/members."
        super().__init__("The user is not a member of this channel.", hint=hint)


class RoleTooLow(Forbidden):
    """A member whose role does not carry this right."""

    code = "role_too_low"


class MembershipFixed(Forbidden):
    """A direct channel has its two members and no others, for ever."""

    code = "membership_fixed"

    def __init__(self) -> None:
        super().__init__(
            "The members of a direct channel cannot be changed.",
            hint='Create a channel of type "group" for more people.',
        )


class ChannelFrozen(Forbidden):
    """Nobody but an owner, an admin or the app's servers may write here for now."""

    code = "channel_frozen"

    def __init__(self) -> None:
        super().__init__(
            "The channel is frozen.",
            hint="An owner or admin may thaw it: PATCH the channel with frozen=false.",
        )


class AppNotFound(NotFound):
    """No such app."""

    code = "app_not_found"

    def __init__(self) -> None:
        super().__init__("No such app.", hint="GET /admin/apps lists them.")


class ApiKeyNotFound(NotFound):
    """No such key in this app."""

    code = "api_key_not_found"

    def __init__(self) -> None:
        super().__init__("No such API key.", hint="GET /admin/apps/{id}/keys lists the app's keys.")


class UserNotFound(NotFound):
    """No such user in the app."""

    code = "user_not_found"

    def __init__(self, user_id: str | None = None) -> None:
        name = "The user" if user_id is None else f"User {user_id!r}"
        super().__init__(f"{name} does not exist.", hint="Create the user first: POST /api/users/ensure.")


class ChannelNotFound(NotFound):
    """No such channel, or none that the caller may know of."""

    code = "channel_not_found"

    def __init__(self) -> None:
        super().__init__("No such channel.")


class MemberNotFound(NotFound):
    """The user exists perhaps, but is not in the channel."""

    code = "member_not_found"

    def __init__(self, user_id: str) -> None:
        super().__init__(f"User {user_id!r} is not a member of this channel.")


class MessageNotFound(NotFound):
    """No such message in the channel."""

    code = "message_not_found"

    def __init__(self) -> None:
        super().__init__("No such message in this channel.")


class PollNotFound(NotFound):
    """No such poll, or none that the caller may know of."""

    code = "poll_not_found"

    def __init__(self) -> None:
        super().__init__("No such poll.")


class PollExists(Conflict):
    """The message has a poll; `current` is that one."""

    code = "poll_exists"

    def __init__(self, poll: Poll) -> None:
        super().__init__("The message has a poll already.", extra={"current": poll.model_dump(mode="json")})
        self.poll = poll


class PollEnded(Conflict):
    """The poll takes no more votes: it was closed, or its time is over."""

    code = "poll_closed"

    def __init__(self) -> None:
        super().__init__("The poll takes no more votes.", hint="GET /api/polls/{id}/results has its results.")


class VersionConflict(Conflict):
    """The caller's base version is not the present one; `current` is what stands there now."""

    def __init__(self, current: Mapping[str, Any]) -> None:
        super().__init__(
            "It was changed in the meantime.",
            hint="Merge with `current` and send again with its version as baseVersion.",
            extra={"current": current},
        )


class LastOwner(Conflict):
    """The channel would be left with members and no owner."""

    code = "last_owner"

    def __init__(self) -> None:
        super().__init__(
            "The last owner cannot leave or step down while others are in the channel.",
            hint='Hand over first: PATCH another member with {"role": "owner"}.',
        )


class Overloaded(Unavailable):
    """Too much waits already; nothing was taken."""

    code = "overloaded"

    def __init__(self) -> None:
        super().__init__(
            "Too many sends are waiting.",
            hint="Send the same request again after the time in Retry-After.",
            headers={"Retry-After": "1"},
        )


class OutcomeUnknown(Unavailable):
    """The connection to the database was lost at commit: it may or may not have happened."""

    code = "outcome_unknown"

    def __init__(self) -> None:
        super().__init__(
            "It is not known whether this took effect.",
            hint="Send the same request again with the same clientMsgId or Idempotency-Key.",
            headers={"Retry-After": "1"},
        )


class AdminClosed(Unavailable):
    """No admin token is set, so that nobody may administer over HTTP."""

    code = "admin_closed"

    def __init__(self) -> None:
        super().__init__(
            "Administration over HTTP is closed: CHATSDK_ADMIN_TOKEN is not set.",
            hint="Set it and restart, or use the command chatsdk-admin.",
        )
