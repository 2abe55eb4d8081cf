"""Bodies of the routes of collaborative text."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field

from chat_service.wire_input import InputUserId, Line, RequestModel

# More than either mode takes of its own kind; which one it is says the message.
_MOST_OPS: Final = 1_000


class WriteOps(RequestModel):
    """An operation, made on the text at `baseVersion`; `userId` says for whom an app's server writes.

    In mode ot `ops` are components in code points, in mode crdt Yjs updates in base64, for which `baseVersion` is left out.
    """

    client_op_id: Annotated[Line, Field(min_length=1, max_length=255)]
    base_version: Annotated[int, Field(ge=1, lt=1 << 62)] | None = None
    ops: Annotated[
        list[Any],
        Field(
            min_length=1,
            max_length=_MOST_OPS,
            json_schema_extra={"items": {"anyOf": [{"type": "object"}, {"type": "string"}]}},
        ),
    ]
    user_id: InputUserId | None = None
