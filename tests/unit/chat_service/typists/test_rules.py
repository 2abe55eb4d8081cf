"""Who may type where, and when it is told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from chat_service.errors import ChannelFrozen, ChannelNotFound, NotAMember
from chat_service.typists import rules
from chat_service.typists.errors import TypingOff
from chat_service.typists.rules import Place, Sign
from chatsdk_contracts.ids import ChannelId, EventId
from chatsdk_runtime.errors import ServiceError

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
LIFETIME = timedelta(seconds=6)
ROOM = Place(ChannelId("c"), "group", "member", hidden=False, frozen=False, typing_events=True)


@pytest.mark.parametrize(
    ("place", "refusal"),
    [
        (ROOM, None),
        (replace(ROOM, role=None), NotAMember),
        (replace(ROOM, role=None, hidden=True), ChannelNotFound),
        (replace(ROOM, typing_events=False), TypingOff),
        (replace(ROOM, frozen=True), ChannelFrozen),
        (replace(ROOM, frozen=True, role="moderator"), ChannelFrozen),
        (replace(ROOM, frozen=True, role="owner"), None),
        # Nothing is said of a channel to who is not in it.
        (replace(ROOM, role=None, typing_events=False), NotAMember),
    ],
)
def test_members_type_where_it_is_told_and_where_they_may_write(
    place: Place, refusal: type[ServiceError] | None
) -> None:
    if refusal is None:
        rules.require_typing(place)
    else:
        with pytest.raises(refusal):
            rules.require_typing(place)


@pytest.mark.parametrize(
    ("was_typing", "age_s", "is_typing", "word"),
    [
        (None, 0, True, "tell"),
        (None, 0, False, "tell"),
        (True, 0, True, "keep"),
        (True, 2.9, True, "keep"),
        (True, 3, True, "tell"),
        (True, 7, True, "tell"),
        (True, 1, False, "tell"),
        (False, 1, True, "tell"),
        (False, 5, False, "keep"),
        (False, 6, False, "tell"),
    ],
)
def test_a_start_is_told_anew_at_half_of_its_life_and_a_stop_not_before_its_own_is_over(
    was_typing: bool | None,
    age_s: float,
    is_typing: bool,
    word: str,
) -> None:
    told_at = NOW - timedelta(seconds=age_s)
    last = None if was_typing is None else Sign(was_typing, told_at, told_at + LIFETIME, EventId("e"))
    assert rules.word_for(last, is_typing=is_typing, now=NOW, lifetime=LIFETIME) == word
