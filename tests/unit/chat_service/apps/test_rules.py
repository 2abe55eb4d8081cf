"""Which keys a key may make and take back, and what a change of settings changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.apps import rules
from chat_service.apps.settings_model import AppSettings
from chat_service.errors import LastFullKey
from chatsdk_contracts.scopes import SCOPES, allows
from chatsdk_runtime.errors import ScopeMissing

SOME = st.frozensets(st.sampled_from(SCOPES))


@given(SOME, SOME)
def test_a_key_makes_only_keys_that_may_no_more(granted: frozenset[str], scopes: frozenset[str]) -> None:
    may_more = any(allows(scopes, scope) and not allows(granted, scope) for scope in SCOPES)
    if may_more:
        with pytest.raises(ScopeMissing):
            rules.require_reach(granted, scopes)
    else:
        rules.require_reach(granted, scopes)


def test_the_last_key_with_all_rights_stays() -> None:
    with pytest.raises(LastFullKey):
        rules.require_revocable([], other_full_keys=0)
    rules.require_revocable([], other_full_keys=1)
    rules.require_revocable(["chat:read"], other_full_keys=0)


def test_only_what_differs_is_a_change() -> None:
    settings = AppSettings(user_directory="all")
    assert rules.changed_settings(settings, {"user_directory": "all"}) == {}
    assert rules.changed_settings(settings, {}) == {}
    assert rules.changed_settings(settings, {"user_directory": "off"}) == {"user_directory": "off"}


def test_settings_of_a_later_release_are_read() -> None:
    assert AppSettings.model_validate_json('{"laterOne": 5}') == AppSettings()
