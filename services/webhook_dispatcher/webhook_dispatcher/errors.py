"""What a caller of the dispatcher's API may be refused with."""

from __future__ import annotations

from chatsdk_runtime.errors import Forbidden, NotFound, Unauthorized


class WebhookNotFound(NotFound):
    """No such webhook in the caller's app."""

    code = "webhook_not_found"


class DeliveryNotFound(NotFound):
    """No such delivery of that webhook."""

    code = "delivery_not_found"


class ServerOnly(Forbidden):
    """A user token on a management route."""

    code = "server_only"


class NoCredential(Unauthorized):
    """No credential, or one that is not valid."""
