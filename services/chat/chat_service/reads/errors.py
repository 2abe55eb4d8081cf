"""What is refused about read state; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

from chatsdk_runtime.errors import Forbidden


class ReceiptsOff(Forbidden):
    """The channel tells nobody who has read what."""

    code = "receipts_off"

    def __init__(self) -> None:
        super().__init__(
            "Read receipts are switched off in this channel.",
            hint="An owner or admin may switch them on: PATCH the channel with config.readEvents=true.",
        )
