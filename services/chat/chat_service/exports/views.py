"""An export as it is shown."""

from __future__ import annotations

from chat_service.jobs.rules import Job
from chatsdk_contracts.exports import ExportKind
from chatsdk_contracts.ids import ChannelId, ExportId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel


class ShownExport(WireModel):
    """How far an export is; once it is done, `url` has it until it expires. Size in bytes, counts in lines."""

    id: ExportId
    kind: ExportKind
    user_id: UserId | None
    channel_id: ChannelId | None
    requested_by: UserId | None
    status: str
    counts: dict[str, int]
    size: int | None
    url: str | None
    created_at: Timestamp
    completed_at: Timestamp | None
    expires_at: Timestamp | None


def kind_of(job: Job) -> ExportKind:
    """Of what the export is."""
    return "user" if job.channel_id is None else "channel"


def as_shown(job: Job) -> ShownExport:
    """The job as its owner sees it."""
    expired = job.state == "done" and job.file_path is None
    return ShownExport(
        id=ExportId(job.id),
        kind=kind_of(job),
        user_id=job.user_id,
        channel_id=job.channel_id,
        requested_by=job.requested_by,
        status="expired" if expired else job.state,
        counts=dict(job.counts),
        size=job.file_size,
        url=f"/api/exports/{job.id}/content" if job.state == "done" and not expired else None,
        created_at=job.created_at,
        completed_at=job.finished_at,
        expires_at=job.expires_at,
    )
