"""Who sees what is not sent, and who decides on it."""

import pytest

from chat_service.errors import RoleTooLow
from chat_service.review import rules
from chatsdk_contracts.ids import UserId
from tests.unit.chat_service.messages.sends import STORED


@pytest.mark.parametrize(
    ("user", "role", "sees", "decides"),
    [
        pytest.param("ann", "member", True, False, id="author"),
        pytest.param("bob", "member", False, False, id="another member"),
        pytest.param("bob", "moderator", True, True, id="moderator"),
        pytest.param("bob", "owner", True, True, id="owner"),
        pytest.param(None, None, True, True, id="the app's server"),
    ],
)
def test_who_sees_and_who_decides(user: str | None, role: str | None, sees: bool, decides: bool) -> None:
    user_id = None if user is None else UserId(user)
    held = STORED.model_copy(update={"status": "held"})

    assert rules.may_see_unsent(held, user_id, role) is sees
    if decides:
        rules.require_moderator(user_id, role)
    else:
        with pytest.raises(RoleTooLow):
            rules.require_moderator(user_id, role)
