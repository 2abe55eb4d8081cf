"""Users who write through random replicas while these are killed, and what the test knows of it by itself.

Nothing here is read back from the product but answers to calls: what was said, what was deleted and since when, who is
out of which channel since when, and what came of each operation.
"""

import asyncio
import itertools
import json
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from chatsdk_contracts.ids import new_id
from tests.fixtures.callers import AppCaller, Caller, Reply
from tests.fixtures.services import ServiceProcess
from tests.waiting import wait_for

ANSWERED_WITHIN_S = 30


@dataclass(frozen=True)
class Heard:
    """An answer, as `tests.fixtures.device.Device` wants it."""

    reply: Reply

    @property
    def status_code(self) -> int:
        return self.reply.status

    @property
    def text(self) -> str:
        return self.reply.raw.decode()

    def json(self) -> Any:
        return self.reply.body


@dataclass(frozen=True)
class Person:
    """A user, whose every call goes to a replica chosen by chance, and again until it is answered."""

    id: str
    token: str
    replicas: Sequence[ServiceProcess]
    caller: Caller
    chance: random.Random

    async def once(self, method: str, path: str, body: Any = None) -> Reply | None:
        """One try; None when a replica is away, or too busy to answer."""
        url = self.chance.choice(self.replicas).url
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            reply = await self.caller.call(method, url + path, body, headers)
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None
        return None if reply.status >= 500 or reply.status == 429 else reply

    async def call(self, method: str, path: str, body: Any = None) -> Heard:
        """The answer."""
        reply = await wait_for(
            lambda: self.once(method, path, body), ANSWERED_WITHIN_S, f"an answer to {method} {path} {body}"
        )
        assert reply is not None
        return Heard(reply)


@dataclass
class Sent:
    """A message that somebody tried to send: every text it was ever to have, and when its deletion was answered."""

    id: str
    room: str
    author: Person
    texts: list[str]
    parent: "Sent | None" = None
    seq: int | None = None
    gone_at: float | None = None


@dataclass
class Room:
    """A channel: up to where its history is hidden for sure, and up to where it may be."""

    id: str
    truncated: int = 0
    truncating: int = 0


