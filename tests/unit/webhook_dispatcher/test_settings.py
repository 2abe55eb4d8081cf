"""The dispatcher's settings and what is refused at start."""

import pytest

from chatsdk_runtime.settings import SettingsError, load_settings
from webhook_dispatcher.settings import Settings

GOOD = {
    "RABBITMQ_URL": "amqp://127.0.0.1",
    "CHATSDK_SERVICE_TOKEN": "a-token-between-services",
    "CHATSDK_MASTER_KEYS": "k:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "DATABASE_URL": "postgresql://user@127.0.0.1/any",
    "CHAT_INTERNAL_URL": "http://127.0.0.1:5501",
}


def load(monkeypatch: pytest.MonkeyPatch, **changes: str) -> Settings:
    for name in ("WEBHOOKS_DATABASE_URL", "CHATSDK_ENV"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**GOOD, **changes}.items():
        monkeypatch.setenv(name, value)
    return load_settings(Settings)


def test_the_shared_database_url_gets_the_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch)
    assert settings.database_dsn == "postgresql://user@127.0.0.1/chatsdk_webhooks"
    assert settings.direct_dsn == settings.database_dsn


def test_every_setting_says_what_it_is() -> None:
    assert all(field.description and field.validation_alias for field in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOKS_ALLOWED_NETWORKS", "127.0.0.1/8"),
        ("CHATSDK_MASTER_KEYS", "k:short"),
        ("CHATSDK_FAULT_POINTS", "plan.committed"),
        ("WEBHOOKS_SESSION_DEAD_S", "3"),
        ("WEBHOOKS_MAX_IN_FLIGHT", "0"),
        ("CHAT_INTERNAL_URL", ""),
    ],
)
def test_a_bad_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load(monkeypatch, **{name: value})


def test_fault_points_are_armed_in_development_only(monkeypatch: pytest.MonkeyPatch) -> None:
    production = load(monkeypatch, CHATSDK_FAULT_POINTS="here:1")
    production.fault_points.reached("here")
