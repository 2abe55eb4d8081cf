"""Whom a revocation concerns, and that it survives its way over the broker."""

from datetime import UTC, datetime

import pytest

from chat_service.auth.principal import Principal
from chat_service.auth.revocation import Revocation, heard
from chatsdk_contracts.control import KeyRevoked, RevokedKey, SettingsChanged, TokenRevoked
from chatsdk_contracts.ids import ApiKeyId, AppId, UserId, new_id

AT = datetime(2026, 1, 1, tzinfo=UTC)
ANN = Principal("user", AppId("a"), user_id=UserId("ann"), token_id="t1")
SERVER = Principal("server", AppId("a"), key_id=ApiKeyId("k1"))

ONE_KEY = Revocation(AppId("a"), AT, key_id=ApiKeyId("k1"))
OTHER_KEY = Revocation(AppId("a"), AT, key_id=ApiKeyId("k2"))
ONE_TOKEN = Revocation(AppId("a"), AT, jti="t1")
OTHER_TOKEN = Revocation(AppId("a"), AT, jti="t2")
ONE_USER = Revocation(AppId("a"), AT, user_id=UserId("ann"))
OTHER_USER = Revocation(AppId("a"), AT, user_id=UserId("bob"))
EVERY_USER = Revocation(AppId("a"), AT)
OTHER_APP = Revocation(AppId("b"), AT)


@pytest.mark.parametrize(
    ("revocation", "concerned"),
    [
        (ONE_KEY, {SERVER}),
        (OTHER_KEY, set()),
        (ONE_TOKEN, {ANN}),
        (OTHER_TOKEN, set()),
        (ONE_USER, {ANN}),
        (OTHER_USER, set()),
        (EVERY_USER, {ANN}),
        (OTHER_APP, set()),
    ],
)
def test_a_revocation_concerns_those_it_names(revocation: Revocation, concerned: set[Principal]) -> None:
    assert {one for one in (ANN, SERVER) if revocation.concerns(one)} == concerned


@pytest.mark.parametrize("revocation", [ONE_KEY, ONE_TOKEN, ONE_USER, EVERY_USER])
def test_another_process_hears_what_was_told(revocation: Revocation) -> None:
    event_class = KeyRevoked if isinstance(revocation.told, RevokedKey) else TokenRevoked
    event = event_class.model_validate(
        {
            "id": new_id(),
            "subject": "apps/a",
            "time": AT,
            "appid": "a",
            "epoch": 1,
            "data": revocation.told.model_dump(),
        }
    )
    assert heard(event) == revocation


def test_changed_settings_revoke_nothing() -> None:
    event = SettingsChanged.model_validate(
        {
            "id": new_id(),
            "subject": "apps/a",
            "time": AT,
            "appid": "a",
            "epoch": 1,
            "data": {"changed": ["x"]},
        }
    )
    assert heard(event) is None
