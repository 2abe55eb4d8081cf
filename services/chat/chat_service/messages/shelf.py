"""Where what a deleted message said waits: sealed, for the time in which the deletion may be taken back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from chat_service.messages import detail_store
from chat_service.resources import Resources
from chatsdk_contracts.ids import MessageId, UserId
from chatsdk_contracts.messages import Attachment, MentionGroup, Message, MessageType
from chatsdk_contracts.wire import Custom, WireModel, data_json
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.postgres import Transaction


class Said(WireModel):
    """What a message said, and how it is restored."""

    type: MessageType
    text: str
    attachments: list[Attachment]
    custom: Custom
    mentions: list[UserId] = Field(default_factory=list)
    mention_groups: list[MentionGroup | str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shelf:
    """The keys that seal, and how long a copy is kept; after no time at all none is made."""

    keyring: Keyring
    kept_for: timedelta

    @classmethod
    def of(cls, resources: Resources) -> Shelf:
        """The service's own."""
        return cls(resources.keyring, timedelta(days=resources.settings.undelete_days))

    async def put(self, tx: Transaction, message: Message, now: datetime) -> None:
        """Keep what a message says that is about to be deleted."""
        if not self.kept_for:
            return
        said = Said(
            type=message.type,
            text=message.text,
            attachments=message.attachments,
            custom=message.custom,
            mentions=message.mentions,
            mention_groups=message.mention_groups,
        )
        sealed = self.keyring.seal(data_json(said), **_place(message.id))
        await detail_store.keep_content(tx, message.id, sealed, now + self.kept_for)

    async def take(self, tx: Transaction, message_id: MessageId, now: datetime) -> Said | None:
        """What the message said; None when it is not kept (any more). The copy is gone then."""
        sealed = await detail_store.take_content(tx, message_id, now)
        if sealed is None:
            return None
        return Said.model_validate_json(self.keyring.open(sealed, **_place(message_id)))


def _place(message_id: MessageId) -> dict[str, str]:
    return {"table": "deleted_content", "column": "content", "row": message_id}
