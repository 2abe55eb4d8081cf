"""What an app's owner may choose. A new setting is a field with a default here and one in `own_api.ChangeSettings`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from chat_service.limits.rates import RateLimits
from chatsdk_contracts.channels import ChannelType
from chatsdk_contracts.wire import WireModel

UserDirectory = Literal["all", "shared_channels", "off"]

# A hundred years are for ever.
RetentionDays = Mapping[ChannelType, Annotated[int, Field(ge=1, le=36_500)]]


class NotifyAfter(WireModel):
    """After how many seconds the app's server is told of an unread message; null: never.

    `offline_s`: for users who are offline; `unread_s`: for all, whoever has not read it by then.
    """

    offline_s: Annotated[int, Field(ge=1, le=86_400)] | None = None
    unread_s: Annotated[int, Field(ge=1, le=86_400)] | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether the app wants to be told at all."""
        return self.offline_s is not None or self.unread_s is not None


class AppSettings(WireModel):
    """The settings of an app; a field that is not stored has its default.

    `user_directory`: which others a user may find by searching: everybody in the app, those with whom they share
    a channel, or nobody. The app's servers find all; who knows an id may always read that user's public fields.
    `retention_days`: by type of channel, after how many days messages go for good; a type that is not named keeps them.
    `notify_after`: when `notification.due` tells of unread messages; by default never.
    `rate_limits`: what differs from the defaults.
    """

    user_directory: UserDirectory = "shared_channels"
    retention_days: RetentionDays = Field(default_factory=dict)
    rate_limits: RateLimits = RateLimits()
    notify_after: NotifyAfter = NotifyAfter()
