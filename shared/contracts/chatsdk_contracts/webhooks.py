"""Operational events of the webhook dispatcher, about its own webhooks and deliveries.

They never cause further ones and never go to the webhook they are about (`webhook.test` goes to nobody else).
A webhook's address is in none of them: addresses often carry a credential.
"""

from typing import Literal

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import DeliveryId, EventId, WebhookId
from chatsdk_contracts.wire import Timestamp, WireModel

WebhookState = Literal["active", "failing", "gone", "off"]
DeliveryStatus = Literal["pending", "delivering", "succeeded", "exhausted", "failed", "held", "skipped"]


class Webhook(WireModel):
    """A webhook without its address and secret; `failure_count` counts consecutive exhausted deliveries."""

    id: WebhookId
    description: str | None = None
    events: list[str]
    state: WebhookState | str
    enabled: bool
    disabled_reason: str | None = None
    failure_count: int = 0
    created_at: Timestamp
    updated_at: Timestamp


class RotatedWebhook(Webhook):
    """A webhook whose secret was replaced; signatures of the previous one are sent until that time."""

    rotated_at: Timestamp
    previous_valid_until: Timestamp | None = None


class WebhookTestCall(WireModel):
    """What a test delivery carries."""

    webhook_id: WebhookId
    message: str


class DeliveryState(WireModel):
    """One delivery: of which event (`event` is its type) to which webhook, and how its last attempt ended."""

    id: DeliveryId
    webhook_id: WebhookId
    event_id: EventId
    event: str
    status: DeliveryStatus | str
    attempts: int
    status_code: int | None = None
    reason: str | None = None
    created_at: Timestamp
    attempted_at: Timestamp | None = None


class _WebhookEvent(Event):
    """What the dispatcher's events share."""

    audience = Audience.SERVER
    aggregate = "webhooks"
    owner = "dispatcher"


class WebhookTest(_WebhookEvent):
    """Somebody asked for a test delivery."""

    type: Literal["webhook.test"] = "webhook.test"
    data: WebhookTestCall


class WebhookDisabled(_WebhookEvent):
    """A webhook stopped sending: it keeps failing, or its owner switched it off."""

    type: Literal["webhook.disabled"] = "webhook.disabled"
    data: Webhook


class WebhookEnabled(_WebhookEvent):
    """A webhook sends again, by its owner or because a probe succeeded."""

    type: Literal["webhook.enabled"] = "webhook.enabled"
    data: Webhook


class WebhookGone(_WebhookEvent):
    """A receiver answered 410: the webhook is never tried again by itself."""

    type: Literal["webhook.gone"] = "webhook.gone"
    data: Webhook


class WebhookSecretRotated(_WebhookEvent):
    """A webhook has a new secret."""

    type: Literal["webhook.secret_rotated"] = "webhook.secret_rotated"
    data: RotatedWebhook


class DeliveryExhausted(_WebhookEvent):
    """A delivery used up its attempts and is parked until the endpoint answers again."""

    type: Literal["delivery.exhausted"] = "delivery.exhausted"
    data: DeliveryState


class DeliveryRecovered(_WebhookEvent):
    """A parked delivery reached its endpoint after all."""

    type: Literal["delivery.recovered"] = "delivery.recovered"
    data: DeliveryState
