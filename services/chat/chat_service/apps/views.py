"""Apps and API keys as operators and apps see them."""

from __future__ import annotations

from chat_service.paging import Page
from chatsdk_contracts.ids import ApiKeyId, AppId
from chatsdk_contracts.wire import Timestamp, WireModel


class App(WireModel):
    """A tenant."""

    id: AppId
    name: str
    created_at: Timestamp


class NewApp(App):
    """An app just made, with its first API key, shown once."""

    api_key: str


class ApiKey(WireModel):
    """A credential of the app's servers, without the credential."""

    id: ApiKeyId
    app_id: AppId
    name: str
    scopes: list[str]
    created_at: Timestamp
    last_used_at: Timestamp | None = None
    revoked_at: Timestamp | None = None


class NewApiKey(ApiKey):
    """A key just made; `api_key` is shown once."""

    api_key: str


class AppPage(Page):
    """A page of apps."""

    apps: list[App]


class ApiKeyPage(Page):
    """All keys of an app: there are few."""

    keys: list[ApiKey]
