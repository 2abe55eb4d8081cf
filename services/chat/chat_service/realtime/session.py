"""One client's conversation: connect, then frames, each answered; ends with a code that says why."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import jwt
import structlog
from prometheus_client import Counter
from pydantic import ValidationError

from chat_service.doors import new_traceparent, utc_now
from chat_service.events.log import Cause
from chat_service.limits.rates import Action
from chat_service.messages import actions as messages
from chat_service.messages.requests import send_of
from chat_service.presence.roster import Roster
from chat_service.presence.watching import Watches
from chat_service.realtime import protocol
from chat_service.realtime.connection import Connection, SendText, SocketLimits
from chat_service.realtime.following import Following
from chat_service.realtime.hiding import SocketBlocks
from chat_service.realtime.hub import Hub
from chat_service.realtime.protocol import (
    ClientFrame,
    Close,
    Connect,
    Ping,
    SendFrame,
    SetPresence,
    Subscribe,
    TypingFrame,
    Unsubscribe,
    UnwatchPresence,
    WatchPresence,
    frame,
)
from chat_service.resources import Resources
from chat_service.typists import actions as typists
from chat_service.wire_input import channel_id_in_path
from chatsdk_contracts.envelope import subject_of
from chatsdk_contracts.ids import ChannelId, new_id
from chatsdk_contracts.scopes import Scope, allows
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import InvalidInput, NotFound, ScopeMissing, ServiceError, Unavailable
from chatsdk_runtime.ids import new_request_id
from chatsdk_runtime.postgres import DATABASE_AWAY
from chatsdk_runtime.web import error_object, field_problems

log = structlog.get_logger()

_SENDS_AT_ONCE: Final = 64

# A message is counted where it is sent, being perhaps a repeat.
_COUNTED: Final[Mapping[type, Action]] = {
    Subscribe: "read",
    WatchPresence: "read",
    TypingFrame: "write",
    SetPresence: "write",
}


@dataclass(frozen=True, slots=True)
class Realtime:
    """What all sockets of a replica share."""

    hub: Hub
    following: Following
    watches: Watches
    roster: Roster
    limits: SocketLimits
    heartbeat_s: float
    most_per_user: int
    closes: Counter
    blocks: SocketBlocks


class Session:
    """A socket that has been accepted."""

    def __init__(self, realtime: Realtime, resources: Resources, send: SendText) -> None:
        self._realtime = realtime
        self._resources = resources
        self._send = send
        self._slots = asyncio.Semaphore(_SENDS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self.connection: Connection | None = None

    async def connect(self, text: str, token: str | None) -> Connection | Close:
        """The first frame: who is it? Returns the connection, or why there is none. `token`: from the request's head."""
        try:
            asked = protocol.read(text)
        except ValidationError as invalid:
            await self._send(_invalid(protocol.request_id_of(text), invalid))
            return Close.BAD_FRAME
        if not isinstance(asked, Connect):
            await self._send(frame("goodbye", reason="the first frame must be of type connect"))
            return Close.BAD_FRAME
        credential = asked.token or token
        principal = None if credential is None else await self._resources.tokens.verify_token(credential)
        if principal is None or principal.user_id is None or credential is None:
            await self._send(frame("goodbye", reason="token_invalid"))
            return Close.UNAUTHORIZED
        if not allows(principal.scopes, "chat:read"):
            await self._send(frame("goodbye", reason="scope_missing"))
            return Close.FORBIDDEN
        hub = self._realtime.hub
        if len(hub.connections_of(principal.app_id, principal.user_id)) >= self._realtime.most_per_user:
            await self._send(frame("goodbye", reason="too_many_sockets"))
            return Close.TOO_MANY
        connection = Connection(
            self._send,
            connection_id=new_id(),
            caller=principal,
            token=credential,
            client_id=asked.client_id,
            expires_at=_expiry(credential),
            limits=self._realtime.limits,
        )
        self.connection = connection
        hub.add(connection)
        self._realtime.roster.opened(connection.id, (connection.app_id, connection.user_id))
        return connection

    async def begin(self, text: str) -> None:
        """Answer the first frame, and bring the client up to date if it follows everything."""
        asked, connection = protocol.read(text), self._connected
        assert isinstance(asked, Connect)
        await self._realtime.blocks.load(connection)
        connection.offer(
            frame(
                "connected",
                id=asked.id,
                connectionId=connection.id,
                userId=connection.user_id,
                heartbeatS=self._realtime.heartbeat_s,
                epoch=self._resources.epoch,
            )
        )
        cursor = None
        if asked.cursor is not None:
            cursor = self._realtime.following.cursor_of(connection, asked.cursor)
            if cursor is None:
                refusal = InvalidInput(
                    "The cursor is not one of this user's.", hint="Connect without a cursor."
                )
                connection.offer(_refused(asked.id, refusal))
        if asked.cursor is not None or asked.channels == "all":
            await self._realtime.following.follow_all(connection, cursor)

    async def take(self, text: str) -> None:
        """Any later frame."""
        connection = self._connected
        try:
            asked = protocol.read(text)
        except ValidationError as invalid:
            connection.offer(_invalid(protocol.request_id_of(text), invalid))
            return
        self._realtime.roster.active((connection.app_id, connection.user_id))
        try:
            await self._answer(asked)
        except ServiceError as refusal:
            connection.offer(_refused(asked.id, refusal))
        except DATABASE_AWAY as outage:
            log.warning("socket_request_failed", error=f"{type(outage).__name__}: {outage}")
            connection.offer(_refused(asked.id, Unavailable("The database cannot be reached right now.")))

    async def _answer(self, asked: ClientFrame) -> None:
        connection = self._connected
        if (action := _COUNTED.get(type(asked))) is not None:
            (await self._resources.limiter.charge(action, connection.caller)).require()
        match asked:
            case Ping():
                connection.offer(frame("pong", id=asked.id))
            case SendFrame():
                await self._slots.acquire()
                task = asyncio.create_task(self._send_message(asked), name="socket-send")
                self._tasks.add(task)
                task.add_done_callback(self._sent)
            case Subscribe():
                await self._realtime.following.subscribe(connection, asked.channels, asked.id)
            case Unsubscribe():
                for channel_id in asked.channels:
                    self._realtime.hub.unfollow(connection, subject_of("channels", channel_id))
                connection.offer(frame("unsubscribed", id=asked.id, channels=list(asked.channels)))
            case TypingFrame() | WatchPresence() | UnwatchPresence() | SetPresence():
                await self._answer_presence(asked)
            case Connect():
                connection.offer(_refused(asked.id, InvalidInput("This socket is connected already.")))

    async def _answer_presence(
        self, asked: TypingFrame | WatchPresence | UnwatchPresence | SetPresence
    ) -> None:
        connection, watches = self._connected, self._realtime.watches
        match asked:
            case TypingFrame():
                await self._say_typing(asked)
            case WatchPresence():
                await watches.watch(connection, asked.user_ids, asked.id)
            case UnwatchPresence():
                watches.unwatch(connection, asked.user_ids)
                connection.offer(frame("presence.unsubscribed", id=asked.id, userIds=list(asked.user_ids)))
            case SetPresence():
                self._require("typing:write")
                self._realtime.roster.turned(connection.id, is_away=asked.status == "away")
                connection.offer(frame("presence.set", id=asked.id, status=asked.status))

    async def _send_message(self, asked: SendFrame) -> None:
        connection = self._connected
        try:
            self._require("chat:write")
            channel_id = _channel_id(asked.channel_id)
            wanted = send_of(asked.message, connection.caller, channel_id, self._cause(), None)
            charge = await self._resources.limiter.charge("send", connection.caller, channel_id)
            answer = await messages.send(self._resources, wanted, charge)
        except ServiceError as refusal:
            connection.offer(_refused(asked.id, refusal))
            return
        except DATABASE_AWAY as outage:
            log.warning("socket_send_failed", error=f"{type(outage).__name__}: {outage}")
            connection.offer(_refused(asked.id, Unavailable("The database cannot be reached right now.")))
            return
        connection.offer(protocol.result_frame(asked.id, answer.status_code, answer.body))

    async def _say_typing(self, asked: TypingFrame) -> None:
        connection = self._connected
        self._require("typing:write")
        state = await typists.say_typing(
            self._resources,
            self._cause(),
            _channel_id(asked.channel_id),
            connection.user_id,
            is_typing=asked.typing,
            socket_id=connection.id,
        )
        connection.offer(protocol.result_frame(asked.id, 200, data_json(state)))

    def _require(self, scope: Scope) -> None:
        """Raises ScopeMissing when the socket's token is limited to other scopes."""
        if not allows(self._connected.caller.scopes, scope):
            raise ScopeMissing(scope)

    def _cause(self) -> Cause:
        caller = self._connected.caller
        return Cause(caller.app_id, utc_now(), self._resources.epoch, caller.user_id, new_traceparent())

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._slots.release()

    async def end(self) -> None:
        """The socket is gone: what it had sent is still written, nothing is told to it any more."""
        if self.connection is None:
            return
        self._realtime.hub.remove(self.connection)
        self._realtime.watches.forget(self.connection)
        self._realtime.roster.closed(self.connection.id)
        self._resources.typists.left(self.connection.id, utc_now())
        self.connection.close(Close.NOT_CONNECTED)

    @property
    def _connected(self) -> Connection:
        assert self.connection is not None, "after connect"
        return self.connection


def closed_line(connection: Connection, code: int) -> Mapping[str, Any]:
    """What the log says of a socket that ended."""
    return {
        "app_id": connection.app_id,
        "user_id": connection.user_id,
        "connection_id": connection.id,
        "code": code,
        "frames": connection.sent,
        "duration_s": round(time.monotonic() - connection.started_s, 1),
    }


def _expiry(token: str) -> float:
    """When a verified token ends, in seconds since 1970."""
    return float(jwt.decode(token, options={"verify_signature": False})["exp"])


def _channel_id(text: str) -> ChannelId:
    """Raises NotFound when no channel can have this id."""
    channel_id = channel_id_in_path(text)
    if channel_id is None:
        raise NotFound("No such channel.")
    return channel_id


def _refused(request: int | None, refusal: ServiceError) -> str:
    return protocol.error_frame(request, refusal.status_code, error_object(refusal, new_request_id()))


def _invalid(request: int | None, invalid: ValidationError) -> str:
    problems = field_problems(invalid.errors(include_url=False))
    message = "; ".join(f"{problem.path}: {problem.message}" for problem in problems[:3])
    return _refused(request, InvalidInput(message, details=problems))
