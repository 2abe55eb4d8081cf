"""What a list may hold, and which channels its phrases are for."""

import pytest

from chat_service.wordlists import rules
from chat_service.wordlists.matching import Match, Phrase, folded
from chat_service.wordlists.rules import NewEntry, StoredPhrase
from chatsdk_contracts.channels import ChannelType
from chatsdk_runtime.errors import InvalidInput


def entry(phrase: str, match: Match = "word", channel_type: ChannelType | None = None) -> NewEntry:
    return NewEntry(phrase, match, "mask", channel_type, folded(phrase))


def test_a_phrase_that_nobody_can_see_is_refused_by_its_place() -> None:
    with pytest.raises(InvalidInput) as refused:
        rules.require_visible("entries[3].phrase", "\u200b")
    assert [(one.path, one.code) for one in refused.value.details] == [
        ("entries[3].phrase", "nothing_visible")
    ]


def test_repeats_are_named_and_another_match_or_type_is_none() -> None:
    rules.require_different([entry("Bad"), entry("bad", "substring"), entry("bad", channel_type="group")])
    with pytest.raises(InvalidInput) as refused:
        rules.require_different([entry("Bad"), entry("good"), entry("bAD"), entry("bad")])
    assert [one.path for one in refused.value.details] == ["entries[2].phrase", "entries[3].phrase"]


def test_a_type_of_channel_has_the_common_phrases_and_its_own() -> None:
    lists = rules.matchers(
        [
            StoredPhrase(Phrase("common", "word", "mask"), None),
            StoredPhrase(Phrase("live", "word", "mask"), "livestream"),
        ]
    )
    assert set(lists) == {None, "livestream"}
    assert lists[None].look("common live").text == "****** live"
    assert lists["livestream"].look("common live").text == "****** ****"
