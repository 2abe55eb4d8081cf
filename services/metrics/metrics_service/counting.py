"""Count a batch exactly once: the marks, the totals and the lane positions change in one transaction.

Only events whose mark this transaction wrote are counted, so that whatever comes again - a repeat of the
relay, a redelivery after a kill, a fetch from the log - changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from chatsdk_runtime.postgres import Pool, Transaction, transaction
from metrics_service import store
from metrics_service.projections import MESSAGES_SERIES, UNKNOWN, CountableEvent, Tally, Total, tally


@dataclass(frozen=True, slots=True)
class Counted:
    """What became of a batch."""

    fresh: int
    repeated: int


async def count(pool: Pool, events: Sequence[CountableEvent], covered: Collection[store.Covered]) -> Counted:
    """Count what was not counted before and note the positions as done; returns after the commit."""
    exact = {event.id: event for event in events if event.is_exact}
    ephemeral = [event for event in events if not event.is_exact]
    async with transaction(pool) as tx:
        if events:
            await store.learn_apps(tx, {event.app_id for event in events})
        fresh = await store.mark_counted(tx, exact.keys()) if exact else set()
        to_count = [event for event_id, event in exact.items() if event_id in fresh] + ephemeral
        if to_count:
            await _add(tx, tally(to_count))
        if covered:
            await store.cover(tx, covered)
    return Counted(len(to_count), len(events) - len(to_count))


async def _add(tx: Transaction, added: Tally) -> None:
    totals = Counter(added.totals)
    if added.channel_types:
        for channel_id, (channel_type, number) in (
            await store.learn_channels(tx, added.channel_types)
        ).items():
            app_id, _ = added.channel_types[channel_id]
            totals[Total(MESSAGES_SERIES, app_id, UNKNOWN)] -= number
            totals[Total(MESSAGES_SERIES, app_id, channel_type)] += number
    if added.messages:
        types = await store.channel_types(tx, added.messages)
        for (app_id, channel_id), number in added.messages.items():
            totals[Total(MESSAGES_SERIES, app_id, types[channel_id] or UNKNOWN)] += number
    await store.add_totals(tx, totals)
    await store.add_hours(tx, added.hours)
