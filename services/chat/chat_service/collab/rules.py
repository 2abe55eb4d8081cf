"""What an operation on a collaborative text is, who may write it, and what it does to the text. Pure, but for the merging
of documents, which is pure too and takes its time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from chat_service.collab import document, ot
from chat_service.collab.errors import BaseTooOld, DocumentTooLarge, MissingUpdates
from chat_service.collab.ot import Operation
from chat_service.collab.yjs_format import MissingBaseError
from chat_service.errors import ChannelFrozen
from chat_service.messages.rules import FROZEN_EXEMPT_ROLES, too_long
from chat_service.wire_input import is_storable
from chatsdk_contracts.channels import ChannelConfig
from chatsdk_runtime.errors import InvalidInput, invalid_field

OPS_REMEMBERED_DAYS: Final = 7
"""How long the repeat of an operation is known as one after what it did is not kept any more: as long as that of a call."""
MOST_COMPONENTS: Final = 200
MOST_STEPS: Final = 15_000
"""Components walked over to follow what came before: some 50 ms, for which the channel is held."""
MOST_UPDATES: Final = 50
MOST_UPDATE_BYTES: Final = 65_536
_KINDS: Final = ("retain", "insert", "delete")
_EXAMPLE: Final = (
    'In this message an op is {"retain": 5}, {"insert": "text"} or {"delete": 2}, in code points.'
)

WireOp = dict[str, int | str] | str


@dataclass(frozen=True, slots=True)
class Changed:
    """What an operation comes to: the text, how it applies to the version before, and the new document, if any."""

    text: str
    ops: Sequence[WireOp]
    state: bytes | None = None


def require_writer(role: str | None, *, frozen: bool, by_server: bool) -> None:
    """Who may send in the channel may write: choosing a textMode is what asks the others in."""
    if frozen and not by_server and role not in FROZEN_EXEMPT_ROLES:
        raise ChannelFrozen


def operation_of(given: Sequence[Any]) -> Operation:
    """The operation that a list of components is.

    Raises:
        InvalidInput: one of them is none, by its path.
    """
    if len(given) > MOST_COMPONENTS:
        raise invalid_field(
            "ops", "too_many", f"at most {MOST_COMPONENTS} components", hint="Send two operations."
        )
    return ot.normalised(_component(one, f"ops[{index}]") for index, one in enumerate(given))


def _component(given: Any, path: str) -> int | str:
    if not isinstance(given, dict) or len(given) != 1 or next(iter(given)) not in _KINDS:
        raise invalid_field(path, "invalid_op", "is no component", hint=_EXAMPLE)
    ((kind, value),) = given.items()
    if kind == "insert":
        if not isinstance(value, str) or not value:
            raise invalid_field(f"{path}.insert", "invalid_op", "must be a text of at least one character")
        if not is_storable(value):
            raise invalid_field(f"{path}.insert", "invalid_text", "must not contain NUL or a lone surrogate")
        return value
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 31:
        raise invalid_field(f"{path}.{kind}", "invalid_op", "must be a number of code points, at least 1")
    return value if kind == "retain" else -value


def wire_ops(operation: Operation) -> list[WireOp]:
    """An operation as it stands on the wire and in the database."""
    return [
        {"insert": one} if isinstance(one, str) else {"retain": one} if one > 0 else {"delete": -one}
        for one in operation
    ]


def stored_operation(ops: Sequence[WireOp]) -> Operation:
    """The operation that `wire_ops` was given."""
    return ot.normalised(_component(one, "ops") for one in ops)


def written(
    text: str, version: int, operation: Operation, since: Sequence[Operation], config: ChannelConfig
) -> Changed:
    """The text at a version after an operation that was made before those `since`.

    Raises:
        InvalidInput: the operation reaches beyond the text it was made for, or makes the text too long.
        BaseTooOld: there is too much to follow.
    """
    length = ot.base_length(since[0]) if since else len(text)
    spanned = ot.base_length(operation)
    if spanned > length:
        raise invalid_field(
            "ops",
            "beyond_the_end",
            f"they span {spanned} code points of a text that has {length}",
            hint="Count code points, not UTF-16 units, and give the version that you counted in as baseVersion.",
        )
    # What follows the last component stays as it is.
    operation = ot.normalised([*operation, length - spanned])
    steps = 0
    for earlier in since:
        # What is deleted is cut up by what others inserted there: the operation grows on its way.
        steps += len(earlier) + len(operation)
        if steps > MOST_STEPS:
            raise BaseTooOld(version)
        _, operation = ot.transform(earlier, operation)
    changed = ot.apply(text, operation)
    _require_room(changed, config)
    return Changed(changed, wire_ops(operation))


def updates_of(given: Sequence[Any]) -> list[bytes]:
    """The updates that a list of base64 texts holds.

    Raises:
        InvalidInput: one of them is none, by its path.
    """
    if len(given) > MOST_UPDATES:
        raise invalid_field(
            "ops", "too_many", f"at most {MOST_UPDATES} updates", hint="Merge them: one is enough."
        )
    updates = [_bytes_of(one, f"ops[{index}]") for index, one in enumerate(given)]
    if sum(map(len, updates)) > MOST_UPDATE_BYTES:
        raise invalid_field("ops", "too_large", f"at most {MOST_UPDATE_BYTES} bytes at once")
    return updates


def _bytes_of(given: Any, path: str) -> bytes:
    try:
        if isinstance(given, str):
            return base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise invalid_field(path, "invalid_base64", "must be a Yjs update (version 1) in base64")


def merged(
    text: str, state: bytes | None, updates: Sequence[bytes], config: ChannelConfig, most_bytes: int
) -> Changed:
    """The text after some updates; without a state they are the first.

    Raises:
        InvalidInput: one is no update of a text, or they make the text too long.
        MissingUpdates: one stands on something that the document does not have.
        DocumentTooLarge: the document would be.
    """
    try:
        after = document.merge(document.seeded(text) if state is None else state, updates)
    except document.UpdateRefusedError as refused:
        if isinstance(refused.reason, MissingBaseError):
            raise MissingUpdates(refused.index) from refused
        raise _invalid_update(refused) from refused
    if len(after.state) > most_bytes:
        raise DocumentTooLarge(most_bytes)
    if not is_storable(after.text):
        raise invalid_field("ops", "invalid_text", "the text must not contain NUL")
    _require_room(after.text, config)
    return Changed(after.text, [base64.b64encode(one).decode() for one in updates], after.state)


def _invalid_update(refused: document.UpdateRefusedError) -> InvalidInput:
    return invalid_field(
        f"ops[{refused.index}]",
        "invalid_update",
        f"cannot be merged into a shared text: {refused}",
        hint='Send what the document\'s "update" event gives, of a Y.Text named "text" and nothing else.',
    )


def _require_room(text: str, config: ChannelConfig) -> None:
    if too_long(text, config) is not None:
        most = config.max_message_length
        raise invalid_field(
            "ops", "too_long", f"the text would have {len(text)} characters; at most {most} here"
        )


def request_hash(mode: str, base_version: int | None, ops: Sequence[Any]) -> bytes:
    """What was asked; a repeat must ask the same."""
    asked = [mode, base_version, ops]
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).digest()


def next_kept_after(version: int, kept_after: int, kept: int) -> int:
    """Up to where operations are dropped now: nowhere until there are twice as many as are kept."""
    return version - kept if version - kept_after > 2 * kept else kept_after
