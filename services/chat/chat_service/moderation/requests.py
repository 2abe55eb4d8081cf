"""Bodies of moderation requests."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from chat_service.moderation.ban_store import Terms
from chat_service.moderation.rules import ReviewAction
from chat_service.wire_input import InputUserId, Reference, RequestModel, check_line, check_text
from chatsdk_contracts.moderation import ReportReason

LONGEST_BAN_S: Final = 10 * 366 * 86_400
"""Ten years; a ban that shall be longer is one for good."""

Details = Annotated[str, Field(min_length=1, max_length=1_000), AfterValidator(check_text)]
BanReason = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(check_line)]
Seconds = Annotated[int, Field(ge=1, le=LONGEST_BAN_S)]


class BanTerms(RequestModel):
    """How a user is banned: for how many seconds (null: for good), why, and whether without being told."""

    duration_s: Seconds | None = None
    reason: BanReason | None = None
    shadow: bool = False

    @property
    def terms(self) -> Terms:
        """The terms as they are stored."""
        return Terms(self.duration_s, self.reason, self.shadow)


class BanUser(BanTerms):
    """Whom to ban."""

    user_id: InputUserId


class BanAnywhere(BanUser):
    """Whom to ban from a channel, or without one from the whole app."""

    channel_id: Reference | None = None


class ReportMessage(RequestModel):
    """Why a message is reported."""

    reason: ReportReason
    details: Details | None = None


class ReviewBan(BanTerms):
    """The terms of a ban that a review ends with."""

    everywhere: bool = False


class ReviewReport(RequestModel):
    """What is done about a report; `ban` belongs to `ban_user`: without it the ban is for good.

    `ban.everywhere`: from the whole app, which only the app's servers may.
    """

    action: ReviewAction
    admin_notes: Details | None = None
    ban: ReviewBan | None = None
