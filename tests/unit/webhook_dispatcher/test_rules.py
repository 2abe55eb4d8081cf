"""What people may register, and what is said to them otherwise."""

import pytest

from chatsdk_contracts.catalogue import WEBHOOK_EVENT_TYPES
from chatsdk_contracts.signatures import new_secret
from chatsdk_runtime.errors import InvalidInput
from chatsdk_runtime.outgoing.address_guard import AddressPolicy
from webhook_dispatcher.dispatch.matching import covers
from webhook_dispatcher.webhooks.rules import check_events, check_secret, check_target


def test_events_keep_their_order_and_lose_their_repeats() -> None:
    assert check_events(["message.new", "*", "message.new"]) == ["message.new", "*"]


@pytest.mark.parametrize("event", ["message", "message.", "*.*", "message.n*", "key.revoked", "key.*", ""])
def test_what_no_event_is_called_is_refused_at_its_place(event: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_events(["message.new", event])
    assert [problem.path for problem in refused.value.details] == ["events[1]"]
    assert refused.value.hint


def test_every_group_that_is_taken_covers_a_type() -> None:
    for name in WEBHOOK_EVENT_TYPES:
        [group] = check_events([f"{name.partition('.')[0]}.*"])
        assert covers(group, name)


def test_a_refused_secret_is_not_repeated_in_the_refusal() -> None:
    assert check_secret(secret := new_secret()) == secret
    with pytest.raises(InvalidInput) as refused:
        check_secret("hunter2")
    assert "hunter2" not in str(refused.value)


def test_a_target_is_stored_as_it_is_dialled() -> None:
    policy = AddressPolicy()
    assert check_target("HTTPS://Example.com:443", allow_http=False, policy=policy) == "https://example.com/"
    with pytest.raises(InvalidInput) as refused:
        check_target("http://example.com/", allow_http=False, policy=policy)
    assert refused.value.details[0].path == "url"
