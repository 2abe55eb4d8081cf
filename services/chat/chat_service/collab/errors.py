"""What is refused about collaborative text; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

from chatsdk_runtime.errors import Conflict, Unavailable


class WrittenTogether(Conflict):
    """A collaborative text is changed by operations, so that nobody's words are lost."""

    code = "collaborative_text"

    def __init__(self) -> None:
        super().__init__(
            "Several people write this message's text; it cannot be replaced as a whole.",
            hint="Change it with POST /api/channels/{channel}/messages/{message}/ops.",
        )


class NotCollaborative(Conflict):
    """The message was sent without a textMode, or was deleted since."""

    code = "not_collaborative"

    def __init__(self) -> None:
        super().__init__(
            "This message has no collaborative text.",
            hint='Edit it with PATCH, or send a message with textMode "ot" or "crdt".',
        )


class BaseTooOld(Conflict):
    """What happened since the caller's version is not kept any more, or too much; `oldest` is a version that may be a base."""

    code = "base_too_old"

    def __init__(self, oldest: int) -> None:
        super().__init__(
            "What happened since baseVersion is not kept any more, or is too much to follow.",
            hint="Load the text anew with GET .../ops, make the change on it, and send it with a new clientOpId.",
            extra={"oldest": oldest},
        )


class MissingUpdates(Conflict):
    """An update stands on changes that the server does not have."""

    code = "missing_updates"

    def __init__(self, index: int) -> None:
        super().__init__(
            f"ops[{index}] stands on changes that were never sent here.",
            hint="Send the earlier updates first, or one that holds all that the server lacks.",
        )


class DocumentTooLarge(Conflict):
    """The document has as much history as may be kept."""

    code = "document_too_large"

    def __init__(self, most_bytes: int) -> None:
        super().__init__(
            f"The document would have more than {most_bytes} bytes.",
            hint="Go on in a new message: send one with this text.",
        )


class TextMovedOn(Unavailable):
    """Others wrote while the app looked at what the operation makes of the text, each time that it was tried."""

    code = "text_moved_on"

    def __init__(self) -> None:
        super().__init__(
            "Others are writing this text faster than it can be screened; nothing was written.",
            hint="Send the same request again in a moment.",
            headers={"Retry-After": "1"},
        )
