"""Kept operations on a real database: in order, each once, results that repeat, exact cancel."""

import asyncio
from typing import Any

import pytest

from chatsdk_contracts.ids import new_id
from tests.integration.chat_service.calling import Caller, Chat, Tenant, error_code, problems
from tests.integration.chat_service.sync.devices import Device, all_numbered


def send_op(seq: int, text: str = "hello", message_id: str | None = None, **fields: Any) -> dict[str, Any]:
    message = {"id": message_id or new_id(), "text": text, **fields}
    return {"kind": "message.send", "opId": new_id(), "laneSeq": seq, "message": message}


def edit_op(seq: int, message_id: str, text: str, base: int | None = None) -> dict[str, Any]:
    edit = {"text": text} | ({"baseVersion": base} if base else {})
    return {"kind": "message.edit", "opId": new_id(), "laneSeq": seq, "messageId": message_id, "edit": edit}


def delete_op(seq: int, message_id: str) -> dict[str, Any]:
    return {"kind": "message.delete", "opId": new_id(), "laneSeq": seq, "messageId": message_id}


class Lane:
    """One client's calls of one channel."""

    def __init__(self, user: Caller, channel_id: str, client_id: str = "phone") -> None:
        self.user, self.channel_id, self.client_id = user, channel_id, client_id

    async def push(self, *ops: dict[str, Any]) -> Any:
        body = {"clientId": self.client_id, "channelId": self.channel_id, "ops": ops}
        return await self.user.call("POST", "/api/sync/ops", body)

    async def results(self, *ops: dict[str, Any]) -> list[dict[str, Any]]:
        response = await self.push(*ops)
        assert response.status_code == 200, response.text
        results: list[dict[str, Any]] = response.json()["results"]
        return results


@pytest.fixture
async def lane(tenant: Tenant) -> Lane:
    ann, _ = await tenant.users("ann", "bob")
    return Lane(ann, (await ann.channel(type="group", memberIds=["bob"]))["id"])


async def _stored(chat: Chat, lane: Lane) -> list[tuple[str, str]]:
    rows = await chat.sql(
        "select type, text from message where channel_id = $1::text::uuid order by cv", lane.channel_id
    )
    return [(row["type"], row["text"]) for row in rows]


async def test_operations_are_applied_in_order_and_a_repeat_gets_the_same_results(
    chat: Chat, lane: Lane
) -> None:
    one, two = new_id(), new_id()
    ops = [send_op(1, "one", one), send_op(2, "two", two), edit_op(3, one, "one!"), delete_op(4, two)]

    first = await lane.results(*ops)
    again = await lane.results(*ops)

    assert [result["status"] for result in first] == [201, 201, 200, 200]
    assert [result["message"]["id"] for result in first] == [one, two, one, two]
    assert not any(result["replayed"] for result in first)
    assert all(result["replayed"] for result in again)
    assert [result["status"] for result in again] == [201, 201, 200, 200]
    # A replayed result shows the message as it is now.
    assert [result["message"]["text"] for result in again] == ["one!", "", "one!", ""]
    assert await _stored(chat, lane) == [("regular", "one!"), ("deleted", "")]


async def test_concurrent_repeats_of_a_push_have_one_effect(chat: Chat, lane: Lane) -> None:
    ops = [send_op(1, "a"), send_op(2, "b"), send_op(3, "c")]

    answers = await asyncio.gather(*(lane.push(*ops) for _ in range(8)))

    assert {answer.status_code for answer in answers} == {200}
    assert await _stored(chat, lane) == [("regular", "a"), ("regular", "b"), ("regular", "c")]


async def test_an_operation_beyond_the_next_is_refused_with_the_number_of_the_next(lane: Lane) -> None:
    await lane.results(send_op(1))

    refused = await lane.push(send_op(3))

    assert (refused.status_code, error_code(refused)) == (409, "out_of_order")
    assert refused.json()["error"]["expected"] == 2


async def test_a_refusal_is_a_result_and_the_lane_goes_on(chat: Chat, lane: Lane) -> None:
    wrong = send_op(1, "reply", parentId=new_id())
    results = await lane.results(wrong, send_op(2, "next"))

    assert [result["status"] for result in results] == [422, 201]
    assert results[0]["error"]["details"][0]["path"] == "parentId"
    assert (await lane.results(wrong))[0] == {**results[0], "replayed": True}
    assert await _stored(chat, lane) == [("regular", "next")]


async def test_an_edit_on_an_old_version_conflicts_and_its_repeat_shows_what_is_there_now(
    lane: Lane, tenant: Tenant
) -> None:
    message_id = new_id()
    await lane.results(send_op(1, "first", message_id))
    path = f"/api/channels/{lane.channel_id}/messages/{message_id}"
    await lane.user.call("PATCH", path, {"text": "second"})
    stale = edit_op(2, message_id, "mine", base=1)

    [conflict] = await lane.results(stale)
    await lane.user.call("PATCH", path, {"text": "third"})
    [again] = await lane.results(stale)

    assert (conflict["status"], conflict["error"]["current"]["text"]) == (409, "second")
    assert (again["status"], again["error"]["current"]["text"]) == (409, "third")


