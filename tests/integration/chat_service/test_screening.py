"""One gate on every road: what the list rejects, masks or holds, whoever says it and however; and what it costs others."""

import pytest

from chat_service.collab.rules import wire_ops
from chatsdk_contracts.ids import new_id
from tests.integration.chat_service import roads
from tests.integration.chat_service.calling import Chat, Tenant, error_code
from tests.integration.chat_service.message_room import MessageRoom, a_room
from tests.integration.chat_service.roads import EDITS, OPERATIONS, POLLS, SENDS, Road

LIST = "/api/moderation/word-list"
SECRET = "darn"


async def screened(tenant: Tenant) -> MessageRoom:
    entries = [
        {"phrase": "mask", "action": "mask"},
        {"phrase": "hold", "action": "hold"},
        {"phrase": SECRET, "action": "reject"},
    ]
    assert (await tenant.server("PUT", LIST, {"entries": entries})).status_code == 200
    return await a_room(tenant)


@pytest.fixture(scope="module")
async def room(chat: Chat) -> MessageRoom:
    return await screened(await chat.new_tenant("screened"))


async def stored(room: MessageRoom) -> str:
    """All that the database holds of this channel's words, as one text."""
    rows = await room.tenant.chat.sql(
        "select text as said from message where channel_id = $1::text::uuid"
        " union all select convert_from(body, 'utf8') from event where channel_id = $1::text::uuid"
        " union all select question from poll where channel_id = $1::text::uuid"
        " union all select text from poll_option join poll on poll.id = poll_id"
        "   where channel_id = $1::text::uuid"
        " union all select text from message_history",
        room.id,
    )
    return "\n".join(row["said"] for row in rows)


@pytest.mark.parametrize("road", [*SENDS, *EDITS, *OPERATIONS, *POLLS], ids=lambda road: road.__name__)
async def test_what_the_list_rejects_is_stored_on_no_road(room: MessageRoom, road: Road) -> None:
    code, body = await road(room, f"well, {SECRET.upper()}!")

    assert code == "message_rejected"
    assert SECRET not in str(body).lower(), "nothing tells which phrase it was"
    assert SECRET not in (await stored(room)).lower()


@pytest.mark.parametrize("road", [*SENDS, *EDITS], ids=lambda road: road.__name__)
async def test_what_the_list_masks_is_stored_masked_on_every_road(room: MessageRoom, road: Road) -> None:
    code, body = await road(room, "a Mask of 5")

    assert (code, body["text"]) == (None, "a **** of 5")
    assert "Mask" not in await stored(room)


async def test_an_operation_whose_text_would_be_masked_is_refused_and_repeats_are_not(
    room: MessageRoom,
) -> None:
    sent = await room.send("before", textMode="ot")
    path = f"/{sent['id']}/ops"
    first = {"clientOpId": "1", "baseVersion": 1, "ops": wire_ops(("ma", 6))}
    rest = {"clientOpId": "2", "baseVersion": 2, "ops": wire_ops((2, "sk ", 6))}
    behind = {"clientOpId": "3", "baseVersion": 1, "ops": wire_ops((6, "sk"))}
    written = await room.call(room.ann, "POST", path, first)
    assert written.status_code == 201, written.text
    assert error_code(await room.call(room.bob, "POST", path, rest)) == "message_rejected"
    assert (await room.call(room.bob, "POST", path, behind)).status_code == 201
    assert (await room.read(sent))["text"] == "mabeforesk"
    again = await room.call(room.ann, "POST", path, first)
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    [verdict] = (await room.tenant.server("GET", "/api/moderation/verdicts?limit=1")).json()["verdicts"]
    assert (verdict["messageId"], verdict["userId"], verdict["kind"]) == (sent["id"], "bob", "edit")


async def test_a_poll_is_masked_in_its_question_and_its_options(room: MessageRoom) -> None:
    code, poll = await roads.by_option_of_a_poll(room, "mask")
    assert (code, [option["text"] for option in poll["options"]]) == (None, ["yes", "****"])
    code, poll = await roads.by_attached_poll(room, "mask?")
    assert (code, poll["question"]) == (None, "****?")


@pytest.mark.parametrize("road", SENDS, ids=lambda road: road.__name__)
async def test_what_the_list_holds_waits_on_every_road(room: MessageRoom, road: Road) -> None:
    code, body = await road(room, "hold this")
    assert (code, body["status"], body["seq"], body["threadSeq"]) == (None, "held", None, None)


@pytest.mark.parametrize("road", [*EDITS, *OPERATIONS, *POLLS], ids=lambda road: road.__name__)
async def test_what_cannot_wait_is_refused_where_the_list_would_hold_it(
    room: MessageRoom, road: Road
) -> None:
    code, _ = await road(room, "hold this")
    assert code == "review_not_possible"


