"""What an app's settings say of how long messages are kept."""

from datetime import UTC, datetime, timedelta

from chat_service.apps.settings_model import AppSettings
from chat_service.retention.rules import Policy, policies_of
from chatsdk_contracts.ids import AppId

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def test_only_what_is_named_goes() -> None:
    assert policies_of(AppId("a"), AppSettings().retention_days) == []
    settings = AppSettings.model_validate({"retentionDays": {"team": 30, "group": 1}})
    assert policies_of(AppId("a"), settings.retention_days) == [
        Policy(AppId("a"), "group", timedelta(days=1)),
        Policy(AppId("a"), "team", timedelta(days=30)),
    ]


def test_what_is_kept_is_younger_than_the_days() -> None:
    assert Policy(AppId("a"), "team", timedelta(days=30)).kept_since(NOW) == datetime(2026, 1, 1, tzinfo=UTC)
