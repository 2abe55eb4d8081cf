"""Pure decisions about reactions: what one may be, who may, what it adds up to.

Like those about sends they are made on what was read after the channel's row was locked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Final, Literal

import emoji

from chat_service.errors import (
    ChannelFrozen,
    ChannelNotFound,
    MessageIsDeleted,
    MessageNotFound,
    NotAMember,
    ReactionNotFound,
    ReactionsOff,
    TooManyReactions,
)
from chat_service.messages.rules import FROZEN_EXEMPT_ROLES, ChannelHead
from chat_service.moderation.restraints import FREE, Restraint
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId
from chatsdk_contracts.reactions import ReactionChange
from chatsdk_contracts.wire import Timestamp
from chatsdk_runtime.errors import ServiceError

MOST_TYPES: Final = 50
"""Different reactions that one message may have."""

LONGEST_TYPE: Final = 50
"""Characters of `:name:`; no emoji has as many."""

_CUSTOM = re.compile(r":[a-z0-9_+-]{1,48}:")
_VARIATION = "\ufe0f"
# A skin tone or a hairstyle by itself is a part of emoji and none.
_STANDING_ALONE = frozenset(
    emoji.STATUS[status] for status in ("fully_qualified", "minimally_qualified", "unqualified")
)


def canonical_type(text: str) -> str | None:
    """The one spelling of a reaction: an emoji fully qualified, or `:name:` as it is; None when it is neither."""
    if _CUSTOM.fullmatch(text):
        return text
    known = emoji.EMOJI_DATA.get(text)
    if known is None or known["status"] not in _STANDING_ALONE:
        return None
    return _fully_qualified()[text.replace(_VARIATION, "")]


@cache
def _fully_qualified() -> Mapping[str, str]:
    """The fully-qualified emoji by their characters without presentation selectors, which is what spellings share."""
    wanted = emoji.STATUS["fully_qualified"]
    return {
        text.replace(_VARIATION, ""): text
        for text, known in emoji.EMOJI_DATA.items()
        if known["status"] == wanted
    }


@dataclass(frozen=True, slots=True)
class Reacting:
    """One reaction to add or to take back, checked at the edge, as it waits for the writer."""

    app_id: AppId
    channel_id: ChannelId
    message_id: MessageId
    user_id: UserId
    type: str
    change: Literal["add", "remove"]
    traceparent: str | None
    by_server: bool = False


class Reaction(ReactionChange):
    """A user's reaction, and what all of the message's add up to."""

    created_at: Timestamp


@dataclass(frozen=True, slots=True)
class Reacted:
    """What came of it: the reaction, and whether this call changed anything. `cv` is the version that it made.

    Without one, a change is told to its author as made and to nobody else, nor kept. `only_for`: as in the facts.
    """

    reaction: Reaction
    changed: bool
    cv: int | None = None
    only_for: UserId | None = None

    @property
    def is_written(self) -> bool:
        """Whether there is something to write and to tell."""
        return self.cv is not None


@dataclass(frozen=True, slots=True)
class ReactionFacts:
    """What the database says about one reaction, read under the channel's lock.

    `counts` is None when there is no such message, `reacted_at` when the user has not reacted so. `only_for`: who
    alone sees the message, when not all members do.
    """

    role: str | None
    hidden: bool
    allowed: bool
    deleted: bool
    counts: Mapping[str, int] | None
    reacted_at: datetime | None
    restraint: Restraint = FREE
    only_for: UserId | None = None


@dataclass(slots=True)
class MessageReactions:
    """The reactions of one message as a batch changes them; `cv` is the channel's version at the latest change."""

    counts: dict[str, int]
    cv: int = 0


Key = tuple[MessageId, UserId, str]
Verdict = Reacted | ServiceError


@dataclass(slots=True)
class Decisions:
    """The state of deciding one batch: what was changed before is seen by what comes after.

    `before` and `after` say when each reaction was made, None for one that is not there.
    """

    now: datetime
    messages: dict[MessageId, MessageReactions] = field(default_factory=dict)
    before: dict[Key, datetime | None] = field(default_factory=dict)
    after: dict[Key, datetime | None] = field(default_factory=dict)

    def decide(self, wanted: Reacting, channel: ChannelHead, facts: ReactionFacts) -> Verdict:
        """Take one reaction; one that is there already is told again and changes nothing."""
        refusal = _refusal(wanted, channel, facts)
        if refusal is not None:
            return refusal
        message = self.messages.setdefault(wanted.message_id, MessageReactions(dict(facts.counts or {})))
        key = (wanted.message_id, wanted.user_id, wanted.type)
        self.before.setdefault(key, facts.reacted_at)
        reacted_at = self.after.setdefault(key, facts.reacted_at)
        is_pretence = facts.restraint.is_shadowed and facts.only_for is None and reacted_at is None
        if wanted.change == "remove":
            if is_pretence:
                return self._pretended(wanted, message)
            if reacted_at is None:
                return ReactionNotFound()
            return self._changed(wanted, channel, message, reacted_at, facts.only_for)
        if reacted_at is not None:
            return Reacted(_shown(wanted, message, reacted_at), changed=False)
        if not facts.allowed:
            return ReactionsOff()
        if wanted.type not in message.counts and len(message.counts) >= MOST_TYPES:
            return TooManyReactions(MOST_TYPES)
        if is_pretence:
            return self._pretended(wanted, message)
        return self._changed(wanted, channel, message, self.now, facts.only_for)

    def _pretended(self, wanted: Reacting, message: MessageReactions) -> Reacted:
        """What a shadow-banned user is answered, as if it were so."""
        shown = MessageReactions(dict(message.counts))
        if wanted.change == "add":
            _count(shown, wanted)
        return Reacted(_shown(wanted, shown, self.now), changed=True)

    def _changed(
        self,
        wanted: Reacting,
        channel: ChannelHead,
        message: MessageReactions,
        reacted_at: datetime,
        only_for: UserId | None,
    ) -> Reacted:
        is_new = wanted.change == "add"
        _count(message, wanted)
        channel.cv += 1
        message.cv = channel.cv
        self.after[wanted.message_id, wanted.user_id, wanted.type] = reacted_at if is_new else None
        return Reacted(_shown(wanted, message, reacted_at), changed=True, cv=channel.cv, only_for=only_for)


def _count(message: MessageReactions, wanted: Reacting) -> None:
    count = message.counts.get(wanted.type, 0) + (1 if wanted.change == "add" else -1)
    if count > 0:
        message.counts[wanted.type] = count
    else:
        message.counts.pop(wanted.type, None)


def _refusal(wanted: Reacting, channel: ChannelHead, facts: ReactionFacts) -> ServiceError | None:
    if channel.app_id != wanted.app_id or channel.deleted:
        return ChannelNotFound()
    if facts.role is None:
        return ChannelNotFound() if facts.hidden else NotAMember(channel.id, channel.type)
    if facts.counts is None:
        return MessageNotFound()
    if facts.deleted:
        return MessageIsDeleted()
    if facts.restraint.refusal is not None and wanted.change == "add":
        return facts.restraint.refusal
    if channel.frozen and not wanted.by_server and facts.role not in FROZEN_EXEMPT_ROLES:
        return ChannelFrozen()
    return None


def _shown(wanted: Reacting, message: MessageReactions, reacted_at: datetime) -> Reaction:
    return Reaction(
        message_id=wanted.message_id,
        channel_id=wanted.channel_id,
        user_id=wanted.user_id,
        type=wanted.type,
        counts=dict(message.counts),
        created_at=reacted_at,
    )
