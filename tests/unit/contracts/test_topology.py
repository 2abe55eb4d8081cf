"""The topology: keys, hashes, and the definitions that brokers are given."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatsdk_contracts.catalogue import EVENTS
from chatsdk_contracts.ids import new_id
from chatsdk_contracts.topology import (
    BUCKETS,
    LANES,
    bucket_of,
    copy_keys,
    definitions,
    lane_of,
    routing_key,
    user_scope,
)

APP = "0199f3a1-0000-7000-8000-000000000001"
CHANNEL = "0199f3a1-0000-7000-8000-000000000002"
WORD = re.compile(r"[A-Za-z0-9_-]+")


def test_hashes_are_pinned() -> None:
    """Rows are stored and queues are bound by them: they must be the same in every release.

    Computed with gzip and b2sum, not with our code.
    """
    assert lane_of(f"channels/{CHANNEL}") == 8
    assert bucket_of(CHANNEL) == 312
    assert user_scope("alice") == "u-69b5957599f918e276a3d2428acdc997"


@pytest.mark.parametrize(
    ("subject", "tail"),
    [
        (f"channels/{CHANNEL}", f"b312.c-{CHANNEL}"),
        ("users/alice", f"b{bucket_of('alice')}.{user_scope('alice')}"),
        ("users/a/b.c d", f"b{bucket_of('a/b.c d')}.{user_scope('a/b.c d')}"),
        (f"workspaces/{CHANNEL}", f"b312.w-{CHANNEL}"),
        (f"webhooks/{CHANNEL}", "b312.-"),
    ],
)
def test_the_subject_chooses_bucket_and_scope(subject: str, tail: str) -> None:
    assert routing_key("message.new", APP, subject) == f"message.new.{APP}.{tail}"


@given(st.text(min_size=1, max_size=255), st.sampled_from(sorted(EVENTS)))
def test_a_key_has_five_words_and_fits_whatever_the_user_is_called(user_id: str, event_type: str) -> None:
    words = routing_key(event_type, APP, f"users/{user_id}").split(".")
    assert len(words) == 5
    assert all(WORD.fullmatch(word) for word in words)
    assert len(".".join(words)) <= 255


def test_joining_and_leaving_are_copied_to_the_member() -> None:
    for event_type in ("user.joined", "user.left"):
        assert copy_keys(event_type, APP, "alice") == [routing_key(event_type, APP, "users/alice")]
    assert [name for name in EVENTS if copy_keys(name, APP, "alice")] == ["user.joined", "user.left"]


def test_lanes_and_buckets_share_the_work_evenly() -> None:
    ids = [new_id() for _ in range(32_000)]
    lanes = Counter(lane_of(f"channels/{each}") for each in ids)
    buckets = Counter(bucket_of(each) for each in ids)
    assert set(lanes) == set(range(LANES))
    assert max(lanes.values()) < 1.2 * min(lanes.values())
    assert set(buckets) == set(range(BUCKETS))


def test_definitions_are_pinned() -> None:
    def quorum(name: str, **more: object) -> dict[str, object]:
        arguments = {"x-queue-type": "quorum"} | more
        return {"name": name, "vhost": "/", "durable": True, "auto_delete": False, "arguments": arguments}

    def work(name: str) -> dict[str, object]:
        return {
            "x-delivery-limit": 1000,
            "x-dead-letter-exchange": "chat.dead-letters",
            "x-dead-letter-routing-key": name,
        }

    built = definitions()
    assert [(each["name"], each["type"], each["durable"]) for each in built["exchanges"]] == [
        ("chat.events", "topic", True),
        ("chat.control", "topic", True),
        ("chat.dead-letters", "direct", True),
    ]
    assert built["queues"] == [
        quorum(
            "webhook-dispatcher.plan", **work("webhook-dispatcher.plan"), **{"x-single-active-consumer": True}
        ),
        quorum("metrics.events", **work("metrics.events")),
        quorum("webhook-dispatcher.plan.dlq"),
        quorum("metrics.events.dlq"),
    ]
    assert [(each["source"], each["routing_key"], each["destination"]) for each in built["bindings"]] == [
        ("chat.events", "#", "webhook-dispatcher.plan"),
        ("chat.events", "#", "metrics.events"),
        ("chat.dead-letters", "webhook-dispatcher.plan", "webhook-dispatcher.plan.dlq"),
        ("chat.dead-letters", "metrics.events", "metrics.events.dlq"),
    ]


def test_definitions_hold_for_another_virtual_host() -> None:
    parts = definitions("tenant")
    assert {item["vhost"] for part in parts.values() for item in part} == {"tenant"}
