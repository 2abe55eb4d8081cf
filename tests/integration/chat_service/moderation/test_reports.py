"""Reports: made once by who sees a message, seen by who moderates, decided once with what follows from it."""

import asyncio
from typing import Any

import pytest

from tests.integration.chat_service.calling import error_code
from tests.integration.chat_service.moderation.floor import SPOKEN, Floor

BODY = {"reason": "hate_speech", "details": "the second word"}


async def reported(floor: Floor) -> tuple[str, str]:
    """dan reports what eve said; the ids of message and report."""
    said = await floor.sent(floor.eve)
    made = await floor.dan.call("POST", f"/api/moderation/{said['id']}/report", BODY)
    assert made.status_code == 201, made.text
    return said["id"], made.json()["id"]


async def test_a_message_is_reported_once_by_who_sees_it_and_did_not_write_it(floor: Floor) -> None:
    message_id, report_id = await reported(floor)
    path = f"{floor.path}/messages/{message_id}/report"

    again = await floor.dan.call("POST", path, {"reason": "other"})
    assert (again.status_code, error_code(again)) == (409, "already_reported")
    assert again.json()["error"]["reportId"] == report_id
    own = await floor.eve.call("POST", path, BODY)
    assert (own.status_code, error_code(own)) == (400, "own_message")
    stranger = await floor.tenant.user("stranger")
    for where in (path, f"/api/moderation/{message_id}/report"):
        assert (await stranger.call("POST", where, BODY)).status_code in {403, 404}
    assert (await floor.bob.call("POST", path, {"reason": "bored"})).status_code == 422
    assert (await floor.bob.call("POST", path, {"reason": "spam", "details": "x" * 1_001})).status_code == 422

    events = [
        one for one in await floor.tenant.events(f"channels/{floor.id}") if one["type"] == "message.reported"
    ]
    assert [one["data"] for one in events] == [
        {
            "reportId": report_id,
            "messageId": message_id,
            "channelId": floor.id,
            "reporterId": "dan",
            "reason": "hate_speech",
        }
    ]
    assert "sequence" not in events[0]


async def test_two_reports_at_once_by_one_user_are_one(floor: Floor) -> None:
    said = await floor.sent(floor.eve)
    answers = await asyncio.gather(
        *(floor.dan.call("POST", f"/api/moderation/{said['id']}/report", BODY) for _ in range(4))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


async def test_the_apps_server_sees_all_and_a_moderator_those_of_the_channel(floor: Floor) -> None:
    message_id, report_id = await reported(floor)
    elsewhere = await floor.eve.channel(type="group", name="hers", memberIds=["dan"])
    other = await floor.eve.call("POST", f"/api/channels/{elsewhere['id']}/messages", {"text": "there"})
    await floor.dan.call("POST", f"/api/moderation/{other.json()['id']}/report", {"reason": "spam"})

    page = (await floor.tenant.server("GET", "/api/moderation/reports?limit=1&status=pending")).json()
    assert page["hasMore"]
    rest = await floor.tenant.server("GET", f"/api/moderation/reports?cursor={page['nextCursor']}")
    assert [one["messageId"] for one in (*page["reports"], *rest.json()["reports"])] == [
        other.json()["id"],
        message_id,
    ]
    seen = (await floor.bob.call("GET", f"{floor.path}/reports")).json()
    assert [one["id"] for one in seen["reports"]] == [report_id]
    whole = (await floor.bob.call("GET", f"{floor.path}/reports/{report_id}")).json()
    assert (whole["message"]["text"], whole["details"]) == (SPOKEN, "the second word")
    assert (whole["reporterId"], whole["authorId"], whole["status"]) == ("dan", "eve", "pending")
    assert (await floor.dan.call("GET", f"{floor.path}/reports")).status_code == 403
    hers = f"/api/channels/{elsewhere['id']}/reports/{report_id}"
    assert error_code(await floor.eve.call("GET", hers)) == "report_not_found"


@pytest.mark.parametrize("by_server", [True, False], ids=["server", "moderator"])
@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("delete_message", "actioned"),
        ("ban_user", "actioned"),
        ("warn_user", "reviewed"),
        ("dismiss", "dismissed"),
    ],
)
async def test_a_review_does_what_it_says_and_decides_once(
    floor: Floor, action: str, status: str, by_server: bool
) -> None:
    message_id, report_id = await reported(floor)
    body: dict[str, Any] = {"action": action, "adminNotes": "seen"}
    if action == "ban_user":
        body["ban"] = {"durationS": 60, "reason": "hate"}
    call = floor.tenant.server if by_server else floor.bob.call
    where = f"/api/moderation/reports/{report_id}" if by_server else f"{floor.path}/reports/{report_id}"

    answers = await asyncio.gather(*(call("PUT", f"{where}/review", body) for _ in range(3)))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    [done] = [answer.json() for answer in answers if answer.status_code == 200]
    assert (done["status"], done["actionTaken"], done["adminNotes"]) == (status, action, "seen")
    assert done["reviewedBy"] == (None if by_server else "bob")
    assert (await call("GET", where)).json()["status"] == status
    read = (await floor.dan.call("GET", f"{floor.path}/messages/{message_id}")).json()
    assert (read["type"] == "deleted") is (action == "delete_message")
    sent = await floor.send(floor.eve)
    assert sent.status_code == (403 if action == "ban_user" else 201)
    bans = (await floor.tenant.server("GET", "/api/moderation/bans")).json()["bans"]
    assert [(one["userId"], one["channelId"], one["reason"]) for one in bans] == (
        [("eve", floor.id, "hate")] if action == "ban_user" else []
    )
    [entry] = (await floor.tenant.server("GET", "/api/audit?action=report.reviewed")).json()["entries"]
    assert (entry["targetId"], entry["details"]["action"]) == (report_id, action)
    assert SPOKEN not in str(entry)


async def test_a_moderator_judges_only_those_below_and_only_here(floor: Floor) -> None:
    said = await floor.sent(floor.ann, "by the owner")
    made = await floor.dan.call("POST", f"/api/moderation/{said['id']}/report", BODY)
    where = f"{floor.path}/reports/{made.json()['id']}"

    refused = await floor.bob.call("PUT", f"{where}/review", {"action": "ban_user"})
    assert error_code(refused) == "role_too_low"
    everywhere = {"action": "ban_user", "ban": {"everywhere": True}}
    assert (await floor.bob.call("PUT", f"{where}/review", everywhere)).status_code == 422
    assert (await floor.dan.call("PUT", f"{where}/review", {"action": "dismiss"})).status_code == 403
    # Nothing of a refused review is left.
    assert (await floor.bob.call("GET", where)).json()["status"] == "pending"
    done = await floor.tenant.server("PUT", f"/api/moderation/reports/{made.json()['id']}/review", everywhere)
    assert done.status_code == 200
    [ban] = (await floor.tenant.server("GET", "/api/moderation/bans?userId=ann")).json()["bans"]
    assert ban["channelId"] is None
