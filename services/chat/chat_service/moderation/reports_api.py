"""HTTP in: reports by users, and their review by the app's servers and by moderators of the channel."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from chat_service.auth.credentials import Moderator, ReadingUser, WritingUser
from chat_service.auth.principal import Principal
from chat_service.doors import (
    cause_of,
    mutate,
    require_channel_id,
    require_message_id,
    resources_of,
    utc_now,
)
from chat_service.errors import ChannelNotFound, MessageNotFound
from chat_service.messages.shelf import Shelf
from chat_service.moderation import banning, reporting
from chat_service.moderation.ban_store import Terms
from chat_service.moderation.reporting import Complaint, Judgement, Reviewer
from chat_service.moderation.requests import ReportMessage, ReviewReport
from chat_service.moderation.rules import Status
from chat_service.paging import Cursor, Limit, id_in_cursor
from chat_service.wire_input import uuid_in_path
from chatsdk_contracts.ids import ChannelId, MessageId, ReportId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import invalid_field
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Connection, Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(tags=["moderation"])

_StatusQuery = Annotated[Status | None, Query(description="Only reports in this state.")]


@router.get("/api/moderation/reports")
async def list_reports(
    request: Request,
    caller: Moderator,
    status: _StatusQuery = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """All reports of the app, the newest first."""
    before = id_in_cursor(cursor)
    async with reading(resources_of(request).pool) as connection:
        page = await reporting.list_reports(
            connection, caller.app_id, None, status, before=before, limit=limit
        )
    return RawJson(data_json(page))


@router.get("/api/moderation/reports/{report_id}")
async def get_report(request: Request, report_id: str, caller: Moderator) -> Response:
    """A report with its message as it is now."""
    async with reading(resources_of(request).pool) as connection:
        found = await reporting.get_report(connection, caller.app_id, _report_id(report_id), None)
    return RawJson(data_json(found))


@router.put("/api/moderation/reports/{report_id}/review")
async def review_report(request: Request, report_id: str, body: ReviewReport, caller: Moderator) -> Response:
    """Decide about a report, once: dismiss it, or delete the message, ban its author, note a warning."""
    return await _review(request, caller, None, report_id, body)


@router.post("/api/moderation/{message_id}/report", status_code=201)
async def report_message(
    request: Request, message_id: str, body: ReportMessage, caller: WritingUser
) -> Response:
    """Report a message that one may see and did not write, once."""
    message = require_message_id(message_id)
    async with reading(resources_of(request).pool) as connection:
        channel = await reporting.channel_of(connection, caller.app_id, message)
    try:
        return await _report(request, caller, channel, message, body)
    except ChannelNotFound:
        # Who may not know of the channel learns nothing of the message either.
        raise MessageNotFound from None


@router.post("/api/channels/{channel_id}/messages/{message_id}/report", status_code=201)
async def report_message_of_channel(
    request: Request, channel_id: str, message_id: str, body: ReportMessage, caller: WritingUser
) -> Response:
    """The same by the message's own path."""
    return await _report(
        request, caller, require_channel_id(channel_id), require_message_id(message_id), body
    )


@router.get("/api/channels/{channel_id}/reports")
async def list_channel_reports(
    request: Request,
    channel_id: str,
    caller: ReadingUser,
    status: _StatusQuery = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """The channel's reports, for its moderators, the newest first."""
    before = id_in_cursor(cursor)
    async with reading(resources_of(request).pool) as connection:
        channel = await _moderated(connection, caller, channel_id)
        page = await reporting.list_reports(
            connection, caller.app_id, channel, status, before=before, limit=limit
        )
    return RawJson(data_json(page))


@router.get("/api/channels/{channel_id}/reports/{report_id}")
async def get_channel_report(
    request: Request, channel_id: str, report_id: str, caller: ReadingUser
) -> Response:
    """A report of the channel with its message as it is now, for its moderators."""
    async with reading(resources_of(request).pool) as connection:
        channel = await _moderated(connection, caller, channel_id)
        found = await reporting.get_report(connection, caller.app_id, _report_id(report_id), channel)
    return RawJson(data_json(found))


@router.put("/api/channels/{channel_id}/reports/{report_id}/review")
async def review_channel_report(
    request: Request, channel_id: str, report_id: str, body: ReviewReport, caller: WritingUser
) -> Response:
    """Decide about a report of the channel, as one of its moderators; a ban is from the channel."""
    if body.ban is not None and body.ban.everywhere:
        raise invalid_field(
            "ban.everywhere",
            "not_yours",
            "only the app's servers ban from the whole app",
            hint="Leave it out.",
        )
    return await _review(request, caller, channel_id, report_id, body)


async def _report(
    request: Request, caller: Principal, channel: ChannelId, message: MessageId, body: ReportMessage
) -> Response:
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    complaint = Complaint(channel, message, body.reason, body.details)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await reporting.report(tx, cause, caller, complaint)), 201)

    return await mutate(request, caller.scope, effect)


async def _review(
    request: Request, caller: Principal, channel_id: str | None, report_id: str, body: ReviewReport
) -> Response:
    cause = cause_of(request, caller.app_id, caller.user_id, utc_now())
    shelf = Shelf.of(resources_of(request))
    terms = Terms() if body.ban is None else body.ban.terms
    everywhere = body.ban is not None and body.ban.everywhere
    judgement = Judgement(body.action, body.admin_notes, terms, everywhere)

    async def effect(tx: Transaction) -> Answer:
        channel = None if channel_id is None else await _moderated(tx, caller, channel_id)
        reviewer = Reviewer(caller, channel, shelf)
        reviewed = await reporting.review(tx, cause, reviewer, _report_id(report_id), judgement)
        return Answer(data_json(reviewed))

    return await mutate(request, caller.scope, effect)


async def _moderated(connection: Connection, caller: Principal, channel_id: str) -> ChannelId:
    assert caller.user_id is not None, "only users come by a channel"
    return await banning.require_moderator(
        connection, caller.app_id, require_channel_id(channel_id), caller.user_id
    )


def _report_id(text: str) -> ReportId | None:
    canonical = uuid_in_path(text)
    return None if canonical is None else ReportId(canonical)
