"""What a change of a member's private state changes. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from chatsdk_contracts.ids import ChannelId, UserId
from chatsdk_contracts.users import UserState

# Muted until the user says otherwise: the last moment that the wire can tell.
FOR_EVER: Final = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)
# The smallest difference of two times on the wire.
_PRECISION: Final = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class PrivateState:
    """A member's private state. It is hidden while the channel has no message behind `hidden_seq`."""

    channel_id: ChannelId
    last_seq: int
    read_generation: int
    last_read_seq: int
    muted_until: datetime | None
    starred: bool
    hidden: bool
    hidden_seq: int
    cleared_seq: int
    updated_at: datetime

    @property
    def is_hidden(self) -> bool:
        """Whether the channel is hidden now."""
        return self.hidden and self.last_seq <= self.hidden_seq


def muted(state: PrivateState, *, until_s: int | None, now: datetime) -> PrivateState:
    """Muted for so many seconds from now, or (None) until the user says otherwise."""
    return replace(state, muted_until=FOR_EVER if until_s is None else now + timedelta(seconds=until_s))


def unmuted(state: PrivateState) -> PrivateState:
    """Not muted."""
    return replace(state, muted_until=None)


def starred(state: PrivateState, *, on: bool) -> PrivateState:
    """Starred or not."""
    return replace(state, starred=on)


def hidden(state: PrivateState, *, on: bool, clear_history: bool) -> PrivateState:
    """Hidden until the next message, or shown again; what was cleared stays cleared."""
    if not on:
        return replace(state, hidden=False)
    cleared_seq = state.last_seq if clear_history else state.cleared_seq
    return replace(state, hidden=True, hidden_seq=state.last_seq, cleared_seq=cleared_seq)


def read_up_to(state: PrivateState, *, seq: int | None) -> PrivateState:
    """Read up to a seq, or (None) all that there is; never back, and never beyond the last message."""
    wanted = state.last_seq if seq is None else min(seq, state.last_seq)
    return replace(state, last_read_seq=max(state.last_read_seq, wanted))


def unread_from(state: PrivateState, *, seq: int) -> PrivateState:
    """Unread from a seq on, in a new generation; what was unread already stays as it is."""
    if seq > state.last_read_seq:
        return state
    return replace(state, read_generation=state.read_generation + 1, last_read_seq=max(seq - 1, 0))


def written_at(before: PrivateState, now: datetime) -> datetime:
    """The time of a change: after the one before it, whichever clock of ours that was made by; devices keep the latest."""
    return max(now, before.updated_at + _PRECISION)


def changed_fields(before: PrivateState, after: PrivateState) -> list[str]:
    """The names of what is different for the user, as the event has them."""
    changes = {
        "lastReadSeq": before.last_read_seq != after.last_read_seq,
        "readGeneration": before.read_generation != after.read_generation,
        "mutedUntil": before.muted_until != after.muted_until,
        "starred": before.starred != after.starred,
        "hidden": before.is_hidden != after.is_hidden,
        "clearedSeq": before.cleared_seq != after.cleared_seq,
    }
    return sorted(name for name, is_changed in changes.items() if is_changed)


def as_told(state: PrivateState, user_id: UserId) -> UserState:
    """The state as the user's devices see it."""
    return UserState(
        user_id=user_id,
        channel_id=state.channel_id,
        read_generation=state.read_generation,
        last_read_seq=state.last_read_seq,
        muted_until=state.muted_until,
        starred=state.starred,
        hidden=state.is_hidden,
        cleared_seq=state.cleared_seq,
        updated_at=state.updated_at,
    )
