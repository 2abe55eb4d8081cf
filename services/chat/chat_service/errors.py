"""What the chat service refuses, beyond the runtime's errors; `chatsdk_runtime.web` renders all of them.

ServiceError
├── Unauthorized            401  unauthorized
├── Forbidden               403  forbidden
│   ├── NotAMember          403  not_a_member
│   ├── RoleTooLow          403  role_too_low
│   ├── MembershipFixed     403  membership_fixed
│   ├── ChannelFrozen       403  channel_frozen
│   ├── ReactionsOff        403  reactions_off
│   ├── RepliesOff          403  replies_off
│   └── QuotesOff           403  quotes_off
├── NotFound                404  not_found
│   ├── AppNotFound         404  app_not_found
│   ├── ApiKeyNotFound      404  api_key_not_found
│   ├── UserNotFound        404  user_not_found
│   ├── ChannelNotFound     404  channel_not_found
│   ├── MemberNotFound      404  member_not_found
│   ├── MessageNotFound     404  message_not_found
│   ├── ReactionNotFound    404  reaction_not_found
│   ├── WorkspaceNotFound   404  workspace_not_found
│   └── InviteNotFound      404  invite_not_found
├── Conflict                409  conflict
│   ├── LastFullKey         409  last_full_key
│   ├── VersionConflict     409  conflict        (extra: current)
│   ├── OpOutOfOrder        409  out_of_order    (extra: expected)
│   ├── LastOwner           409  last_owner
│   ├── MessageIsDeleted    409  message_deleted
│   ├── NotRestorable       409  not_restorable
│   ├── TooManyPins         409  too_many_pins
│   ├── TooManyReactions    409  too_many_reactions
│   └── InviteClosed        409  invite_closed
├── TooManyRequests         429  rate_limited    (extra: retryAfterMs; limits.errors.RateLimited)
│   └── SlowMode            429  slow_mode
└── Unavailable             503  unavailable
    ├── Overloaded          503  overloaded
    ├── OutcomeUnknown      503  outcome_unknown
    ├── StorageAway         503  storage_unavailable
    └── AdminClosed         503  admin_closed
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatsdk_runtime.errors import (
    Conflict,
    Forbidden,
    NotFound,
    TooManyRequests,
    Unavailable,
)

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


class ReactionsOff(Forbidden):
    """The channel takes no reactions; those that are there may be taken back."""

    code = "reactions_off"

    def __init__(self) -> None:
        super().__init__(
            "Reactions are switched off in this channel.",
            hint="An owner or admin may switch them on: PATCH the channel with config.reactions=true.",
        )


class RepliesOff(Forbidden):
    """The channel has no threads."""

    code = "replies_off"

    def __init__(self) -> None:
        super().__init__(
            "This channel takes no replies.", hint="Send the message without parentId, to the channel itself."
        )


class QuotesOff(Forbidden):
    """The channel has no quoting."""

    code = "quotes_off"

    def __init__(self) -> None:
        super().__init__("This channel takes no quotes.", hint="Send the message without replyToId.")


class UploadsOff(Forbidden):
    """The channel takes no files, and no messages that show one."""

    code = "uploads_off"

    def __init__(self) -> None:
        super().__init__(
            "Uploads are switched off in this channel.",
            hint="An owner or admin may switch them on: PATCH the channel with config.uploads=true.",
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
        super().__init__("No such API key.", hint="GET /api/app/keys lists the app's keys.")


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
    """The user exists perhaps, but is not in the channel or workspace."""

    code = "member_not_found"

    def __init__(self, user_id: str, place: str = "channel") -> None:
        super().__init__(f"User {user_id!r} is not a member of this {place}.")


class MessageNotFound(NotFound):
    """No such message in the channel."""

    code = "message_not_found"

    def __init__(self) -> None:
        super().__init__("No such message in this channel.")


class ReactionNotFound(NotFound):
    """The user has not reacted to the message so, or not any more."""

    code = "reaction_not_found"

    def __init__(self) -> None:
        super().__init__("The user has no such reaction on this message.")


class WorkspaceNotFound(NotFound):
    """No such workspace, or none that the caller may know of."""

    code = "workspace_not_found"

    def __init__(self) -> None:
        super().__init__("No such workspace.")


class InviteNotFound(NotFound):
    """No such invitation, or one for somebody else."""

    code = "invite_not_found"

    def __init__(self) -> None:
        super().__init__("No such invitation.", hint="Ask whoever invited for a new one.")


class VersionConflict(Conflict):
    """The caller's base version is not the present one; `current` is what stands there now."""

    def __init__(self, current: Mapping[str, Any]) -> None:
        super().__init__(
            "It was changed in the meantime.",
            hint="Merge with `current` and send again with its version as baseVersion.",
            extra={"current": current},
        )


class OpOutOfOrder(Conflict):
    """A kept operation that is not the lane's next; `expected` is the number of the next."""

    code = "out_of_order"

    def __init__(self, *, expected: int) -> None:
        super().__init__(
            "The operation is not the next one of its lane.",
            hint="Send the operations from `expected` on, in order.",
            extra={"expected": expected},
        )


class LastFullKey(Conflict):
    """The app would be left without a key that has all rights."""

    code = "last_full_key"

    def __init__(self) -> None:
        super().__init__(
            "This is the app's last key with all rights.",
            hint="Make another key without scopes first: POST /api/app/keys.",
        )


class LastOwner(Conflict):
    """The channel or workspace would be left with members and no owner."""

    code = "last_owner"

    def __init__(self, place: str = "channel") -> None:
        super().__init__(
            f"The last owner cannot leave or step down while others are in the {place}.",
            hint='Hand over first: PATCH another member with {"role": "owner"}.',
        )


class MessageIsDeleted(Conflict):
    """A tombstone takes nothing but being restored or purged."""

    code = "message_deleted"

    def __init__(self) -> None:
        super().__init__("The message is deleted.")


class NotRestorable(Conflict):
    """What the message said is not kept any more."""

    code = "not_restorable"

    def __init__(self) -> None:
        super().__init__(
            "The message cannot be restored.",
            hint="A deleted message is kept for a limited time, a purged one not at all; send it anew.",
        )


class TooManyPins(Conflict):
    """The channel has as many pins as it may have."""

    code = "too_many_pins"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"A channel has at most {most} pinned messages.", hint="Unpin another message first."
        )


class TooManyReactions(Conflict):
    """The message has as many different reactions as it may have; more of one of those are taken."""

    code = "too_many_reactions"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"A message has at most {most} different reactions.", hint="Use one that it has already."
        )


class InviteClosed(Conflict):
    """The invitation was accepted, withdrawn, or is too old."""

    code = "invite_closed"

    def __init__(self, status: str) -> None:
        super().__init__(f"The invitation is {status}.", hint="Ask whoever invited for a new one.")


class SlowMode(TooManyRequests):
    """The channel is in slow mode, and the member has sent a moment ago."""

    code = "slow_mode"

    def __init__(self, wait_s: int) -> None:
        super().__init__(
            "The channel is in slow mode.",
            hint=f"Send the same request again after {wait_s} s, as Retry-After says.",
            headers={"Retry-After": str(wait_s)},
            extra={"retryAfterMs": wait_s * 1_000},
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


class StorageAway(Unavailable):
    """The object store does not answer as it should."""

    code = "storage_unavailable"

    def __init__(self) -> None:
        super().__init__(
            "The store of uploaded files cannot be reached right now.",
            hint="Send the same request again in a moment.",
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
