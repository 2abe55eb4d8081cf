"""What a word list and a hook come to together. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from chat_service.hooks.rules import Failure, Hook, Outcome
from chat_service.hooks.views import HookAnswer, Kind
from chat_service.wordlists.matching import SEVERITY, Found
from chatsdk_contracts.messages import Attachment

VERDICTS_KEPT_DAYS: Final = 30

Action = Literal["accept", "change", "hold", "reject"]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What one source decided; what it puts in the place of what was given (None: nothing); what is told of it."""

    source: Literal["word_list", "hook"]
    action: Action | Literal["mask", "unavailable"]
    outcome: str = "answered"
    text: str | None = None
    attachments: list[Attachment] | None = None
    custom: dict[str, Any] | None = None
    reason: str | None = None
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be said, as far as screening may change it."""

    text: str
    attachments: list[Attachment]
    custom: dict[str, Any]


def by_list(found: Found) -> Ruling | None:
    """What the list decides; None when nothing of it was found."""
    if found.action is None:
        return None
    return Ruling("word_list", found.action, text=found.text)


def by_hook(hook: Hook, outcome: Outcome, *, kind: Kind, content: Content, channel_type: str) -> Ruling:
    """What the hook decides on this content; without a sensible answer, what the app wants in such channels."""
    answer = outcome.answer
    if not isinstance(answer, HookAnswer):
        return _without_answer(hook, answer, channel_type, outcome.duration_ms)
    if answer.action != "change":
        return Ruling("hook", answer.action, reason=answer.reason, duration_ms=outcome.duration_ms)
    if kind == "poll":
        # Nothing of a poll can be changed, so what the hook would not have as it is does not come.
        return Ruling("hook", "reject", reason=answer.reason, duration_ms=outcome.duration_ms)
    changed = Ruling(
        "hook",
        "change",
        text=answer.text,
        attachments=answer.attachments if kind == "send" else None,
        custom=answer.custom if kind == "send" else None,
        reason=answer.reason,
        duration_ms=outcome.duration_ms,
    )
    after = applied(content, changed)
    if not after.text and not after.attachments:
        return _without_answer(hook, "bad_answer", channel_type, outcome.duration_ms)
    return changed


def _without_answer(hook: Hook, failure: Failure, channel_type: str, duration_ms: int) -> Ruling:
    action: Literal["accept", "unavailable"] = "accept" if hook.is_open_for(channel_type) else "unavailable"
    return Ruling("hook", action, outcome=failure, duration_ms=duration_ms)


def strictest(found: Sequence[Found]) -> Ruling | None:
    """What a list decides on several texts together; it changes each of them, and nothing by this ruling."""
    action = max((one.action for one in found), key=lambda one: SEVERITY[one], default=None)
    return None if action is None else Ruling("word_list", action)


def applied(content: Content, ruling: Ruling) -> Content:
    """The content as this ruling leaves it."""
    return Content(
        content.text if ruling.text is None else ruling.text,
        content.attachments if ruling.attachments is None else ruling.attachments,
        content.custom if ruling.custom is None else ruling.custom,
    )
