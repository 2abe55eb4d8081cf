"""Which messages are older than their app keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chat_service.apps.settings_model import RetentionDays
from chatsdk_contracts.ids import AppId


@dataclass(frozen=True, slots=True)
class Policy:
    """How long an app keeps the messages of one type of channel."""

    app_id: AppId
    channel_type: str
    kept_for: timedelta

    def kept_since(self, now: datetime) -> datetime:
        """Messages from before that time go."""
        return now - self.kept_for


def policies_of(app_id: AppId, retention_days: RetentionDays) -> list[Policy]:
    """What an app's settings say; a type that is not named is kept for ever."""
    return [Policy(app_id, name, timedelta(days=days)) for name, days in sorted(retention_days.items())]
