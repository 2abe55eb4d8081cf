"""What is refused about word lists; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

from chatsdk_runtime.errors import Conflict, NotFound


class EntryNotFound(NotFound):
    """No such entry in the app's list."""

    code = "entry_not_found"

    def __init__(self) -> None:
        super().__init__("No such entry.", hint="GET /api/moderation/word-list lists them.")


class EntryExists(Conflict):
    """The list has this phrase already, for the same kind of match and type of channel."""

    code = "entry_exists"

    def __init__(self, phrase: str) -> None:
        super().__init__(
            f"The list has {phrase!r} already, or a phrase that differs only in case or form.",
            hint="Change that entry: PATCH /api/moderation/word-list/entries/{id}.",
        )


class ListFull(Conflict):
    """The list has as many entries as it may have."""

    code = "list_full"

    def __init__(self, most: int) -> None:
        super().__init__(f"A word list has at most {most} entries.", hint="Remove others first.")
