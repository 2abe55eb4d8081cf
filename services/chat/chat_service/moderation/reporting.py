"""Use cases of reports, one transaction each: report, list, and review with what follows from it.

What a review does it does as the plain call would, in the same transaction: with the reviewer's rights, the same
events, and under the same locks. It is decided once; other reports of the message wait for reviews of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chat_service.audit.actions import Target, note
from chat_service.auth.principal import Principal
from chat_service.errors import MessageNotFound
from chat_service.events.log import Cause, append, channel_notice
from chat_service.messages import removal
from chat_service.messages.actions import Change, require_message
from chat_service.messages.shelf import Shelf
from chat_service.messages.store import fetch_message
from chat_service.moderation import banning, report_store, rules
from chat_service.moderation.admission import require_free
from chat_service.moderation.ban_store import Scope, Terms
from chat_service.moderation.errors import AlreadyReported, ReportNotFound
from chat_service.moderation.report_store import Review
from chat_service.moderation.rules import ReviewAction, Status
from chat_service.moderation.views import OwnReport, ReportPage, ReportView, ReportWithMessage
from chat_service.paging import encode_cursor
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, ReportId, new_id
from chatsdk_contracts.moderation import MessageReported, Report
from chatsdk_runtime.postgres import Connection, Transaction


@dataclass(frozen=True, slots=True)
class Complaint:
    """Which message is reported, and why."""

    channel_id: ChannelId
    message_id: MessageId
    reason: str
    details: str | None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a reviewer decides; `everywhere`: the ban is from the whole app."""

    action: ReviewAction
    notes: str | None
    terms: Terms
    everywhere: bool = False


async def report(tx: Transaction, cause: Cause, caller: Principal, complaint: Complaint) -> OwnReport:
    """Report a message that the caller may see.

    Raises:
        NotFound, NotAMember: the caller may not see it.
        OwnMessage: the caller wrote it.
        AlreadyReported: the caller did so before.
    """
    reporter_id = caller.user_id
    assert reporter_id is not None, "users report, not servers"
    message, _ = await require_message(tx, caller, complaint.channel_id, complaint.message_id)
    rules.require_reportable(message, reporter_id)
    made = ReportView(
        id=ReportId(new_id()),
        message_id=message.id,
        channel_id=message.channel_id,
        author_id=message.user_id,
        reporter_id=reporter_id,
        reason=complaint.reason,
        details=complaint.details,
        status="pending",
        created_at=cause.now,
    )
    earlier = await report_store.insert_report(tx, caller.app_id, made)
    if earlier is not None:
        raise AlreadyReported(earlier)
    told = Report(
        report_id=made.id,
        message_id=made.message_id,
        channel_id=made.channel_id,
        reporter_id=reporter_id,
        reason=made.reason,
    )
    await append(tx, [channel_notice(MessageReported, cause, made.channel_id, told)])
    return OwnReport(**made.model_dump(include=set(OwnReport.model_fields)))


async def channel_of(connection: Connection, app_id: AppId, message_id: MessageId) -> ChannelId:
    """Where a message is that is reported by its id alone; whether the caller may see it is asked there.

    Raises:
        MessageNotFound: the app has no such message.
    """
    channel_id = await report_store.channel_of(connection, app_id, message_id)
    if channel_id is None:
        raise MessageNotFound
    return channel_id


async def list_reports(
    connection: Connection,
    app_id: AppId,
    channel_id: ChannelId | None,
    status: Status | None,
    *,
    before: UUID | None,
    limit: int,
) -> ReportPage:
    """Reports of an app, or of one of its channels, the newest first."""
    found = await report_store.list_reports(
        connection, app_id, channel_id, status, before=before, limit=limit + 1
    )
    page, more = list(found[:limit]), len(found) > limit
    return ReportPage(reports=page, next_cursor=encode_cursor(page[-1].id) if more else None, has_more=more)


async def get_report(
    connection: Connection, app_id: AppId, report_id: ReportId | None, channel_id: ChannelId | None
) -> ReportWithMessage:
    """One report with its message as it is now.

    Raises:
        ReportNotFound: none in this app, or in this channel.
    """
    found = await _require_report(connection, app_id, report_id, channel_id)
    message = await fetch_message(connection, found.channel_id, found.message_id)
    return ReportWithMessage(**dict(found), message=message)


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Who reviews: the app's servers everything, a moderator what is in `channel_id`, theirs."""

    caller: Principal
    channel_id: ChannelId | None
    shelf: Shelf


async def review(
    tx: Transaction, cause: Cause, reviewer: Reviewer, report_id: ReportId | None, judgement: Judgement
) -> ReportView:
    """Decide about a report, and do what was decided.

    Raises:
        ReportNotFound: none that the caller may review.
        AlreadyReviewed: somebody was quicker.
        RoleTooLow: the caller may not delete that message, or not ban that user.
    """
    caller = reviewer.caller
    found = await _require_report(tx, caller.app_id, report_id, reviewer.channel_id)
    await require_free(tx, caller.app_id, found.channel_id, caller.user_id)
    await _carry_out(tx, cause, reviewer, found, judgement)
    # Behind the channel, as whoever else needs both would lock them.
    found = await report_store.lock_report(tx, found)
    rules.require_pending(found.status)
    decided = Review(
        judgement.action,
        rules.status_after(judgement.action),
        caller.user_id,
        cause.now,
        judgement.notes,
    )
    await report_store.write_review(tx, found.id, decided)
    target = Target("report", found.id, found.channel_id)
    details = {"action": judgement.action, "messageId": found.message_id, "authorId": found.author_id}
    await note(tx, cause, "report.reviewed", target, details)
    return found.model_copy(
        update={
            "status": decided.status,
            "reviewed_by": decided.by,
            "reviewed_at": decided.at,
            "action_taken": decided.action,
            "admin_notes": decided.notes,
        }
    )


async def _carry_out(
    tx: Transaction, cause: Cause, reviewer: Reviewer, found: ReportView, judgement: Judgement
) -> None:
    caller = reviewer.caller
    if judgement.action == "delete_message":
        change = Change(caller, found.channel_id, found.message_id, None, cause)
        await removal.delete(tx, change, reviewer.shelf)
    elif judgement.action == "ban_user":
        place = None if judgement.everywhere else found.channel_id
        await banning.ban(tx, cause, Scope(caller.app_id, found.author_id, place), judgement.terms)


async def _require_report(
    connection: Connection, app_id: AppId, report_id: ReportId | None, channel_id: ChannelId | None
) -> ReportView:
    found = None
    if report_id is not None:
        found = await report_store.fetch_report(connection, app_id, report_id, channel_id)
    if found is None:
        raise ReportNotFound
    return found
