"""From a prepared request to what is recorded of it."""

from uuid import UUID

from chatsdk_contracts.ids import new_id
from chatsdk_contracts.signatures import new_secret, verify_chatsdk, verify_standard
from webhook_dispatcher.dispatch.deliver import BodyCache, headers_of
from webhook_dispatcher.dispatch.leases import Lease
from webhook_dispatcher.dispatch.record import soonest


def make_lease(*, attempt: int = 1, replay: bool = False) -> Lease:
    return Lease(
        UUID(new_id()), UUID(new_id()), new_id(), "message.new", 7, attempt, replay, None, 1, is_test=False
    )


def test_both_signatures_cover_the_body_and_the_newest_secret_is_the_simple_one() -> None:
    newest, older = new_secret(), new_secret()
    lease, body = make_lease(), b'{"a":1}'
    headers = headers_of(lease, [newest, older], 1_700_000_000, body)
    for secret in (newest, older):
        assert verify_standard([secret], headers["webhook-signature"], lease.event_id, 1_700_000_000, body)
    assert verify_chatsdk([newest], headers["X-ChatSDK-Signature"], body)
    assert not verify_chatsdk([older], headers["X-ChatSDK-Signature"], body)


def test_headers_name_event_delivery_attempt_and_sequence() -> None:
    lease = make_lease(attempt=3)
    headers = headers_of(lease, [new_secret()], 1, b"")
    assert headers["webhook-id"] == lease.event_id
    assert headers["webhook-timestamp"] == "1"
    assert headers["X-ChatSDK-Event"] == "message.new"
    assert headers["X-ChatSDK-Delivery-Id"] == str(lease.delivery_id)
    assert headers["X-ChatSDK-Attempt"] == "3"
    assert headers["X-ChatSDK-Webhook-Sequence"] == "7"
    assert "X-ChatSDK-Replay" not in headers
    assert headers_of(make_lease(replay=True), [new_secret()], 1, b"")["X-ChatSDK-Replay"] == "true"


def test_an_attempt_is_recorded_as_what_it_was() -> None:
    assert make_lease().kind == "first"
    assert make_lease(attempt=2).kind == "retry"
    assert make_lease(attempt=2, replay=True).kind == "replay"
    assert make_lease()._replace(is_test=True).kind == "test"


def test_the_oldest_bodies_make_room() -> None:
    bodies = BodyCache(max_bytes=10)
    bodies.put("a", b"12345")
    bodies.put("b", b"12345")
    bodies.put("a", b"other")
    assert bodies.get("a") == b"12345"
    bodies.put("c", b"1")
    assert bodies.get("a") is None
    assert bodies.get("c") == b"1"


def test_retries_of_one_moment_need_one_timer() -> None:
    assert soonest([1.001, 1.002, 0.5]) == [0.5, 1.0]