async def test_a_repeat_is_answered_as_before_whatever_the_list_says_now(tenant: Tenant) -> None:
    room = await a_room(tenant)
    body = {"text": SECRET, "clientMsgId": "c1"}
    first = await room.call(room.ann, "POST", body=body)
    key = {"Idempotency_Key": "edit-1"}
    sent = await room.send("before")
    edited = await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": f"{SECRET} it"}, **key)
    assert (first.status_code, edited.status_code) == (201, 200)

    entry = {"phrase": SECRET, "action": "reject"}
    assert (await tenant.server("POST", f"{LIST}/entries", entry)).status_code == 201

    again = await room.call(room.ann, "POST", body=body)
    assert (again.status_code, again.json()["duplicate"]) == (200, True)
    again = await room.call(room.ann, "PATCH", f"/{sent['id']}", {"text": f"{SECRET} it"}, **key)
    assert (again.status_code, again.json()) == (200, edited.json())
    assert error_code(await room.call(room.ann, "POST", body={"text": SECRET})) == "message_rejected"


async def test_a_kept_operation_keeps_its_refusal_after_the_list_has_changed(tenant: Tenant) -> None:
    room = await screened(tenant)
    op = {"opId": new_id(), "laneSeq": 1, "kind": "message.send", "message": {"id": new_id(), "text": SECRET}}
    body = {"clientId": "phone", "channelId": room.id, "ops": [op]}
    [first] = (await room.ann.call("POST", "/api/sync/ops", body)).json()["results"]
    await tenant.server("PUT", LIST, {"entries": []})
    [again] = (await room.ann.call("POST", "/api/sync/ops", body)).json()["results"]

    assert (first["status"], first["error"]["code"]) == (422, "message_rejected")
    assert again == {**first, "replayed": True}


async def test_who_may_not_send_learns_nothing_of_the_list(tenant: Tenant) -> None:
    room = await screened(tenant)
    eve = await tenant.user("eve")
    assert error_code(await room.call(eve, "POST", body={"text": SECRET})) == "not_a_member"
    assert error_code(await room.call(eve, "PATCH", f"/{new_id()}", {"text": SECRET})) == "not_a_member"
    far = await tenant.chat.new_tenant()
    stranger = await far.user("ann")
    assert error_code(await room.call(stranger, "POST", body={"text": SECRET})) == "channel_not_found"


async def test_system_messages_are_the_apps_own_word(tenant: Tenant) -> None:
    room = await screened(tenant)
    sent = await room.server("POST", body={"text": SECRET, "type": "system", "userId": "ann"})
    assert (sent.status_code, sent.json()["text"]) == (201, SECRET)
    refused = await room.call(room.ann, "POST", body={"text": SECRET, "type": "system"})
    assert refused.status_code == 403


async def test_an_app_without_list_and_hook_asks_the_database_once_and_then_memory(tenant: Tenant) -> None:
    room, gate = await a_room(tenant), tenant.chat.resources.screening
    gate.forget()
    await room.send("first")
    await tenant.chat.sql("alter table app_screening rename to elsewhere")
    try:
        for number in range(20):
            await room.send(f"from memory {number}")
    finally:
        await tenant.chat.sql("alter table elsewhere rename to app_screening")


async def test_verdicts_are_kept_without_the_words(tenant: Tenant) -> None:
    room = await screened(tenant)
    await room.send("fine")
    sent = await room.send("mask")
    await room.call(room.bob, "POST", body={"text": SECRET})
    listed = (await tenant.server("GET", "/api/moderation/verdicts")).json()["verdicts"]
    assert [(one["userId"], one["source"], one["action"], one["kind"]) for one in listed] == [
        ("bob", "word_list", "reject", "send"),
        ("ann", "word_list", "mask", "send"),
    ]
    assert listed[1]["messageId"] == sent["id"]
    assert SECRET not in str(listed)
    one = await tenant.server("GET", f"/api/moderation/verdicts?messageId={sent['id']}&limit=1")
    assert [verdict["id"] for verdict in one.json()["verdicts"]] == [listed[1]["id"]]
    page = (await tenant.server("GET", "/api/moderation/verdicts?limit=1")).json()
    after = await tenant.server("GET", f"/api/moderation/verdicts?limit=1&cursor={page['nextCursor']}")
    assert after.json() == {"verdicts": [listed[1]], "nextCursor": None, "hasMore": False}

    await room.server("DELETE", f"/{sent['id']}?hard=true")
    one = await tenant.server("GET", f"/api/moderation/verdicts?messageId={sent['id']}")
    assert one.json()["verdicts"] == [], "a purge leaves no trace here either"
