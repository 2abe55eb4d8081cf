"""Every error that this package raises.

ChatSDKError
├── InvalidSecretError            the secret given to `verify` is none (ours to mend, not the sender's fault)
└── WebhookVerificationError      answer 400 and drop the request
    ├── MissingHeaderError        no signature, or a header that belongs to it is absent
    ├── InvalidSignatureError     made with another secret, or the body was changed on its way
    ├── TimestampError            the timestamp is unreadable, too old or in the future
    └── InvalidWebhookBodyError   not raw bytes, or signed but no event
"""


class ChatSDKError(Exception):
    """Base of all errors of this package."""


class InvalidSecretError(ChatSDKError):
    """The secret does not have the form `whsec_<base64 of 24 to 64 bytes>`."""


class WebhookVerificationError(ChatSDKError):
    """A request that must not be trusted."""


class MissingHeaderError(WebhookVerificationError):
    """A header that the check needs is absent."""


class InvalidSignatureError(WebhookVerificationError):
    """No signature in the headers matches the body and a secret."""


class TimestampError(WebhookVerificationError):
    """The signed time is unreadable or too far from now: perhaps a replay, perhaps a wrong clock."""


class InvalidWebhookBodyError(WebhookVerificationError):
    """The body is not the raw bytes of an event."""
