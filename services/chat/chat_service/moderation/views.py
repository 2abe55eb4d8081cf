"""Bans and reports as they are shown to those who moderate, and to who reported."""

from __future__ import annotations

from chat_service.moderation.rules import ReviewAction, Status
from chat_service.paging import Page
from chatsdk_contracts.ids import ChannelId, MessageId, ReportId, UserId
from chatsdk_contracts.messages import Message
from chatsdk_contracts.moderation import Ban, ReportReason
from chatsdk_contracts.wire import Timestamp, WireModel


class BanPage(Page):
    """A page of bans that hold."""

    bans: list[Ban]


class OwnReport(WireModel):
    """A report as its reporter sees it."""

    id: ReportId
    message_id: MessageId
    channel_id: ChannelId
    reason: ReportReason | str
    details: str | None
    status: Status | str
    created_at: Timestamp


class ReportView(OwnReport):
    """A report as moderators see it. `reviewed_by` is null when the app's server reviewed it."""

    reporter_id: UserId
    author_id: UserId
    reviewed_by: UserId | None = None
    reviewed_at: Timestamp | None = None
    action_taken: ReviewAction | str | None = None
    admin_notes: str | None = None


class ReportWithMessage(ReportView):
    """The same with the message as it is now: a tombstone when it was deleted."""

    message: Message | None


class ReportPage(Page):
    """A page of reports."""

    reports: list[ReportView]
