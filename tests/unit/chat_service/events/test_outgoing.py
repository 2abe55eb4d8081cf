"""A logged event as a broker message."""

from chat_service.events.outgoing import outgoing
from chat_service.events.rules import NumberedEvent


def test_a_message_carries_the_stored_bytes_and_its_place() -> None:
    event = NumberedEvent(
        lane=3,
        pos=7,
        id="e",
        app_id="a",
        type="user.joined",
        subject="channels/c",
        copies=["k1", "k2"],
        body=b"{}",
    )

    message = outgoing(event)

    assert message.body == b"{}"
    assert message.headers == {"lane": 3, "lane-pos": 7, "CC": ["k1", "k2"]}
    assert message.routing_key.startswith("user.joined.a.b")
    assert message.persistent
