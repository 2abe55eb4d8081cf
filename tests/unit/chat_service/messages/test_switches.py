"""What a channel allows, in the decision about a send: length, replies, quotes, slow mode, truncation."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.errors import ChannelNotFound, NotAMember, QuotesOff, RepliesOff, SlowMode, UploadsOff
from chat_service.messages import rules
from chat_service.messages.rules import Accepted, Decisions, Repeat, SendFacts
from chatsdk_contracts.channels import ChannelConfig
from chatsdk_contracts.ids import UploadId, UserId
from chatsdk_contracts.messages import Attachment
from chatsdk_runtime.errors import InvalidInput
from tests.unit.chat_service.messages.sends import NOW, PARENT, STORED, a_channel, a_send, facts

SLOW = ChannelConfig(slow_mode_s=10)
UPLOADED = Attachment(type="file", url="x:y", upload_id=UploadId(PARENT))
KNOWN_PARENT = facts(parent_last_seq=0, parent_is_top=True, parent_seq=3)


@pytest.mark.parametrize(
    ("config", "known", "changes", "refusal"),
    [
        (ChannelConfig(max_message_length=4), facts(), {"text": "hello"}, InvalidInput),
        (ChannelConfig(replies=False), KNOWN_PARENT, {"parent_id": PARENT}, RepliesOff),
        (ChannelConfig(quotes=False), facts(reply_to_found=True), {"reply_to_id": PARENT}, QuotesOff),
        (ChannelConfig(uploads=False), facts(), {"attachments": [UPLOADED]}, UploadsOff),
        (SLOW, facts(last_sent_at=NOW - timedelta(seconds=9.5)), {}, SlowMode),
    ],
)
def test_a_switch_refuses_what_it_turns_off(
    config: ChannelConfig, known: SendFacts, changes: dict[str, object], refusal: type[Exception]
) -> None:
    channel = a_channel(config=config)

    verdict = Decisions(NOW).decide(a_send(**changes), channel, known)  # type: ignore[arg-type] # a mapping

    assert isinstance(verdict, refusal)
    assert (channel.last_seq, channel.cv) == (4, 9)


def test_a_message_of_just_the_greatest_length_is_taken() -> None:
    config = ChannelConfig(max_message_length=5)

    assert isinstance(Decisions(NOW).decide(a_send(), a_channel(config=config), facts()), Accepted)


@pytest.mark.parametrize("role", ["owner", "admin", "moderator"])
def test_who_runs_a_slow_channel_may_send_at_any_time(role: str) -> None:
    known = facts(role=role, last_sent_at=NOW)

    assert isinstance(Decisions(NOW).decide(a_send(), a_channel(config=SLOW), known), Accepted)


def test_a_server_may_send_in_a_slow_channel_at_any_time() -> None:
    verdict = Decisions(NOW).decide(a_send(by_server=True), a_channel(config=SLOW), facts(last_sent_at=NOW))

    assert isinstance(verdict, Accepted)


def test_the_second_of_two_sends_in_one_batch_waits_for_the_whole_interval() -> None:
    channel, decisions = a_channel(config=SLOW), Decisions(NOW)

    first = decisions.decide(a_send("c1"), channel, facts())
    second = decisions.decide(a_send("c2"), channel, facts())

    assert isinstance(first, Accepted)
    assert isinstance(second, SlowMode)
    assert second.headers["Retry-After"] == "10"
    assert decisions.slowed == {(channel.id, UserId("ann"))}


def test_a_repeat_is_found_before_slow_mode_is_looked_at() -> None:
    known = facts(stored=STORED, stored_hash=b"h", last_sent_at=NOW)

    assert isinstance(Decisions(NOW).decide(a_send(), a_channel(config=SLOW), known), Repeat)


def test_nothing_is_remembered_of_a_channel_that_is_not_slow() -> None:
    decisions = Decisions(NOW)

    decisions.decide(a_send(), a_channel(), facts())

    assert decisions.slowed == set()


@given(interval_s=st.integers(1, 3_600), ago_ms=st.integers(-5_000, 4_000_000))
def test_slow_mode_lets_through_exactly_when_the_interval_is_over(interval_s: int, ago_ms: int) -> None:
    channel = a_channel(config=ChannelConfig(slow_mode_s=interval_s))
    known = facts(last_sent_at=NOW - timedelta(milliseconds=ago_ms))

    verdict = Decisions(NOW).decide(a_send(), channel, known)

    if ago_ms >= interval_s * 1_000:
        assert isinstance(verdict, Accepted)
    else:
        assert isinstance(verdict, SlowMode)
        wait_s = int(verdict.headers["Retry-After"])
        assert 1 <= wait_s <= interval_s
        assert ago_ms < 0 or ago_ms + wait_s * 1_000 >= interval_s * 1_000


@pytest.mark.parametrize(
    ("known", "changes"),
    [
        (KNOWN_PARENT, {"parent_id": PARENT}),
        (facts(reply_to_found=True, reply_to_seq=3), {"reply_to_id": PARENT}),
    ],
)
def test_what_is_truncated_is_neither_answered_nor_quoted(
    known: SendFacts, changes: dict[str, object]
) -> None:
    truncated, kept = a_channel(truncated_seq=3), a_channel(truncated_seq=2)

    assert isinstance(Decisions(NOW).decide(a_send(**changes), truncated, known), InvalidInput)  # type: ignore[arg-type] # a mapping
    assert isinstance(Decisions(NOW).decide(a_send(**changes), kept, known), Accepted)  # type: ignore[arg-type] # a mapping


@pytest.mark.parametrize(
    ("changes", "in_workspace", "refusal"),
    [
        ({"config": ChannelConfig(private=True)}, False, ChannelNotFound),
        ({"workspace_id": "w"}, False, ChannelNotFound),
        ({"workspace_id": "w"}, True, NotAMember),
    ],
)
def test_who_may_not_know_of_a_channel_learns_nothing_by_sending(
    changes: dict[str, object], in_workspace: bool, refusal: type[Exception]
) -> None:
    known = facts(role=None, in_workspace=in_workspace)

    assert isinstance(Decisions(NOW).decide(a_send(), a_channel(**changes), known), refusal)


def test_a_truncated_message_is_one_up_to_the_mark() -> None:
    assert [rules.is_truncated(seq, 3) for seq in (3, 4, None)] == [True, False, False]
