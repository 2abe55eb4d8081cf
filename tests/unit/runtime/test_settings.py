"""Settings: every problem at once, by the name of its variable; secrets are not shown."""

import pytest
from pydantic import SecretStr

from chatsdk_runtime.settings import ServiceSettings, SettingsError, database_url, load_settings

GOOD = {
    "RABBITMQ_URL": "amqp://u:hidden@127.0.0.1/",
    "CHATSDK_SERVICE_TOKEN": "0123456789abcdef",
    "CHATSDK_MASTER_KEYS": "k1:hidden",
}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CHATSDK_ENV", "LOG_LEVEL", "LOG_FORMAT", *GOOD):
        monkeypatch.delenv(name, raising=False)


def test_a_whole_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    settings = load_settings(ServiceSettings)
    assert settings.environment == "production"
    assert not settings.is_development
    assert "hidden" not in repr(settings)


def test_all_problems_are_reported_at_once_by_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATSDK_ENV", "staging")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    monkeypatch.setenv("CHATSDK_SERVICE_TOKEN", "short")
    monkeypatch.setenv("CHATSDK_DRAIN_TIMEOUT_S", "-1")
    with pytest.raises(SettingsError) as raised:
        load_settings(ServiceSettings)
    said = str(raised.value)
    for name in (
        "CHATSDK_ENV",
        "LOG_LEVEL",
        "CHATSDK_SERVICE_TOKEN",
        "CHATSDK_DRAIN_TIMEOUT_S",
        "RABBITMQ_URL",
        "CHATSDK_MASTER_KEYS",
    ):
        assert f"\n  {name}: " in said
    assert "short" not in said.replace("shorter", "")


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**GOOD, "RABBITMQ_URL": ""}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="RABBITMQ_URL"):
        load_settings(ServiceSettings)


def test_every_setting_is_documented() -> None:
    assert all(field.description for field in ServiceSettings.model_fields.values())


def test_the_fallback_url_gets_the_services_database() -> None:
    fallback = SecretStr("postgresql://u:p@host:5432/anything?sslmode=require")
    url = database_url(None, fallback, "chatsdk_chat", "CHAT_DATABASE_URL")
    assert url.get_secret_value() == "postgresql://u:p@host:5432/chatsdk_chat?sslmode=require"
    own = SecretStr("postgresql://own")
    assert database_url(own, fallback, "chatsdk_chat", "CHAT_DATABASE_URL") is own
    with pytest.raises(ValueError, match="CHAT_DATABASE_URL"):
        database_url(None, None, "chatsdk_chat", "CHAT_DATABASE_URL")
