"""What is refused about users; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

from chatsdk_runtime.errors import Conflict


class UserErased(Conflict):
    """The person behind the id is gone for good; nobody may come back under it."""

    code = "user_erased"

    def __init__(self, user_id: str) -> None:
        super().__init__(
            f"User {user_id!r} was erased.", hint="Make a user with another id: POST /api/users/ensure."
        )
