"""What of a logged event is somebody's, and what the event is without it.

An event keeps its id, type, subject, version, time and who acted: the order of the log and the places of messages
hang on these. The user's id is a name that the app gave, and stays; everything that the user wrote goes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from chatsdk_contracts.ids import UserId

Words = Literal["redact", "keep"]
"""What becomes of the messages: what they say goes, or it stays under a name that says nothing any more."""

# What stands for a reaction of the app's own making, whose name may be anything.
_SOME_REACTION: Final = ":erased:"
_SOME_FILE: Final = "file"
# What people write, in events that this release does not know better.
_FREE_TEXT: Final = frozenset(
    {"text", "title", "body", "reason", "note", "comment", "preview", "description"}
)


@dataclass(frozen=True, slots=True)
class Person:
    """Whose traces are removed, and what else is known to be theirs.

    `reactions` are reaction types of the app's own making that nobody else uses, `messages` ids of messages that the
    person wrote, `places` ids of deleted channels and workspaces that were theirs alone.
    """

    user_id: UserId
    words: Words = "redact"
    reactions: frozenset[str] = frozenset()
    messages: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()


def without(body: bytes, person: Person) -> bytes | None:
    """The event without what is the person's; None when nothing in it is."""
    event = orjson.loads(body)
    data, event_type = event["data"], event["type"]
    if event_type == "message.shadowed":
        # The event that stands in it is what says something.
        data, event_type = data["data"], data["told"]
    before = orjson.dumps(data)
    _redactor(event_type)(event, data, person)
    if orjson.dumps(data) == before:
        return None
    return orjson.dumps(event)


def message_ids_of_votes(bodies: Collection[bytes]) -> set[str]:
    """Which messages have the polls that these events tell votes of."""
    events = [orjson.loads(body) for body in bodies]
    return {one["data"]["messageId"] for one in events if one["type"].startswith("poll.vote")}


def places_of(bodies: Collection[bytes]) -> set[str]:
    """Which channels and workspaces these events describe."""
    events = [orjson.loads(body) for body in bodies]
    return {one["data"]["id"] for one in events if one["type"] in _DESCRIBING and "id" in one["data"]}


def own_name(message_id: str) -> str:
    """The client id of an erased message: what the client called it may be anything."""
    return f"erased-{message_id}"


def custom_types(types: Collection[str]) -> set[str]:
    """Those of these reaction types that somebody made up; emoji are everybody's."""
    return {one for one in types if one.startswith(":")}


_Redact = Callable[[dict[str, Any], dict[str, Any], Person], None]


def _redactor(event_type: str) -> _Redact:
    group = event_type.partition(".")[0]
    return _OF_TYPE.get(event_type) or _OF_GROUP.get(group) or _anything


def _message(event: dict[str, Any], data: dict[str, Any], person: Person) -> None:
    if "text" not in data:
        _anything(event, data, person)
        return
    if data.get("userId") == person.user_id and person.words == "redact":
        emptied: dict[str, Any] = {"text": "", "attachments": [], "custom": {}, "mentions": []}
        emptied |= {"mentionGroups": [], "linkPreviews": [], "clientMsgId": own_name(data["id"]), "hlc": None}
        emptied |= {"textOp": None}
        data.update({name: value for name, value in emptied.items() if name in data})
    elif person.user_id in data.get("mentions", ()):
        data["mentions"] = [one for one in data["mentions"] if one != person.user_id]
    text_op = data.get("textOp")
    if text_op is not None and text_op["userId"] == person.user_id:
        # What the user wrote into a text of others is theirs now; what the user's client called it may be anything.
        text_op["clientOpId"] = f"erased-{text_op['version']}"
    if "reactionCounts" in data:
        data["reactionCounts"] = _without_types(data["reactionCounts"], person)


def _reaction(_event: dict[str, Any], data: dict[str, Any], person: Person) -> None:
    if data.get("userId") == person.user_id and data["type"].startswith(":"):
        data["type"] = _SOME_REACTION
    data["counts"] = _without_types(data["counts"], person)


def _poll(_event: dict[str, Any], data: dict[str, Any], person: Person) -> None:
    if person.words == "keep":
        return
    if "question" in data:
        if data.get("createdBy") == person.user_id:
            options = [
                {**option, "id": str(place), "text": ""} for place, option in enumerate(data["options"], 1)
            ]
            data.update(question="", options=options)
    elif data.get("messageId") in person.messages:
        # An option's id is what the poll's author called it.
        data.update(optionIds=[], counts={})


def _user(event: dict[str, Any], data: dict[str, Any], person: Person) -> None:
    if data.get("id") == person.user_id and "custom" in data:
        data.update(name=None, image=None, custom={})
    else:
        _anything(event, data, person)


def _place(_event: dict[str, Any], data: dict[str, Any], person: Person) -> None:
    if data.get("id") not in person.places:
        return
    emptied: dict[str, Any] = {"name": None, "description": None, "image": None, "custom": {}}
    if "channelCount" in data:
        # A workspace: it has a name always, and a config that may hold anything.
        emptied |= {"name": "", "config": {}}
    data.update({name: value for name, value in emptied.items() if name in data})


def _upload(_event: dict[str, Any], data: dict[str, Any], person: Person) -> None:
    if data.get("userId") == person.user_id and person.words == "redact":
        data.update(filename=_SOME_FILE)


def _report(_event: dict[str, Any], data: dict[str, Any], person: Person) -> None:
    if data.get("reporterId") == person.user_id:
        data.update(reason="")


def _ban(_event: dict[str, Any], data: dict[str, Any], person: Person) -> None:
    if person.user_id in {data.get("userId"), data.get("bannedBy")}:
        data.update(reason=None)


def _anything(event: dict[str, Any], data: dict[str, Any], person: Person) -> None:
    """Whatever a person did or is meant by: its ids and times stay, its free text goes."""
    if person.user_id in {event.get("actorid"), data.get("userId"), data.get("id")}:
        data.update({name: "" for name in _FREE_TEXT & data.keys() if isinstance(data[name], str)})


def _without_types(counts: Mapping[str, int], person: Person) -> dict[str, int]:
    return {name: count for name, count in counts.items() if name not in person.reactions}


_DESCRIBING: Final = frozenset(
    {
        "channel.created",
        "channel.updated",
        "channel.deleted",
        "channel.truncated",
        "workspace.created",
        "workspace.updated",
        "workspace.deleted",
    }
)
_OF_TYPE: Final[Mapping[str, _Redact]] = {
    "message.reported": _report,
    "user.banned": _ban,
    "user.unbanned": _ban,
    "upload.completed": _upload,
    **dict.fromkeys(_DESCRIBING, _place),
}
_OF_GROUP: Final[Mapping[str, _Redact]] = {
    "message": _message,
    "reaction": _reaction,
    "poll": _poll,
    "user": _user,
}


# In this order: who is in no channel any more can be made to write by nobody, and what the others write into the log
# is there when the log is gone through.
STEPS: Final = (
    "channels",
    "workspaces",
    "messages",
    "reactions",
    "votes",
    "uploads",
    "traces",
    "log",
    "told",
)


def next_step(name: str) -> str:
    """The step behind this one."""
    return STEPS[STEPS.index(name) + 1]
