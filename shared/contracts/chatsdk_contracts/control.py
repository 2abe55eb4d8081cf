"""Internal events on the control exchange: they clear caches of what may no longer be trusted.

Published and forgotten: every such cache also expires by itself within seconds, so a lost one delays, never allows.
"""

from typing import ClassVar, Final, Literal

from pydantic import ValidationError

from chatsdk_contracts.envelope import Audience, Event, UndecodableEvent, event_type, parse_head, reason_of
from chatsdk_contracts.ids import ApiKeyId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel


class RevokedKey(WireModel):
    """An API key that is no longer valid."""

    key_id: ApiKeyId
    revoked_at: Timestamp


class RevokedTokens(WireModel):
    """One user token by its `jti`; else every token issued until `revoked_at` to the user, or with both null to anyone."""

    user_id: UserId | None = None
    jti: str | None = None
    revoked_at: Timestamp


class ChangedSettings(WireModel):
    """Names of an app's settings that changed; the values are asked for where they are needed."""

    changed: list[str]


class ChangedBlocks(WireModel):
    """A user who blocked somebody or does so no longer; whom is asked for where it is needed."""

    user_id: UserId


class _ControlEvent(Event):
    """What the control events share."""

    audience = Audience.INTERNAL
    aggregate = "apps"
    durable = False


class KeyRevoked(_ControlEvent):
    """An API key was revoked."""

    type: Literal["key.revoked"] = "key.revoked"
    data: RevokedKey


class TokenRevoked(_ControlEvent):
    """User tokens were revoked."""

    # Version 1 always named a user.
    schema_version: ClassVar[int] = 2
    type: Literal["token.revoked"] = "token.revoked"
    data: RevokedTokens


class SettingsChanged(_ControlEvent):
    """An app's settings changed."""

    type: Literal["settings.changed"] = "settings.changed"
    data: ChangedSettings


class BlocksChanged(_ControlEvent):
    """Whom a user blocks changed: their sockets hide others from here on."""

    type: Literal["blocks.changed"] = "blocks.changed"
    data: ChangedBlocks


ControlEvent = KeyRevoked | TokenRevoked | SettingsChanged | BlocksChanged
_CLASSES: Final[tuple[type[ControlEvent], ...]] = (KeyRevoked, TokenRevoked, SettingsChanged, BlocksChanged)


def parse_control(body: bytes) -> ControlEvent | None:
    """A control event's bytes; None for a type that this release does not know. Raises `UndecodableEvent`."""
    name = parse_head(body).type
    for event_cls in _CLASSES:
        if name == event_type(event_cls):
            try:
                return event_cls.model_validate_json(body)
            except ValidationError as error:
                raise UndecodableEvent(reason_of(error)) from None
    return None
