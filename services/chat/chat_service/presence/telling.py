"""Tell what changed of how users are shown, after the commit that made it so. Who was away then asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chat_service.events.ephemeral import EphemeralChannel
from chat_service.events.log import Cause
from chat_service.instruments import PresenceInstruments
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_contracts.presence import Presence, PresenceChanged, PresenceStatus


@dataclass(frozen=True, slots=True)
class Shown:
    """How a user is shown from now on."""

    app_id: AppId
    user_id: UserId
    status: PresenceStatus
    last_seen_at: datetime | None


class PresenceTeller:
    """What a replica has to say of presence."""

    def __init__(self, channel: EphemeralChannel, instruments: PresenceInstruments, *, epoch: int) -> None:
        self._channel = channel
        self._instruments = instruments
        self._epoch = epoch

    def tell(self, changed: Sequence[Shown], now: datetime) -> None:
        """Have it published soon."""
        for one in changed:
            data = Presence(user_id=one.user_id, status=one.status, last_seen_at=one.last_seen_at)
            cause = Cause(one.app_id, now, self._epoch, one.user_id)
            self._channel.tell_user(PresenceChanged, cause, one.user_id, data)
            self._instruments.changes.labels(one.status).inc()
