"""The two senders that talk to strangers: one to the apps' hooks, one to whatever people link to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from chat_service.hooks.rules import ANSWER_BYTES
from chat_service.settings import ChatSettings
from chatsdk_runtime.outgoing.address_guard import AddressPolicy
from chatsdk_runtime.outgoing.sender import Sender, SenderLimits


@dataclass(frozen=True, slots=True)
class Strangers:
    """Both with the same guard; hooks keep their connections, pages are visited once."""

    hooks: Sender
    pages: Sender

    @classmethod
    def open(cls, settings: ChatSettings) -> Self:
        """Made on the event loop that uses them; `close` ends them."""
        policy = AddressPolicy(allowed_networks=settings.outgoing_networks)
        return cls(
            hooks=Sender(
                policy, allow_http=settings.hook_allow_http, limits=SenderLimits(body_bytes=ANSWER_BYTES)
            ),
            pages=Sender(
                policy,
                allow_http=True,
                limits=SenderLimits(body_bytes=settings.preview_body_bytes, idle_s=1.0),
            ),
        )

    async def close(self) -> None:
        """Close all connections."""
        await self.hooks.close()
        await self.pages.close()
