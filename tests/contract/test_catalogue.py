"""The catalogue: complete, spelled as promised, and nothing private in any event."""

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel
from pydantic.alias_generators import to_camel, to_pascal

from chatsdk_contracts.catalogue import (
    DISPATCHER_EVENT_TYPES,
    DURABLE_EVENT_TYPES,
    EPHEMERAL_EVENT_TYPES,
    EVENT_GROUPS,
    EVENTS,
    WEBHOOK_EVENT_TYPES,
)
from chatsdk_contracts.envelope import Aggregate, Audience, Event, event_type
from chatsdk_contracts.wire import SINCE, WireModel

SEED = {
    "message.new",
    "message.updated",
    "message.deleted",
    "channel.created",
    "channel.updated",
    "channel.deleted",
    "user.joined",
    "user.left",
    "reaction.added",
    "reaction.removed",
    "typing.start",
    "typing.stop",
    "presence.changed",
    "message.read",
    "message.reported",
}
OURS = {
    "message.purged",
    "message.shadowed",
    "message.undeleted",
    "message.pinned",
    "message.unpinned",
    "message.held",
    "message.approved",
    "message.rejected",
    "member.updated",
    "channel.truncated",
    "thread.updated",
    "mention.created",
    "poll.created",
    "poll.voted",
    "poll.vote_removed",
    "poll.closed",
    "workspace.created",
    "workspace.updated",
    "workspace.deleted",
    "workspace.invited",
    "workspace.member_joined",
    "workspace.member_updated",
    "workspace.member_left",
    "user.created",
    "user.updated",
    "user.deleted",
    "user.erased",
    "user.banned",
    "user.unbanned",
    "user_state.updated",
    "user_thread.updated",
    "upload.completed",
    "export.completed",
    "notification.due",
}
DISPATCHERS = {
    "webhook.test",
    "webhook.disabled",
    "webhook.enabled",
    "webhook.gone",
    "webhook.secret_rotated",
    "delivery.exhausted",
    "delivery.recovered",
}
INTERNAL = {"key.revoked", "token.revoked", "settings.changed", "blocks.changed"}
EPHEMERAL = {"typing.start", "typing.stop", "presence.changed"}

# `data` as the contract spells it out: exactly these fields.
PINNED_DATA = {
    "reaction.added": "messageId channelId userId type counts",
    "reaction.removed": "messageId channelId userId type counts",
    "user.joined": "channelId userId role actorId reason",
    "user.left": "channelId userId role actorId reason",
    "member.updated": "channelId userId role joinedAt changed",
    "typing.start": "channelId userId expiresAt",
    "typing.stop": "channelId userId expiresAt",
    "presence.changed": "userId status lastSeenAt",
    "message.read": "channelId userId messageId lastReadSeq readAt",
    "message.reported": "reportId messageId channelId reporterId reason",
}

# Words of field names that say: an address, a credential, or one viewer's own view.
PRIVATE_WORDS = {
    "email", "phone", "password", "secret", "secrets", "token", "tokens", "api", "authorization", "ip", "own", "my",
    "unread", "muted", "starred", "hidden", "saved", "viewer", "embedding",
}  # fmt: skip
# This event is one user's own state, for that user's devices and the app's servers alone.
OWN_STATE = {"user_state.updated"}


def subclasses(cls: type[Event]) -> Iterator[type[Event]]:
    for subclass in cls.__subclasses__():
        if subclass.__module__.startswith("chatsdk_contracts."):
            yield subclass
            yield from subclasses(subclass)


def data_of(event_cls: type[Event]) -> type[WireModel]:
    annotation = event_cls.model_fields["data"].annotation
    assert isinstance(annotation, type)
    assert issubclass(annotation, WireModel)
    return annotation


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation)
    for argument in get_args(annotation):
        yield from models_in(argument)


def every_type() -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", sorted(EVENTS))


def test_the_catalogue_holds_exactly_the_types_that_were_promised() -> None:
    assert set(EVENTS) == SEED | OURS | DISPATCHERS | INTERNAL


def test_every_event_class_is_in_the_catalogue() -> None:
    concrete = {cls for cls in subclasses(Event) if not cls.__name__.startswith("_")}
    assert concrete == set(EVENTS.values())


def test_the_groups_of_types_are_those_of_the_design() -> None:
    assert WEBHOOK_EVENT_TYPES == SEED | OURS | DISPATCHERS
    assert EPHEMERAL_EVENT_TYPES == EPHEMERAL
    assert DISPATCHER_EVENT_TYPES == DISPATCHERS
    assert DURABLE_EVENT_TYPES == WEBHOOK_EVENT_TYPES - EPHEMERAL
    assert sorted(sum(EVENT_GROUPS.values(), ())) == sorted(EVENTS)
    assert EVENT_GROUPS["reaction"] == ("reaction.added", "reaction.removed")


@every_type()
def test_a_class_is_named_after_its_type_and_declares_what_it_is(name: str) -> None:
    cls = EVENTS[name]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)?\.[a-z]+(_[a-z]+)?", name)
    assert (event_type(cls), cls.__name__) == (name, to_pascal(name.replace(".", "_")))
    assert isinstance(cls.audience, Audience)
    assert cls.aggregate in get_args(Aggregate)
    assert cls.__doc__
    assert cls.__doc__ != Event.__doc__


@every_type()
def test_an_update_says_what_changed(name: str) -> None:
    assert ("changed" in data_of(EVENTS[name]).model_fields) == (
        name.endswith(".updated") or name == "settings.changed"
    )


@pytest.mark.parametrize("name", sorted(PINNED_DATA))
def test_data_has_the_fields_of_the_contract(name: str) -> None:
    fields = [field.alias for field in data_of(EVENTS[name]).model_fields.values()]
    assert fields == PINNED_DATA[name].split()


@every_type()
def test_wire_models_are_frozen_tolerant_and_camel_case(name: str) -> None:
    for model in models_in(data_of(EVENTS[name])):
        assert issubclass(model, WireModel)
        assert model.model_config["frozen"]
        assert model.model_config["extra"] == "ignore"
        assert all(field.alias == to_camel(key) for key, field in model.model_fields.items())


@every_type()
def test_nothing_private_is_in_an_event(name: str) -> None:
    if name in OWN_STATE:
        assert EVENTS[name].audience is Audience.USER
        return
    for model in models_in(data_of(EVENTS[name])):
        for field in model.model_fields:
            assert not PRIVATE_WORDS & set(field.split("_")), f"{model.__name__}.{field}"


@every_type()
def test_a_field_added_later_has_a_default_for_the_events_stored_before(name: str) -> None:
    for model in models_in(data_of(EVENTS[name])):
        for field in model.model_fields.values():
            later = isinstance(field.json_schema_extra, dict) and SINCE in field.json_schema_extra
            assert not (later and field.is_required())


def test_the_private_words_are_found_where_they_are() -> None:
    """The test above can fail: own state, which it exempts, holds such fields."""
    fields = data_of(EVENTS["user_state.updated"]).model_fields
    assert any(PRIVATE_WORDS & set(field.split("_")) for field in fields)
