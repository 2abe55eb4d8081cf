"""One attempt: prepare (read URL, keys, body), send, judge. Recording follows, for many attempts at once.

Keys are read right before sending and kept for half a second, so that no request starts with a key that was
revoked a second ago, however long its delivery waited.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from chatsdk_contracts import signatures
from chatsdk_contracts.envelope import CONTENT_TYPE
from chatsdk_runtime.encryption import Keyring, Sealed
from chatsdk_runtime.outgoing.exchange import OutgoingRequest, SendFailure
from chatsdk_runtime.outgoing.sender import Sender
from chatsdk_runtime.postgres import Pool, Row, reading
from webhook_dispatcher.dispatch import claim_store
from webhook_dispatcher.dispatch.ladder import Chance, Ladder, named_ladder
from webhook_dispatcher.dispatch.leases import Finished, Lease, Target
from webhook_dispatcher.dispatch.outcome import RefusedForGood, judge

_TARGET_FRESH_S = 0.5
_CACHED_BODY_BYTES = 32 * 1024 * 1024
USER_AGENT = "ChatSDK-Webhooks/1.0"
_NO_BODY = "The event is no longer stored."


class BodyCache:
    """Bodies of recent events by event id, at most so many bytes; the planner fills it, claims use it."""

    def __init__(self, max_bytes: int = _CACHED_BODY_BYTES) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._bodies: OrderedDict[str, bytes] = OrderedDict()

    def put(self, event_id: str, body: bytes) -> None:
        """Remember; the oldest make room."""
        if event_id in self._bodies:
            return
        self._bodies[event_id] = body
        self._bytes += len(body)
        while self._bytes > self._max_bytes:
            _, dropped = self._bodies.popitem(last=False)
            self._bytes -= len(dropped)

    def forget(self, event_ids: Iterable[str]) -> None:
        """Drop what is not what the events say any more."""
        for event_id in event_ids:
            dropped = self._bodies.pop(event_id, None)
            self._bytes -= len(dropped or b"")

    def get(self, event_id: str) -> bytes | None:
        """The body, if it is still here."""
        return self._bodies.get(event_id)


class Deliverer:
    """Makes attempts; holds the targets for half a second and recent bodies."""

    def __init__(
        self,
        pool: Pool,
        keyring: Keyring,
        sender: Sender,
        *,
        quick_unit_s: float,
        chance: Chance,
        timeout_s: float,
        bodies: BodyCache,
    ) -> None:
        self._pool = pool
        self._keyring = keyring
        self._sender = sender
        self._quick_unit_s = quick_unit_s
        self._chance = chance
        self._timeout_s = timeout_s
        self._bodies = bodies
        self._missing_bodies: OrderedDict[str, None] = OrderedDict()
        self._targets: dict[UUID, tuple[float, Target | None]] = {}

    async def prepare(self, leases: Sequence[Lease]) -> None:
        """Read what these attempts need and is not fresh; at most two queries."""
        stale = list({lease.webhook_id for lease in leases if not self._is_fresh(lease.webhook_id)})
        absent = list({lease.event_id for lease in leases if self._bodies.get(lease.event_id) is None})
        if not stale and not absent:
            return
        async with reading(self._pool) as connection:
            if absent:
                found = await claim_store.read_bodies(connection, absent)
                for event_id in absent:
                    if event_id in found:
                        self._bodies.put(event_id, found[event_id])
                    else:
                        self._missing_bodies[event_id] = None
            if stale:
                # The time before the question: a key is never used longer than half a second after it was read.
                asked_s = time.monotonic()
                rows = await claim_store.read_targets(connection, stale)
                targets = read_targets(rows, self._keyring, quick_unit_s=self._quick_unit_s)
                for webhook_id in stale:
                    self._targets[webhook_id] = (asked_s, targets.get(webhook_id))

    def is_prepared(self, lease: Lease) -> bool:
        """Whether `attempt` may be called now."""
        has_body = self._bodies.get(lease.event_id) is not None or lease.event_id in self._missing_bodies
        return has_body and self._is_fresh(lease.webhook_id)

    def target(self, webhook_id: UUID) -> Target | None:
        """Where a prepared webhook's deliveries go; None if it was deleted."""
        return self._targets[webhook_id][1]

    def forget_targets(self) -> None:
        """Drop what nobody used for a while; called now and then."""
        limit_s = time.monotonic() - _TARGET_FRESH_S
        self._targets = {key: held for key, held in self._targets.items() if held[0] > limit_s}
        self._missing_bodies.clear()

    async def attempt(self, lease: Lease, target: Target) -> Finished:
        """Send and judge. Whatever the receiver does is in the value that comes back."""
        started_at = datetime.now(UTC)
        body = self._bodies.get(lease.event_id)
        if body is None:
            failure = SendFailure("internal", _NO_BODY, "no body", 0.0)
            refused = RefusedForGood(_NO_BODY)
            return Finished(lease, failure, refused, target.ladder, started_at, time.monotonic())
        headers = headers_of(lease, target.secrets, int(time.time()), body)
        result = await self._sender.send(OutgoingRequest(target.url, headers, body, self._timeout_s))
        ended_s = time.monotonic()
        outcome = judge(
            result,
            attempt=lease.attempt - lease.probes,
            ladder=target.ladder,
            now=datetime.now(UTC),
            chance=self._chance,
        )
        return Finished(lease, result, outcome, target.ladder, started_at, ended_s)

    def _is_fresh(self, webhook_id: UUID) -> bool:
        held = self._targets.get(webhook_id)
        return held is not None and time.monotonic() - held[0] < _TARGET_FRESH_S