@dataclass
class Lane:
    """The operations of one client in one channel, in order, and what each came to."""

    client_id: str
    room: str
    ops: list[dict[str, Any]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass
class World:
    """All of it. `out_since`: who is surely not in which channel; `unread`: who ever marked which as unread."""

    app: AppCaller
    replicas: Sequence[ServiceProcess]
    seed: int
    people: list[Person] = field(default_factory=list)
    rooms: list[Room] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    by_text: dict[str, Sent] = field(default_factory=dict)
    out_since: dict[tuple[str, str], float] = field(default_factory=dict)
    unread: set[tuple[str, str]] = field(default_factory=set)
    lanes: dict[tuple[str, str], Lane] = field(default_factory=dict)
    doors: dict[tuple[str, str], asyncio.Lock] = field(default_factory=dict)
    _words: Iterator[int] = field(default_factory=itertools.count)

    async def populate(self, names: Sequence[str], rooms: int, caller: Caller) -> None:
        """Make users and open channels; the first owns them, the last is in none."""
        chance = random.Random(-self.seed)
        for name in names:
            token = await self.app.token(name)
            self.people.append(Person(name, token, self.replicas, caller, chance))
        for number in range(rooms):
            room = await self.app.channel(*names[:-1], type="public", name=f"room {number}")
            self.rooms.append(Room(room))
            self.out_since[room, names[-1]] = time.monotonic()
        self.lanes = {
            (person.id, room.id): Lane(f"{person.id}-phone", room.id)
            for person in self.people
            for room in self.rooms
        }
        self.doors = {key: asyncio.Lock() for key in self.lanes}

    def word(self) -> str:
        """A text that is nowhere else."""
        return f"word{next(self._words)}end"

    def room(self, room_id: str) -> Room:
        return next(one for one in self.rooms if one.id == room_id)

    def is_gone(self, text: str) -> bool:
        """Whether nobody may be shown this text any more."""
        sent = self.by_text[text]
        top = sent.parent or sent
        hidden = top.seq is not None and top.seq <= self.room(sent.room).truncated
        return hidden or sent.gone_at is not None

    def note(self, sent: Sent, text: str) -> None:
        """A text that is about to be said."""
        if sent.texts[-1:] != [text]:
            sent.texts.append(text)
        self.by_text[text] = sent

    # ------------------------------------------------------------------------------------------- deeds

    async def send(
        self, who: Person, room: Room, parent: Sent | None = None, quoted: Sent | None = None
    ) -> None:
        """A message, a reply when there is a parent."""
        sent = self._new(who, room.id, parent)
        body = {"id": sent.id, "text": sent.texts[0]}
        if parent is not None:
            body["parentId"] = parent.id
        if quoted is not None:
            body["replyToId"] = quoted.id
        self._answered(sent, await who.call("POST", f"/api/channels/{room.id}/messages", body))

    async def edit(self, who: Person, sent: Sent) -> None:
        text = self.word()
        self.note(sent, text)
        await who.call("PATCH", _path(sent), {"text": text})

    async def delete(self, who: Person, sent: Sent, *, purge: bool = False) -> None:
        answer = await who.call("DELETE", _path(sent) + ("/purge" if purge else ""))
        if answer.status_code == 200:
            sent.gone_at = sent.gone_at or time.monotonic()

    async def react(self, who: Person, sent: Sent, reaction: str, *, on: bool) -> None:
        if on:
            await who.call("POST", f"{_path(sent)}/reactions", {"type": reaction})
        else:
            await who.call("DELETE", f"{_path(sent)}/reactions/{reaction}")

    async def pin(self, who: Person, sent: Sent, *, on: bool) -> None:
        await who.call("POST" if on else "DELETE", f"{_path(sent)}/pin")

    async def mark(self, who: Person, room: Room, seq: int, kind: str) -> None:
        """Read up to a message, unread from it, or star the channel."""
        path = f"/api/channels/{room.id}/{kind}"
        if kind == "unread":
            self.unread.add((room.id, who.id))
        if kind == "star":
            await who.call("PATCH", path, {"starred": seq % 2 == 0})
        else:
            await who.call("POST", path, {"seq": seq})

    async def come(self, who: Person, room: Room, by: Person | None = None) -> None:
        """Join, or be added."""
        async with self.doors[who.id, room.id]:
            self.out_since.pop((room.id, who.id), None)
            if by is None:
                answer = await who.call("POST", f"/api/channels/{room.id}/join")
            else:
                answer = await by.call("POST", f"/api/channels/{room.id}/members", {"userId": who.id})
            assert answer.status_code < 300, answer.text

    async def go(self, who: Person, room: Room, by: Person | None = None) -> None:
        """Leave, or be put out."""
        path = f"/api/channels/{room.id}"
        async with self.doors[who.id, room.id]:
            if by is None:
                answer = await who.call("POST", f"{path}/leave")
            else:
                answer = await by.call("DELETE", f"{path}/members/{who.id}")
            # 403 and 404: not in it, perhaps because an answer to this very call was lost.
            assert answer.status_code in {200, 403, 404}, answer.text
            self.out_since[room.id, who.id] = time.monotonic()

    async def promote(self, who: Person, room: Room, by: Person, role: str) -> None:
        await by.call("PATCH", f"/api/channels/{room.id}/members/{who.id}", {"role": role})

    async def rename(self, who: Person, room: Room) -> None:
        await who.call("PATCH", f"/api/channels/{room.id}", {"name": self.word()})

    async def truncate(self, who: Person, room: Room, seq: int, *, hard: bool) -> None:
        room.truncating = max(room.truncating, seq)
        answer = await who.call("POST", f"/api/channels/{room.id}/truncate", {"beforeSeq": seq, "hard": hard})
        if answer.status_code == 200:
            room.truncated = max(room.truncated, answer.json()["truncatedSeq"])

    async def push(
        self, who: Person, room: Room, plan: Sequence[str], *, lose_after_s: float, again: bool
    ) -> None:
        """Operations of the client's lane. The first answer is waited for only so long; `again`: all is repeated."""
        lane = self.lanes[who.id, room.id]
        async with lane.lock:
            first = len(lane.ops)
            lane.ops += [self._op(who, room, kind, first + place + 1) for place, kind in enumerate(plan)]
            try:
                async with asyncio.timeout(lose_after_s):
                    await who.once("POST", "/api/sync/ops", _body(lane, first))
            except TimeoutError:
                pass  # whether it was applied is not known here: it is pushed again
            while len(lane.results) < len(lane.ops):
                answer = await who.call("POST", "/api/sync/ops", _body(lane, len(lane.results)))
                assert answer.status_code == 200, answer.text
                lane.results += answer.json()["results"]
            if again:
                repeated = (await who.call("POST", "/api/sync/ops", _body(lane, first))).json()["results"]
                assert all(one["replayed"] for one in repeated), repeated
                assert [one["status"] for one in repeated] == [one["status"] for one in lane.results[first:]]
            for op, result in zip(lane.ops[first:], lane.results[first:], strict=True):
                self._note_result(op, result)

    # ------------------------------------------------------------------------------------------- inside

    def _new(self, who: Person, room_id: str, parent: Sent | None = None) -> Sent:
        sent = Sent(new_id(), room_id, who, [self.word()], parent)
        self.by_text[sent.texts[0]] = sent
        return sent

    def _answered(self, sent: Sent, answer: Heard) -> None:
        if answer.status_code < 300:
            sent.seq = answer.json()["seq"]
            self.sent.append(sent)

    def _op(self, who: Person, room: Room, kind: str, lane_seq: int) -> dict[str, Any]:
        op = {"opId": new_id(), "laneSeq": lane_seq}
        mine = [one for one in self.sent if one.author is who and one.room == room.id]
        if kind == "send" or not mine:
            sent = self._new(who, room.id)
            self.sent.append(sent)
            return op | {"kind": "message.send", "message": {"id": sent.id, "text": sent.texts[0]}}
        sent = mine[-1]
        if kind == "delete":
            return op | {"kind": "message.delete", "messageId": sent.id}
        text = self.word()
        self.note(sent, text)
        return op | {"kind": "message.edit", "messageId": sent.id, "edit": {"text": text}}

    def _note_result(self, op: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        message_id = op.get("messageId") or op["message"]["id"]
        sent = next(one for one in self.sent if one.id == message_id)
        if result["status"] < 300 and op["kind"] == "message.delete":
            sent.gone_at = sent.gone_at or time.monotonic()
        if result["status"] < 300 and op["kind"] == "message.send":
            sent.seq = result["message"]["seq"]


def _path(sent: Sent) -> str:
    return f"/api/channels/{sent.room}/messages/{sent.id}"


def _body(lane: Lane, first: int) -> dict[str, Any]:
    return {
        "clientId": lane.client_id,
        "channelId": lane.room,
        "ops": json.loads(json.dumps(lane.ops[first:])),
    }
