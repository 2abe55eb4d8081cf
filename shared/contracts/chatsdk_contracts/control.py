"""Internal events on the control exchange: they clear caches of what may no longer be trusted.

Published and forgotten: every such cache also expires by itself within seconds, so a lost one delays, never allows.
"""

from typing import Literal

from chatsdk_contracts.envelope import Audience, Event
from chatsdk_contracts.ids import ApiKeyId, UserId
from chatsdk_contracts.wire import Timestamp, WireModel


class RevokedKey(WireModel):
    """An API key that is no longer valid."""

    key_id: ApiKeyId
    revoked_at: Timestamp


class RevokedTokens(WireModel):
    """One user token by its `jti`, or with `jti` null every token of the user issued before `revoked_at`."""

    user_id: UserId
    jti: str | None = None
    revoked_at: Timestamp


class ChangedSettings(WireModel):
    """Names of an app's settings that changed; the values are asked for where they are needed."""

    changed: list[str]


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

    type: Literal["token.revoked"] = "token.revoked"
    data: RevokedTokens


class SettingsChanged(_ControlEvent):
    """An app's settings changed."""

    type: Literal["settings.changed"] = "settings.changed"
    data: ChangedSettings
