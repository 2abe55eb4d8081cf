"""Which links are looked at, and when again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.previews import rules
from chatsdk_contracts.channels import ChannelConfig
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.messages import Message

NOW = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("", []),
        ("no link, not even www.example.com or ftp://example.com", []),
        ("see https://example.com/a.", ["https://example.com/a"]),
        ("HTTP://EXAMPLE.COM", ["HTTP://EXAMPLE.COM"]),
        ("(https://example.com/a)", ["https://example.com/a"]),
        ("https://en.wikipedia.org/wiki/A_(b)", ["https://en.wikipedia.org/wiki/A_(b)"]),
        ('**https://example.com**, "https://example.org"', ["https://example.com", "https://example.org"]),
        ("<https://example.com/x>", ["https://example.com/x"]),
        ("https://a.example https://a.example", ["https://a.example"]),
        ("https:// http://!", []),
        (" ".join(f"https://{n}.example" for n in range(9)), [f"https://{n}.example" for n in range(3)]),
        ("https://example.com/" + "x" * 3_000, []),
    ],
)
def test_the_first_links_of_a_text_are_found(text: str, links: list[str]) -> None:
    assert rules.links_in(text) == links


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", ["http://" * 3_000, "https://x" + ")" * 20_000, "h" * 20_000])
def test_no_text_takes_long(text: str) -> None:
    for _ in range(20):
        rules.links_in(text)


@given(st.text())
def test_links_are_parts_of_the_text(text: str) -> None:
    assert all(link in text for link in rules.links_in(text))


def a_message(text: str) -> Message:
    return Message(
        id=MessageId("m"),
        channel_id=ChannelId("c"),
        user_id=UserId("ann"),
        text=text,
        cv=1,
        created_at=NOW,
        updated_at=NOW,
    )


def test_only_channels_that_want_previews_have_links_looked_at() -> None:
    on, off = ChannelConfig(link_previews=True), ChannelConfig()
    linked = a_message("https://example.com")
    wanted = rules.wanted_previews([(linked, on), (linked, off), (a_message("plain"), on)])
    assert [(one.message_id, one.version) for one in wanted] == [("m", 1)]


def test_a_passing_failure_is_tried_once_more() -> None:
    assert rules.next_attempt(1, NOW) == NOW + timedelta(seconds=30)
    assert rules.next_attempt(2, NOW) is None
