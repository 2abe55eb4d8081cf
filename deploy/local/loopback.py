"""A small HTTP client for our own services on 127.0.0.1: no proxy, no redirects, JSON in and out."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from deploy.local.console import Trouble


@dataclass(frozen=True)
class Reply:
    """What came back. `status` is 0 if nobody answered; `body` is decoded JSON, else text."""

    status: int
    body: Any

    def expect(self, what: str, *statuses: int) -> Any:
        """The body if the status is one of these.

        Raises:
            Trouble: it is another; says what was attempted and what came back.
        """
        if self.status in statuses:
            return self.body
        raise Trouble(f"could not {what}: {self.status or 'no answer'} {self.body}", "see .local/logs/")


def call(
    method: str,
    url: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 15,
) -> Reply:
    """One request. A connection that fails is a reply with status 0."""
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=timeout_s)
    try:
        connection.request(
            method,
            path or "/",
            body=None if body is None else json.dumps(body),
            headers={"Content-Type": "application/json", "Connection": "close", **(headers or {})},
        )
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        status = answer.status
    except (OSError, http.client.HTTPException) as error:
        return Reply(0, str(error))
    finally:
        connection.close()
    try:
        return Reply(status, json.loads(text))
    except ValueError:
        return Reply(status, text)
