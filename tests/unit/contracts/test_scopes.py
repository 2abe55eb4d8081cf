"""Scopes: what is granted, and what may be handed on."""

from hypothesis import given
from hypothesis import strategies as st

from chatsdk_contracts.scopes import SCOPES, USER_SCOPES, allows, missing

SOME = st.frozensets(st.sampled_from(SCOPES))


def test_the_scopes_of_users_are_some_of_all() -> None:
    assert set(SCOPES) > USER_SCOPES
    assert not USER_SCOPES & {
        "users:manage",
        "tokens:mint",
        "keys:manage",
        "webhooks:manage",
        "moderation:manage",
    }


@given(SOME)
def test_without_scopes_everything_is_allowed_and_with_some_only_those(granted: frozenset[str]) -> None:
    assert {scope for scope in SCOPES if allows(granted, scope)} == (granted or set(SCOPES))


@given(SOME, st.none() | SOME.filter(bool))
def test_what_is_handed_on_never_allows_more(granted: frozenset[str], wanted: frozenset[str] | None) -> None:
    if missing(granted, wanted):
        assert granted
        return
    handed_on = wanted or frozenset()
    assert all(allows(granted, scope) for scope in SCOPES if allows(handed_on, scope))


def test_what_is_missing_is_named() -> None:
    assert missing(frozenset({"chat:read"}), {"chat:write", "chat:read"}) == ["chat:write"]
    assert missing(frozenset({"chat:read"}), None) == sorted(set(SCOPES) - {"chat:read"})
    assert missing(frozenset(), None) == []
