"""The proof at the end of `make run`: one message goes the whole way, and the demo receiver tells of it.

An app with a webhook, two users and a channel are made once and kept in `.local/app.json`; each run sends
one more message and waits until the receiver, a process of its own, shows it with a verified signature.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from deploy.local.console import Trouble
from deploy.local.loopback import Reply, call
from deploy.local.processes import write_private

PROOF_S = 20.0
EVENTS = ["message.new", "message.updated", "message.deleted"]


@dataclass(frozen=True)
class Addresses:
    """The base URLs that the proof talks to."""

    chat: str
    webhooks: str
    receiver: str


@dataclass(frozen=True)
class Demo:
    """What was made for the demonstration; the banner's lines use it."""

    app_id: str
    api_key: str
    webhook_id: str
    channel_id: str


@dataclass(frozen=True)
class Proof:
    """A message that arrived. `latency_ms` is from the event's time to the receiver's clock."""

    message_id: str
    event_id: str
    latency_ms: float


def prepare_demo(at: Addresses, admin_token: str, stored: Path, secrets_file: Path) -> Demo:
    """Make the app and what belongs to it, or find those of the last run again."""
    known: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(stored.read_text())
    known = _app(at, admin_token, known)
    key = {"X-API-Key": known["apiKey"]}
    for user, name in (("alice", "Alice"), ("bob", "Bob")):
        _post(at.chat, "/api/users/ensure", {"userId": user, "name": name}, key).expect(
            f"ensure {user}", 200, 201
        )
    known = _webhook(at, known, key)
    known = _channel(at, known, key)
    write_private(stored, json.dumps(known, indent=2) + "\n")
    write_private(secrets_file, json.dumps([known["webhook"]["secret"]]))
    return Demo(known["id"], known["apiKey"], known["webhook"]["id"], known["channelId"])


def prove(at: Addresses, demo: Demo, text: str) -> Proof:
    """Send one message and wait for it at the receiver.

    Raises:
        Trouble: it did not arrive verified in time; says what is known about its delivery.
    """
    key = {"X-API-Key": demo.api_key}
    path = f"/api/channels/{quote(demo.channel_id)}/messages"
    sent = _post(at.chat, path, {"userId": "alice", "text": text}, key).expect("send a message", 201)
    until = time.monotonic() + PROOF_S
    while time.monotonic() < until:
        arrived = find_message(call("GET", f"{at.receiver}/received"), sent["id"])
        if arrived is not None and arrived["verified"]:
            return Proof(sent["id"], arrived["id"], latency_ms(arrived))
        if arrived is not None:
            raise Trouble(
                "the demo receiver got the message but could not verify its signature",
                "compare the webhook's secret: remove .local/app.json and run this again",
            )
        time.sleep(0.01)
    raise Trouble(
        f"message {sent['id']} was accepted, but did not reach the demo receiver in {PROOF_S:.0f} s",
        f"deliveries: {_deliveries(at, demo)}\n     look at .local/logs/chat.log (relay), then "
        ".local/logs/webhook-dispatcher.log, .local/logs/demo-receiver.log",
    )


def find_message(reply: Reply, message_id: str) -> dict[str, Any] | None:
    """The entry about this new message in the receiver's answer, if there is one."""
    entries = reply.body["received"] if reply.status == 200 else []
    for entry in reversed(entries):
        body = entry["body"]
        if entry["type"] == "message.new" and isinstance(body, dict) and body["data"]["id"] == message_id:
            found: dict[str, Any] = entry
            return found
    return None


def latency_ms(entry: dict[str, Any]) -> float:
    """From the time in the event, taken in the transaction that committed it, to its arrival."""
    times = (entry["body"]["time"], entry["receivedAt"])
    committed, received = (datetime.fromisoformat(each) for each in times)
    return (received - committed).total_seconds() * 1_000


def _app(at: Addresses, admin_token: str, known: dict[str, Any]) -> dict[str, Any]:
    """The stored app if its key still opens it, else a new one, without what belonged to the old."""
    if "apiKey" in known:
        probe = {"userId": "alice", "name": "Alice"}
        reply = _post(at.chat, "/api/users/ensure", probe, {"X-API-Key": known["apiKey"]})
        if reply.status in {200, 201}:
            return known
    bearer = {"Authorization": f"Bearer {admin_token}"}
    made = _post(at.chat, "/admin/apps", {"name": "demo"}, bearer).expect("make the demo app", 201)
    return {"id": made["id"], "apiKey": made["apiKey"]}


def _webhook(at: Addresses, known: dict[str, Any], key: dict[str, str]) -> dict[str, Any]:
    """The stored webhook, turned to where the receiver is now, else a new one."""
    url = f"{at.receiver}/webhook"
    if "webhook" in known:
        change = {"url": url, "enabled": True}
        path = f"{at.webhooks}/api/webhooks/{quote(known['webhook']['id'])}"
        if call("PATCH", path, change, key).status == 200:
            return known
    wanted = {"url": url, "events": EVENTS, "description": "the demo receiver of make run"}
    made = _post(at.webhooks, "/api/webhooks", wanted, key).expect("register the demo webhook", 201)
    return {**known, "webhook": {"id": made["id"], "secret": made["secret"]}}


def _channel(at: Addresses, known: dict[str, Any], key: dict[str, str]) -> dict[str, Any]:
    """The stored channel if it is still there, else a new one."""
    if "channelId" in known:
        reply = call("GET", f"{at.chat}/api/channels/{quote(known['channelId'])}", headers=key)
        if reply.status == 200:
            return known
    wanted = {"name": "general", "createdById": "alice", "memberIds": ["alice", "bob"]}
    made = _post(at.chat, "/api/channels", wanted, key).expect("make the demo channel", 200, 201)
    return {**known, "channelId": made["id"]}


def _post(base: str, path: str, body: object, headers: dict[str, str]) -> Reply:
    return call("POST", base + path, body, headers)


def _deliveries(at: Addresses, demo: Demo) -> str:
    path = f"{at.webhooks}/api/webhooks/{quote(demo.webhook_id)}/deliveries?limit=1"
    reply = call("GET", path, headers={"X-API-Key": demo.api_key})
    return f"{reply.status} {json.dumps(reply.body)[:500]}"
