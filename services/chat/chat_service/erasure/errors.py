"""What is refused about erasures; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

from chatsdk_runtime.errors import NotFound


class ErasureNotFound(NotFound):
    """No such erasure in the app."""

    code = "erasure_not_found"

    def __init__(self) -> None:
        super().__init__("No such erasure.", hint="POST /api/users/{id}/erase starts one and names its id.")
