"""What this replica has told of who types, and the loop that tells when it is over.

A user whose words came here last is this replica's to end; what another replica tells of them, or a message of theirs,
ends it without a word. An entry that is lost with its replica is over for every reader at its `expiresAt`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from chat_service.doors import utc_now
from chat_service.events.ephemeral import EphemeralChannel
from chat_service.events.log import Cause
from chat_service.instruments import PresenceInstruments
from chat_service.typists.rules import Sign, word_for
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_contracts.presence import Typing, TypingStart, TypingStop
from chatsdk_runtime.loops import Heartbeat

# Beyond it the oldest are forgotten: they are over by themselves.
_MOST: Final = 50_000
_INTERVAL_S: Final = 0.5

Key = tuple[ChannelId, UserId]


class Typists:
    """Signs in the order in which they end: all live equally long, and one that is renewed goes to the end.

    A stop is kept as long as a start, so that one which is repeated is not told again.
    """

    def __init__(
        self, channel: EphemeralChannel, instruments: PresenceInstruments, *, epoch: int, lifetime_s: float
    ) -> None:
        self._channel = channel
        self._instruments = instruments
        self._epoch = epoch
        self._lifetime = timedelta(seconds=lifetime_s)
        self._signs: dict[Key, tuple[AppId, Sign]] = {}
        self._by_socket: dict[str, set[Key]] = {}

    def sign(self, channel_id: ChannelId, user_id: UserId) -> Sign | None:
        """The last that this replica told of a user in a channel, while it counts."""
        found = self._signs.get((channel_id, user_id))
        return None if found is None else found[1]

    def is_told(
        self, channel_id: ChannelId, user_id: UserId, *, is_typing: bool, now: datetime
    ) -> Sign | None:
        """What was told so short ago that this needs no word more."""
        last = self.sign(channel_id, user_id)
        word = word_for(last, is_typing=is_typing, now=now, lifetime=self._lifetime)
        return last if word == "keep" else None

    def start(self, cause: Cause, channel_id: ChannelId, user_id: UserId, socket_id: str | None) -> Sign:
        """Tell that a user types."""
        return self._tell(TypingStart, cause, (channel_id, user_id), socket_id)

    def stop(self, cause: Cause, channel_id: ChannelId, user_id: UserId) -> Sign:
        """Tell that a user does not type any more."""
        return self._tell(TypingStop, cause, (channel_id, user_id), None)

    def spoke(self, app_id: AppId, channel_id: ChannelId, user_id: UserId, now: datetime) -> None:
        """A message of the user is there: what was typed is said."""
        last = self.sign(channel_id, user_id)
        if last is not None and last.is_typing:
            self.stop(Cause(app_id, now, self._epoch, user_id), channel_id, user_id)

    def left(self, socket_id: str, now: datetime) -> None:
        """A socket is gone: nobody types on it."""
        for channel_id, user_id in list(self._by_socket.get(socket_id, ())):
            app_id, _ = self._signs[channel_id, user_id]
            self.spoke(app_id, channel_id, user_id, now)

    def heard(self, event: Mapping[str, Any], now: datetime) -> None:
        """An event of a channel from any replica, this one too."""
        if not self._signs:
            return
        data = event["data"]
        key = ChannelId(data.get("channelId", "")), UserId(data.get("userId", ""))
        found = self._signs.get(key)
        if found is None:
            return
        app_id, last = found
        if event["id"] <= last.event_id:
            return
        if event["type"] == "message.new":
            self.spoke(app_id, *key, now)
        else:
            # A later word than ours, from another replica: it is that one's to end.
            self._forget(key)

    async def run(self, heartbeat: Heartbeat) -> None:
        """Tell what is over, until cancelled."""
        while True:
            heartbeat.beat()
            self.end_due(utc_now())
            await asyncio.sleep(_INTERVAL_S)

    def end_due(self, now: datetime) -> None:
        """Tell of everybody whose sign is over that they stopped."""
        for key, (app_id, sign) in list(self._signs.items()):
            if sign.until > now:
                break
            if sign.is_typing:
                self.stop(Cause(app_id, now, self._epoch, key[1]), *key)
            else:
                self._forget(key)

    def _tell(
        self,
        event_class: type[TypingStart | TypingStop],
        cause: Cause,
        key: Key,
        socket_id: str | None,
    ) -> Sign:
        channel_id, user_id = key
        is_typing, until = event_class is TypingStart, cause.now + self._lifetime
        data = Typing(channel_id=channel_id, user_id=user_id, expires_at=until if is_typing else cause.now)
        event_id = self._channel.tell_channel(event_class, cause, channel_id, data, about=user_id)
        self._instruments.typing.labels("start" if is_typing else "stop").inc()
        sign = Sign(is_typing, cause.now, until, event_id, socket_id)
        self._keep(key, cause.app_id, sign)
        return sign

    def _keep(self, key: Key, app_id: AppId, sign: Sign) -> None:
        self._forget(key)
        if len(self._signs) >= _MOST:
            self._forget(next(iter(self._signs)))
        self._signs[key] = (app_id, sign)
        if sign.socket_id is not None:
            self._by_socket.setdefault(sign.socket_id, set()).add(key)

    def _forget(self, key: Key) -> None:
        found = self._signs.pop(key, None)
        if found is None or found[1].socket_id is None:
            return
        mine = self._by_socket[found[1].socket_id]
        mine.discard(key)
        if not mine:
            del self._by_socket[found[1].socket_id]