async def test_a_message_deleted_before_it_arrives_never_appears(chat: Chat, lane: Lane) -> None:
    message_id = new_id()
    late = send_op(1, "MARKER-LATE", message_id)
    other = Lane(lane.user, lane.channel_id, "tablet")

    [deleted] = await other.results(delete_op(1, message_id))
    [sent] = await lane.results(late)
    plain = await lane.user.call(
        "POST", f"/api/channels/{lane.channel_id}/messages", {"id": message_id, "text": "MARKER-LATE"}
    )

    assert (deleted["status"], deleted["message"]["type"]) == (200, "deleted")
    assert (sent["status"], sent["message"]["type"], sent["message"]["text"]) == (200, "deleted", "")
    assert (plain.status_code, plain.json()["type"]) == (200, "deleted")
    assert await _stored(chat, lane) == []
    assert "MARKER-LATE" not in str(await chat.sql("select result from op_result"))


async def test_an_id_or_a_place_that_was_used_is_not_used_again(lane: Lane) -> None:
    first = send_op(1, "first")
    await lane.results(first)

    other_content = await lane.push({**first, "message": {**first["message"], "text": "other"}})
    other_place = await lane.push({**first, "laneSeq": 2})
    same_message = await lane.results(send_op(2, "other", first["message"]["id"]))

    assert {error_code(other_content), error_code(other_place)} == {"idempotency_mismatch"}
    assert same_message[0]["status"] == 422


async def test_reactions_and_read_marks_are_kept_operations_too(
    chat: Chat, lane: Lane, tenant: Tenant
) -> None:
    bob = await tenant.user("bob")
    path = f"/api/channels/{lane.channel_id}/messages"
    message = (await bob.call("POST", path, {"text": "hello"})).json()
    about = {"messageId": message["id"], "type": "👍"}
    ops = [
        {"kind": "reaction.add", "opId": new_id(), "laneSeq": 1, **about},
        {"kind": "reaction.add", "opId": new_id(), "laneSeq": 2, **about},
        {"kind": "reaction.remove", "opId": new_id(), "laneSeq": 3, **about},
        {"kind": "reaction.remove", "opId": new_id(), "laneSeq": 4, **about},
        {"kind": "reaction.add", "opId": new_id(), "laneSeq": 5, **about | {"type": "no emoji"}},
        {"kind": "read.mark", "opId": new_id(), "laneSeq": 6, "messageId": message["id"]},
    ]

    first = await lane.results(*ops)
    again = await lane.results(*ops)

    assert [result["status"] for result in first] == [201, 200, 200, 404, 422, 200]
    assert [result["status"] for result in again] == [201, 200, 200, 404, 422, 200]
    assert first[0]["message"]["reactionCounts"] == {"👍": 1}
    assert first[4]["error"]["details"][0]["path"] == "type"
    assert first[5]["message"] is None
    [row] = await chat.sql(
        "select last_read_seq from channel_member where channel_id = $1::text::uuid and user_id = 'ann'",
        lane.channel_id,
    )
    assert row["last_read_seq"] == message["seq"]
    events = await chat.sql(
        "select type from event where channel_id = $1::text::uuid and type like 'reaction.%' order by version",
        lane.channel_id,
    )
    assert [row["type"] for row in events] == ["reaction.added", "reaction.removed"]


async def test_what_is_malformed_is_named_and_applies_nothing(chat: Chat, lane: Lane) -> None:
    gap = await lane.push(send_op(1), send_op(3))
    no_id = await lane.push({**send_op(1), "message": {"text": "x"}})
    unknown = await lane.push({**send_op(1), "kind": "message.explode"})

    assert {gap.status_code, no_id.status_code, unknown.status_code} == {422}
    assert problems(unknown)
    assert await _stored(chat, lane) == []


async def test_strangers_push_nothing(tenant: Tenant, lane: Lane) -> None:
    eve = await tenant.user("eve")
    other = await (await tenant.chat.new_tenant("other")).user("ann")

    [not_in] = await Lane(eve, lane.channel_id).results(send_op(1))
    [foreign] = await Lane(other, lane.channel_id).results(send_op(1))

    assert (not_in["status"], not_in["error"]["code"]) == (403, "not_a_member")
    assert (foreign["status"], foreign["error"]["code"]) == (404, "channel_not_found")
    assert (await Lane(lane.user, "no-id").push(send_op(1))).status_code == 404


async def test_a_page_acknowledges_what_it_or_one_before_shows(chat: Chat, lane: Lane) -> None:
    await all_numbered(chat)
    phone = Device(lane.user)
    await phone.catch_up()
    await lane.results(*(send_op(seq, f"m{seq}") for seq in range(1, 7)))
    await all_numbered(chat)

    acked = []
    while True:
        page = await phone.page(limit=2)
        acked += [
            (ack["laneSeq"], len(phone.messages))
            for ack in page["acks"]
            if ack["channelId"] == lane.channel_id
        ]
        if not page["hasMore"]:
            break

    assert acked, "acknowledged"
    assert all(seq == shown for seq, shown in acked), acked
    assert acked[-1] == (6, 6)


async def test_a_device_that_starts_anew_hears_what_was_applied(chat: Chat, lane: Lane) -> None:
    await lane.results(send_op(1), send_op(2))
    await all_numbered(chat)

    page = await Device(lane.user).page()

    assert page["acks"] == [{"channelId": lane.channel_id, "laneSeq": 2}]


async def test_a_hybrid_time_is_kept_and_one_from_the_future_set_back(lane: Lane) -> None:
    honest, ahead = "1700000000000:0001:phone", "9999999999999:0001:phone"

    first, second = await lane.results(send_op(1, hlc=honest), send_op(2, hlc=ahead))

    assert first["message"]["hlc"] == honest
    assert second["message"]["hlc"] < ahead
    assert second["message"]["hlc"].endswith(":0001:phone")
