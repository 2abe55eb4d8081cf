"""Passwords, tokens and keys of one instance: made once, kept beside the data that they open."""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
from collections.abc import Callable
from pathlib import Path

from deploy.local.processes import write_private


def _password() -> str:
    return secrets.token_hex(20)


def _master_keys() -> str:
    return "local1:" + base64.b64encode(secrets.token_bytes(32)).decode()


MAKERS: dict[str, Callable[[], str]] = {
    "postgres": _password,
    "chat": _password,
    "webhooks": _password,
    "metrics": _password,
    "rabbitmq": _password,
    "erlangCookie": _password,
    "serviceToken": _password,
    "adminToken": _password,
    "masterKeys": _master_keys,
}


def load_credentials(path: Path) -> dict[str, str]:
    """The credentials stored at `path`; what is absent is made and stored first."""
    stored: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError):
        stored = json.loads(path.read_text())
    absent = {name: make() for name, make in MAKERS.items() if name not in stored}
    if absent:
        stored |= absent
        write_private(path, json.dumps(stored, indent=2) + "\n")
    return stored
