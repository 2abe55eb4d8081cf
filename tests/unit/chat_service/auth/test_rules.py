"""Token claims, scopes and revocation in time."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.auth import rules
from chatsdk_contracts.ids import AppId, UserId, new_id, uuid7_timestamp_ms
from chatsdk_contracts.scopes import SCOPES, USER_SCOPES, allows
from chatsdk_runtime.errors import ScopeMissing

TIMES = st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zone beside


def test_a_token_ends_in_whole_seconds() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, 999_000, tzinfo=UTC)
    ends = rules.expiry(now, 60)
    assert ends == datetime(2026, 1, 1, 12, 1, 0, tzinfo=UTC)
    claims = rules.claims(AppId("a"), UserId("u"), "t", now=now, ends=ends)
    assert claims["exp"] - claims["iat"] == 60
    assert claims["exp"] == int(ends.timestamp())


def test_scopes_are_claimed_only_by_a_limited_token() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    whole = rules.claims(AppId("a"), UserId("u"), "t", now=now, ends=now)
    limited = rules.claims(
        AppId("a"), UserId("u"), "t", now=now, ends=now, scopes=frozenset({"chat:write", "chat:read"})
    )
    assert set(whole) == {"sub", "app", "iat", "exp", "jti"}
    assert limited == {**whole, "scopes": ["chat:read", "chat:write"]}


@given(TIMES, st.lists(st.none() | TIMES, max_size=3))
def test_a_token_minted_after_revocations_is_valid(now: datetime, revocations: list[datetime | None]) -> None:
    token_id = new_id(rules.issue_time_ms(now, *revocations))
    assert not any(rules.is_revoked(token_id, at) for at in revocations)


@given(TIMES, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=1)))
def test_a_token_minted_before_a_revocation_is_revoked(now: datetime, later: timedelta) -> None:
    token_id = new_id(rules.issue_time_ms(now))
    assert rules.is_revoked(token_id, now + later)
    assert not rules.is_revoked(token_id, None)


def test_a_token_is_issued_now_unless_a_revocation_was_later() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)
    ms = int(now.timestamp() * 1000)
    assert rules.issue_time_ms(now, None, now - timedelta(seconds=1)) == ms
    assert rules.issue_time_ms(now, now) == ms + 1
    assert uuid7_timestamp_ms(new_id(ms)) == ms


SOME = st.frozensets(st.sampled_from(SCOPES))
SOME_OF_USERS = st.frozensets(st.sampled_from(sorted(USER_SCOPES)), min_size=1)


@given(SOME, st.none() | SOME_OF_USERS)
def test_a_token_never_may_what_its_key_may_not(
    granted: frozenset[str], asked: frozenset[str] | None
) -> None:
    try:
        carried = rules.scopes_to_carry(granted, asked)
    except ScopeMissing:
        assert granted
        return
    assert all(allows(granted, scope) for scope in USER_SCOPES if allows(carried, scope))
    assert asked is None or carried == asked


@pytest.mark.parametrize(
    ("granted", "asked", "carried"),
    [
        ((), None, ()),
        ((), ("chat:read",), ("chat:read",)),
        (("tokens:mint", "chat:read"), None, ("chat:read",)),
        (("tokens:mint", "chat:read", "chat:write"), ("chat:write",), ("chat:write",)),
    ],
)
def test_a_token_carries_what_is_asked_or_what_the_key_has(
    granted: tuple[str, ...], asked: tuple[str, ...] | None, carried: tuple[str, ...]
) -> None:
    wanted = None if asked is None else frozenset(asked)
    assert rules.scopes_to_carry(frozenset(granted), wanted) == frozenset(carried)


@pytest.mark.parametrize(
    ("granted", "asked", "named"),
    [(("tokens:mint",), None, "chat:read"), (("tokens:mint", "chat:read"), ("chat:write",), "chat:write")],
)
def test_a_refused_token_names_the_scope(
    granted: tuple[str, ...], asked: tuple[str, ...] | None, named: str
) -> None:
    with pytest.raises(ScopeMissing) as refused:
        rules.scopes_to_carry(frozenset(granted), None if asked is None else frozenset(asked))
    assert named in str(refused.value.hint)
