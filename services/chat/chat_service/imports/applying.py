"""Writing a piece of an import: users, then channels, members, messages and reactions, in one transaction.

A line whose references are unknown is refused by itself; the others are written. Writing a line twice changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from chat_service.channels.rules import default_config, direct_key, merged_config
from chat_service.imports import store
from chat_service.imports.requests import ChannelLine, MemberLine, MessageLine, ReactionLine, UserLine
from chat_service.imports.rules import Numbered, Problem, own_id
from chat_service.imports.store import KnownMessage, NewChannel, NewMessage
from chat_service.reactions.rules import canonical_type
from chatsdk_contracts.channels import ChannelRole
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.postgres import Transaction

_Line = TypeVar("_Line", UserLine, ChannelLine, MemberLine, MessageLine, ReactionLine)


@dataclass(slots=True)
class Applied:
    """What a piece came to: new rows by kind, lines that changed nothing, and lines that were refused."""

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    touched: set[UUID] = field(default_factory=set)

    def refuse(self, number: int, path: str, code: str, message: str, hint: str | None = None) -> None:
        """One line less."""
        self.problems.append(Problem(number, path, code, message, hint))

    def added(self, kind: str, lines: int, new: int) -> None:
        """Of so many lines, so many made something."""
        self.counts[kind] += new
        self.counts["unchanged"] += lines - new


class Piece:
    """The lines of one transaction."""

    def __init__(self, tx: Transaction, app_id: AppId, job_id: str, now: datetime) -> None:
        self._tx = tx
        self._app_id = app_id
        self._job_id = job_id
        self._now = now
        self.applied = Applied()

    async def write(self, lines: Sequence[Numbered]) -> Applied:
        """Write all of them."""
        await self._users(_of(lines, UserLine))
        await self._channels(_of(lines, ChannelLine))
        await self._members(_of(lines, MemberLine))
        messages = _of(lines, MessageLine)
        await self._messages([one for one in messages if one[1].parent_id is None])
        await self._messages([one for one in messages if one[1].parent_id is not None])
        await self._reactions(_of(lines, ReactionLine))
        if self.applied.touched:
            await store.note_channels(self._tx, self._job_id, self.applied.touched)
        return self.applied

    async def _users(self, lines: list[tuple[int, UserLine]]) -> None:
        if not lines:
            return
        by_id = {line.id: line for _, line in lines}
        new = await store.insert_users(self._tx, self._app_id, list(by_id.values()), self._now)
        known = await store.known_users(self._tx, self._app_id, by_id.keys())
        for number, line in lines:
            if line.id not in known:
                self.applied.refuse(number, "id", "user_erased", "this user was erased", "Use another id.")
        self.applied.added("users", sum(line.id in known for _, line in lines), len(new))

    async def _channels(self, lines: list[tuple[int, ChannelLine]]) -> None:
        named = [line.created_by for _, line in lines if line.created_by is not None]
        users = await self._known_users([*named, *(one for _, line in lines for one in line.member_ids)])
        wanted: dict[UUID, tuple[int, ChannelLine]] = {}
        repeated = 0
        for number, line in lines:
            unknown = [
                one for one in (line.created_by, *line.member_ids) if one is not None and one not in users
            ]
            if unknown:
                self._unknown_user(number, "createdBy" if line.created_by in unknown else "memberIds")
                continue
            channel_id = own_id(self._app_id, "channel", line.id)
            repeated += channel_id in wanted
            wanted.setdefault(channel_id, (number, line))
        if not wanted:
            return
        new_channels = [self._new_channel(channel_id, line) for channel_id, (_, line) in wanted.items()]
        made = await store.insert_channels(self._tx, self._app_id, new_channels, self._now)
        known = await store.known_channels(self._tx, self._app_id, wanted.keys())
        for channel_id, (number, _) in wanted.items():
            if channel_id not in known:
                self.applied.refuse(number, "id", "taken", "another channel is in its place")
        self.applied.added("channels", repeated + len(known), len(made))
        members = [
            (channel_id, MemberLine(kind="member", channelId=line.id, userId=user_id, role=role))
            for channel_id, (_, line) in wanted.items()
            if channel_id in made
            for user_id, role in _first_members(line)
        ]
        if members:
            self.applied.counts["members"] += await store.insert_members(
                self._tx, self._app_id, members, self._now
            )
        self.applied.touched |= made

    def _new_channel(self, channel_id: UUID, line: ChannelLine) -> NewChannel:
        given = None if line.config is None else line.config.model_dump(exclude_unset=True)
        config = merged_config(default_config(line.type), given)
        members = [user_id for user_id, _ in _first_members(line)]
        key = direct_key(line.type, line.name, members)
        # What another system calls the channel finds it here, too.
        external_id = line.external_id or (None if str(channel_id) == line.id.lower() else line.id)
        return NewChannel(channel_id, line, data_json(config).decode(), key, external_id)

    async def _members(self, lines: list[tuple[int, MemberLine]]) -> None:
        users = await self._known_users(line.user_id for _, line in lines)
        ids = {line.channel_id: own_id(self._app_id, "channel", line.channel_id) for _, line in lines}
        channels = await store.known_channels(self._tx, self._app_id, set(ids.values())) if ids else {}
        taken: dict[tuple[UUID, UserId], MemberLine] = {}
        lines_taken = 0
        for number, line in lines:
            channel = channels.get(ids[line.channel_id])
            if channel is None:
                self._unknown_channel(number)
            elif line.user_id not in users:
                self._unknown_user(number, "userId")
            elif channel.has_own_rules:
                hint = (
                    "Give a direct channel its members in its own line; put others into the workspace first."
                )
                self.applied.refuse(
                    number, "channelId", "membership_fixed", "a direct channel, or one of a workspace", hint
                )
            else:
                lines_taken += 1
                taken.setdefault((channel.id, line.user_id), line)
        if taken:
            members = [(channel_id, line) for (channel_id, _), line in taken.items()]
            touched = {channel_id for channel_id, _ in members}
            await store.lock_channels(self._tx, self._app_id, touched)
            new = await store.insert_members(self._tx, self._app_id, members, self._now)
            self.applied.added("members", lines_taken, new)
            if new:
                self.applied.touched |= touched

    async def _messages(self, lines: list[tuple[int, MessageLine]]) -> None:
        if not lines:
            return
        users = await self._known_users(line.user_id for _, line in lines)
        new = [(number, self._new_message(line)) for number, line in lines]
        channels = await store.known_channels(
            self._tx, self._app_id, {message.channel_id for _, message in new}
        )
        parents = await store.known_messages(
            self._tx, self._app_id, {one.parent_id for _, one in new if one.parent_id is not None}
        )
        wanted: dict[UUID, tuple[int, NewMessage]] = {}
        lines_taken = 0
        for number, message in new:
            if message.channel_id not in channels:
                self._unknown_channel(number)
            elif message.line.user_id not in users:
                self._unknown_user(number, "userId")
            elif not _fits_thread(message, parents.get(message.parent_id or message.id)):
                hint = "Put the thread's first message before its replies."
                self.applied.refuse(
                    number, "parentId", "not_found", "no such first message in this channel", hint
                )
            else:
                lines_taken += 1
                wanted.setdefault(message.id, (number, message))
        await self._insert_messages(wanted, lines_taken)

    async def _insert_messages(self, wanted: dict[UUID, tuple[int, NewMessage]], lines: int) -> None:
        if not wanted:
            return
        messages = [message for _, message in wanted.values()]
        made = await store.insert_messages(self._tx, self._app_id, self._job_id, messages)
        others = wanted.keys() - made
        known = await store.known_messages(self._tx, self._app_id, others) if others else {}
        taken = [
            number
            for message_id, (number, message) in wanted.items()
            if message_id in others
            and (message_id not in known or known[message_id].channel_id != message.channel_id)
        ]
        for number in taken:
            self.applied.refuse(number, "id", "taken", "another message has this id")
        self.applied.added("messages", lines - len(taken), len(made))
        self.applied.touched |= {message.channel_id for message in messages if message.id in made}

    def _new_message(self, line: MessageLine) -> NewMessage:
        def message_id(foreign: str | None) -> UUID | None:
            return None if foreign is None else own_id(self._app_id, "message", foreign)

        return NewMessage(
            own_id(self._app_id, "message", line.id),
            own_id(self._app_id, "channel", line.channel_id),
            message_id(line.parent_id),
            message_id(line.reply_to_id),
            line,
        )

    async def _reactions(self, lines: list[tuple[int, ReactionLine]]) -> None:
        users = await self._known_users(line.user_id for _, line in lines)
        ids = {line.message_id: own_id(self._app_id, "message", line.message_id) for _, line in lines}
        messages = await store.known_messages(self._tx, self._app_id, set(ids.values())) if ids else {}
        taken: dict[tuple[UUID, UserId, str], tuple[KnownMessage, str, ReactionLine]] = {}
        lines_taken = 0
        for number, line in lines:
            message, kind = messages.get(ids[line.message_id]), canonical_type(line.type)
            if message is None or message.is_deleted:
                self.applied.refuse(number, "messageId", "not_found", "no such message, or a deleted one")
            elif line.user_id not in users:
                self._unknown_user(number, "userId")
            elif kind is None:
                self.applied.refuse(number, "type", "invalid_type", "is neither an emoji nor :name:")
            else:
                lines_taken += 1
                taken.setdefault((message.id, line.user_id, kind), (message, kind, line))
        if taken:
            touched = {message.channel_id for message, _, _ in taken.values()}
            await store.lock_channels(self._tx, self._app_id, touched)
            new = await store.insert_reactions(self._tx, self._app_id, list(taken.values()), self._now)
            self.applied.added("reactions", lines_taken, new)
            if new:
                self.applied.touched |= touched

    async def _known_users(self, ids: Iterable[str]) -> set[str]:
        wanted = set(ids)
        return await store.known_users(self._tx, self._app_id, wanted) if wanted else set()

    def _unknown_user(self, number: int, path: str) -> None:
        self.applied.refuse(
            number, path, "unknown_user", "no such user", "Put the user's line before this one."
        )

    def _unknown_channel(self, number: int) -> None:
        hint = "Put the channel's line before this one."
        self.applied.refuse(number, "channelId", "unknown_channel", "no such channel", hint)


def _of(lines: Sequence[Numbered], kind: type[_Line]) -> list[tuple[int, _Line]]:
    return [(one.number, one.line) for one in lines if isinstance(one.line, kind)]


def _first_members(line: ChannelLine) -> list[tuple[UserId, ChannelRole]]:
    """Who is in a channel from its beginning: its creator as the owner, and those whom the line names."""
    members: dict[UserId, ChannelRole] = dict.fromkeys(line.member_ids, "member")
    if line.created_by is not None and line.member_ids:
        members[line.created_by] = "owner"
    return list(members.items())


def _fits_thread(message: NewMessage, parent: KnownMessage | None) -> bool:
    if message.parent_id is None:
        return True
    return parent is not None and parent.channel_id == message.channel_id and not parent.is_reply
