"""What a legal hold refuses; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

from chatsdk_runtime.errors import NotFound, ServiceError


class LegalHold(ServiceError):
    """What should be deleted is held: for its channel, or for who wrote it."""

    status_code = 423
    code = "legal_hold"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is under a legal hold; nothing of it may be deleted for now.",
            hint="Whoever runs the app sees its holds with GET /api/legal-holds and may release them.",
        )


class HoldNotFound(NotFound):
    """No such hold in the app, or one that is released."""

    code = "hold_not_found"

    def __init__(self) -> None:
        super().__init__("No such legal hold in force.", hint="GET /api/legal-holds lists them.")
