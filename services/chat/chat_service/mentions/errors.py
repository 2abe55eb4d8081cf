"""What is refused about mentions; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

from chatsdk_runtime.errors import Forbidden


class MentionsOff(Forbidden):
    """Nobody is mentioned in this channel; names in a text are text."""

    code = "mentions_off"

    def __init__(self) -> None:
        super().__init__(
            "Mentions are switched off in this channel.",
            hint="Leave mentionedUserIds and mentionGroups out, or switch them on: PATCH the channel with config.mentions=true.",
        )
