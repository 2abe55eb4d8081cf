"""Devices of the users of a `World`: some ask for pages, some follow a socket and come back with their cursor.

Each checks what it is told while it is told it. A fault is an AssertionError; a follower keeps it until it is asked.
"""

import asyncio
import json
import random
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.fault.sync_world import Person, World
from tests.fixtures.device import Device
from tests.waiting import wait_for

_WORD = re.compile(r"word\d+end")


@dataclass(repr=False)
class Phone(Device):
    """A device that asks for pages, of any size and from any replica."""

    user: Person
    world: World = field(kw_only=True)
    acked: dict[str, int] = field(default_factory=dict)

    async def page(self, limit: int = 200) -> dict[str, Any]:
        gone = {text for text in self.world.by_text if self.world.is_gone(text)}
        out = self._out()
        page = await super().page(limit)
        self.check(page, gone, out & self._out())
        return page

    def check(self, page: dict[str, Any], gone: Iterable[str], out: Iterable[tuple[str, float]]) -> None:
        """Nothing that was gone before the page was asked for, nothing of where the user is not, no ack taken back."""
        # The names of rooms are words too, and were never a message's.
        shown = set(_WORD.findall(json.dumps(page))) & set(gone)
        assert not shown, f"{self!r} was shown what was deleted: {shown}"
        away = {room for room, _ in out}
        told = {one["channelId"] for one in [*page["changes"], *page["reset"]]} & away
        assert not told, f"{self!r} was told of channels that {self.user.id} is not in: {told}"
        for ack in page["acks"]:
            self._check_ack(ack["channelId"], ack["laneSeq"])

    def _check_ack(self, room_id: str, lane_seq: int) -> None:
        assert lane_seq >= self.acked.get(room_id, 0), f"{self!r}: an acknowledgement went back"
        self.acked[room_id] = lane_seq
        lane, room = self.world.lanes[self.user.id, room_id], self.world.room(room_id)
        assert lane_seq <= len(lane.ops), f"{self!r}: acknowledged what was never pushed"
        if room_id not in self.seen or room.truncating:
            return
        for op, result in zip(lane.ops[:lane_seq], lane.results, strict=False):
            if op["kind"] == "message.send" and result["status"] == 201:
                assert op["message"]["id"] in self.messages, f"{self!r}: acknowledged and not shown: {op}"

    def _out(self) -> set[tuple[str, float]]:
        since = self.world.out_since
        return {(room, at) for (room, user), at in since.items() if user == self.user.id}

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.client_id}"


