"""Recording: many attempts and what they mean, in one commit.

An outcome counts only if the delivery is still leased to this session, generation and attempt: what another
worker took over is not ours to write. Endpoints are locked first, in order, and take their outcomes one by one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import orjson

from chatsdk_runtime.outgoing.exchange import Reply, SendResult
from chatsdk_runtime.postgres import Pool, Row, Transaction, transaction
from webhook_dispatcher.deliveries import store
from webhook_dispatcher.deliveries.store import AttemptRow, EndpointRow
from webhook_dispatcher.dispatch.endpoint_rules import EndpointHealth, Transition, Trigger, after_outcome
from webhook_dispatcher.dispatch.ladder import Ladder
from webhook_dispatcher.dispatch.leases import AttemptKind, Finished, Lease
from webhook_dispatcher.dispatch.outcome import (
    Delivered,
    Exhausted,
    Gone,
    RefusedForGood,
    RetryAt,
    classify,
    describe,
)

_KEPT_MESSAGE = 500


@dataclass(slots=True)
class Recorded:
    """What a commit came to: announced states, and when something is due again (seconds from now)."""

    transitions: list[tuple[UUID, Transition]] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    due_in_s: list[float] = field(default_factory=list)
    fenced: int = 0


@dataclass(slots=True)
class _Endpoint:
    health: EndpointHealth
    has_failed: bool = False
    block_s: float = 0.0


@dataclass(slots=True)
class _Batch:
    rows: list[AttemptRow] = field(default_factory=list)
    finished: list[UUID] = field(default_factory=list)
    back: list[tuple[UUID, int, float | None]] = field(default_factory=list)


class Recorder:
    """Writes what was attempted, for one session."""

    def __init__(self, pool: Pool, *, ladder: Ladder) -> None:
        self._pool = pool
        self._ladder = ladder

    async def record(
        self, session_id: UUID, finished: Sequence[Finished], unstarted: Sequence[Lease]
    ) -> Recorded:
        """Commit the outcomes, and give back leases that were not used."""
        recorded = Recorded()
        async with transaction(self._pool) as tx:
            endpoints = await self._lock(tx, finished, unstarted)
            kept = await _still_ours(tx, session_id, finished) if finished else []
            recorded.fenced = len(finished) - len(kept)
            batch = _Batch()
            for one in sorted(kept, key=lambda one: one.ended_s):
                self._take(one, endpoints.get(one.lease.webhook_id), batch, recorded)
            await _write(tx, batch)
            if unstarted:
                ids = [lease.delivery_id for lease in unstarted]
                await store.release_unstarted(tx, session_id, ids, [lease.generation for lease in unstarted])
            if endpoints:
                await store.write_endpoints(tx, [_endpoint_row(key, one) for key, one in endpoints.items()])
        return recorded

    async def _lock(
        self, tx: Transaction, finished: Sequence[Finished], unstarted: Sequence[Lease]
    ) -> dict[UUID, _Endpoint]:
        touched = {one.lease.webhook_id for one in finished}
        changing = {one.lease.webhook_id for one in finished if not isinstance(one.outcome, Delivered)}
        changing |= {lease.webhook_id for lease in unstarted}
        rows = await store.lock_health(tx, list(touched | changing), list(changing))
        return {row["webhook_id"]: _Endpoint(_health(row)) for row in rows}

    def _take(self, one: Finished, endpoint: _Endpoint | None, batch: _Batch, recorded: Recorded) -> None:
        status, is_final = self._settle(one, batch, recorded)
        batch.rows.append(attempt_row(one, status=status, is_final=is_final))
        recorded.outcomes.append(_outcome_name(one))
        if endpoint is None:
            return
        trigger: Trigger = "replay" if one.lease.replay else one.lease.kind
        now = datetime.now(UTC)
        change = after_outcome(endpoint.health, one.outcome, trigger=trigger, ladder=self._ladder, now=now)
        endpoint.health = change.health
        endpoint.has_failed |= not isinstance(one.outcome, Delivered)
        if isinstance(one.outcome, RetryAt | Exhausted):
            endpoint.block_s = max(endpoint.block_s, one.outcome.endpoint_block_s)
        if change.transition is not None:
            recorded.transitions.append((one.lease.webhook_id, change.transition))

    def _settle(self, one: Finished, batch: _Batch, recorded: Recorded) -> tuple[str, bool]:
        """The delivery's status after the attempt, and whether that is its end."""
        lease, key = one.lease, one.lease.delivery_id
        resume = lease.resume_status
        match one.outcome:
            case Delivered():
                batch.finished.append(key)
                return "succeeded", True
            case _ if resume is not None and resume != "exhausted":
                # The replay of a finished delivery failed: it is what it was.
                batch.finished.append(key)
                return resume, True
            case RefusedForGood():
                batch.finished.append(key)
                return "failed", True
            case RetryAt(delay_s=delay_s) if resume is None:
                left_s = max(0.0, delay_s - (time.monotonic() - one.ended_s))
                batch.back.append((key, lease.attempt, left_s))
                recorded.due_in_s.append(left_s)
                return "pending", False
            case Gone():
                batch.back.append((key, lease.attempt, 0.0))
                return "pending", False
            case _:
                batch.back.append((key, lease.attempt, None))
                return "exhausted", True


