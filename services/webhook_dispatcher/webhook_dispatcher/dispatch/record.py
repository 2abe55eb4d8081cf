"""Recording: many attempts and what they mean, in one commit.

An outcome counts only if the delivery is still leased to this session, generation and attempt: what another
worker took over is not ours to write. Endpoints are locked first, in order, and take their outcomes one by one.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import orjson

from chatsdk_runtime.outgoing.exchange import Reply, SendResult
from chatsdk_runtime.postgres import Pool, Row, Transaction, transaction
from webhook_dispatcher.dispatch import record_store as store
from webhook_dispatcher.dispatch.endpoint_rules import (
    Answers,
    EndpointHealth,
    EndpointState,
    Probing,
    Transition,
    after_outcome,
    next_probing,
)
from webhook_dispatcher.dispatch.ladder import Chance, ProbeWaits
from webhook_dispatcher.dispatch.leases import Finished, Lease
from webhook_dispatcher.dispatch.outcome import (
    Delivered,
    Exhausted,
    Gone,
    RefusedForGood,
    RetryAt,
    classify,
    describe,
)
from webhook_dispatcher.dispatch.record_store import AttemptRow, EndpointRow

_KEPT_MESSAGE = 500
_RELEASED_PER_SUCCESS = 2


@dataclass(slots=True)
class Recorded:
    """What a commit came to: announced states, and when something is due again (seconds from now)."""

    transitions: list[tuple[UUID, Transition]] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    due_in_s: list[float] = field(default_factory=list)
    fenced: int = 0


@dataclass(slots=True)
class _Endpoint:
    was: EndpointState
    health: EndpointHealth
    probing: Probing
    answers: Answers = field(default_factory=Answers)
    has_failed: bool = False
    block_s: float = 0.0

    @property
    def drains(self) -> bool:
        """Whether what is parked is tried again."""
        has_parked = self.probing.is_wanted or self.answers.has_parked
        return has_parked and self.answers.successes > 0 and self.health.state == "active"


@dataclass(slots=True)
class _Batch:
    rows: list[AttemptRow] = field(default_factory=list)
    finished: list[UUID] = field(default_factory=list)
    back: list[tuple[Lease, float | None]] = field(default_factory=list)
    passed: list[tuple[UUID, str]] = field(default_factory=list)


class Recorder:
    """Writes what was attempted, for one session."""

    def __init__(self, pool: Pool, *, probe_waits: ProbeWaits, chance: Chance) -> None:
        self._pool = pool
        self._probe_waits = probe_waits
        self._chance = chance

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
                still_parked = await _drain(tx, endpoints)
                rows = [
                    self._endpoint_row(key, one, has_more_parked=key in still_parked)
                    for key, one in endpoints.items()
                ]
                await store.write_endpoints(tx, rows)
                recorded.due_in_s.extend(row.probe_wait_s for row in rows if row.probe_wait_s is not None)
        return recorded

    async def _lock(
        self, tx: Transaction, finished: Sequence[Finished], unstarted: Sequence[Lease]
    ) -> dict[UUID, _Endpoint]:
        touched = {one.lease.webhook_id for one in finished}
        changing = {one.lease.webhook_id for one in finished if not isinstance(one.outcome, Delivered)}
        changing |= {one.lease.webhook_id for one in finished if one.lease.order_key is not None}
        changing |= {lease.webhook_id for lease in unstarted}
        rows = await store.lock_health(tx, list(touched | changing), list(changing))
        return {
            row["webhook_id"]: _Endpoint(row["state"], _health(row), Probing(row["is_probed"], row["probes"]))
            for row in rows
        }

    def _take(self, one: Finished, endpoint: _Endpoint | None, batch: _Batch, recorded: Recorded) -> None:
        status, is_final = self._settle(one, batch, recorded)
        batch.rows.append(attempt_row(one, status=status, is_final=is_final))
        recorded.outcomes.append(_outcome_name(one))
        if is_final and one.lease.order_key is not None:
            batch.passed.append((one.lease.webhook_id, one.lease.order_key))
        if endpoint is None:
            return
        trigger, now = one.lease.kind, datetime.now(UTC)
        change = after_outcome(endpoint.health, one.outcome, trigger=trigger, ladder=one.ladder, now=now)
        endpoint.health = change.health
        endpoint.answers.take(one.outcome, trigger, parks=status == "exhausted")
        endpoint.has_failed |= not isinstance(one.outcome, Delivered)
        if isinstance(one.outcome, RetryAt | Exhausted):
            endpoint.block_s = max(endpoint.block_s, one.outcome.endpoint_block_s)
        if change.transition is not None:
            recorded.transitions.append((one.lease.webhook_id, change.transition))

    def _endpoint_row(self, webhook_id: UUID, endpoint: _Endpoint, *, has_more_parked: bool) -> EndpointRow:
        health = endpoint.health
        probing = next_probing(
            endpoint.probing, endpoint.was, health.state, endpoint.answers, has_more_parked=has_more_parked
        )
        wait_s = None
        if probing is not None and probing.is_wanted:
            wait_s = self._probe_waits.wait_s(probing.probes, self._chance)
        return EndpointRow(
            webhook_id,
            health.state,
            health.failure_count,
            health.failed_attempts,
            health.failing_since,
            endpoint.has_failed,
            endpoint.block_s,
            probing is not None,
            (probing or endpoint.probing).probes,
            wait_s,
        )

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
            case RetryAt() | Exhausted() if lease.is_probe and resume is None:
                # Held before and held again: a probe climbs no ladder.
                batch.back.append((lease, 0.0))
                return "pending", False
            case RetryAt(delay_s=delay_s) if resume is None:
                left_s = max(0.0, delay_s - (time.monotonic() - one.ended_s))
                batch.back.append((lease, left_s))
                recorded.due_in_s.append(left_s)
                return "pending", False
            case Gone():
                batch.back.append((lease, 0.0))
                return "pending", False
            case _:
                batch.back.append((lease, None))
                return "exhausted", True


async def _drain(tx: Transaction, endpoints: Mapping[UUID, _Endpoint]) -> set[UUID]:
    """Release what is parked at endpoints that answered well, two for each success: a ramp that ends with the first
    failure, since who fails is parked again. Returns those with more to come.
    """
    draining = {key: one for key, one in endpoints.items() if one.drains}
    if not draining:
        return set()
    counts = [_RELEASED_PER_SUCCESS * one.answers.successes for one in draining.values()]
    return await store.release_parked(tx, list(draining), counts)


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
        leases = [lease for lease, _ in batch.back]
        await store.put_back(
            tx,
            [lease.delivery_id for lease in leases],
            [lease.attempt for lease in leases],
            [lease.probes + lease.is_probe for lease in leases],
            [delay_s for _, delay_s in batch.back],
        )
    if batch.passed:
        webhook_ids, keys = zip(*batch.passed, strict=True)
        await store.let_follow(tx, webhook_ids, keys)


def attempt_row(one: Finished, *, status: str, is_final: bool) -> AttemptRow:
    """One attempt as it is stored; a success keeps no reply headers."""
    is_success = isinstance(one.outcome, Delivered)
    result = one.result
    body = result.body_head if isinstance(result, Reply) and result.body_head else None
    return AttemptRow(
        one.lease.delivery_id,
        one.lease.attempt,
        one.lease.kind,
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
