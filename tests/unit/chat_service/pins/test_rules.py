"""Who may pin where, and how much."""

from datetime import UTC, datetime

import pytest

from chat_service.errors import ChannelFrozen, MessageIsDeleted, RoleTooLow, TooManyPins
from chat_service.pins.rules import MOST_PINS, pin_refusal, pinning_refusal
from chatsdk_contracts.ids import UserId
from tests.unit.chat_service.messages.sends import STORED

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("user", "role", "channel_type", "frozen", "refusal"),
    [
        pytest.param("ann", "member", "messaging", False, None, id="a member among themselves"),
        pytest.param("ann", "member", "group", False, None, id="a member of a group"),
        pytest.param("ann", "member", "team", False, RoleTooLow, id="a member of a team"),
        pytest.param("ann", "member", "public", False, RoleTooLow, id="a member of a public channel"),
        pytest.param("ann", "member", "private", False, RoleTooLow, id="a member of a private channel"),
        pytest.param("ann", "moderator", "livestream", False, None, id="a moderator"),
        pytest.param("ann", "moderator", "group", True, ChannelFrozen, id="a moderator, frozen"),
        pytest.param("ann", "admin", "group", True, None, id="an admin, frozen"),
        pytest.param(None, None, "public", True, None, id="the app's server"),
    ],
)
def test_who_pins_where(
    user: str | None, role: str | None, channel_type: str, frozen: bool, refusal: type[Exception] | None
) -> None:
    user_id = None if user is None else UserId(user)

    outcome = pinning_refusal(user_id, role, channel_type, frozen=frozen)

    assert outcome is None if refusal is None else isinstance(outcome, refusal)


def test_a_channel_takes_so_many_pins_and_no_tombstone() -> None:
    assert pin_refusal(STORED, MOST_PINS - 1) is None
    assert isinstance(pin_refusal(STORED, MOST_PINS), TooManyPins)
    assert isinstance(pin_refusal(STORED.model_copy(update={"deleted_at": NOW}), 0), MessageIsDeleted)
