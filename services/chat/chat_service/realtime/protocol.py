"""The frames of a socket, pure: what a client may say, and what it is told.

A text message to the client is one frame or several, one a line; a text message from it is one frame. Frames about
events carry the event's stored bytes. `docs/realtime.md` tells the same to people.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import Field, TypeAdapter

from chat_service.messages.requests import SendMessage
from chat_service.wire_input import InputUserId, RequestModel

MOST_CHANNELS_AT_ONCE: Final = 1_000
MOST_USERS_AT_ONCE: Final = 200

RequestId = Annotated[int, Field(ge=0, le=2**53)]
ChannelName = Annotated[str, Field(min_length=36, max_length=36)]


class Close(IntEnum):
    """Why the server closes a socket, beside the codes of RFC 6455; 44xx: do not come back the same way."""

    RESTART = 1012
    TRY_AGAIN = 1013
    SLOW = 4008
    NOT_CONNECTED = 4010
    BAD_FRAME = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    TOO_MANY = 4429


class _Frame(RequestModel):
    """What all frames of a client share: a number of its own, repeated in the answer."""

    id: RequestId | None = None


class WantedChannel(RequestModel):
    """A channel, and the version up to which the client has it (none: from now on)."""

    id: ChannelName
    cv: Annotated[int, Field(ge=0, le=2**62)] | None = None


class Connect(_Frame):
    """The first frame. `cursor` (of /api/sync) or `channels: "all"` follows every channel the user is in."""

    type: Literal["connect"]
    token: Annotated[str, Field(max_length=4_096)] | None = None
    client_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,64}$")] | None = None
    cursor: Annotated[str, Field(max_length=1_024)] | None = None
    channels: Literal["all"] | None = None


class Subscribe(_Frame):
    """Follow channels; what happened behind `cv` comes first."""

    type: Literal["subscribe"]
    channels: Annotated[tuple[WantedChannel, ...], Field(min_length=1, max_length=MOST_CHANNELS_AT_ONCE)]


class Unsubscribe(_Frame):
    """Follow channels no longer."""

    type: Literal["unsubscribe"]
    channels: Annotated[tuple[ChannelName, ...], Field(min_length=1, max_length=MOST_CHANNELS_AT_ONCE)]


class SendFrame(_Frame):
    """Send a message: the same as POST /api/channels/{id}/messages."""

    type: Literal["message.send"]
    channel_id: ChannelName
    message: SendMessage


class TypingFrame(_Frame):
    """Say that one types, or does not any more: the same as POST /api/channels/{id}/typing."""

    type: Literal["typing"]
    channel_id: ChannelName
    typing: bool


class WatchPresence(_Frame):
    """Ask how users are, and be told what changes."""

    type: Literal["presence.subscribe"]
    user_ids: Annotated[tuple[InputUserId, ...], Field(min_length=1, max_length=MOST_USERS_AT_ONCE)]


class UnwatchPresence(_Frame):
    """Be told no more of these."""

    type: Literal["presence.unsubscribe"]
    user_ids: Annotated[tuple[InputUserId, ...], Field(min_length=1, max_length=MOST_USERS_AT_ONCE)]


class SetPresence(_Frame):
    """Whether somebody sits before this socket. A user is away when all of them are."""

    type: Literal["presence.set"]
    status: Literal["online", "away"]


class Ping(_Frame):
    """Asks for a `pong`."""

    type: Literal["ping"]


ClientFrame = Annotated[
    Connect
    | Subscribe
    | Unsubscribe
    | SendFrame
    | TypingFrame
    | WatchPresence
    | UnwatchPresence
    | SetPresence
    | Ping,
    Field(discriminator="type"),
]
_READER: Final[TypeAdapter[ClientFrame]] = TypeAdapter(ClientFrame)


def read(text: str) -> ClientFrame:
    """A client's frame. Raises pydantic's `ValidationError`."""
    return _READER.validate_json(text)


def request_id_of(text: str) -> int | None:
    """The number of a frame that cannot be read, if at least that can."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    given = found.get("id") if isinstance(found, dict) else None
    return given if isinstance(given, int) else None


def event_frame(body: bytes) -> str:
    """An event, its bytes as they are stored."""
    return f'{{"type":"event","event":{body.decode()}}}'


def covered_frame(channel_id: str, cv: int) -> str:
    """A version of a channel that changed nothing for its members."""
    return frame("covered", channelId=channel_id, cv=cv)


def result_frame(request: int | None, status: int, body: bytes) -> str:
    """The answer to a request that the HTTP call would give."""
    return f'{{"type":"result","id":{"null" if request is None else request},"status":{status},"body":{body.decode()}}}'


def error_frame(request: int | None, status: int, error: Mapping[str, Any]) -> str:
    """A refusal, in the shape of the HTTP error."""
    return frame("result", id=request, status=status, error=error)


def frame(kind: str, **fields: Any) -> str:
    """Any other frame."""
    return orjson.dumps({"type": kind, **fields}).decode()
