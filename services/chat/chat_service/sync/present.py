"""What a page shows: the present state of everything that changed, each with the versions that it covers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chat_service.channels.store import fetch_channels
from chat_service.messages.visible_store import fetch_messages_for
from chat_service.reactions.store import own_reactions
from chat_service.sync import store
from chat_service.sync.rules import Covered
from chatsdk_contracts.channels import Channel, Member
from chatsdk_contracts.ids import ChannelId, MessageId, UserId
from chatsdk_contracts.messages import Message
from chatsdk_contracts.sync import Change, ChannelChange, MemberChange, MessageChange, NothingToShow
from chatsdk_runtime.postgres import Connection


async def shown(connection: Connection, user_id: UserId, covered: Sequence[Covered]) -> list[Change]:
    """The changes in order; one query for each kind of thing."""
    message_ids = [MessageId(one.entity_id) for one in covered if one.kind == "message"]
    channel_ids = [one.channel_id for one in covered if one.kind == "channel"]
    pairs = [(one.channel_id, UserId(one.entity_id)) for one in covered if one.kind == "member"]
    messages = await fetch_messages_for(connection, user_id, message_ids) if message_ids else []
    reacted = [message.id for message in messages if message.reaction_counts]
    own = await own_reactions(connection, user_id, reacted) if reacted else {}
    channels = await fetch_channels(connection, channel_ids) if channel_ids else []
    floors = await store.floors_of(connection, user_id, channel_ids) if channel_ids else {}
    members = (
        await store.fetch_members(connection, [pair[0] for pair in pairs], [pair[1] for pair in pairs])
        if pairs
        else {}
    )
    present = _Present(
        {message.id: message for message in messages},
        own,
        {channel.id: channel for channel in channels},
        floors,
        members,
    )
    return [present.change(one) for one in covered]


class _Present:
    """Things as they are now, by their ids."""

    def __init__(
        self,
        messages: dict[MessageId, Message],
        own_reactions: dict[MessageId, list[str]],
        channels: dict[ChannelId, Channel],
        floors: dict[ChannelId, int],
        members: dict[tuple[ChannelId, UserId], Member],
    ) -> None:
        self._messages = messages
        self._own_reactions = own_reactions
        self._channels = channels
        self._floors = floors
        self._members = members

    def change(self, one: Covered) -> Change:
        """A covered thing with its present state; what is not there any more is nothing to show."""
        place: dict[str, Any] = {"channel_id": one.channel_id, "cv_from": one.cv_from, "cv": one.cv}
        if one.kind == "member":
            user_id = UserId(one.entity_id)
            member = self._members.get((one.channel_id, user_id))
            return MemberChange(**place, user_id=user_id, member=member)
        if one.kind == "message" and (message := self._messages.get(MessageId(one.entity_id))) is not None:
            own = self._own_reactions.get(message.id, [])
            return MessageChange(**place, message=message, own_reactions=own)
        if one.kind == "channel" and (channel := self._channels.get(one.channel_id)) is not None:
            return ChannelChange(**place, channel=channel, truncated_seq=self._floors.get(one.channel_id, 0))
        return NothingToShow(**place)
