"""Everything that a caller does wrong gets the status, the code and the hint that the contract names."""

import json
from typing import Any

import pytest

from tests.fixtures.callers import AppCaller, Reply
from tests.fixtures.services import Stack

ATTACHED = {"type": "image", "url": "https://example.com/a.png"}


@pytest.fixture(scope="module")
async def app(stack: Stack) -> AppCaller:
    return await stack.new_app()


@pytest.fixture(scope="module")
async def channel(app: AppCaller) -> str:
    return await app.channel("ann", "ben", type="team")


def _refused(reply: Reply, status: int, code: str) -> dict[str, Any]:
    assert reply.status == status, reply
    error = reply.error
    assert error["code"] == code, error
    assert error["message"]
    assert error["requestId"]
    return error


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"text": 7}, "text", "string_type"),
        ({"text": "x" * 10_001}, "text", "too_long"),
        ({"text": "a\x00b"}, "text", "invalid_text"),
        ({"text": "a\ud800b"}, "text", "invalid_text"),
        ({"text": "a", "clientMsgId": ""}, "clientMsgId", "too_short"),
        ({"text": "a", "clientMsgId": "\x00"}, "clientMsgId", "invalid_text"),
        ({"text": "a", "unheardOf": 1}, "unheardOf", "extra_forbidden"),
        (
            {"text": "a", "attachments": [ATTACHED, {**ATTACHED, "type": ""}]},
            "attachments[1].type",
            "too_short",
        ),
        ({"text": "a", "attachments": [{**ATTACHED, "size": -1}]}, "attachments[0].size", None),
        ({"text": "a", "custom": {"deep": ["\x00"]}}, "custom", "invalid_text"),
        ({"text": "a", "custom": {"much": "x" * 5_000}}, "custom", "too_large"),
        ({"text": "a", "parentId": "no-uuid"}, "parentId", None),
    ],
)
async def test_a_bad_field_is_named_by_its_path(
    app: AppCaller, channel: str, fields: dict[str, Any], path: str, code: str | None
) -> None:
    text = fields.pop("text")
    error = _refused(await app.send(channel, "ann", text, **fields), 422, "invalid_input")
    (problem,) = error["details"]
    assert problem["path"] == path
    assert problem["message"]
    if code is not None:
        assert problem["code"] == code


async def test_several_bad_fields_are_named_at_once(app: AppCaller, channel: str) -> None:
    reply = await app.call(
        "POST", f"/api/channels/{channel}/messages", {"text": 1, "custom": 2, "more": 3}, user="ann"
    )
    error = _refused(reply, 422, "invalid_input")
    assert {problem["path"] for problem in error["details"]} == {"text", "custom", "more"}


async def test_an_empty_message_says_what_is_needed(app: AppCaller, channel: str) -> None:
    reply = await app.call("POST", f"/api/channels/{channel}/messages", {}, user="ann")
    assert "text or attachments" in json.dumps(_refused(reply, 422, "invalid_input"))


