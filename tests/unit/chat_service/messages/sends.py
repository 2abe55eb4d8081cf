"""Sends, channels and facts to decide on."""

from datetime import UTC, datetime

from chat_service.messages.rules import ChannelHead, Send, SendFacts
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId, new_id
from chatsdk_contracts.messages import Message

NOW = datetime(2026, 1, 1, tzinfo=UTC)
APP = AppId(new_id())
CHANNEL = ChannelId(new_id())
PARENT = MessageId(new_id())


def a_send(client_id: str = "c1", **changes: object) -> Send:
    """A plain send of a member."""
    values: dict[str, object] = {
        "app_id": APP,
        "channel_id": CHANNEL,
        "user_id": UserId("ann"),
        "client_msg_id": client_id,
        "text": "hello",
        "attachments": [],
        "custom": {},
        "parent_id": None,
        "reply_to_id": None,
        "silent": False,
        "request_hash": b"h",
        "traceparent": None,
    }
    return Send(**{**values, **changes})  # type: ignore[arg-type] # one place that builds them from a mapping


def a_channel(**changes: object) -> ChannelHead:
    """A locked group channel."""
    values: dict[str, object] = {
        "id": CHANNEL,
        "app_id": APP,
        "type": "group",
        "last_seq": 4,
        "cv": 9,
        "frozen": False,
        "deleted": False,
    }
    return ChannelHead(**{**values, **changes})  # type: ignore[arg-type] # as above


def facts(**changes: object) -> SendFacts:
    """What the database says of a member's first send."""
    values: dict[str, object] = {
        "role": "member",
        "stored": None,
        "stored_hash": None,
        "parent_last_seq": None,
        "parent_is_top": False,
        "reply_to_found": False,
    }
    return SendFacts(**{**values, **changes})  # type: ignore[arg-type] # as above


STORED = Message(
    id=MessageId(new_id()),
    channel_id=CHANNEL,
    user_id=UserId("ann"),
    text="old",
    cv=3,
    created_at=NOW,
    updated_at=NOW,
)
