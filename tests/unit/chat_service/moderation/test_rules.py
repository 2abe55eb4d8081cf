"""Who moderates whom, who reports what, and what a review comes to."""

from typing import get_args

import pytest
from pydantic import ValidationError

from chat_service.channels.rules import Actor
from chat_service.errors import RoleTooLow
from chat_service.moderation import rules
from chat_service.moderation.errors import AlreadyReviewed, OwnMessage
from chat_service.moderation.requests import BanUser, ReportMessage, ReviewReport
from chatsdk_contracts.channels import Channel, ChannelRole
from chatsdk_contracts.ids import ChannelId, UserId
from chatsdk_contracts.messages import MessageType
from tests.unit.chat_service.messages.sends import NOW, STORED

ROLES = ["member", "moderator", "admin", "owner"]
CHANNEL = Channel(id=ChannelId("c"), type="group", member_count=1, cv=1, created_at=NOW, updated_at=NOW)


def actor(role: ChannelRole | None, user: str = "ann") -> Actor:
    return Actor(UserId(user), role)


@pytest.mark.parametrize("mine", [None, *ROLES])
@pytest.mark.parametrize("theirs", [None, *ROLES])
def test_one_bans_those_below_and_nobody_else(mine: ChannelRole | None, theirs: ChannelRole | None) -> None:
    above = actor(mine).rank > actor(theirs).rank
    try:
        rules.require_above(actor(mine), actor(theirs, "bob"))
    except RoleTooLow:
        assert not above
    else:
        assert above
    rules.require_above(Actor(None, None), actor(theirs, "bob"))


@pytest.mark.parametrize(
    ("role", "may"), [("member", False), ("moderator", True), ("admin", True), ("owner", True)]
)
def test_moderators_and_above_moderate(role: ChannelRole, may: bool) -> None:
    if may:
        rules.require_moderator(actor(role), CHANNEL)
    else:
        with pytest.raises(RoleTooLow):
            rules.require_moderator(actor(role), CHANNEL)


@pytest.mark.parametrize(
    ("reporter", "message_type", "may"),
    [("bob", "regular", True), ("ann", "regular", False), ("ann", "deleted", False), ("ann", "system", True)],
)
def test_nobody_reports_their_own_words(reporter: str, message_type: MessageType, may: bool) -> None:
    message = STORED.model_copy(update={"type": message_type})
    if may:
        rules.require_reportable(message, UserId(reporter))
    else:
        with pytest.raises(OwnMessage):
            rules.require_reportable(message, UserId(reporter))


@pytest.mark.parametrize("status", get_args(rules.Status))
def test_only_what_is_pending_is_decided(status: str) -> None:
    if status == "pending":
        rules.require_pending(status)
    else:
        with pytest.raises(AlreadyReviewed) as refused:
            rules.require_pending(status)
        assert refused.value.extra == {"status": status}


def test_every_action_ends_a_report() -> None:
    ends = {action: rules.status_after(action) for action in get_args(rules.ReviewAction)}
    assert set(ends.values()) == {"actioned", "reviewed", "dismissed"}
    assert "pending" not in ends.values()


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ({"userId": "eve"}, set()),
        ({"userId": "eve", "durationS": 1, "reason": "x", "shadow": True}, set()),
        ({"userId": "eve", "durationS": 0}, {"durationS"}),
        ({"userId": "eve", "durationS": 316_224_001}, {"durationS"}),
        ({"userId": "eve", "reason": ""}, {"reason"}),
        ({"userId": "eve", "reason": "x" * 256}, {"reason"}),
        ({"userId": "eve", "reason": "a\nb"}, {"reason"}),
        ({"userId": "me"}, {"userId"}),
        ({"userId": "eve", "until": "tomorrow"}, {"until"}),
    ],
)
def test_a_ban_is_asked_for_within_limits(body: dict[str, object], paths: set[str]) -> None:
    try:
        BanUser.model_validate(body)
        found: set[str] = set()
    except ValidationError as invalid:
        found = {str(one["loc"][0]) for one in invalid.errors()}
    assert found == paths


def test_reports_and_reviews_have_limits() -> None:
    ReportMessage.model_validate({"reason": "other", "details": "x" * 1_000})
    ReviewReport.model_validate({"action": "ban_user", "ban": {"everywhere": True, "durationS": 60}})
    for wrong in ({"reason": "other", "details": "x" * 1_001}, {"reason": "boring"}, {}):
        with pytest.raises(ValidationError):
            ReportMessage.model_validate(wrong)
    for wrong in ({"action": "praise"}, {"action": "dismiss", "adminNotes": "x" * 1_001}):
        with pytest.raises(ValidationError):
            ReviewReport.model_validate(wrong)
