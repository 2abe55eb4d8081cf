"""What a hook's reply means, and when a hook is left alone."""

import orjson
import pytest

from chat_service.hooks import rules
from chat_service.hooks.rules import Breaker, BreakerLimits, Hook
from chat_service.hooks.views import HookAnswer
from chatsdk_runtime.outgoing.exchange import Reply, SendFailure

LIMITS = BreakerLimits(failures=3, open_s=10.0)


def reply(body: object, status: int = 200, *, truncated: bool = False) -> Reply:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Reply(status, (), raw, truncated, 0.01)


@pytest.mark.parametrize(
    "body",
    [
        {"action": "accept"},
        {"action": "accept", "whatever": "a later release says"},
        {"action": "reject", "reason": "no"},
        {"action": "hold"},
        {"action": "change", "text": "x" * 20_000},
        {"action": "change", "attachments": [{"type": "image", "url": "https://example.com/x.png"}]},
        {"action": "change", "custom": {"a": [1, {"b": None}]}},
    ],
)
def test_an_answer_is_read_and_what_is_unknown_in_it_ignored(body: dict[str, object]) -> None:
    answer = rules.read_reply(reply(body))
    assert isinstance(answer, HookAnswer)
    assert answer.action == body["action"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"ok",
        b"[1]",
        b'"accept"',
        b"\xff\xfe",
        b"[" * 60_000,
        {},
        {"action": "ACCEPT"},
        {"action": None},
        {"action": "change", "text": 5},
        {"action": "change", "text": "x" * 20_001},
        {"action": "change", "text": "nul \0"},
        {"action": "change", "attachments": "none"},
        {"action": "change", "attachments": [{"type": "image"}]},
        {"action": "change", "attachments": [{"type": "image", "url": "u"}] * 31},
        {"action": "change", "custom": {"x": "y" * 5_000}},
        {"action": "reject", "reason": "x" * 256},
    ],
)
def test_what_makes_no_sense_is_no_answer(body: object) -> None:
    assert rules.read_reply(reply(body)) == "bad_answer"


@pytest.mark.parametrize(
    ("result", "failure"),
    [
        (reply({"action": "accept"}, truncated=True), "bad_answer"),
        (reply({"action": "accept"}, 500), "bad_status"),
        (reply({"action": "accept"}, 302), "bad_status"),
        (reply({"action": "accept"}, 404), "bad_status"),
        (SendFailure("timeout", "", "", 0.5), "timeout"),
        (SendFailure("connect", "", "", 0.5), "unreachable"),
        (SendFailure("refused_address", "", "", 0.5), "unreachable"),
    ],
)
def test_everything_else_is_a_failure_of_its_kind(result: Reply | SendFailure, failure: str) -> None:
    assert rules.read_reply(result) == failure


def test_the_policy_of_a_channel_type_goes_before_the_common_one() -> None:
    hook = Hook("https://x", 500, "open", {"private": "closed"}, ("s",))
    assert hook.is_open_for("group")
    assert not hook.is_open_for("private")


def test_a_hook_that_fails_in_a_row_is_left_alone_and_tried_by_one_call() -> None:
    breaker = Breaker()
    for now_s in (1.0, 2.0, 3.0):
        assert rules.before_call(breaker, LIMITS, now_s) == breaker
        breaker = rules.after_call(breaker, LIMITS, now_s, failed=True)
    assert rules.before_call(breaker, LIMITS, 3.1) is None
    assert rules.before_call(breaker, LIMITS, 12.9) is None

    trying = rules.before_call(breaker, LIMITS, 13.0)
    assert trying is not None
    assert rules.before_call(trying, LIMITS, 13.1) is None, "one call tries, the others wait for it"
    again = rules.after_call(trying, LIMITS, 13.5, failed=True)
    assert rules.before_call(again, LIMITS, 23.4) is None
    assert rules.after_call(trying, LIMITS, 13.5, failed=False) == Breaker()


def test_one_success_ends_the_row() -> None:
    breaker = Breaker(failures=2)
    breaker = rules.after_call(breaker, LIMITS, 1.0, failed=False)
    assert rules.after_call(breaker, LIMITS, 2.0, failed=True) == Breaker(failures=1)
