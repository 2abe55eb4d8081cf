"""A logged event as a broker message: the stored bytes, unchanged, and where the log has them."""

from __future__ import annotations

from chat_service.events.rules import NumberedEvent
from chatsdk_contracts.topology import routing_key
from chatsdk_runtime.rabbit import OutgoingMessage


def outgoing(event: NumberedEvent) -> OutgoingMessage:
    """The broker message of an event: the stored bytes, unchanged."""
    headers: dict[str, object] = {"lane": event.lane, "lane-pos": event.pos}
    if event.copies:
        headers["CC"] = list(event.copies)
    return OutgoingMessage(
        routing_key=routing_key(event.type, event.app_id, event.subject),
        body=event.body,
        message_id=event.id,
        type=event.type,
        headers=headers,
    )
