"""The moderators' queue as it is shown."""

from __future__ import annotations

from chat_service.paging import Page
from chatsdk_contracts.messages import Message


class HeldPage(Page):
    """A page of messages that wait, the oldest first."""

    messages: list[Message]
