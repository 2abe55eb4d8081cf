"""Bodies of the sync routes: operations that a client kept while it was away."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from chat_service.messages.requests import EditMessage, SendMessage
from chat_service.reactions.rules import LONGEST_TYPE
from chat_service.wire_input import ClientMadeId, Line, RequestModel

MOST_OPS: int = 50

LaneSeq = Annotated[int, Field(ge=1, le=2**62)]
ClientName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._:-]+$")]
OpId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", max_length=36)]


class _Op(RequestModel):
    """What all operations share: who it is for ever (`op_id`), and its place in the lane."""

    op_id: OpId
    lane_seq: LaneSeq


class SendOp(_Op):
    """Send a message under an id that the client made."""

    kind: Literal["message.send"]
    message: SendMessage

    @model_validator(mode="after")
    def _has_an_id(self) -> Self:
        if self.message.id is None:
            raise PydanticCustomError("missing", "message.id: required here, a UUIDv7 that the client made")
        return self


class EditOp(_Op):
    """Write a new text on top of a version."""

    kind: Literal["message.edit"]
    message_id: ClientMadeId
    edit: EditMessage


class DeleteOp(_Op):
    """Delete a message; one of one's own that has not arrived yet never will."""

    kind: Literal["message.delete"]
    message_id: ClientMadeId
    base_version: Annotated[int, Field(ge=1)] | None = None


class ReactionOp(_Op):
    """React to a message, or take a reaction back."""

    kind: Literal["reaction.add", "reaction.remove"]
    message_id: ClientMadeId
    type: Annotated[Line, Field(min_length=1, max_length=LONGEST_TYPE)]


class ReadOp(_Op):
    """Have read up to a message, by its id or its seq."""

    kind: Literal["read.mark"]
    message_id: ClientMadeId | None = None
    seq: Annotated[int, Field(ge=1, le=2**62)] | None = None

    @model_validator(mode="after")
    def _up_to_one(self) -> Self:
        if (self.message_id is None) == (self.seq is None):
            raise PydanticCustomError("one_of", "messageId or seq: give one of them")
        return self


Op = Annotated[SendOp | EditOp | DeleteOp | ReactionOp | ReadOp, Field(discriminator="kind")]


class PushOps(RequestModel):
    """Operations of one client in one channel, with lane numbers that follow each other."""

    client_id: ClientName
    channel_id: Annotated[str, Field(max_length=36)]
    ops: Annotated[tuple[Op, ...], Field(min_length=1, max_length=MOST_OPS)]

    @model_validator(mode="after")
    def _follow_each_other(self) -> Self:
        first = self.ops[0].lane_seq
        if [op.lane_seq for op in self.ops] != list(range(first, first + len(self.ops))):
            raise PydanticCustomError("not_contiguous", "ops: laneSeq must rise by one from each to the next")
        return self
