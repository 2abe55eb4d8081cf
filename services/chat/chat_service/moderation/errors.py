"""What moderation refuses; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

from datetime import datetime

from chatsdk_contracts.wire import format_time
from chatsdk_runtime.errors import BadRequest, Conflict, Forbidden, NotFound


class Banned(Forbidden):
    """The user may read and not write, here or in the whole app; `until` null is for good."""

    code = "banned"

    def __init__(self, until: datetime | None, reason: str | None) -> None:
        end = None if until is None else format_time(until)
        super().__init__(
            "The user is banned from writing here.",
            hint="Whoever runs the channel or the app may lift the ban." if end is None else f"Until {end}.",
            extra={"until": end, "reason": reason},
        )


class BlockedByOther(Forbidden):
    """The other one of a direct channel does not want to hear from this user."""

    code = "blocked"

    def __init__(self) -> None:
        super().__init__("The other user of this direct channel has blocked this one.")


class NotEditable(Conflict):
    """A message that stays as it is, whoever wrote it."""

    code = "not_editable"

    def __init__(self) -> None:
        super().__init__("The message cannot be changed any more.", hint="Send a new one instead.")


class OwnMessage(BadRequest):
    """Nobody reports what they wrote themselves."""

    code = "own_message"

    def __init__(self) -> None:
        super().__init__(
            "Nobody reports their own message.", hint="Delete it: DELETE /api/channels/{id}/messages/{mid}."
        )


class AlreadyReported(Conflict):
    """The user has reported this message before."""

    code = "already_reported"

    def __init__(self, report_id: str) -> None:
        super().__init__("This message was reported by this user already.", extra={"reportId": report_id})


class ReportNotFound(NotFound):
    """No such report, or none that the caller may review."""

    code = "report_not_found"

    def __init__(self) -> None:
        super().__init__("No such report.")


class AlreadyReviewed(Conflict):
    """Somebody was quicker; `status` says what they decided."""

    code = "already_reviewed"

    def __init__(self, status: str) -> None:
        super().__init__(f"The report is {status} already.", extra={"status": status})


class BanNotFound(NotFound):
    """The user is not banned there, or not any more."""

    code = "ban_not_found"

    def __init__(self) -> None:
        super().__init__("The user is not banned here.")
