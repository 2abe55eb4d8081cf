"""`.local/stack.json`: how tools find the running stack. It is there only while the stack is ready."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.local.processes import write_private

KEYS = {"chat": "chat", "webhook-dispatcher": "webhookDispatcher", "metrics": "metrics"}
"""The entry of the file for each supervised program that has one with a pid."""


def describe(
    *,
    urls: Mapping[str, str],
    pids: Mapping[str, int],
    postgres: Mapping[str, Any],
    rabbitmq_url: str,
    app: Mapping[str, str],
    admin_token: str,
) -> dict[str, Any]:
    """The content of the file. `urls` are the base URLs, with `-ops` for the operations ports."""
    stack: dict[str, Any] = {
        entry: {"url": urls[name], "opsUrl": urls[f"{name}-ops"], "pid": pids[name]}
        for name, entry in KEYS.items()
    }
    stack["chat"]["wsUrl"] = urls["chat"].replace("http://", "ws://", 1) + "/ws"
    stack["postgres"] = dict(postgres)
    stack["rabbitmq"] = {"url": rabbitmq_url}
    stack["app"] = {"id": app["id"], "apiKey": app["apiKey"]}
    stack["adminToken"] = admin_token
    stack["demoReceiver"] = {"url": urls["demo-receiver"]}
    return stack


def write(path: Path, stack: Mapping[str, Any]) -> None:
    """Put the file in place in one step, readable by its owner only."""
    write_private(path, json.dumps(stack, indent=2) + "\n")


def remove(path: Path) -> None:
    """Take the file away: the stack is not ready any more."""
    path.unlink(missing_ok=True)


def refresh_pids(path: Path, pids: Mapping[str, int]) -> bool:
    """Write new pids into the file, if it is there and holds others. Returns whether it was changed."""
    try:
        stack = json.loads(path.read_text())
    except (OSError, ValueError):
        return False
    stale = [name for name, entry in KEYS.items() if name in pids and stack[entry]["pid"] != pids[name]]
    for name in stale:
        stack[KEYS[name]]["pid"] = pids[name]
    if stale:
        write(path, stack)
    return bool(stale)
