"""Identifiers: a type per kind of id, and UUIDv7, whose first 48 bits are its time.

Everything that is stored by day (events, deliveries, attempts, dedupe rows) is partitioned by the UTC day inside
its id, so an id alone says in which partition its row lives.
"""

from datetime import date
from hashlib import sha256
from typing import Final, NewType
from uuid import UUID

import uuid_utils

AppId = NewType("AppId", str)
ApiKeyId = NewType("ApiKeyId", str)
UserId = NewType("UserId", str)
WorkspaceId = NewType("WorkspaceId", str)
InviteId = NewType("InviteId", str)
ChannelId = NewType("ChannelId", str)
MessageId = NewType("MessageId", str)
MentionId = NewType("MentionId", str)
PollId = NewType("PollId", str)
ReportId = NewType("ReportId", str)
UploadId = NewType("UploadId", str)
ExportId = NewType("ExportId", str)
NotificationId = NewType("NotificationId", str)
EventId = NewType("EventId", str)
WebhookId = NewType("WebhookId", str)
DeliveryId = NewType("DeliveryId", str)

DAY_MS: Final = 86_400_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_NS_PER_MS: Final = 1_000_000
_CANONICAL_LENGTH: Final = 36
_VERSION_7: Final = 0x7 << 76
_VARIANT_RFC: Final = 0b10 << 62
_RANDOM_A: Final = 0xFFF << 64  # the 12 bits between version and variant
_RANDOM_B: Final = (1 << 62) - 1  # the 62 bits after the variant


def new_id(now_ms: int | None = None) -> str:
    """A new UUIDv7 in canonical text; within one process later ids sort after earlier ones.

    With `now_ms` the id carries that time instead of the clock's; such ids of one millisecond sort at random.
    """
    if now_ms is None:
        return str(uuid_utils.uuid7())
    return str(uuid_utils.uuid7(nanoseconds=now_ms * _NS_PER_MS))


def uuid7_timestamp_ms(value: str) -> int:
    """Milliseconds since 1970 inside a UUIDv7 in canonical text. ValueError if it is anything else."""
    if len(value) != _CANONICAL_LENGTH or value[14] != "7":
        raise ValueError(f"not a UUIDv7 in canonical text: {value!r}")
    return int(value[:8] + value[9:13], 16)


def day_of(value: str) -> date:
    """The UTC day inside a UUIDv7: the partition its row lives in."""
    return date.fromordinal(_EPOCH_DAY + uuid7_timestamp_ms(value) // DAY_MS)


def day_floor(day: date) -> UUID:
    """The lowest uuid of a UTC day: lower bound of that day's partition and upper bound of the day before."""
    return UUID(int=(day.toordinal() - _EPOCH_DAY) * DAY_MS << 80)


def delivery_id(event_id: EventId, webhook_id: WebhookId) -> DeliveryId:
    """The one id of the delivery of this event to this webhook.

    A UUIDv7 with the event's own time, so both rows live in partitions of the same day; its other bits come from
    sha256(event_id || webhook_id), so a second plan of the same pair meets the same primary key.
    """
    time_bits = uuid7_timestamp_ms(event_id) << 80
    digest = int.from_bytes(sha256(f"{event_id}{webhook_id}".encode()).digest()[:16], "big")
    bits = time_bits | _VERSION_7 | (digest & _RANDOM_A) | _VARIANT_RFC | (digest & _RANDOM_B)
    return DeliveryId(str(UUID(int=bits)))
