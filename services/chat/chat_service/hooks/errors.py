"""What is refused about hooks; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

from chatsdk_runtime.errors import NotFound


class HookNotFound(NotFound):
    """The app has no hook."""

    code = "hook_not_found"

    def __init__(self) -> None:
        super().__init__("The app has no before-send hook.", hint="Make one: PUT /api/moderation/hook.")
