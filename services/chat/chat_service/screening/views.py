"""A verdict as it is shown to an app's servers."""

from __future__ import annotations

from typing import Literal

from chat_service.hooks.views import Kind
from chat_service.paging import Page
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel

Source = Literal["word_list", "hook"]


class ScreeningVerdict(WireModel):
    """What was decided on a message, by whom and why; nothing of what it said.

    `outcome`: `answered`, or why the hook gave no answer; then `action` is what the app's policy makes of that.
    """

    id: str
    channel_id: ChannelId
    user_id: UserId
    message_id: MessageId
    kind: Kind | str
    source: Source | str
    outcome: str
    action: str
    reason: str | None = None
    duration_ms: int
    created_at: Timestamp


class VerdictPage(Page):
    """A page of verdicts."""

    verdicts: list[ScreeningVerdict]
