"""Pure decisions about hooks: what a reply means, what follows a failure, when not to call at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

import orjson
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from chat_service.hooks.views import HookAnswer, OnFailure
from chat_service.wire_input import CUSTOM_BYTES, LONGEST_TEXT, custom_checker
from chatsdk_runtime.outgoing.exchange import Reply, SendFailure, SendResult

SHORTEST_TIMEOUT_MS: Final = 100
LONGEST_TIMEOUT_MS: Final = 2_000
DEFAULT_TIMEOUT_MS: Final = 500
# Of a hook's answer so much is read; a longer one is none.
ANSWER_BYTES: Final = 65_536
_LONGEST_REASON: Final = 255
_MOST_ATTACHMENTS: Final = 30

Failure = Literal["timeout", "unreachable", "bad_status", "bad_answer", "breaker_open"]
"""Why there is no answer; `breaker_open`: it was not even asked."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of asking, and how long it took."""

    answer: HookAnswer | Failure
    duration_ms: int


_check_answer = custom_checker(ANSWER_BYTES)
_check_custom = custom_checker(CUSTOM_BYTES)


@dataclass(frozen=True, slots=True)
class Hook:
    """A hook as it is called. `secrets`: what calls are signed with, the newest first."""

    url: str
    timeout_ms: int
    on_failure: OnFailure
    on_failure_by_type: Mapping[str, OnFailure]
    secrets: tuple[str, ...]

    def is_open_for(self, channel_type: str) -> bool:
        """Whether what the hook could not judge is sent, in channels of this type."""
        return self.on_failure_by_type.get(channel_type, self.on_failure) == "open"


def read_reply(result: SendResult) -> HookAnswer | Failure:
    """The answer, or why it is none: only a 2xx with a small JSON object that makes sense is one."""
    if isinstance(result, SendFailure):
        return "timeout" if result.kind == "timeout" else "unreachable"
    if not 200 <= result.status < 300:
        return "bad_status"
    return _read_body(result)


def _read_body(reply: Reply) -> HookAnswer | Failure:
    if reply.truncated:
        return "bad_answer"
    try:
        said = orjson.loads(reply.body_head)
        if not isinstance(said, dict):
            return "bad_answer"
        answer = HookAnswer.model_validate(_check_answer(said))
        _check_custom(answer.custom or {})
    except (orjson.JSONDecodeError, RecursionError, ValidationError, PydanticCustomError):
        return "bad_answer"
    return answer if _is_sensible(answer) else "bad_answer"


def _is_sensible(answer: HookAnswer) -> bool:
    """Whether what is to be changed can be: within the limits that hold for senders."""
    if answer.reason is not None and len(answer.reason) > _LONGEST_REASON:
        return False
    if answer.action != "change":
        return True
    if answer.text is not None and len(answer.text) > LONGEST_TEXT:
        return False
    return answer.attachments is None or len(answer.attachments) <= _MOST_ATTACHMENTS


@dataclass(frozen=True, slots=True)
class Breaker:
    """How a hook has been doing: failures in a row, and until when (monotonic seconds) it is left alone."""

    failures: int = 0
    open_until_s: float = 0.0


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """After how many failures in a row a hook is left alone, and for how many seconds."""

    failures: int
    open_s: float


def before_call(breaker: Breaker, limits: BreakerLimits, now_s: float) -> Breaker | None:
    """The state in which the hook is called now; None: it is not called.

    When the time is over, one call tries it and the others go on leaving it alone until that one is back.
    """
    if breaker.failures < limits.failures:
        return breaker
    if now_s < breaker.open_until_s:
        return None
    return replace(breaker, open_until_s=now_s + limits.open_s)


def after_call(breaker: Breaker, limits: BreakerLimits, now_s: float, *, failed: bool) -> Breaker:
    """The state after a call came back."""
    if not failed:
        return Breaker()
    failures = breaker.failures + 1
    return Breaker(failures, now_s + limits.open_s if failures >= limits.failures else 0.0)
