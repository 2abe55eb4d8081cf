"""What is refused because of what it says; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

from chatsdk_runtime.errors import InvalidInput, Unavailable


class MessageRejected(InvalidInput):
    """The app does not take what was to be said. Nothing tells which phrase it was: that would be a way to learn the list."""

    code = "message_rejected"

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(reason or "This message is not allowed here.", hint="Write it in another way.")


class ReviewNotPossible(InvalidInput):
    """It would have to wait for a moderator, which only a new message can: an edit or a poll shows at once or never."""

    code = "review_not_possible"

    def __init__(self) -> None:
        super().__init__(
            "This would have to be reviewed first, which is possible for new messages only.",
            hint="Send it as a new message; a moderator then decides on it.",
        )


class ScreeningUnavailable(Unavailable):
    """The app's hook did not answer, and the app wants nothing sent that it has not seen."""

    code = "screening_unavailable"

    def __init__(self) -> None:
        super().__init__(
            "The message could not be checked right now; nothing was sent.",
            hint="Send the same request again in a moment.",
            headers={"Retry-After": "2"},
        )
