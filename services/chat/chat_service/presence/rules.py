"""Pure decisions about presence: how a user is shown, given sockets, heartbeats and what the user chose."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from chatsdk_contracts.presence import PresenceStatus

Choice = Literal["online", "away", "invisible", "offline"]

# Not shown, whatever else is so.
HIDING: Final = frozenset({"invisible", "offline"})


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a user. `sockets` counts those of all replicas, `awake` those of them that are not away."""

    chosen: Choice = "online"
    shown: PresenceStatus = "offline"
    sockets: int = 0
    awake: int = 0
    heartbeat_until: datetime | None = None
    due_at: datetime | None = None
    last_seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PresenceTimes:
    """How long what counts: a replica's session, a user without a socket, a heartbeat."""

    renew_s: float
    dead_after_s: float
    grace: timedelta
    heartbeat: timedelta


def settled(facts: Facts, now: datetime, grace: timedelta) -> Facts:
    """The same with `shown`, `due_at` and `last_seen_at` as they have to be now."""
    if facts.chosen in HIDING:
        # What was last seen stands still: it would tell that somebody is there.
        return replace(facts, shown="offline", due_at=None)
    beats = facts.heartbeat_until is not None and facts.heartbeat_until > now
    if facts.sockets or beats:
        is_away = facts.chosen == "away" or not (facts.awake or beats)
        shown: PresenceStatus = "away" if is_away else "online"
        came = facts.shown == "offline" or facts.last_seen_at is None
        return replace(
            facts,
            shown=shown,
            # Its end changes something only where no socket is awake.
            due_at=facts.heartbeat_until if beats and not facts.awake else None,
            last_seen_at=now if came else facts.last_seen_at,
        )
    if facts.shown == "offline":
        return replace(facts, due_at=None)
    if facts.due_at is None:
        facts = replace(facts, due_at=now + grace, last_seen_at=now)
    if facts.due_at is not None and facts.due_at > now:
        return facts
    # To be away was of this visit.
    return replace(facts, chosen="online", shown="offline", due_at=None)


def chosen(facts: Facts, choice: Choice, now: datetime, heartbeat: timedelta) -> Facts:
    """The user says how to be shown. Who is to be seen and has no socket is there for one heartbeat."""
    if choice in HIDING:
        until = None if choice == "offline" else facts.heartbeat_until
        seen = facts.last_seen_at if facts.shown == "offline" else now
        return replace(facts, chosen=choice, heartbeat_until=until, last_seen_at=seen)
    until = facts.heartbeat_until if facts.sockets else now + heartbeat
    return replace(facts, chosen=choice, heartbeat_until=until, last_seen_at=now)


def beaten(facts: Facts, now: datetime, heartbeat: timedelta) -> Facts:
    """A client without a socket lives."""
    seen = facts.last_seen_at if facts.chosen == "invisible" else now
    return replace(woken(facts), heartbeat_until=now + heartbeat, last_seen_at=seen)


def woken(facts: Facts) -> Facts:
    """A sign of life ends being offline by choice; being invisible only the user ends."""
    return replace(facts, chosen="online") if facts.chosen == "offline" else facts


def is_fresh(facts: Facts, now: datetime, heartbeat: timedelta) -> bool:
    """Whether a heartbeat changes too little to be written: most of the one before is left."""
    until = facts.heartbeat_until
    return until is not None and until - now >= heartbeat * 2 / 3 and facts.chosen != "offline"
