"""What a page shows: the present state of everything that changed, each with the versions that it covers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chat_service.channels.store import fetch_channels
from chat_service.messages.views import spared_authors
from chat_service.messages.visible_store import fetch_messages_for
from chat_service.polls import store as polls
from chat_service.reactions.store import own_reactions
from chat_service.sync import store
from chat_service.sync.rules import Covered
from chatsdk_contracts.channels import Channel, Member
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, PollId, UserId
from chatsdk_contracts.messages import Message, hidden
from chatsdk_contracts.polls import Poll
from chatsdk_contracts.sync import Change, ChannelChange, MemberChange, MessageChange, NothingToShow
from chatsdk_runtime.postgres import Connection


async def shown(
    connection: Connection, app_id: AppId, user_id: UserId, covered: Sequence[Covered]
) -> list[Change]:
    """The changes in order; one query for each kind of thing."""
    messages = await _messages(connection, app_id, user_id, covered)
    channel_ids = [one.channel_id for one in covered if one.kind == "channel"]
    pairs = [(one.channel_id, UserId(one.entity_id)) for one in covered if one.kind == "member"]
    present = _Present(messages)
    if channel_ids:
        channels = await fetch_channels(connection, channel_ids)
        present.channels = {channel.id: channel for channel in channels}
        present.floors = await store.floors_of(connection, user_id, channel_ids)
    if pairs:
        channels_of_pairs, users = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        present.members = await store.fetch_members(connection, channels_of_pairs, users)
    return [present.change(one) for one in covered]


@dataclass(slots=True)
class _Messages:
    """Messages as they are now, with what belongs to them; reactions and choices are this user's own."""

    by_id: Mapping[MessageId, Message] = field(default_factory=dict)
    reactions: Mapping[MessageId, list[str]] = field(default_factory=dict)
    polls: Mapping[PollId, Poll] = field(default_factory=dict)
    choices: Mapping[PollId, list[str]] = field(default_factory=dict)
    spared: frozenset[UserId] = frozenset()

    def change(self, place: dict[str, Any], message: Message) -> MessageChange:
        """A message with its place in the channel's history; only that of one whose author this user has blocked."""
        if message.user_id in self.spared:
            return MessageChange(**place, message=hidden(message), own_reactions=[])
        poll_id = message.poll_id
        return MessageChange(
            **place,
            message=message,
            own_reactions=self.reactions.get(message.id, []),
            poll=None if poll_id is None else self.polls.get(poll_id),
            own_option_ids=[] if poll_id is None else self.choices.get(poll_id, []),
        )


async def _messages(
    connection: Connection, app_id: AppId, user_id: UserId, covered: Sequence[Covered]
) -> _Messages:
    wanted = [MessageId(one.entity_id) for one in covered if one.kind == "message"]
    if not wanted:
        return _Messages()
    messages = await fetch_messages_for(connection, user_id, wanted)
    found = _Messages({message.id: message for message in messages})
    found.spared = await spared_authors(connection, app_id, user_id, messages)
    if reacted := [message.id for message in messages if message.reaction_counts]:
        found.reactions = await own_reactions(connection, user_id, reacted)
    if poll_ids := [message.poll_id for message in messages if message.poll_id is not None]:
        found.polls = await polls.fetch_polls(connection, poll_ids)
        found.choices = await polls.choices_of(connection, poll_ids, user_id)
    return found


@dataclass(slots=True)
class _Present:
    """Things as they are now, by their ids."""

    messages: _Messages
    channels: Mapping[ChannelId, Channel] = field(default_factory=dict)
    floors: Mapping[ChannelId, int] = field(default_factory=dict)
    members: Mapping[tuple[ChannelId, UserId], Member] = field(default_factory=dict)

    def change(self, one: Covered) -> Change:
        """A covered thing with its present state; what is not there any more is nothing to show."""
        place: dict[str, Any] = {"channel_id": one.channel_id, "cv_from": one.cv_from, "cv": one.cv}
        if one.kind == "member":
            user_id = UserId(one.entity_id)
            member = self.members.get((one.channel_id, user_id))
            return MemberChange(**place, user_id=user_id, member=member)
        message = self.messages.by_id.get(MessageId(one.entity_id)) if one.kind == "message" else None
        if message is not None:
            return self.messages.change(place, message)
        if one.kind == "channel" and (channel := self.channels.get(one.channel_id)) is not None:
            return ChannelChange(**place, channel=channel, truncated_seq=self.floors.get(one.channel_id, 0))
        return NothingToShow(**place)
