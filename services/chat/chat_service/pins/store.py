"""SQL of pins: they are columns of the message."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chat_service.messages.store import COLUMNS, TIMELINE_SEQ, message_of
from chatsdk_contracts.ids import ChannelId, UserId
from chatsdk_contracts.messages import Message
from chatsdk_runtime.postgres import Connection, Transaction


async def count_pins(tx: Transaction, channel_id: ChannelId) -> int:
    """How many messages of a locked channel are pinned and not truncated."""
    return int(await tx.fetchval(_COUNT_PINS, UUID(channel_id)))


async def write_pin(tx: Transaction, message: Message, event_id: str) -> None:
    """Write when and by whom a message was pinned, or that it is not, and note which event tells of it."""
    await tx.execute(
        _WRITE_PIN, UUID(message.id), message.cv, message.pinned_at, message.pinned_by, UUID(event_id)
    )


async def list_pins(
    connection: Connection, channel_id: ChannelId, floor_seq: int, reader_id: UserId | None
) -> Sequence[Message]:
    """The pinned messages of a channel behind a seq of its timeline that a reader sees, the newest pin first."""
    rows = await connection.fetch(_LIST_PINS, UUID(channel_id), floor_seq, reader_id)
    return [message_of(row) for row in rows]


_COUNT_PINS = f"""
select count(*)
from message m
join channel on channel.id = m.channel_id
where m.channel_id = $1 and m.pinned_at is not null and {TIMELINE_SEQ} > channel.truncated_seq
  and m.shadowed_after is null
"""

_WRITE_PIN = """
update message
set cv = $2, pinned_at = $3, pinned_by = $4, event_ids = event_ids || $5::uuid
where id = $1
"""

_LIST_PINS = f"""
select {COLUMNS}
from message m
where m.channel_id = $1 and m.pinned_at is not null and {TIMELINE_SEQ} > $2
  and (m.shadowed_after is null or m.user_id = $3::text or $3 is null)
order by m.pinned_at desc, m.id desc
"""