@dataclass(repr=False)
class Follower(Phone):
    """A device that follows everything on a socket of any replica, and goes on from its cursor on another."""

    chance: random.Random = field(default_factory=random.Random)
    connects: int = 0
    heard: deque[str] = field(default_factory=lambda: deque(maxlen=12))
    leaving: set[str] = field(default_factory=set)
    _task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"{super().__repr__()}, which heard last: " + "\n  ".join(["", *self.heard])

    def check_up(self) -> None:
        """Raise what it found to be wrong."""
        if self._task is not None and self._task.done():
            self._task.result()

    def start(self) -> None:
        """Follow, until `stop`."""
        self._task = asyncio.create_task(self._follow(), name=repr(self))

    async def stop(self) -> None:
        """Go away."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                await wait_for(lambda: self._follow_one(session), 30, f"a socket for {self!r}")

    async def _follow_one(self, session: aiohttp.ClientSession) -> bool:
        """One socket, until it ends; False when there was none."""
        url = self.chance.choice(self.user.replicas).url.replace("http", "ws", 1) + "/ws"
        start = {"cursor": self.cursor} if self.cursor else {"channels": "all"}
        told = False
        try:
            async with session.ws_connect(url, heartbeat=None) as socket:
                await socket.send_json(
                    {"type": "connect", "token": self.user.token, "clientId": self.client_id, **start}
                )
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        told = True
                        for line in message.data.split("\n"):
                            await self._hear(json.loads(line))
        except (aiohttp.ClientError, OSError):
            pass
        self.connects += told
        return told

    async def _hear(self, frame: dict[str, Any]) -> None:
        if frame["type"] != "heartbeat":
            self.heard.append(json.dumps(frame)[:400])
        match frame["type"]:
            case "sync":
                await self.take(frame["page"])
                self.check(frame["page"], (), ())
            case "event" if frame["event"]["subject"].startswith("users/"):
                self._hear_own(frame["event"])
            case "event" if frame["event"].get("sequence"):
                self._hear_event(frame["event"])
            case "covered":
                self._is_next(frame["channelId"], frame["cv"])
            case "reset":
                assert frame["channelId"] is not None, f"{self!r} lost something of its user: {frame}"
                await self.load(frame["channelId"])
            case "left":
                self.drop(frame["channelId"])
                self.leaving.discard(frame["channelId"])
            case "heartbeat" if "cursor" in frame:
                self.cursor = frame["cursor"]
            case _:
                pass

    async def load(self, channel_id: str) -> None:
        """As on any device. Who is put out meanwhile is told more until that is told, too."""
        await super().load(channel_id)
        if channel_id in self.seen:
            self.leaving.discard(channel_id)
        else:
            self.leaving.add(channel_id)

    def _is_next(self, room: str, cv: int) -> bool:
        if room in self.leaving:
            return False
        seen = self.seen.get(room)
        assert seen is not None, f"{self!r} was told of a channel that it does not have: {room} {cv}"
        assert cv <= seen + 1, f"{self!r}: a hole: {cv} after {seen}"
        if cv <= seen:
            return False
        self.seen[room] = cv
        return True

    def _hear_own(self, event: dict[str, Any]) -> None:
        if event["type"] == "user_state.updated" and event["data"]["channelId"] in self.seen:
            self.mark(event["data"])

    def _hear_event(self, event: dict[str, Any]) -> None:
        room, cv, data = event["channelid"], int(event["sequence"]), event["data"]
        if event["type"] == "user.left" and data["userId"] == self.user.id:
            return  # the frame behind it says so again
        if not self._is_next(room, cv):
            return
        match event["type"].partition("."):
            case ("message", _, _):
                own = self.messages.get(data["id"], {}).get("ownReactions", [])
                said = {name: value for name, value in data.items() if name != "changed"}
                self.keep(said | {"ownReactions": own if data["deletedAt"] is None else []})
                self._move_marker(event["type"], data)
            case ("reaction", _, what):
                self._hear_reaction(data, cv, added=what == "added")
            case ("thread", _, _):
                self._change(
                    data["parentId"], cv, replyCount=data["replyCount"], lastReplyAt=data["lastReplyAt"]
                )
            case ("channel", _, "truncated"):
                self.drop_up_to(room, data["truncatedSeq"])
            case ("channel", _, "updated"):
                self.channels[room] = data
            case ("user", _, "joined") | ("member", _, "updated"):
                self.members[room, data["userId"]] = data
            case ("user", _, "left"):
                self.members.pop((room, data["userId"]), None)
            case other:
                raise AssertionError(f"{self!r} does not know {other}")

    def _move_marker(self, event_type: str, message: dict[str, Any]) -> None:
        """What the user sends is read by them."""
        if event_type == "message.new" and message["userId"] == self.user.id and message["seq"]:
            state = self.states[message["channelId"]]
            state["lastReadSeq"] = max(state["lastReadSeq"], message["seq"])

    def _hear_reaction(self, data: dict[str, Any], cv: int, *, added: bool) -> None:
        changes: dict[str, Any] = {"reactionCounts": data["counts"]}
        if data["userId"] == self.user.id:
            own = set(self.messages.get(data["messageId"], {}).get("ownReactions", []))
            changes["ownReactions"] = sorted(own | {data["type"]} if added else own - {data["type"]})
        self._change(data["messageId"], cv, **changes)

    def _change(self, message_id: str, cv: int, **changes: Any) -> None:
        known = self.messages.get(message_id)
        if known is not None and known["cv"] < cv:
            self.messages[message_id] = known | changes | {"cv": cv}
