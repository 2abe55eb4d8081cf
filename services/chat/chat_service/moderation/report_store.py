"""SQL of reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chat_service.moderation.rules import ReviewAction, Status
from chat_service.moderation.views import ReportView
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, ReportId, UserId
from chatsdk_runtime.postgres import Connection, Row, Transaction


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody decided about a report; `by` None: the app's server."""

    action: ReviewAction
    status: Status
    by: UserId | None
    at: datetime
    notes: str | None


async def insert_report(tx: Transaction, app_id: AppId, report: ReportView) -> ReportId | None:
    """Write a report; when the user has reported the message before, the id of that report."""
    existing = await tx.fetchval(
        _INSERT,
        UUID(report.id),
        UUID(app_id),
        UUID(report.channel_id),
        UUID(report.message_id),
        report.author_id,
        report.reporter_id,
        report.reason,
        report.details,
        report.created_at,
    )
    if existing is not None:
        return None
    earlier = await tx.fetchval(_FETCH_EARLIER, UUID(report.message_id), report.reporter_id)
    return ReportId(str(earlier))


async def fetch_report(
    connection: Connection, app_id: AppId, report_id: ReportId, channel_id: ChannelId | None
) -> ReportView | None:
    """One report of the app, or of one of its channels."""
    row = await connection.fetchrow(_FETCH, UUID(app_id), UUID(report_id), _uuid(channel_id))
    return None if row is None else _report(row)


async def channel_of(connection: Connection, app_id: AppId, message_id: MessageId) -> ChannelId | None:
    """Which channel of the app a message is in."""
    channel_id = await connection.fetchval(_CHANNEL_OF, UUID(app_id), UUID(message_id))
    return None if channel_id is None else ChannelId(str(channel_id))


async def lock_report(tx: Transaction, report: ReportView) -> ReportView:
    """The same as last committed, locked until the end of the transaction."""
    row = await tx.fetchrow(_LOCK, UUID(report.id))
    assert row is not None, "a report stays"
    return _report(row)


async def list_reports(
    connection: Connection,
    app_id: AppId,
    channel_id: ChannelId | None,
    status: Status | None,
    *,
    before: UUID | None,
    limit: int,
) -> Sequence[ReportView]:
    """Reports of an app, or of one of its channels, the newest first."""
    rows = await connection.fetch(_LIST, UUID(app_id), _uuid(channel_id), status, before, limit)
    return [_report(row) for row in rows]


async def write_review(tx: Transaction, report_id: ReportId, review: Review) -> None:
    """Write what was decided about a locked report."""
    await tx.execute(
        _WRITE_REVIEW,
        UUID(report_id),
        review.status,
        review.by,
        review.at,
        review.action,
        review.notes,
    )


def _uuid(channel_id: ChannelId | None) -> UUID | None:
    return None if channel_id is None else UUID(channel_id)


def _report(row: Row) -> ReportView:
    return ReportView(
        id=ReportId(str(row["id"])),
        message_id=MessageId(str(row["message_id"])),
        channel_id=ChannelId(str(row["channel_id"])),
        author_id=row["author_id"],
        reporter_id=row["reporter_id"],
        reason=row["reason"],
        details=row["details"],
        status=row["status"],
        created_at=row["created_at"],
        reviewed_by=row["reviewed_by"],
        reviewed_at=row["reviewed_at"],
        action_taken=row["action_taken"],
        admin_notes=row["admin_notes"],
    )


_INSERT = """
insert into message_report (
  id, app_id, channel_id, message_id, author_id, reporter_id, reason, details, created_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (message_id, reporter_id) do nothing
returning id
"""

_FETCH_EARLIER = "select id from message_report where message_id = $1 and reporter_id = $2"

_FETCH = """
select *
from message_report
where app_id = $1 and id = $2 and ($3::uuid is null or channel_id = $3)
"""

_CHANNEL_OF = "select channel_id from message where app_id = $1 and id = $2"

_LOCK = "select * from message_report where id = $1 for no key update"

_LIST = """
select *
from message_report
where app_id = $1 and ($2::uuid is null or channel_id = $2) and ($3::text is null or status = $3)
  and ($4::uuid is null or id < $4)
order by id desc
limit $5
"""

_WRITE_REVIEW = """
update message_report
set status = $2, reviewed_by = $3, reviewed_at = $4, action_taken = $5, admin_notes = $6
where id = $1
"""
