"""Operations on a collaborative text as they are shown."""

from __future__ import annotations

from chatsdk_contracts.ids import MessageId, UserId
from chatsdk_contracts.messages import TextMode
from chatsdk_contracts.wire import Timestamp, WireModel


class OpView(WireModel):
    """An operation: who has version `version - 1` applies `ops` and has `version`. Null: not kept any more."""

    version: int
    user_id: UserId
    client_op_id: str
    ops: list[dict[str, int | str] | str] | None
    created_at: Timestamp


class OpAnswer(OpView):
    """The same as the answer to whoever sent it; `duplicate`: it was there already."""

    message_id: MessageId
    duplicate: bool


class TextSnapshot(WireModel):
    """The text at a version; in mode crdt with the document, a Yjs update (version 1) in base64."""

    version: int
    text: str
    state: str | None


class OpPage(WireModel):
    """Operations behind a version, ascending.

    With a `snapshot` the reader begins anew from there; `reset` says that what the reader asked for is not kept. Then
    what the reader has not sent yet is made anew on the snapshot (ot) or merged into it (crdt).
    """

    message_id: MessageId
    text_mode: TextMode
    version: int
    reset: bool
    snapshot: TextSnapshot | None
    ops: list[OpView]
    has_more: bool
