"""Who is mentioned by a message: what the sender asked for, and what of it holds. Pure.

Two ways to ask. Beside the text: `mentionedUserIds` and `mentionGroups`, where a user who is not in the channel, or a
group that the sender may not call, is refused. In the text: `<@user id>` for any id, `@id` for an id of letters, digits,
`_`, `.` and `-` (it ends before a full stop or hyphen), `@channel` and `@here`; there a name that is nobody's, and a
group that the sender may not call, is only text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, cast, get_args

from chat_service.errors import RoleTooLow
from chat_service.mentions.errors import MentionsOff
from chatsdk_contracts.channels import ChannelConfig
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.messages import MentionGroup, Message
from chatsdk_runtime.errors import FieldProblem, InvalidInput, ServiceError

MOST_MENTIONS: Final = 50
_GROUPS: Final = frozenset(get_args(MentionGroup))
# Not after a letter or digit, which would make it an e-mail address.
_TOKEN: Final = re.compile(r"<@([^<>\x00-\x1f\x7f-\x9f]{1,255})>|(?<![\w@])@([\w.-]{1,255})")


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a message is to mention: `named` beside its text, `written` in it (or kept from before an edit)."""

    named: Sequence[UserId] = ()
    written: Sequence[UserId] = ()
    named_groups: Sequence[MentionGroup] = ()
    written_groups: Sequence[MentionGroup] = ()

    @property
    def is_named(self) -> bool:
        """Whether anything is asked for beside the text."""
        return bool(self.named or self.named_groups)

    @property
    def users(self) -> list[UserId]:
        """All users asked for, whether they are in the channel or not."""
        return list(dict.fromkeys([*self.named, *self.written]))


NOBODY: Final = Asked()


@dataclass(frozen=True, slots=True)
class Present:
    """Which of the users asked for are in the channel, and which of these have blocked the author."""

    members: frozenset[UserId] = frozenset()
    deaf: frozenset[UserId] = frozenset()


@dataclass(frozen=True, slots=True)
class Mentioned:
    """Who is mentioned after all."""

    users: list[UserId]
    groups: list[MentionGroup]

    def are_of(self, message: Message) -> bool:
        """Whether a message mentions just these."""
        return self.users == message.mentions and self.groups == message.mention_groups


def asked_by(named: Sequence[UserId], groups: Sequence[MentionGroup], text: str) -> Asked:
    """Whom a new message is to mention."""
    if not named and not groups and "@" not in text:
        return NOBODY
    users, written_groups = found_in(text)
    return _asked(named, users, groups, written_groups)


def asked_by_change(asked: Asked, before: str, after: str) -> Asked:
    """The same for a text that was changed before it was sent: what was asked for beside it stays."""
    return asked if before == after else asked_by(asked.named, asked.named_groups, after)


def asked_by_edit(
    before: Message, named: Sequence[UserId] | None, groups: Sequence[MentionGroup] | None, text: str
) -> Asked:
    """Whom an edited message is to mention: what was asked for beside the text stays unless it is given anew."""
    users, written_groups = found_in(text)
    old_users, old_groups = found_in(before.text)
    if named is None:
        users = [*(one for one in before.mentions if one not in old_users), *users]
    if groups is None:
        kept = (one for one in before.mention_groups if one in _GROUPS and one not in old_groups)
        written_groups = [*(cast("MentionGroup", one) for one in kept), *written_groups]
    return _asked(named or (), users, groups or (), written_groups)


def found_in(text: str) -> tuple[list[UserId], list[MentionGroup]]:
    """The users and groups that a text seems to name, in its order."""
    users: dict[UserId, None] = {}
    groups: dict[MentionGroup, None] = {}
    if "@" not in text:
        return [], []
    for quoted, word in _TOKEN.findall(text):
        name = quoted or word.rstrip(".-")
        if not quoted and name.lower() in _GROUPS:
            groups[cast("MentionGroup", name.lower())] = None
        elif name:
            users[UserId(name)] = None
    return list(users), list(groups)


def decide(
    asked: Asked, present: Present, config: ChannelConfig, *, may_call_all: bool
) -> Mentioned | ServiceError:
    """Who is mentioned; or why what was asked for beside the text cannot be. What is in the text is never refused."""
    if asked is NOBODY or (not config.mentions and not asked.is_named):
        return Mentioned([], [])
    refusal = _refusal(asked, present.members, config, may_call_all=may_call_all)
    if refusal is not None:
        return refusal
    groups = dict.fromkeys([*asked.named_groups, *asked.written_groups]) if may_call_all else {}
    return Mentioned([user_id for user_id in asked.users if user_id in present.members], list(groups))


def _refusal(
    asked: Asked, members: Collection[UserId], config: ChannelConfig, *, may_call_all: bool
) -> ServiceError | None:
    if asked.is_named and not config.mentions:
        return MentionsOff()
    if asked.named_groups and not may_call_all:
        return RoleTooLow(f"Only a moderator or above may call @{asked.named_groups[0]}.")
    problems = [
        FieldProblem(
            f"mentionedUserIds[{place}]", "not_a_member", f"user {user_id!r} is not a member of the channel"
        )
        for place, user_id in enumerate(asked.named)
        if user_id not in members
    ]
    if not problems:
        return None
    return InvalidInput(
        "; ".join(f"{problem.path}: {problem.message}" for problem in problems[:3]),
        hint="Mention members only: GET /api/mentions/search?channelId= finds them.",
        details=problems,
    )


def groups_from(prefix: str) -> list[MentionGroup]:
    """The groups whose names begin so."""
    return [group for group in get_args(MentionGroup) if group.startswith(prefix.lower())]


def told(message: Message, deaf: Collection[UserId], already: Collection[UserId | None] = ()) -> list[UserId]:
    """Which of the mentioned users hear of it: not the author, nobody who blocked them, nobody a second time."""
    return [
        user_id
        for user_id in message.mentions
        if user_id != message.user_id and user_id not in deaf and user_id not in already
    ]


def _asked(
    named: Sequence[UserId],
    written: Iterable[UserId],
    named_groups: Sequence[MentionGroup],
    written_groups: Sequence[MentionGroup],
) -> Asked:
    rest = [user_id for user_id in dict.fromkeys(written) if user_id not in named]
    asked = Asked(
        tuple(named),
        tuple(rest[: max(0, MOST_MENTIONS - len(named))]),
        tuple(named_groups),
        tuple(dict.fromkeys(written_groups)),
    )
    return NOBODY if asked == NOBODY else asked
