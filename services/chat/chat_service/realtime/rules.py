"""Pure decisions of realtime: what to do with an event, given how far a topic is, and who may see it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal
from zlib import crc32

import orjson

from chatsdk_contracts.catalogue import EVENTS
from chatsdk_contracts.envelope import Audience, dataschema_of
from chatsdk_contracts.messages import HiddenMessage

EVERY_BUCKET: Final = "#"
_MOST_BUCKETS: Final = 512

Step = Literal["forward", "drop", "fill"]


def step_for(known: int, version: int) -> Step:
    """What an event is to a topic that was forwarded up to `known`: the next, an old one, or behind a gap."""
    if version <= known:
        return "drop"
    return "forward" if version == known + 1 else "fill"


def topic_key(app_id: str, subject: str) -> str:
    """The name of a topic. Channel ids are unique; user ids are so only within an app."""
    return subject if subject.startswith("channels/") else f"{app_id}/{subject}"


def is_for_topic(event_type: str, subject: str) -> bool:
    """Whether sockets that follow the subject see the event; a type newer than this release is for nobody."""
    event_class = EVENTS.get(event_type)
    if event_class is None:
        return False
    wanted = Audience.CHANNEL if subject.startswith("channels/") else Audience.USER
    return event_class.audience is wanted


SHADOWED: Final = "message.shadowed"


def as_author_sees(event: Mapping[str, Any]) -> bytes:
    """The event that stands in a `message.shadowed`, as if it had been told to all."""
    data = event["data"]
    told = EVENTS[data["told"]]
    return orjson.dumps(
        {**event, "type": data["told"], "dataschema": dataschema_of(told), "data": data["data"]}
    )


def author_of(event: Mapping[str, Any]) -> str | None:
    """Who says something in an event; None when it carries nobody's words."""
    group = event["type"].partition(".")[0]
    name = {"message": "userId", "poll": "createdBy"}.get(group)
    author = None if name is None else event["data"].get(name)
    return author if isinstance(author, str) else None


def as_blocker_sees(event: Mapping[str, Any]) -> bytes | None:
    """An event about a message whose author the reader has blocked: its place alone; None for a poll: nothing."""
    if not event["type"].startswith("message."):
        return None
    place = HiddenMessage.model_validate(event["data"])
    return orjson.dumps({**event, "data": place.model_dump(mode="json", by_alias=True)})


def binding_for(bucket: int) -> str:
    """The pattern by which a replica's queue gets everything of a bucket: type (two words), app, bucket, scope."""
    return f"*.*.*.b{bucket}.*"


def bindings_for(buckets: set[int]) -> set[str]:
    """The bindings of a replica: one a bucket, or a single one for everything when there are too many."""
    if len(buckets) > _MOST_BUCKETS:
        return {EVERY_BUCKET}
    return {binding_for(bucket) for bucket in buckets}


def reconnect_after_ms(seed: str, *, spread_ms: int) -> int:
    """When a client shall come back after a drain: spread evenly, the same for the same socket."""
    return crc32(seed.encode()) % max(1, spread_ms)
