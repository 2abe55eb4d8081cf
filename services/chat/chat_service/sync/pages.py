"""A page as it goes out, over HTTP and over sockets."""

from __future__ import annotations

from chat_service.sync import cursor
from chat_service.sync.actions import CaughtUp
from chatsdk_contracts.ids import AppId, UserId
from chatsdk_contracts.sync import SyncPage
from chatsdk_runtime.encryption import Keyring


def page_of(caught: CaughtUp, keyring: Keyring, app_id: AppId, user_id: UserId) -> SyncPage:
    """What was read as it goes out."""
    return SyncPage(
        changes=list(caught.changes),
        states=list(caught.states),
        acks=list(caught.acks),
        reset=caught.filled.reset,
        left=caught.filled.left,
        user=caught.user,
        cursor=cursor.encode(caught.cursor, keyring, app_id, user_id),
        remaining=caught.filled.remaining,
        has_more=caught.filled.has_more,
        epoch=caught.cursor.epoch,
    )
