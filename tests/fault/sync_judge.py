"""What a device must have in the end: what its user gets by the plain calls. And what the database must have: each effect once."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from tests.fault.sync_devices import Follower, Phone
from tests.fault.sync_world import World
from tests.fault.truth import _DENSE_CV, _DENSE_LANES
from tests.fixtures.device import _STATE, Device

# A change of these is told beside a message's or member's event, not by one of the channel's own.
_SETTINGS = ("id", "type", "name", "description", "image", "custom", "config", "frozen", "deletedAt")
# Set by changes whose events do not carry the message.
_NOT_IN_EVENTS = ("updatedAt",)

_EFFECTS = """
select type, convert_from(body, 'utf8')::jsonb -> 'data' as data
  from event
 where app_id = $1 and type in ('message.new', 'message.updated', 'message.deleted', 'message.purged')
"""


async def all_numbered(database: str) -> bool:
    """Whether every committed event has its position."""
    connection = await asyncpg.connect(database)
    try:
        return await connection.fetch("select from event where lane_pos is null") == []
    finally:
        await connection.close()


async def truth_for(device: Phone) -> Device:
    """A device that has just loaded everything, by the plain calls alone."""
    loaded = Device(device.user)
    listed = await device.user.call("GET", "/api/channels?limit=100")
    for channel in listed.json()["channels"]:
        await loaded.load(channel["id"])
    return loaded


def differences(device: Phone, truth: Device) -> list[str]:
    """What a device has and should not, or has not and should."""
    found = _compare("version", device.seen, truth.seen)
    found += _compare("state", _states(device, device), _states(truth, device))
    left_out = _NOT_IN_EVENTS if isinstance(device, Follower) else ()
    found += _compare("message", _messages(device, truth, left_out), _messages(truth, device, left_out))
    found += _compare("role", _roles(device), _roles(truth))
    found += _compare("settings", _settings(device), _settings(truth))
    return [f"{device!r}: {one}" for one in found]


async def effects_differ(database: str, world: World) -> list[str]:
    """Operations and messages that had no effect, or more than one; holes in what is numbered."""
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch(_EFFECTS, world.app.app_id)
        stored = await connection.fetch(
            "select id::text, type from message where app_id = $1", world.app.app_id
        )
        holes = [
            *await connection.fetch(_DENSE_CV, world.app.app_id),
            *await connection.fetch(_DENSE_LANES),
        ]
    finally:
        await connection.close()
    told = [(row["type"], json.loads(row["data"])) for row in rows]
    made = Counter(data["id"] for kind, data in told if kind == "message.new")
    edited = Counter(data["text"] for kind, data in told if kind == "message.updated" and data["text"])
    ended = Counter(
        (kind, data["id"]) for kind, data in told if kind in {"message.deleted", "message.purged"}
    )
    found = [f"hole: {dict(row)}" for row in holes]
    found += [f"told {count} times: {what}" for what, count in (made + edited + ended).items() if count > 1]
    kinds = {row["id"]: row["type"] for row in stored}
    found += [
        f"in the log and not stored, or not once in the log: {one}" for one in kinds.keys() ^ made.keys()
    ]
    return found + _operations_differ(world, kinds, edited)


def _operations_differ(world: World, kinds: Mapping[str, str], edited: Mapping[str, int]) -> list[str]:
    found = []
    for lane in world.lanes.values():
        for op, result in zip(lane.ops, lane.results, strict=True):
            if result["status"] >= 300:
                continue
            message_id = op.get("messageId") or op["message"]["id"]
            if message_id not in kinds and not any(
                other["kind"] == "message.delete" and other["messageId"] == message_id for other in lane.ops
            ):
                found.append(f"applied and without effect: {op}")
            if op["kind"] == "message.delete" and kinds.get(message_id, "deleted") != "deleted":
                found.append(f"deleted, and there: {op}")
            if (
                op["kind"] == "message.edit"
                and kinds.get(message_id) == "regular"
                and edited.get(op["edit"]["text"]) != 1
            ):
                found.append(f"edited and not told: {op}")
    return found


def _messages(device: Device, other: Device, left_out: Sequence[str]) -> dict[str, Any]:
    """All messages but deleted replies that the other does not have: who loads a thread before it grows sees none."""
    return {
        key: {name: value for name, value in one.items() if name not in left_out}
        | {"ownReactions": sorted(one["ownReactions"])}
        for key, one in device.messages.items()
        if key in other.messages or one["type"] != "deleted" or one["parentId"] is None
    }


def _states(device: Device, of: Phone) -> dict[str, Any]:
    """All states. Whether a message was sent before or after a mark of unread is not told to sockets, only on pages."""
    unsure = of.world.unread if isinstance(of, Follower) else set()
    return {
        room: {
            name: one[name] for name in _STATE if name != "lastReadSeq" or (room, of.user.id) not in unsure
        }
        for room, one in device.states.items()
    }


def _roles(device: Device) -> dict[str, Any]:
    return {f"{room}/{user}": one["role"] for (room, user), one in device.members.items()}


def _settings(device: Device) -> dict[str, Any]:
    return {key: {name: one[name] for name in _SETTINGS} for key, one in device.channels.items()}


def _compare(what: str, has: Mapping[str, Any], should: Mapping[str, Any]) -> list[str]:
    found = []
    for key in sorted(has.keys() | should.keys()):
        mine, right = has.get(key), should.get(key)
        if isinstance(mine, dict) and isinstance(right, dict):
            names = [name for name in mine.keys() | right.keys() if mine.get(name) != right.get(name)]
            mine, right = ({name: one.get(name) for name in names} for one in (mine, right))
        if mine != right:
            found.append(f"{what} {key} is {mine}, should be {right}")
    return found
