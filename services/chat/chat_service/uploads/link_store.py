"""SQL of the messages that show uploads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chatsdk_contracts.ids import ChannelId, MessageId, UploadId
from chatsdk_contracts.messages import Message
from chatsdk_runtime.postgres import Transaction


@dataclass(frozen=True, slots=True)
class Link:
    """A message that shows a file."""

    upload_id: UploadId
    message_id: MessageId
    channel_id: ChannelId


def links_of(messages: Iterable[Message]) -> list[Link]:
    """Which files these messages show."""
    return [
        Link(one.upload_id, message.id, message.channel_id)
        for message in messages
        for one in message.attachments
        if one.upload_id is not None
    ]


async def link(tx: Transaction, links: Sequence[Link]) -> None:
    """Note which messages show which files, in the transaction of the messages."""
    ids = sorted({UUID(one.upload_id) for one in links})
    # In one order: two writers that show the same files must not wait for each other.
    await tx.execute(_LOCK, ids)
    await tx.execute(
        _LINK,
        [UUID(one.message_id) for one in links],
        [UUID(one.upload_id) for one in links],
        [UUID(one.channel_id) for one in links],
        ids,
    )


async def unlink(tx: Transaction, message_ids: Sequence[MessageId], now: datetime) -> None:
    """These messages show nothing any more; what no other shows is removed after its time."""
    messages = [UUID(one) for one in message_ids]
    ids = sorted({row["upload_id"] for row in await tx.fetch(_LINKS_OF, messages)})
    if not ids:
        return
    await tx.execute(_LOCK, ids)
    await tx.execute(_UNLINK, messages)
    await tx.execute(_NOTE_UNLINKED, ids, now)


_LOCK = "select id from upload where id = any($1::uuid[]) order by id for no key update"

_LINK = """
with shown as (
  update upload
  set unlinked_since = null
  where id = any($4::uuid[]) and state = 'complete'
  returning id, kind
)
insert into upload_link (message_id, upload_id, channel_id, kind)
select new.message_id, new.upload_id, new.channel_id, shown.kind
from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as new (message_id, upload_id, channel_id)
join shown on shown.id = new.upload_id
on conflict (message_id, upload_id) do nothing
"""

_LINKS_OF = "select upload_id from upload_link where message_id = any($1::uuid[])"

_UNLINK = "delete from upload_link where message_id = any($1::uuid[])"

_NOTE_UNLINKED = """
update upload
set unlinked_since = $2
where id = any($1::uuid[]) and not exists (select from upload_link where upload_id = upload.id)
"""