def read_targets(rows: Sequence[Row], keyring: Keyring, *, quick_unit_s: float = 1.0) -> dict[UUID, Target]:
    """Targets from the rows of `claim_store.read_targets`; secrets are opened for exactly their rows."""
    secrets: dict[UUID, list[str]] = {}
    heads: dict[UUID, Row] = {}
    for row in rows:
        sealed = Sealed(row["key_id"], row["ciphertext"])
        secret = keyring.open(sealed, table="webhook_secret", column="ciphertext", row=str(row["secret_id"]))
        secrets.setdefault(row["id"], []).append(secret.decode())
        heads[row["id"]] = row
    return {
        key: Target(row["url"], tuple(secrets[key]), row["state"], _ladder(row, quick_unit_s))
        for key, row in heads.items()
    }


def _ladder(row: Row, quick_unit_s: float) -> Ladder:
    waits_s = row["waits_s"]
    own = None if waits_s is None else tuple(waits_s)
    return named_ladder(row["ladder"], own, quick_unit_s=quick_unit_s).at_most(row["park_after"])


def headers_of(lease: Lease, secrets: Sequence[str], timestamp_s: int, body: bytes) -> dict[str, str]:
    """Everything a request carries beside what the sender must set itself."""
    headers = {
        "Content-Type": CONTENT_TYPE,
        "User-Agent": USER_AGENT,
        signatures.WEBHOOK_ID: lease.event_id,
        signatures.WEBHOOK_TIMESTAMP: str(timestamp_s),
        signatures.WEBHOOK_SIGNATURE: signatures.sign_standard(secrets, lease.event_id, timestamp_s, body),
        signatures.CHATSDK_SIGNATURE: signatures.sign_chatsdk(secrets[0], body),
        "X-ChatSDK-Event": lease.event_type,
        "X-ChatSDK-Delivery-Id": str(lease.delivery_id),
        "X-ChatSDK-Attempt": str(lease.attempt),
        "X-ChatSDK-Webhook-Sequence": str(lease.order_no),
    }
    if lease.replay:
        headers["X-ChatSDK-Replay"] = "true"
    return headers
