"""The ChatSDK client for Python. This is its whole public surface; event classes stand in `chatsdk_contracts`."""

from chatsdk.errors import (
    ChatSDKError,
    InvalidSecretError,
    InvalidSignatureError,
    InvalidWebhookBodyError,
    MissingHeaderError,
    TimestampError,
    WebhookVerificationError,
)
from chatsdk.webhooks import verify
from chatsdk_contracts.envelope import Event, EventHead

__all__ = [
    "ChatSDKError",
    "Event",
    "EventHead",
    "InvalidSecretError",
    "InvalidSignatureError",
    "InvalidWebhookBodyError",
    "MissingHeaderError",
    "TimestampError",
    "WebhookVerificationError",
    "verify",
]
