"""What keeps a user from writing, and what they are told of it."""

from datetime import UTC, datetime

import pytest

from chat_service.moderation.restraints import FREE, Restraint

UNTIL = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("restraint", "code"),
    [
        (FREE, None),
        (Restraint(is_banned=True), "banned"),
        (Restraint(is_blocked=True), "blocked"),
        (Restraint(is_banned=True, is_blocked=True), "banned"),
        # Whoever is not to know is told nothing.
        (Restraint(is_shadowed=True), None),
        (Restraint(is_shadowed=True, is_blocked=True), "blocked"),
    ],
)
def test_what_is_refused_and_how(restraint: Restraint, code: str | None) -> None:
    refusal = restraint.refusal
    assert (None if refusal is None else (refusal.status_code, refusal.code)) == (code and (403, code))


@pytest.mark.parametrize(("until", "told"), [(None, None), (UNTIL, "2026-11-25T12:00:00.000Z")])
def test_a_ban_says_until_when_and_why(until: datetime | None, told: str | None) -> None:
    refusal = Restraint(is_banned=True, until=until, reason="spam").refusal
    assert refusal is not None
    assert refusal.extra == {"until": told, "reason": "spam"}
    assert refusal.hint
