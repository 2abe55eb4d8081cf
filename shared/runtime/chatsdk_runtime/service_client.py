"""What the other services ask chat on its private port: who a credential is, and what the log holds.

While chat is away, management calls are answered 503; deliveries and counting go on.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
import orjson

from chatsdk_runtime.errors import Unavailable

_CACHE_S = 5.0
_CACHE_SIZE = 10_000
_TIMEOUT = aiohttp.ClientTimeout(total=10.0, sock_connect=2.0)


class FeedUnavailable(Exception):
    """Chat cannot be asked right now; the reader tries again later."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls: an app's server (by key) or one of its users (by token)."""

    kind: Literal["api_key", "user"]
    app_id: str
    key_id: str | None = None
    user_id: str | None = None
    scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LanePosition:
    """How far a lane of the log is numbered and published."""

    lane: int
    next_pos: int
    published_pos: int


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """The stored bytes of an event and its position in its lane."""

    pos: int
    body: bytes


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Everything in a lane after the position asked for, up to and including `covers_to`."""

    events: Sequence[LoggedEvent]
    covers_to: int


@dataclass(frozen=True, slots=True)
class Redaction:
    """An event that lost what somebody said: where the log has it, and its bytes now (None: not in the log any more)."""

    pos: int
    event_id: str
    lane: int | None
    lane_pos: int | None
    body: bytes | None


class ChatClient:
    """Calls to chat's private port with the service credential."""

    def __init__(self, base_url: str, service_token: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {service_token}"}
        self._session: aiohttp.ClientSession | None = None
        self._known: OrderedDict[bytes, tuple[float, Principal | None]] = OrderedDict()
        # An answer from before a revocation must not be remembered after it.
        self._revocations = 0

    async def open(self) -> None:
        """Make the connection pool; in a running loop."""
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=_TIMEOUT, trust_env=False)

    async def close(self) -> None:
        """Close the connection pool."""
        if self._session is not None:
            await self._session.close()

    async def introspect(self, kind: Literal["apiKey", "token"], credential: str) -> Principal | None:
        """Who this credential is; None when it is not valid. Cached for at most 5 seconds.

        Raises:
            Unavailable: chat cannot be asked.
        """
        digest = hashlib.sha256(f"{kind}:{credential}".encode()).digest()
        known = self._known.get(digest)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        began = self._revocations
        try:
            answer = await self._post("/internal/introspect", {kind: credential})
        except FeedUnavailable as problem:
            raise Unavailable(
                "The credential cannot be checked right now.",
                hint="Send the same request again in a moment.",
                headers={"Retry-After": "1"},
            ) from problem
        principal = _principal(answer) if answer.get("active") else None
        if began == self._revocations:
            self._known[digest] = (time.monotonic() + _CACHE_S, principal)
        if len(self._known) > _CACHE_SIZE:
            self._known.popitem(last=False)
        return principal

    def forget_credentials(self) -> None:
        """A key or a token was revoked: ask again."""
        self._revocations += 1
        self._known.clear()

    async def lanes(self) -> list[LanePosition]:
        """Every lane's positions.

        Raises:
            FeedUnavailable: chat cannot be asked.
        """
        answer = await self._get("/internal/lanes", {})
        return [LanePosition(lane["lane"], lane["nextPos"], lane["publishedPos"]) for lane in answer["lanes"]]

    async def events(self, lane: int, *, after: int, limit: int = 500) -> FeedPage:
        """What was published in a lane after a position, in order.

        Raises:
            FeedUnavailable: chat cannot be asked.
        """
        query = {"lane": str(lane), "after": str(after), "limit": str(limit)}
        answer = await self._get("/internal/events", query)
        events = [LoggedEvent(event["pos"], event["body"].encode()) for event in answer["events"]]
        return FeedPage(events, answer["nextAfter"])

    async def redactions(self, *, after: int, limit: int = 500) -> list[Redaction]:
        """What was redacted in the log behind a position, in order.

        Raises:
            FeedUnavailable: chat cannot be asked.
        """
        answer = await self._get("/internal/redactions", {"after": str(after), "limit": str(limit)})
        return [
            Redaction(
                one["pos"],
                one["id"],
                one["lane"],
                one["lanePos"],
                None if one["body"] is None else one["body"].encode(),
            )
            for one in answer["redactions"]
        ]

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._call("POST", path, data=orjson.dumps(body))

    async def _get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        return await self._call("GET", path, params=query)

    async def _call(self, method: str, path: str, **rest: Any) -> dict[str, Any]:
        assert self._session is not None, "open() first"
        try:
            async with self._session.request(
                method, self._base_url + path, headers={"Content-Type": "application/json"}, **rest
            ) as response:
                body = await response.read()
                if response.status != 200:
                    message = f"{method} {path} answered {response.status}"
                    raise FeedUnavailable(message)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            message = f"{method} {path}: {type(error).__name__}"
            raise FeedUnavailable(message) from error
        answer: dict[str, Any] = orjson.loads(body)
        return answer


def _principal(answer: dict[str, Any]) -> Principal:
    return Principal(
        kind=answer["kind"],
        app_id=answer["appId"],
        key_id=answer.get("keyId"),
        user_id=answer.get("userId"),
        scopes=frozenset(answer.get("scopes", ())),
    )
