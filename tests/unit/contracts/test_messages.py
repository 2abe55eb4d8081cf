"""Messages: what remains of a deleted one."""

import json
from datetime import UTC, datetime

from hypothesis import given

from chatsdk_contracts.ids import UserId
from chatsdk_contracts.messages import Message, tombstone
from chatsdk_contracts.wire import data_json
from tests.unit.contracts.strategies import models

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
# What may stay: the place in the channel, the author, the thread it opened, the times.
KEPT = {
    "id", "channelId", "userId", "seq", "threadSeq", "status", "clientMsgId", "parentId", "replyToId", "silent",
    "replyCount", "lastReplyAt", "createdAt", "editedAt",
}  # fmt: skip
SET = {"type": "deleted", "deletedBy": "bob", "deletedAt": "2026-01-31T12:00:00.000Z", "cv": 99}


@given(models(Message))
def test_a_tombstone_keeps_the_place_of_a_message_and_nothing_that_was_said(message: Message) -> None:
    before = json.loads(data_json(message))
    after = json.loads(data_json(tombstone(message, deleted_at=AT, deleted_by=UserId("bob"), cv=99)))
    assert {name: after[name] for name in KEPT} == {name: before[name] for name in KEPT}
    assert {name: after[name] for name in SET} == SET
    assert (after["version"], after["updatedAt"]) == (before["version"] + 1, after["deletedAt"])
    emptied = after.keys() - KEPT - SET.keys() - {"version", "updatedAt"}
    assert {name for name in emptied if after[name]} == set()
