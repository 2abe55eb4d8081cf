"""The demo receiver of `make run`: takes webhooks, verifies their signatures, and shows what it got.

A process of its own, run inside the virtual environment as any customer's receiver would be:
`python demo_receiver.py PORT SECRETS_FILE`. The file is a JSON list of webhook secrets, read again when it
changes. `GET /received` answers `{"received": [{id, type, verified, receivedAt, body}], "count"}`.
"""

import json
import sys
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from chatsdk.errors import ChatSDKError
from chatsdk.webhooks import verify

KEPT = 1_000
"""So many requests are shown; `count` goes on."""


class DemoReceiver:
    """Remembers the requests that came in, newest last."""

    def __init__(self, secrets_file: Path) -> None:
        self._secrets_file = secrets_file
        self._received: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._count = 0

    def application(self) -> web.Application:
        """The routes: a list of what came, and every POST is a webhook."""
        application = web.Application()
        application.router.add_get("/received", self.show)
        application.router.add_post("/{path:.*}", self.receive)
        return application

    async def receive(self, request: web.Request) -> web.Response:
        """Verify one webhook and remember it; what does not verify is remembered too, and refused."""
        body = await request.read()
        problem = self._problem(body, dict(request.headers))
        received_at = datetime.now(UTC)
        try:
            content = json.loads(body)
        except ValueError:
            content = body.decode("utf-8", "replace")
        event = content if isinstance(content, dict) else {}
        self._count += 1
        self._received.append(
            {
                "id": event.get("id"),
                "type": event.get("type"),
                "verified": problem is None,
                "receivedAt": received_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
                "body": content,
            }
        )
        if problem is not None:
            print(f"refused {event.get('type')} {event.get('id')}: {problem}", flush=True)
            return web.json_response({"error": problem}, status=400)
        return web.json_response({"received": True})

    async def show(self, request: web.Request) -> web.Response:
        """What came in so far."""
        return web.json_response({"received": list(self._received), "count": self._count})

    def _problem(self, body: bytes, headers: dict[str, str]) -> str | None:
        try:
            verify(body, headers, self._secrets())
        except ChatSDKError as error:
            return str(error)
        return None

    def _secrets(self) -> list[str]:
        try:
            secrets: list[str] = json.loads(self._secrets_file.read_text())
        except (OSError, ValueError):
            return []
        return secrets


def main() -> None:
    """Serve on the given port of 127.0.0.1 until SIGTERM."""
    port, secrets_file = int(sys.argv[1]), Path(sys.argv[2])
    receiver = DemoReceiver(secrets_file)
    web.run_app(
        receiver.application(),
        host="127.0.0.1",
        port=port,
        print=None,
        handle_signals=True,
        shutdown_timeout=2,
    )


if __name__ == "__main__":
    main()