async def test_an_unknown_member_is_named_with_the_way_out(app: AppCaller) -> None:
    reply = await app.call(
        "POST", "/api/channels", {"type": "group", "name": "x", "memberIds": ["ben", "nobody"]}, user="ann"
    )
    error = _refused(reply, 422, "invalid_input")
    assert [problem["path"] for problem in error["details"]] == ["memberIds[1]"]
    assert "/api/users/ensure" in error["hint"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"text": "a"', b"\xff\xfe", b'{"text": NaN}x', b"nul\x00"])
async def test_malformed_json_is_a_bad_request(app: AppCaller, channel: str, body: bytes) -> None:
    reply = await app.call("POST", f"/api/channels/{channel}/messages", body, user="ann")
    assert reply.status in ({400, 422} if not body else {400}), reply
    assert reply.error["requestId"]


async def test_a_body_that_is_too_large_is_refused(app: AppCaller, channel: str) -> None:
    body = json.dumps({"text": "x" * 300_000}).encode()
    _refused(
        await app.call("POST", f"/api/channels/{channel}/messages", body, user="ann"),
        413,
        "payload_too_large",
    )


@pytest.mark.parametrize("unknown", ["01a206e7-0000-7000-8000-000000000000", "no-uuid", "%00", "..%2f"])
async def test_an_unknown_channel_is_not_found(app: AppCaller, unknown: str) -> None:
    reply = await app.call("POST", f"/api/channels/{unknown}/messages", {"text": "a"}, user="ann")
    assert reply.status == 404, reply


async def test_who_is_not_a_member_is_told_how_to_join(app: AppCaller, channel: str) -> None:
    await app.token("guest")
    error = _refused(await app.send(channel, "guest", "let me in"), 403, "not_a_member")
    assert f"POST /api/channels/{channel}/join" in error["hint"]

    await app.ok("POST", f"/api/channels/{channel}/join", user="guest")
    assert (await app.send(channel, "guest", "here I am")).status == 201


async def test_a_closed_channel_is_not_there_for_who_is_not_in_it(app: AppCaller) -> None:
    closed = await app.channel("ann", "ben", type="group")
    await app.token("guest")
    reply = await app.send(closed, "guest", "let me in")
    assert reply.status in {403, 404}
    assert "/join" not in reply.error.get("hint", "")


async def test_nothing_of_one_app_is_there_for_another(stack: Stack, app: AppCaller, channel: str) -> None:
    message = (await app.send(channel, "ann", "ours")).body
    webhook = await app.webhook("http://127.0.0.1:9/hook", "message.new")
    other = await stack.new_app()
    await other.token("ann")

    edit: dict[str, Any] = {"text": "theirs"}
    for user in ("ann", None):
        for method, path, body in (
            ("GET", f"/api/channels/{channel}", None),
            ("GET", f"/api/channels/{channel}/messages/{message['id']}", None),
            ("PATCH", f"/api/channels/{channel}/messages/{message['id']}", edit),
            ("DELETE", f"/api/channels/{channel}/messages/{message['id']}", None),
            ("DELETE", f"/api/channels/{channel}", None),
        ):
            reply = await other.call(method, path, body, user=user)
            assert reply.status in ({404} if user else {403, 404}), (method, path, reply)
    disable: dict[str, Any] = {"enabled": False}
    for method, path, body in (
        ("GET", f"/api/webhooks/{webhook['id']}", None),
        ("PATCH", f"/api/webhooks/{webhook['id']}", disable),
        ("GET", f"/api/webhooks/{webhook['id']}/deliveries", None),
        ("POST", f"/api/webhooks/{webhook['id']}/regenerate-secret", None),
        ("DELETE", f"/api/webhooks/{webhook['id']}", None),
    ):
        assert (await other.call(method, path, body)).status == 404, (method, path)
    assert (await other.send(channel, "ann", "intruder")).status == 404


async def test_an_edit_on_an_old_version_is_a_conflict_that_shows_the_present(
    app: AppCaller, channel: str
) -> None:
    message = (await app.send(channel, "ann", "one")).body
    path = f"/api/channels/{channel}/messages/{message['id']}"
    await app.ok("PATCH", path, {"text": "two", "baseVersion": 1}, user="ann")

    reply = await app.call("PATCH", path, {"text": "three", "baseVersion": 1}, user="ann")

    error = _refused(reply, 409, "conflict")
    assert (error["current"]["text"], error["current"]["version"]) == ("two", 2)


async def test_a_user_token_opens_no_management_route(app: AppCaller) -> None:
    for method, path, body in (
        ("POST", "/api/webhooks", {"url": "http://127.0.0.1:9/", "events": ["*"]}),
        ("GET", "/api/webhooks", None),
        ("POST", "/api/users/ensure", {"userId": "more"}),
        ("POST", "/api/auth/tokens", {"userId": "ben"}),
    ):
        assert (await app.call(method, path, body, user="ann")).status == 403, (method, path)


async def test_bad_fields_of_a_webhook_are_named(app: AppCaller) -> None:
    reply = await app.call(
        "POST", "/api/webhooks", {"url": "gopher://x", "events": ["no.such"], "secret": "short", "more": 1}
    )
    error = _refused(reply, 422, "invalid_input")
    paths = {problem["path"] for problem in error["details"]}
    assert "more" in paths or {"url", "events[0]", "secret"} <= paths
