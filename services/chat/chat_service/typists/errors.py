"""What is refused about typing; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

from chatsdk_runtime.errors import Forbidden


class TypingOff(Forbidden):
    """The channel tells nobody who types."""

    code = "typing_off"

    def __init__(self) -> None:
        super().__init__(
            "Typing is not told in this channel.",
            hint="An owner or admin may switch it on: PATCH the channel with config.typingEvents=true.",
        )
