"""What a token says."""

from datetime import UTC, datetime

from chat_service.auth import rules
from chatsdk_contracts.ids import AppId, UserId


def test_a_token_ends_in_whole_seconds() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, 999_000, tzinfo=UTC)
    ends = rules.expiry(now, 60)
    assert ends == datetime(2026, 1, 1, 12, 1, 0, tzinfo=UTC)
    claims = rules.claims(AppId("a"), UserId("u"), "t", now=now, ends=ends)
    assert claims == {
        "sub": "u",
        "app": "a",
        "iat": int(now.timestamp()),
        "exp": int(ends.timestamp()),
        "jti": "t",
    }