async def _still_ours(tx: Transaction, session_id: UUID, finished: Sequence[Finished]) -> list[Finished]:
    """What may be recorded. After an outage a delivery may be there twice: by the lost lease, and by the next."""
    leases = [one.lease for one in finished]
    ours = await store.lock_own_leases(
        tx,
        session_id,
        [lease.delivery_id for lease in leases],
        [lease.generation for lease in leases],
        [lease.attempt for lease in leases],
    )
    # By key, so that a lease that a crash of the database forgot and gave again is recorded once.
    first: dict[tuple[UUID, int, int], Finished] = {}
    for one in finished:
        first.setdefault((one.lease.delivery_id, one.lease.generation, one.lease.attempt), one)
    return [one for key, one in first.items() if key in ours]


async def _write(tx: Transaction, batch: _Batch) -> None:
    if batch.rows:
        await store.write_attempts(tx, batch.rows, batch.finished)
    if batch.back:
        ids, attempts, delays = zip(*batch.back, strict=True)
        await store.put_back(tx, list(ids), list(attempts), list(delays))


def attempt_row(one: Finished, *, status: str, is_final: bool) -> AttemptRow:
    """One attempt as it is stored; a success keeps no reply headers."""
    is_success = isinstance(one.outcome, Delivered)
    result = one.result
    body = result.body_head if isinstance(result, Reply) and result.body_head else None
    kind: AttemptKind = one.lease.kind
    return AttemptRow(
        one.lease.delivery_id,
        one.lease.attempt,
        kind,
        classify(result),
        result.status,
        None if is_success else describe(result)[:_KEPT_MESSAGE],
        None if is_success else _headers(result),
        body,
        round(result.duration_s * 1000, 3),
        one.started_at,
        status,
        is_final,
    )


def _headers(result: SendResult) -> str | None:
    if not isinstance(result, Reply):
        return None
    # NUL can stand in no PostgreSQL text; a receiver may send anything.
    return orjson.dumps(result.headers).decode().replace("\\u0000", "")


def _health(row: Row) -> EndpointHealth:
    return EndpointHealth(row["state"], row["failure_count"], row["failed_attempts"], row["failing_since"])


def _endpoint_row(webhook_id: UUID, endpoint: _Endpoint) -> EndpointRow:
    health = endpoint.health
    return EndpointRow(
        webhook_id,
        health.state,
        health.failure_count,
        health.failed_attempts,
        health.failing_since,
        endpoint.has_failed,
        endpoint.block_s,
    )


def _outcome_name(one: Finished) -> str:
    match one.outcome:
        case Delivered():
            return "succeeded"
        case RetryAt():
            return "retry"
        case Exhausted():
            return "exhausted"
        case RefusedForGood():
            return "failed"
        case Gone():
            return "gone"


def soonest(delays_s: Iterable[float]) -> list[float]:
    """Distinct wake-up times, to the hundredth: a thousand retries of one moment need one timer."""
    return sorted({round(delay_s, 2) for delay_s in delays_s})
