"""Use cases of registrations: register, change, rotate, delete, test. One transaction each."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from chatsdk_contracts import ids, signatures
from chatsdk_contracts.envelope import encode, subject_of
from chatsdk_contracts.webhooks import WebhookTest, WebhookTestCall
from chatsdk_contracts.wire import format_time
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.outgoing.address_guard import AddressPolicy
from chatsdk_runtime.outgoing.exchange import OutgoingRequest, Reply, SendResult
from chatsdk_runtime.outgoing.sender import Sender
from chatsdk_runtime.postgres import Pool, Row, Transaction, reading, transaction
from webhook_dispatcher.dispatch import claim_store, record_store
from webhook_dispatcher.dispatch.deliver import headers_of, read_targets
from webhook_dispatcher.dispatch.endpoint_rules import EndpointHealth, after_owner_sets_enabled
from webhook_dispatcher.dispatch.leases import Finished, Lease, Target
from webhook_dispatcher.dispatch.outcome import Delivered, RefusedForGood, describe
from webhook_dispatcher.dispatch.record import attempt_row
from webhook_dispatcher.errors import WebhookNotFound
from webhook_dispatcher.webhooks import rules, sending, store
from webhook_dispatcher.webhooks.sending import Sending

_NOT_FOUND_HINT = "Check the id; GET /api/webhooks lists this app's webhooks."
_TEST_MESSAGE = "This is a test delivery of ChatSDK."


@dataclass(frozen=True, slots=True)
class Registrar:
    """What the use cases need of the process."""

    pool: Pool
    keyring: Keyring
    sender: Sender
    policy: AddressPolicy
    allow_http: bool
    request_timeout_s: float


async def register(
    registrar: Registrar, tx: Transaction, app_id: str, created_by: str | None, fields: Mapping[str, Any]
) -> Answer:
    """A new webhook; its secret is in this answer and in no later one."""
    url = rules.check_target(fields["url"], allow_http=registrar.allow_http, policy=registrar.policy)
    events = rules.check_events(fields["events"])
    given = fields.get("secret")
    secret = signatures.new_secret() if given is None else rules.check_secret(given)
    webhook_id = UUID(ids.new_id())
    state = "active" if fields.get("enabled", True) else "off"
    metadata = orjson.dumps(fields.get("metadata") or {}).decode()
    chosen = sending.changed(Sending(), fields)
    webhook = store.NewWebhook(
        webhook_id, app_id, url, events, fields.get("description"), metadata, created_by, state
    )
    await store.insert_webhook(tx, webhook)
    await store.write_sending(tx, webhook_id, chosen)
    await _store_secret(registrar, tx, webhook_id, secret)
    await store.raise_version(tx, app_id)
    row = await _fetch(tx, app_id, webhook_id)
    return Answer(orjson.dumps({**shown(row), "secret": secret}), 201)


async def show(registrar: Registrar, app_id: str, webhook_id: UUID) -> dict[str, Any]:
    """One webhook, without its secret."""
    async with reading(registrar.pool) as connection:
        row = await store.fetch_webhook(connection, app_id, webhook_id)
    if row is None:
        raise _not_found(webhook_id)
    return shown(row)


async def list_all(
    registrar: Registrar, app_id: str, *, after: UUID | None, limit: int
) -> tuple[list[dict[str, Any]], bool]:
    """A page of webhooks, oldest first, and whether there are more."""
    async with reading(registrar.pool) as connection:
        rows = await store.list_webhooks(connection, app_id, after=after, limit=limit + 1)
    return [shown(row) for row in rows[:limit]], len(rows) > limit


async def change(
    registrar: Registrar, tx: Transaction, app_id: str, webhook_id: UUID, fields: Mapping[str, Any]
) -> Answer:
    """Set the fields given. `enabled: true` makes it active from any state, and what was held drains."""
    changed = dict(fields)
    if changed.get("url") is not None:
        changed["url"] = rules.check_target(
            changed["url"], allow_http=registrar.allow_http, policy=registrar.policy
        )
    if changed.get("events") is not None:
        changed["events"] = rules.check_events(changed["events"])
    if changed.get("metadata") is not None:
        changed["metadata"] = orjson.dumps(changed["metadata"]).decode()
    row = await store.lock_webhook(tx, app_id, webhook_id)
    if row is None:
        raise _not_found(webhook_id)
    await store.update_webhook(tx, webhook_id, changed)
    before = sending.stored(row)
    if (chosen := sending.changed(before, fields)) != before:
        await store.write_sending(tx, webhook_id, chosen)
    if changed.get("enabled") is not None:
        health = EndpointHealth(
            row["state"], row["failure_count"], row["failed_attempts"], row["failing_since"]
        )
        decided = after_owner_sets_enabled(health, enabled=changed["enabled"])
        if decided.health != health:
            await store.set_health(tx, webhook_id, decided.health)
    await store.raise_version(tx, app_id)
    return Answer(orjson.dumps(shown(await _fetch(tx, app_id, webhook_id))))


async def delete(tx: Transaction, app_id: str, webhook_id: UUID) -> Answer:
    """End a webhook; what was planned for it and is not finished ends with it."""
    if await store.lock_webhook(tx, app_id, webhook_id) is None:
        raise _not_found(webhook_id)
    await store.delete_webhook(tx, webhook_id)
    await store.raise_version(tx, app_id)
    return Answer(orjson.dumps({"success": True, "id": str(webhook_id)}))


async def rotate_secret(
    registrar: Registrar, tx: Transaction, app_id: str, webhook_id: UUID, *, overlap_s: int
) -> Answer:
    """A new secret, shown in this answer only; the old ones sign along for `overlap_s` seconds."""
    if await store.lock_webhook(tx, app_id, webhook_id) is None:
        raise _not_found(webhook_id)
    await store.end_secrets(tx, webhook_id, overlap_s=overlap_s)
    secret = signatures.new_secret()
    await _store_secret(registrar, tx, webhook_id, secret)
    now = datetime.now(UTC)
    until = datetime.fromtimestamp(now.timestamp() + overlap_s, UTC) if overlap_s else None
    answer = {
        "id": str(webhook_id),
        "secret": secret,
        "rotatedAt": format_time(now),
        "previousValidUntil": None if until is None else format_time(until),
    }
    return Answer(orjson.dumps(answer))


async def send_test(registrar: Registrar, app_id: str, webhook_id: UUID) -> Answer:
    """One signed `webhook.test`, recorded as a delivery of its own; it changes nothing about the endpoint.

    Not one transaction: the request is sent between storing the delivery and recording its attempt.
    """
    now = datetime.now(UTC)
    event_id = ids.EventId(ids.new_id())
    delivery_id = ids.delivery_id(event_id, ids.WebhookId(str(webhook_id)))
    body = _test_event(event_id, app_id, webhook_id, now)
    async with transaction(registrar.pool) as tx:
        if await store.fetch_webhook(tx, app_id, webhook_id) is None:
            raise _not_found(webhook_id)
        rows = await claim_store.read_targets(tx, [webhook_id])
        places = (UUID(event_id), UUID(delivery_id), webhook_id)
        await store.insert_test_delivery(tx, places, app_id, "webhook.test", body)
    target = read_targets(rows, registrar.keyring).get(webhook_id)
    if target is None:
        raise _not_found(webhook_id)
    lease = Lease(UUID(delivery_id), webhook_id, event_id, "webhook.test", 0, 1, False, None, 0, is_test=True)
    result = await _send(registrar, lease, target, body)
    is_success = isinstance(result, Reply) and 200 <= result.status < 300
    message = "The receiver took the test delivery." if is_success else describe(result)
    outcome = Delivered() if is_success else RefusedForGood(message)
    status = "succeeded" if is_success else "failed"
    finished = Finished(lease, result, outcome, target.ladder, now, 0.0)
    async with transaction(registrar.pool) as tx:
        await record_store.write_attempts(tx, [attempt_row(finished, status=status, is_final=True)], [])
    answer = {
        "success": is_success,
        "statusCode": result.status,
        "message": message,
        "deliveryId": delivery_id,
    }
    return Answer(orjson.dumps(answer))


async def _send(registrar: Registrar, lease: Lease, target: Target, body: bytes) -> SendResult:
    headers = headers_of(lease, target.secrets, int(datetime.now(UTC).timestamp()), body)
    return await registrar.sender.send(
        OutgoingRequest(target.url, headers, body, registrar.request_timeout_s)
    )


def _test_event(event_id: ids.EventId, app_id: str, webhook_id: UUID, now: datetime) -> bytes:
    key = ids.WebhookId(str(webhook_id))
    return encode(
        WebhookTest(
            id=event_id,
            subject=subject_of("webhooks", key),
            time=now,
            appid=ids.AppId(app_id),
            epoch=0,
            data=WebhookTestCall(webhook_id=key, message=_TEST_MESSAGE),
        )
    )


async def _store_secret(registrar: Registrar, tx: Transaction, webhook_id: UUID, secret: str) -> None:
    secret_id = uuid.uuid4()
    sealed = registrar.keyring.seal(
        secret.encode(), table="webhook_secret", column="ciphertext", row=str(secret_id)
    )
    await store.insert_secret(tx, secret_id, webhook_id, sealed)


async def _fetch(tx: Transaction, app_id: str, webhook_id: UUID) -> Row:
    row = await store.fetch_webhook(tx, app_id, webhook_id)
    assert row is not None, "written in this transaction"
    return row


def _not_found(webhook_id: UUID) -> WebhookNotFound:
    return WebhookNotFound(f"There is no webhook {webhook_id} in this app.", hint=_NOT_FOUND_HINT)


def shown(row: Row) -> dict[str, Any]:
    """A webhook as the API shows it; the secret is not in it."""
    health = EndpointHealth(row["state"], row["failure_count"], row["failed_attempts"], row["failing_since"])
    last_failure_at = row["last_failure_at"]
    return {
        "id": str(row["id"]),
        "url": row["url"],
        "events": row["events"],
        "description": row["description"],
        "metadata": orjson.loads(row["metadata"]),
        "enabled": health.enabled,
        "state": health.state,
        "disabledReason": health.disabled_reason,
        "failureCount": health.failure_count,
        **sending.shown(sending.stored(row)),
        "lastFailureAt": None if last_failure_at is None else format_time(last_failure_at),
        "createdBy": row["created_by"],
        "createdAt": format_time(row["created_at"]),
        "updatedAt": format_time(row["updated_at"]),
    }
