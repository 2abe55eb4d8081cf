"""The audit log as it is shown."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from chat_service.paging import Page
from chatsdk_contracts.ids import ApiKeyId, ChannelId, UserId
from chatsdk_contracts.wire import Custom, Timestamp, WireModel

ActorKind = Literal["user", "server", "operator", "system"]


class AuditEntry(WireModel):
    """Who did what to whom, and by which call.

    `actor_id`: the user who did it, or in whose name the app's server did; `key_id`: the key that it called with.
    What the service does by itself, when a time is over, has the kind `system`.
    """

    id: str
    at: Timestamp
    action: str
    actor_kind: ActorKind | str
    actor_id: UserId | None
    key_id: ApiKeyId | None
    target_kind: str
    target_id: str
    channel_id: ChannelId | None
    details: Custom = Field(default_factory=dict)
    request_id: str | None


class AuditPage(Page):
    """A page of entries."""

    entries: list[AuditEntry]
