"""What changes make of a message that is there, and of the events that told of it. Pure; sends are decided in `rules`."""

from __future__ import annotations

from datetime import datetime

import orjson

from chatsdk_contracts.ids import UserId
from chatsdk_contracts.messages import Message, tombstone


def changed_by_edit(before: Message, after: Message) -> list[str]:
    """The names of the fields of an edited message that differ, as the event has them."""
    changes = {
        "text": before.text != after.text,
        "mentions": before.mentions != after.mentions,
        "mentionGroups": before.mention_groups != after.mention_groups,
        "linkPreviews": before.link_previews != after.link_previews,
    }
    return [name for name, is_changed in changes.items() if is_changed]


def purged(message: Message, *, now: datetime, by: UserId | None, cv: int) -> Message:
    """What remains of a purged message; one that was deleted before keeps when and by whom."""
    if message.deleted_at is not None:
        gone = tombstone(message, deleted_at=message.deleted_at, deleted_by=message.deleted_by, cv=cv)
    else:
        gone = tombstone(message, deleted_at=now, deleted_by=by, cv=cv)
    return gone.model_copy(update={"updated_at": now})


def redacted(body: bytes) -> bytes:
    """An event of a message, or of its poll, without what was said; envelope, id, place and version stay."""
    event = orjson.loads(body)
    data, event_type = event["data"], event["type"]
    if event_type == "message.shadowed":
        data, event_type = data["data"], data["told"]
    if event_type.startswith("poll."):
        data.update(question="", options=[{**option, "text": ""} for option in data["options"]])
    else:
        data.update(text="", attachments=[], custom={}, mentions=[], mentionGroups=[], linkPreviews=[])
    return orjson.dumps(event)
