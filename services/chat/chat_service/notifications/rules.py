"""Pure decisions about notifications: when which message falls due, and how far an app was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from chat_service.apps.settings_model import NotifyAfter
from chatsdk_contracts.ids import AppId

# What was passed over because somebody held its row is found again for so long.
_SLACK: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Wish:
    """An app that wants to be told, and how old an unread message is by then; None: not for such users at all."""

    app_id: AppId
    after: NotifyAfter

    def due_since(self, now: datetime) -> tuple[datetime | None, datetime | None]:
        """Messages up to these moments are due now: for users who are offline, and for the others."""
        return _before(now, self.after.offline_s), _before(now, self.after.unread_s)

    def settled_until(self, now: datetime) -> datetime:
        """What was said before this moment was due before, and need not be looked at again."""
        longest_s = max(self.after.offline_s or 0, self.after.unread_s or 0)
        return now - timedelta(seconds=longest_s) - _SLACK


def _before(now: datetime, after_s: int | None) -> datetime | None:
    return None if after_s is None else now - timedelta(seconds=after_s)
