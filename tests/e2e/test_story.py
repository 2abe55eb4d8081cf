"""The main job from end to end: a message sent over HTTP reaches a receiver, signed, and is counted once."""

import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.fixtures.receiver import Receiver
from tests.fixtures.services import Stack
from tests.waiting import wait_for


def _openssl_hmac(secret: str, body: bytes, folder: Path) -> str:
    """What a receiver's shell script computes."""
    file = folder / "body"
    file.write_bytes(body)
    program = shutil.which("openssl")
    assert program is not None
    told = subprocess.run(
        [program, "dgst", "-sha256", "-hmac", secret, str(file)], check=True, capture_output=True, text=True
    )
    return told.stdout.rsplit(" ", 1)[1].strip()


async def test_a_message_is_stored_delivered_signed_and_counted_once(stack: Stack, tmp_path: Path) -> None:
    app = await stack.new_app()
    channel = await app.channel("ann", "ben", type="team")
    async with Receiver() as receiver:
        webhook = await app.webhook(receiver.url + "/hook", "message.new")
        receiver.trust(webhook["secret"])
        counted_before = await stack.messages_counted(app.app_id)

        sent = await app.send(channel, "ann", "Guten Tag, 你好 🎉", clientMsgId="story-1")
        sent_at = time.monotonic()

        assert sent.status == 201
        message: dict[str, Any] = sent.body
        assert message["channelId"] == channel
        assert message["userId"] == "ann"
        assert message["status"] == "sent"
        assert message["seq"] == 1
        assert message["clientMsgId"] == "story-1"
        assert message["duplicate"] is False

        await wait_for(lambda: _counted(stack, app.app_id, counted_before + 1), 2, "counted within 2 s")
        assert time.monotonic() - sent_at < 2

        (received,) = await receiver.wait_for(1)
        assert received.problem is None
        verified = Webhook(webhook["secret"]).verify(received.body, received.headers)
        assert verified["type"] == "message.new"
        assert verified["data"]["id"] == message["id"]
        assert verified["data"]["text"] == "Guten Tag, 你好 🎉"
        assert verified["subject"] == f"channels/{channel}"
        hexadecimal = _openssl_hmac(webhook["secret"], received.body, tmp_path)
        assert received.headers["x-chatsdk-signature"] == f"sha256={hexadecimal}"
        with pytest.raises(WebhookVerificationError):
            Webhook(webhook["secret"]).verify(received.body + b" ", received.headers)

        async def succeeded() -> list[dict[str, Any]]:
            found = await app.deliveries(webhook["id"])
            return found if [one["status"] for one in found] == ["succeeded"] else []

        (delivery,) = await wait_for(succeeded)
        assert delivery["webhookId"] == webhook["id"]
        assert delivery["eventId"] == verified["id"]
        assert delivery["event"] == "message.new"
        assert delivery["success"] is True
        assert delivery["statusCode"] == 200
        assert delivery["attempts"] == 1
        assert delivery["retryCount"] == 0

    listed = await app.ok("GET", f"/api/channels/{channel}/messages", user="ben")
    assert [one["id"] for one in listed["messages"]] == [message["id"]]
    assert await stack.messages_counted(app.app_id) == counted_before + 1
    assert f'app_id="{app.app_id}",channel_type="team"' in await stack.metrics_text()


async def _counted(stack: Stack, app_id: str, expected: int) -> bool:
    return await stack.messages_counted(app_id) == expected


async def test_a_webhook_hears_of_nothing_but_its_types_and_its_app(stack: Stack) -> None:
    app, other = await stack.new_app(), await stack.new_app()
    async with Receiver() as receiver:
        webhook = await app.webhook(receiver.url, "message.updated")
        receiver.trust(webhook["secret"])
        channel, foreign = await app.channel("ann"), await other.channel("ann")

        message = (await app.send(channel, "ann", "one")).body
        strange = (await other.send(foreign, "ann", "two")).body
        await other.ok(
            "PATCH", f"/api/channels/{foreign}/messages/{strange['id']}", {"text": "three"}, user="ann"
        )
        await app.ok(
            "PATCH", f"/api/channels/{channel}/messages/{message['id']}", {"text": "four"}, user="ann"
        )

        (received,) = await receiver.wait_for(1)
        assert received.problem is None
        assert (received.event["type"], received.event["data"]["text"]) == ("message.updated", "four")
        await wait_for(lambda: _counted(stack, other.app_id, 1))
        assert len(receiver.received) == 1


async def test_a_deleted_message_arrives_as_a_tombstone(stack: Stack) -> None:
    app = await stack.new_app()
    channel = await app.channel("ann")
    async with Receiver() as receiver:
        webhook = await app.webhook(receiver.url, "message.deleted")
        receiver.trust(webhook["secret"])
        message = (await app.send(channel, "ann", "to be gone")).body
        await app.ok("DELETE", f"/api/channels/{channel}/messages/{message['id']}", user="ann")

        (received,) = await receiver.wait_for(1)
        data = received.event["data"]
        assert (data["id"], data["text"], data["attachments"]) == (message["id"], "", [])
        assert data["deletedAt"]
        assert data["deletedBy"] == "ann"
        assert b"to be gone" not in received.body
