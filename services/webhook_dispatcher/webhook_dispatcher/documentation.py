"""What the OpenAPI document says of this service's routes beyond what they say themselves. A new route is a row here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI
from pydantic import Field

from chatsdk_contracts.wire import Timestamp, WireModel
from chatsdk_runtime.openapi import Replies, ServiceDocument, document
from webhook_dispatcher.deliveries.api import Status

DESCRIPTION: Final = """\
Webhooks: where events are sent to, signed, and what became of each delivery. How to verify a signature, and what a
receiver has to do, is told in the guides.
"""


class ShownRetry(WireModel):
    """How failed deliveries are repeated: the seconds between one attempt and the next, before chance lengthens them."""

    ladder: str
    waits_s: list[float]


class ShownRate(WireModel):
    """At most so many deliveries a second, and so many at once after a pause."""

    per_s: float
    burst: int


class ShownWebhook(WireModel):
    """A webhook, without its secret."""

    id: str
    url: str
    events: list[str]
    description: str | None
    metadata: dict[str, str]
    enabled: bool
    state: str
    disabled_reason: str | None
    failure_count: int
    retry: ShownRetry
    deadline_s: int | None
    ordering: str
    park_after: int | None
    rate_limit: ShownRate | None
    last_failure_at: Timestamp | None
    created_by: str | None
    created_at: Timestamp
    updated_at: Timestamp


class MadeWebhook(ShownWebhook):
    """A webhook just made, with its secret, which is shown this once."""

    secret: str


class WebhookPage(WireModel):
    """The app's webhooks, oldest first."""

    webhooks: list[ShownWebhook]
    next_cursor: str | None
    has_more: bool


class DeletedWebhook(WireModel):
    """The webhook is gone."""

    success: bool
    id: str


class NewSecret(WireModel):
    """A webhook's new secret; the one before signs along until that time."""

    id: str
    secret: str
    rotated_at: Timestamp
    previous_valid_until: Timestamp | None


class TestResult(WireModel):
    """What came of a test delivery."""

    success: bool
    status_code: int | None
    message: str
    delivery_id: str


class ShownDelivery(WireModel):
    """One event for one webhook, and what became of it."""

    id: str
    webhook_id: str
    event_id: str
    event: str
    status: Status
    success: bool
    status_code: int | None
    error_message: str | None
    attempts: int
    retry_count: int
    sequence: int | None
    attempted_at: Timestamp | None
    next_attempt_at: Timestamp | None
    created_at: Timestamp


class ShownAttempt(WireModel):
    """One request of a delivery, and its answer."""

    number: int
    kind: str
    success: bool
    result: str
    status_code: int | None
    error_message: str | None
    response_headers: dict[str, str] | list[list[str]] | None
    response_body: str | None
    duration_ms: float
    started_at: Timestamp


class DeliveryWithHistory(ShownDelivery):
    """A delivery and its attempts, first to last."""

    history: list[ShownAttempt]


class DeliveryPage(WireModel):
    """Deliveries, newest first."""

    deliveries: list[ShownDelivery]
    next_cursor: str | None
    has_more: bool


class UndeliveredPage(DeliveryPage):
    """What the webhook has not got yet, oldest first."""

    count: int
    count_is_exact: bool = Field(description="False when there are more than were counted.")
    oldest_at: Timestamp | None


class AttemptPage(WireModel):
    """All attempts of a delivery, first to last."""

    attempts: list[ShownAttempt]
    next_cursor: None = Field(description="They fit on one page.")
    has_more: bool


_WEBHOOK: Final = "/api/webhooks/{webhook_id}"
_DELIVERY: Final = f"{_WEBHOOK}/deliveries/{{delivery_id}}"

REPLIES: Final[Mapping[str, Replies]] = {
    "POST /api/webhooks": {201: MadeWebhook},
    "GET /api/webhooks": {200: WebhookPage},
    f"GET {_WEBHOOK}": {200: ShownWebhook},
    f"PATCH {_WEBHOOK}": {200: ShownWebhook},
    f"DELETE {_WEBHOOK}": {200: DeletedWebhook},
    f"POST {_WEBHOOK}/regenerate-secret": {200: NewSecret},
    f"POST {_WEBHOOK}/test": {200: TestResult},
    f"GET {_WEBHOOK}/deliveries": {200: DeliveryPage},
    f"GET {_WEBHOOK}/undelivered": {200: UndeliveredPage},
    f"GET {_DELIVERY}": {200: DeliveryWithHistory},
    f"GET {_DELIVERY}/attempts": {200: AttemptPage},
    f"POST {_DELIVERY}/retry": {202: ShownDelivery},
}

_ID: Final = "01890a5d-ac96-774b-bcce-b302099a8057"
_URL: Final = "https://example.com/hooks/chat"

BODIES: Final[Mapping[str, dict[str, Any]]] = {
    "POST /api/webhooks": {"url": _URL, "events": ["message.new", "channel.*"], "description": "Moderation"},
    f"PATCH {_WEBHOOK}": {"enabled": True},
    f"POST {_WEBHOOK}/regenerate-secret": {"overlapS": 3_600},
}

BY_NAME: Final[Mapping[str, Any]] = {
    "url": _URL,
    "event": "message.new",
    "state": "active",
    "enabled": True,
    "secret": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "success": True,
    "statusCode": 200,
    "message": "The receiver answered 200.",
    "result": "ok",
    "kind": "attempt",
} | dict.fromkeys(("id", "webhookId", "eventId", "deliveryId"), _ID)

TAGS: Final = {
    "webhooks": "Where events are sent to.",
    "deliveries": "What was sent, and what came of it.",
}


def describe(app: FastAPI) -> None:
    """Have the public application's document be whole."""
    document(
        app,
        ServiceDocument(
            package="webhook_dispatcher",
            description=DESCRIPTION,
            replies=REPLIES,
            security_schemes={
                "ApiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-Key",
                    "description": "Of an app's server, with the scope webhooks:manage or without any.",
                }
            },
            security_of=lambda _route: [{"ApiKey": []}],
            tags=TAGS,
            by_name=BY_NAME,
            bodies=BODIES,
        ),
    )
