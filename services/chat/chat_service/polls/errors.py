"""What is refused about polls; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

from chatsdk_contracts.polls import Poll
from chatsdk_runtime.errors import Conflict, Forbidden, NotFound


class PollsOff(Forbidden):
    """The channel takes no polls and no votes."""

    code = "polls_off"

    def __init__(self) -> None:
        super().__init__(
            "Polls are switched off in this channel.",
            hint="An owner or admin may switch them on: PATCH the channel with config.polls=true.",
        )


class PollNotFound(NotFound):
    """No such poll, or none that the caller may know of."""

    code = "poll_not_found"

    def __init__(self) -> None:
        super().__init__("No such poll.")


class PollExists(Conflict):
    """The message has a poll; `current` is that one."""

    code = "poll_exists"

    def __init__(self, poll: Poll) -> None:
        super().__init__("The message has a poll already.", extra={"current": poll.model_dump(mode="json")})
        self.poll = poll


class PollEnded(Conflict):
    """The poll takes no more votes: it was closed, or its time is over."""

    code = "poll_closed"

    def __init__(self) -> None:
        super().__init__("The poll takes no more votes.", hint="GET /api/polls/{id}/results has its results.")
