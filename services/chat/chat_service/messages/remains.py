"""What remains of a message, and of the events that told of it, when what it said goes. Pure."""

from __future__ import annotations

from datetime import datetime

import orjson

from chatsdk_contracts.ids import UserId
from chatsdk_contracts.messages import Message, tombstone


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
        if "textOp" in data:
            data.update(textOp=None)
    return orjson.dumps(event)
