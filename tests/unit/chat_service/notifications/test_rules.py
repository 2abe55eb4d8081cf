"""When a message falls due, and how far an app is done with."""

from datetime import UTC, datetime, timedelta

import pytest

from chat_service.apps.settings_model import NotifyAfter
from chat_service.notifications.rules import Wish
from chatsdk_contracts.ids import AppId

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def ago(seconds: int) -> datetime:
    return NOW - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("offline_s", "unread_s", "due", "settled"),
    [
        (10, None, (ago(10), None), ago(70)),
        (None, 300, (None, ago(300)), ago(360)),
        (10, 300, (ago(10), ago(300)), ago(360)),
        (300, 10, (ago(300), ago(10)), ago(360)),
    ],
)
def test_what_is_due_and_what_is_done_with(
    offline_s: int | None,
    unread_s: int | None,
    due: tuple[datetime | None, datetime | None],
    settled: datetime,
) -> None:
    wish = Wish(AppId("app"), NotifyAfter(offline_s=offline_s, unread_s=unread_s))

    assert wish.due_since(NOW) == due
    assert wish.settled_until(NOW) == settled


def test_an_app_that_chose_nothing_wants_nothing() -> None:
    assert not NotifyAfter().is_wanted
    assert NotifyAfter(offline_s=1).is_wanted
