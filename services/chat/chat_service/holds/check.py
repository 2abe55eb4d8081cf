"""What everybody asks who is about to delete something: whether it is held. Under the lock of its channel or user."""

from __future__ import annotations

from chat_service.holds import store
from chat_service.holds.errors import LegalHold
from chatsdk_contracts.ids import AppId, ChannelId, UploadId, UserId
from chatsdk_runtime.postgres import Connection


async def refuse_held_message(
    connection: Connection, app_id: AppId, channel_id: ChannelId, author: UserId
) -> None:
    """Raises LegalHold when a message of this author in this channel may not be deleted."""
    if await store.is_held(connection, app_id, channel_id, author):
        raise LegalHold("The message")


async def refuse_held_channel(connection: Connection, app_id: AppId, channel_id: ChannelId) -> None:
    """Raises LegalHold when something in the channel may not be deleted."""
    if await store.is_channel_held(connection, app_id, channel_id):
        raise LegalHold("The channel")


async def refuse_held_user(connection: Connection, app_id: AppId, user_id: UserId) -> None:
    """Raises LegalHold when something that the user wrote may not be deleted."""
    if await store.is_user_held(connection, app_id, user_id):
        raise LegalHold("The user")


async def refuse_held_file(connection: Connection, app_id: AppId, upload_id: UploadId) -> None:
    """Raises LegalHold when a file may not be deleted, for who uploaded it or for where it is shown."""
    if await store.is_file_held(connection, app_id, upload_id):
        raise LegalHold("The file")
