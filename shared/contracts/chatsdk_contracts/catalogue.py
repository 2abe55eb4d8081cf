"""The one list of event types: everything that is said about all events is derived from here.

`parse_event` is the typed reader; who only forwards uses `envelope.parse_head` and so carries types newer than itself.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from chatsdk_contracts import (
    channels,
    control,
    exports,
    mentions,
    messages,
    moderation,
    notifications,
    polls,
    presence,
    reactions,
    receipts,
    threads,
    uploads,
    users,
    webhooks,
    workspaces,
)
from chatsdk_contracts.envelope import (
    Audience,
    Event,
    EventHead,
    UndecodableEvent,
    dataschema_of,
    event_type,
    parse_head,
    reason_of,
)

_CLASSES: Final[tuple[type[Event], ...]] = (
    messages.MessageNew,
    messages.MessageUpdated,
    messages.MessageDeleted,
    messages.MessageUndeleted,
    messages.MessagePurged,
    messages.MessagePinned,
    messages.MessageUnpinned,
    threads.ThreadUpdated,
    threads.UserThreadUpdated,
    mentions.MentionCreated,
    reactions.ReactionAdded,
    reactions.ReactionRemoved,
    polls.PollCreated,
    polls.PollVoted,
    polls.PollVoteRemoved,
    polls.PollClosed,
    receipts.MessageRead,
    moderation.MessageReported,
    moderation.MessageShadowed,
    moderation.MessageHeld,
    moderation.MessageApproved,
    moderation.MessageRejected,
    moderation.UserBanned,
    moderation.UserUnbanned,
    channels.ChannelCreated,
    channels.ChannelUpdated,
    channels.ChannelDeleted,
    channels.ChannelTruncated,
    channels.UserJoined,
    channels.UserLeft,
    channels.MemberUpdated,
    users.UserCreated,
    users.UserUpdated,
    users.UserDeleted,
    users.UserErased,
    users.UserStateUpdated,
    workspaces.WorkspaceCreated,
    workspaces.WorkspaceUpdated,
    workspaces.WorkspaceDeleted,
    workspaces.WorkspaceInvited,
    workspaces.WorkspaceMemberJoined,
    workspaces.WorkspaceMemberUpdated,
    workspaces.WorkspaceMemberLeft,
    presence.TypingStart,
    presence.TypingStop,
    presence.PresenceChanged,
    uploads.UploadCompleted,
    exports.ExportCompleted,
    notifications.NotificationDue,
    webhooks.WebhookTest,
    webhooks.WebhookDisabled,
    webhooks.WebhookEnabled,
    webhooks.WebhookGone,
    webhooks.WebhookSecretRotated,
    webhooks.DeliveryExhausted,
    webhooks.DeliveryRecovered,
    control.KeyRevoked,
    control.TokenRevoked,
    control.SettingsChanged,
    control.BlocksChanged,
)

EVENTS: Final[Mapping[str, type[Event]]] = MappingProxyType({event_type(cls): cls for cls in _CLASSES})

# What a webhook may subscribe to.
WEBHOOK_EVENT_TYPES: Final = frozenset(
    name for name, cls in EVENTS.items() if cls.audience is not Audience.INTERNAL
)
# Stored in the event log, delivered and counted exactly once.
DURABLE_EVENT_TYPES: Final = frozenset(name for name, cls in EVENTS.items() if cls.durable)
# Published and forgotten: coalesced, expiring, counted approximately.
EPHEMERAL_EVENT_TYPES: Final = WEBHOOK_EVENT_TYPES - DURABLE_EVENT_TYPES
# Who reads one of these later than that drops it: it tells of what is over. The broker keeps no clock for them, because a
# queue with a dead-letter exchange would keep what expired, too.
EPHEMERAL_LIFETIME_S: Final = 60
# Made by the dispatcher: they never cause further ones and never go to the webhook they are about.
DISPATCHER_EVENT_TYPES: Final = frozenset(name for name, cls in EVENTS.items() if cls.owner == "dispatcher")

# The types by their first word, in the order above.
EVENT_GROUPS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        group: tuple(name for name in EVENTS if name.partition(".")[0] == group)
        for group in dict.fromkeys(name.partition(".")[0] for name in EVENTS)
    }
)


class UnknownEventType(UndecodableEvent):
    """A sound event whose type or schema version is newer than this release; `head` is what can be read of it."""

    def __init__(self, head: EventHead) -> None:
        super().__init__(f"type {head.type!r} with schema {head.dataschema!r} is not known to this release")
        self.head = head


def parse_event(body: bytes) -> Event:
    """The typed event of these bytes. Raises `UnknownEventType` or `UndecodableEvent`."""
    head = parse_head(body)
    event_cls = EVENTS.get(head.type)
    if event_cls is None or head.dataschema != dataschema_of(event_cls):
        raise UnknownEventType(head)
    try:
        return event_cls.model_validate_json(body)
    except ValidationError as error:
        raise UndecodableEvent(reason_of(error)) from None
