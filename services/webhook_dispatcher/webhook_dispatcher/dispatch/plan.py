"""Planning: one transaction turns a batch of events into deliveries, in order.

The registrations used are no older than the transaction; order numbers are dense per webhook, given under the
endpoint's lock; a repeat of an event meets the delivery ids it made the first time. The broker's message is
acknowledged after the commit, never before.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chatsdk_contracts.envelope import EventHead as Head
from chatsdk_contracts.envelope import parse_head
from chatsdk_contracts.ids import EventId, WebhookId, delivery_id
from chatsdk_runtime.fault_points import FaultPoints
from chatsdk_runtime.postgres import Pool, Transaction, transaction
from chatsdk_runtime.reconcile import advance
from webhook_dispatcher.dispatch import store
from webhook_dispatcher.dispatch.deliver import BodyCache
from webhook_dispatcher.dispatch.matching import (
    EventHead,
    Registration,
    RegistrationIndex,
    expiry_of,
    is_over,
)
from webhook_dispatcher.instruments import Instruments

# A rebuilt database must not send history again to webhooks that are younger than it; clocks differ a little.
_BEFORE_REGISTRATION = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Located:
    """An event's bytes, and where chat's log has it (None for what is not in the log)."""

    body: bytes
    lane: int | None = None
    pos: int | None = None


@dataclass(frozen=True, slots=True)
class _Event:
    head: Head
    body: bytes


@dataclass(frozen=True, slots=True)
class _Pair:
    event: _Event
    registration: Registration
    id: str
    is_skipped: bool

    @property
    def webhook_id(self) -> str:
        return self.registration.webhook_id

    @property
    def expires_at(self) -> datetime | None:
        head = self.event.head
        return expiry_of(head.type, head.time, self.registration.deadline_s)

    @property
    def order_key(self) -> str | None:
        """What it is in order with; None for what comes as it comes."""
        ordered = self.registration.is_ordered and not self.is_skipped
        return self.event.head.channelid if ordered else None


class Planner:
    """Holds the registrations of the apps it has met."""

    def __init__(
        self,
        pool: Pool,
        bodies: BodyCache,
        *,
        instruments: Instruments,
        fault_points: FaultPoints,
        on_planned: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._bodies = bodies
        self._instruments = instruments
        self._fault_points = fault_points
        self._on_planned = on_planned
        self._index = RegistrationIndex()
        self._since: dict[str, datetime] = {}

    async def plan(self, batch: Sequence[Located], *, covered: tuple[int, int] | None = None) -> None:
        """Plan and commit. `covered` is a lane and the position up to which the caller has given everything."""
        events = self._current({event.head.id: event for event in map(_read, batch)}.values())
        async with transaction(self._pool) as tx:
            await self._refresh(tx, sorted({event.head.appid for event in events}))
            pairs = await self._insert(tx, self._pairs(events))
            await _move_lanes(tx, batch, covered)
        self._fault_points.reached("plan.committed")
        for pair in pairs:
            # The worker of this process, which probably sends it, need not read it back.
            self._bodies.put(pair.event.head.id, pair.event.body)
        self._count(events, pairs)
        if any(not pair.is_skipped for pair in pairs):
            self._on_planned()

    def _current(self, events: Iterable[_Event]) -> list[_Event]:
        """Those that are not over: while we were away, typing and presence waited with the rest."""
        found, now = list(events), datetime.now(UTC)
        current = [event for event in found if not is_over(event.head.type, event.head.time, now)]
        self._instruments.expired_events.inc(len(found) - len(current))
        return current

    async def _refresh(self, tx: Transaction, app_ids: Sequence[str]) -> None:
        versions = await store.read_versions(tx, app_ids)
        stale = [app_id for app_id, version in versions.items() if self._index.version(app_id) != version]
        for app_id in app_ids:
            if app_id not in versions:
                self._index.forget(app_id)
        if not stale:
            return
        by_app: dict[str, list[Registration]] = {app_id: [] for app_id in stale}
        for row in await store.read_registrations(tx, stale):
            webhook_id = str(row["id"])
            by_app[row["app_id"]].append(
                Registration(
                    webhook_id,
                    row["app_id"],
                    frozenset(row["events"]),
                    row["state"],
                    row["deadline_s"],
                    is_ordered=row["ordering"] == "channel",
                    parks_aside=row["park_after"] is not None,
                )
            )
            self._since[webhook_id] = row["created_at"] - _BEFORE_REGISTRATION
        for app_id, registrations in by_app.items():
            self._index.put(app_id, versions[app_id], registrations)

    def _pairs(self, events: Sequence[_Event]) -> list[_Pair]:
        pairs: list[_Pair] = []
        for event in events:
            head = event.head
            route = self._index.route(EventHead(head.appid, head.type))
            for registrations, is_skipped in ((route.to, False), (route.skipped, True)):
                for registration in registrations:
                    webhook_id = registration.webhook_id
                    if head.time >= self._since[webhook_id]:
                        key = delivery_id(EventId(head.id), WebhookId(webhook_id))
                        pairs.append(_Pair(event, registration, key, is_skipped))
        return pairs

    async def _insert(self, tx: Transaction, pairs: list[_Pair]) -> list[_Pair]:
        if not pairs:
            return []
        next_order = await store.lock_next_order(tx, sorted({pair.webhook_id for pair in pairs}))
        known = await store.known_deliveries(tx, [pair.id for pair in pairs])
        fresh = [pair for pair in pairs if pair.webhook_id in next_order and pair.id not in known]
        if fresh:
            due = {pair.webhook_id for pair in fresh if not pair.is_skipped}
            rows = _rows(fresh, next_order, await _occupied(tx, fresh))
            await store.insert_plan(tx, rows, next_order, sorted(due))
        return fresh

    def _count(self, events: Sequence[_Event], pairs: Sequence[_Pair]) -> None:
        self._instruments.planned_events.inc(len(events))
        skipped = sum(pair.is_skipped for pair in pairs)
        if len(pairs) > skipped:
            self._instruments.planned_deliveries.labels("pending").inc(len(pairs) - skipped)
        if skipped:
            self._instruments.planned_deliveries.labels("skipped").inc(skipped)


@functools.lru_cache(maxsize=512)
def read_head(body: bytes) -> Head:
    """An event's head; the consumer asks before the batch is made and the planner after, so it is kept that long.

    Raises:
        UndecodableEvent: it is none.
    """
    return parse_head(body)


def _read(located: Located) -> _Event:
    return _Event(read_head(located.body), located.body)


async def _occupied(tx: Transaction, pairs: Sequence[_Pair]) -> set[tuple[str, str]]:
    """The channels of ordered webhooks in which something is under way."""
    asked = {
        (pair.webhook_id, key): pair.registration.parks_aside
        for pair in pairs
        if (key := pair.order_key) is not None
    }
    if not asked:
        return set()
    webhook_ids, keys = zip(*asked, strict=True)
    return await store.occupied_keys(tx, webhook_ids, keys, list(asked.values()))


def _rows(
    pairs: Sequence[_Pair], next_order: dict[str, int], occupied: set[tuple[str, str]]
) -> store.PlannedRows:
    """The rows to insert, in the order of the events; counts `next_order` up and adds to `occupied`."""
    rows = store.PlannedRows()
    for event in sorted({pair.event.head.id: pair.event for pair in pairs}.values(), key=lambda e: e.head.id):
        rows.event_ids.append(event.head.id)
        rows.event_apps.append(event.head.appid)
        rows.event_types.append(event.head.type)
        rows.event_channels.append(event.head.channelid)
        rows.event_bodies.append(event.body)
    for pair in pairs:
        head = pair.event.head
        rows.ids.append(pair.id)
        rows.webhooks.append(pair.webhook_id)
        rows.apps.append(head.appid)
        rows.events.append(head.id)
        rows.types.append(head.type)
        rows.expiries.append(pair.expires_at)
        place = (pair.webhook_id, key) if (key := pair.order_key) is not None else None
        rows.order_keys.append(key)
        rows.are_behind.append(place in occupied)
        if place is not None:
            occupied.add(place)
        if pair.is_skipped:
            rows.order_nos.append(None)
            rows.statuses.append("skipped")
        else:
            rows.order_nos.append(next_order[pair.webhook_id])
            next_order[pair.webhook_id] += 1
            rows.statuses.append("pending")
    return rows


async def _move_lanes(tx: Transaction, batch: Sequence[Located], covered: tuple[int, int] | None) -> None:
    handled: dict[int, list[int]] = {}
    for located in batch:
        if located.lane is not None and located.pos is not None:
            handled.setdefault(located.lane, []).append(located.pos)
    if covered is not None:
        handled.setdefault(covered[0], [])
    if not handled:
        return
    positions = await store.lock_lanes(tx, sorted(handled))
    moved: dict[int, int] = {}
    for lane, position in positions.items():
        reached = position
        if covered is not None and covered[0] == lane:
            reached = max(reached, covered[1])
        reached = advance(reached, handled[lane])
        if reached != position:
            moved[lane] = reached
    if moved:
        await store.set_lanes(tx, moved)
