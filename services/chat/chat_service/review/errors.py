"""What is refused about held messages; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

import orjson

from chatsdk_contracts.messages import Message
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import Conflict, ServiceError


class MessageNotSent(Conflict):
    """The message waits for a moderator, or was rejected by one; `current` is how it stands."""

    code = "message_not_sent"

    def __init__(self, message: Message) -> None:
        waits = message.status == "held"
        super().__init__(
            "The message waits for a moderator." if waits else "The message was rejected by a moderator.",
            hint="Delete it and send another one, or wait." if waits else "Send another one.",
            extra={"current": orjson.loads(data_json(message))},
        )


class AlreadyDecided(Conflict):
    """A moderator decided otherwise before, or the author took the message back; `current` is how it stands."""

    code = "already_decided"

    def __init__(self, message: Message) -> None:
        super().__init__(
            f"It is {message.status} already.", extra={"current": orjson.loads(data_json(message))}
        )


class AuthorGone(Conflict):
    """Whoever wrote the message is not in the channel any more."""

    code = "author_gone"

    def __init__(self) -> None:
        super().__init__(
            "The author is no longer a member of the channel.", hint="Reject it, or add the author again."
        )


class AuthorMayNotWrite(Conflict):
    """Whoever wrote the message is banned by now, or blocked in this direct channel; `because` says which, in its code."""

    code = "author_may_not_write"

    def __init__(self, refusal: ServiceError) -> None:
        super().__init__(
            "The author may not write here any more.",
            hint="Reject it, or approve it when the author may.",
            extra={"because": refusal.code, **refusal.extra},
        )


class ThreadGone(Conflict):
    """The thread that the message belongs to is not shown to anybody any more."""

    code = "thread_gone"

    def __init__(self) -> None:
        super().__init__("The thread of this reply is gone.", hint="Reject it.")
