"""What a list and a hook decide, and what is left of a message."""

import pytest

from chat_service.hooks.rules import Failure, Hook, Outcome
from chat_service.hooks.views import HookAnswer, Kind
from chat_service.screening import rules
from chat_service.screening.rules import Content, Ruling
from chat_service.wordlists.matching import Found
from chatsdk_contracts.messages import Attachment

HOOK = Hook("https://x", 500, "open", {"private": "closed"}, ("s",))
PICTURE = Attachment(type="image", url="https://example.com/x.png")


def said(text: str = "hello", *attachments: Attachment) -> Content:
    return Content(text, list(attachments), {})


def ruling(
    answer: HookAnswer | Failure, kind: Kind = "send", content: Content | None = None, **more: str
) -> Ruling:
    channel_type = more.get("channel_type", "group")
    return rules.by_hook(
        HOOK, Outcome(answer, 7), kind=kind, content=content or said(), channel_type=channel_type
    )


def test_a_list_that_finds_nothing_decides_nothing() -> None:
    assert rules.by_list(Found(None, "x")) is None
    found = rules.by_list(Found("mask", "***"))
    assert found is not None
    assert (found.source, found.action, found.text) == ("word_list", "mask", "***")


@pytest.mark.parametrize("failure", ["timeout", "unreachable", "bad_status", "bad_answer", "breaker_open"])
def test_without_an_answer_the_policy_of_the_channel_type_decides(failure: Failure) -> None:
    opened, closed = ruling(failure), ruling(failure, channel_type="private")
    assert (opened.action, opened.outcome) == ("accept", failure)
    assert (closed.action, closed.outcome) == ("unavailable", failure)


def test_a_change_replaces_what_it_names_and_leaves_the_rest() -> None:
    before = Content("a", [PICTURE], {"k": 1})
    changed = ruling(HookAnswer(action="change", text="b"), content=before)
    assert rules.applied(before, changed) == Content("b", [PICTURE], {"k": 1})
    changed = ruling(HookAnswer(action="change", attachments=[], custom={}), content=before)
    assert rules.applied(before, changed) == Content("a", [], {})


def test_what_belongs_to_a_change_is_ignored_with_any_other_answer() -> None:
    accepted = ruling(HookAnswer(action="accept", text="b", custom={"x": 1}))
    assert rules.applied(said("a"), accepted) == said("a")


def test_of_an_edit_only_the_text_changes() -> None:
    changed = ruling(
        HookAnswer(action="change", text="b", attachments=[], custom={}), "edit", said("a", PICTURE)
    )
    assert rules.applied(said("a", PICTURE), changed) == said("b", PICTURE)


@pytest.mark.parametrize("kind", ["send", "edit"])
def test_a_change_that_leaves_nothing_to_say_is_no_answer(kind: Kind) -> None:
    emptied = ruling(HookAnswer(action="change", text=""), kind)
    assert (emptied.action, emptied.outcome) == ("accept", "bad_answer")
    assert ruling(HookAnswer(action="change", text=""), kind, said("a", PICTURE)).action == "change"


def test_a_poll_that_would_be_changed_is_rejected() -> None:
    assert ruling(HookAnswer(action="change", text="b"), "poll", said("")).action == "reject"


@pytest.mark.parametrize(
    ("actions", "expected"),
    [((), None), ((None, None), None), ((None, "mask", "hold"), "hold"), (("reject", "mask"), "reject")],
)
def test_of_several_texts_the_strictest_counts(actions: tuple[None, ...], expected: str | None) -> None:
    found = rules.strictest([Found(action, "") for action in actions])
    assert (None if found is None else found.action) == expected
