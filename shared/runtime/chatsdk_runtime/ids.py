"""Ids of requests; everything else has its ids from `chatsdk_contracts.ids`."""

from __future__ import annotations

import uuid_utils


def new_request_id() -> str:
    """`req_` and a UUIDv7 in hex: sorts by time, so that log lines of one moment stand together."""
    return f"req_{uuid_utils.uuid7().hex}"
