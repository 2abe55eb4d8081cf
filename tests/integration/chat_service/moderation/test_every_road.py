"""Every road by which a message can come into a channel, walked by who may not write and by who is not to be heard."""

import pytest

from tests.integration.chat_service.calling import Caller
from tests.integration.chat_service.moderation.floor import ROADS, Floor, Road


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
async def test_who_is_banned_here_or_everywhere_is_refused_and_told_until_when(
    floor: Floor, road: Road
) -> None:
    before = await floor.row()
    for who in (floor.bob, None):
        ban = await floor.ban(who, durationS=3_600, reason="spam")

        status, answer = await road(floor)

        error = answer["error"]
        assert (status, error["code"]) == (403, "banned")
        assert (error["until"], error["reason"]) == (ban["expiresAt"], "spam")
        await floor.bob.call("DELETE", f"{floor.path}/bans/eve")
    assert await floor.row() == before


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
async def test_who_is_shadow_banned_is_answered_as_ever_and_heard_by_nobody(floor: Floor, road: Road) -> None:
    await floor.ban(floor.bob, shadow=True)
    before = await floor.row()

    status, message = await road(floor)

    assert (status, message["text"], message["status"]) == (201, "words of eve", "sent")
    assert (message["seq"], message["threadSeq"]) == (None, None)
    after = await floor.row()
    assert after["cv"] > before["cv"]
    assert {**after, "cv": 0} == {**before, "cv": 0}
    assert "words of eve" not in await everything_read_by(floor, floor.dan)
    own = await floor.eve.call("GET", f"{floor.path}/messages/{message['id']}")
    assert (own.status_code, own.json()["text"]) == (200, "words of eve")
    logged = await floor.tenant.chat.sql(
        "select type from event where channel_id = $1::text::uuid and version > $2", floor.id, before["cv"]
    )
    assert {row["type"] for row in logged} == {"message.shadowed"}


@pytest.mark.parametrize("road", ROADS.values(), ids=ROADS)
async def test_who_is_not_banned_any_more_is_heard(floor: Floor, road: Road) -> None:
    await floor.ban(floor.bob)
    await floor.ban(None, shadow=True)
    await floor.let_bans_run_out()

    status, message = await road(floor)

    assert status == 201
    assert message["seq"] == 2 or message["threadSeq"] == 1
    assert "words of eve" in await everything_read_by(floor, floor.dan)


async def everything_read_by(floor: Floor, reader: Caller) -> str:
    """The timeline, and the replies as a page of what changed shows them."""
    listed = await reader.call("GET", f"{floor.path}/messages?limit=200")
    ids = await floor.tenant.chat.sql(
        "select id from message where channel_id = $1::text::uuid and parent_id is not null", floor.id
    )
    replies = [await reader.call("GET", f"{floor.path}/messages/{row['id']}") for row in ids]
    return listed.text + "".join(one.text for one in replies)
