"""What a change of a user changes."""

from datetime import UTC, datetime, timedelta

from chat_service.users import rules
from chatsdk_contracts.ids import UserId

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ANN = rules.new_user(UserId("ann"), {"name": "Ann", "email": "ann@example.org", "custom": {"a": 1}}, NOW)


def test_what_is_not_given_stays_and_null_empties() -> None:
    change = rules.change_user(ANN, {"name": None, "custom": None}, LATER)
    assert (change.user.name, change.user.email, change.user.custom) == (None, "ann@example.org", {})
    assert change.changed == ("name", "custom")
    assert (change.user.version, change.user.updated_at) == (2, LATER)


def test_the_same_again_is_no_change() -> None:
    change = rules.change_user(ANN, {"name": "Ann", "custom": {"a": 1}}, LATER)
    assert not change.is_change
    assert change.user == ANN


def test_an_address_changes_without_a_version_or_an_event() -> None:
    change = rules.change_user(ANN, {"email": "other@example.org"}, LATER)
    assert change.is_change
    assert change.changed == ()
    assert change.user.version == 1


def test_others_do_not_see_the_address() -> None:
    assert "email" not in rules.as_others_see(ANN).model_dump()
    assert rules.as_servers_see(ANN).email == "ann@example.org"
