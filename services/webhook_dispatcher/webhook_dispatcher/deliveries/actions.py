"""Use cases of the history: list, show, attempts, replay."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from chatsdk_contracts.wire import format_time
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Connection, Pool, Row, Transaction, reading
from webhook_dispatcher.deliveries import store
from webhook_dispatcher.errors import DeliveryNotFound, WebhookNotFound
from webhook_dispatcher.webhooks import store as webhooks_store

COUNTED_UNDELIVERED = 100_000


async def list_deliveries(
    pool: Pool,
    app_id: str,
    webhook_id: UUID,
    *,
    before: UUID | None,
    event: str | None,
    status: str | None,
    limit: int,
) -> tuple[list[dict[str, Any]], bool]:
    """A page of deliveries, newest first, and whether there are more."""
    async with reading(pool) as connection:
        await _check_webhook(connection, app_id, webhook_id)
        rows = await store.list_deliveries(
            connection, webhook_id, before=before, event=event, status=status, limit=limit + 1
        )
    return [shown(row) for row in rows[:limit]], len(rows) > limit


async def list_undelivered(
    pool: Pool, app_id: str, webhook_id: UUID, *, after: int | None, limit: int
) -> dict[str, Any]:
    """A page of what the webhook has not got yet, oldest first, with how many there are and since when."""
    async with reading(pool) as connection:
        await _check_webhook(connection, app_id, webhook_id)
        rows = await store.list_undelivered(connection, webhook_id, after=after, limit=limit + 1)
        measured = await store.measure_undelivered(connection, webhook_id, most=COUNTED_UNDELIVERED + 1)
    has_more = len(rows) > limit
    return {
        "deliveries": [shown(row) for row in rows[:limit]],
        "nextCursor": str(rows[limit - 1]["order_no"]) if has_more else None,
        "hasMore": has_more,
        "count": min(measured["count"], COUNTED_UNDELIVERED),
        "countIsExact": measured["count"] <= COUNTED_UNDELIVERED,
        "oldestAt": _time(measured["oldest_at"]),
    }


async def show_delivery(pool: Pool, app_id: str, webhook_id: UUID, delivery_id: UUID) -> dict[str, Any]:
    """One delivery with its attempts, first to last."""
    async with reading(pool) as connection:
        await _check_webhook(connection, app_id, webhook_id)
        row = await _fetch(connection, webhook_id, delivery_id)
        attempts = await store.list_attempts(connection, delivery_id)
    return {**shown(row), "history": [_shown_attempt(attempt) for attempt in attempts]}


async def list_attempts(pool: Pool, app_id: str, webhook_id: UUID, delivery_id: UUID) -> list[dict[str, Any]]:
    """The attempts of one delivery, first to last."""
    async with reading(pool) as connection:
        await _check_webhook(connection, app_id, webhook_id)
        await _fetch(connection, webhook_id, delivery_id)
        rows = await store.list_attempts(connection, delivery_id)
    return [_shown_attempt(row) for row in rows]


async def replay(tx: Transaction, app_id: str, webhook_id: UUID, delivery_id: UUID) -> Answer:
    """Make a delivery due now, whatever became of it; one that is being delivered just now stays as it is."""
    if await webhooks_store.lock_webhook(tx, app_id, webhook_id) is None:
        raise _no_webhook(webhook_id)
    await _fetch(tx, webhook_id, delivery_id)
    await store.make_due(tx, webhook_id, delivery_id)
    return Answer(orjson.dumps(shown(await _fetch(tx, webhook_id, delivery_id))), 202)


async def _check_webhook(connection: Connection, app_id: str, webhook_id: UUID) -> None:
    if await webhooks_store.fetch_webhook(connection, app_id, webhook_id) is None:
        raise _no_webhook(webhook_id)


async def _fetch(connection: Connection, webhook_id: UUID, delivery_id: UUID) -> Row:
    row = await store.fetch_delivery(connection, webhook_id, delivery_id)
    if row is None:
        raise DeliveryNotFound(
            f"There is no delivery {delivery_id} of this webhook.",
            hint="GET /api/webhooks/{id}/deliveries lists them.",
        )
    return row


def _no_webhook(webhook_id: UUID) -> WebhookNotFound:
    return WebhookNotFound(
        f"There is no webhook {webhook_id} in this app.",
        hint="Check the id; GET /api/webhooks lists this app's webhooks.",
    )


def shown(row: Row) -> dict[str, Any]:
    """A delivery as the API shows it."""
    status, attempts = row["shown_status"], row["attempts"]
    return {
        "id": str(row["id"]),
        "webhookId": str(row["webhook_id"]),
        "eventId": str(row["event_id"]),
        "event": row["event_type"],
        "status": status,
        "success": status == "succeeded",
        "statusCode": row["status_code"],
        "errorMessage": row["error_message"],
        "attempts": attempts,
        "retryCount": max(0, attempts - 1),
        "sequence": row["order_no"],
        "attemptedAt": _time(row["attempted_at"]),
        "nextAttemptAt": _time(row["due_at"]) if status == "pending" else None,
        "createdAt": _time(row["created_at"]),
    }


def _shown_attempt(row: Row) -> dict[str, Any]:
    headers, body = row["response_headers"], row["response_body"]
    return {
        "number": row["number"],
        "kind": row["kind"],
        "success": row["error_message"] is None,
        "result": row["result"],
        "statusCode": row["status_code"],
        "errorMessage": row["error_message"],
        "responseHeaders": None if headers is None else orjson.loads(headers),
        "responseBody": None if body is None else body.decode("utf-8", "replace"),
        "durationMs": round(row["duration_ms"], 1),
        "startedAt": _time(row["started_at"]),
    }


def _time(value: Any) -> str | None:
    return None if value is None else format_time(value)
