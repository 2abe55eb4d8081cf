"""Which of a client's operations are acknowledged by a page: those whose effects are in it, or in one before."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from chat_service.sync import store
from chat_service.sync.lanes import Filled
from chat_service.sync.store import OpLane
from chatsdk_contracts.envelope import subject_of
from chatsdk_contracts.ids import AppId, ChannelId, UserId
from chatsdk_contracts.sync import LaneAck
from chatsdk_contracts.topology import lane_of
from chatsdk_runtime.postgres import Connection

# The clocks of two machines: an acknowledgement given once more does no harm.
_MARGIN: Final = timedelta(minutes=5)


async def acknowledged(
    connection: Connection, app_id: AppId, user_id: UserId, client_id: str, *, since: datetime, filled: Filled
) -> list[LaneAck]:
    """Per channel the highest acknowledged operation of the client, where there was one since a time."""
    lanes = await store.op_lanes(connection, app_id, user_id, client_id, since=since - _MARGIN)
    if not lanes:
        return []
    subjects = [subject_of("channels", lane.channel_id) for lane in lanes]
    unnumbered = await store.unnumbered_from(connection, subjects)
    acks: list[LaneAck] = []
    for lane, subject in zip(lanes, subjects, strict=True):
        covered = _covered(lane, subject, unnumbered.get(subject), filled)
        last: int | None = lane.last_seq
        if covered is not None and covered < lane.last_cv:
            last = await store.last_op_within(connection, app_id, user_id, client_id, lane, covered)
        if last is not None:
            acks.append(LaneAck(channel_id=lane.channel_id, lane_seq=last))
    return acks


def _covered(lane: OpLane, subject: str, unnumbered: int | None, filled: Filled) -> int | None:
    """Up to which version of the channel everything was shown; None: all that was committed."""
    if lane_of(subject) in filled.cut:
        return _last_shown(lane.channel_id, filled)
    return None if unnumbered is None else unnumbered - 1


def _last_shown(channel_id: ChannelId, filled: Filled) -> int | None:
    shown = [touch.version for touch in filled.touches if touch.channel_id == channel_id]
    if shown:
        return max(shown)
    begun = filled.begun.get(channel_id)
    return None if begun is None else begun - 1
