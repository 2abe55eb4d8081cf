"""Calling a hook: signed like a webhook, and so many at once for each app.

What the hook's server does is a value, never an exception. A hook that fails again and again is left alone for a
while. All of this is this replica's own: another one learns of a sick hook by itself.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime

from chat_service.hooks import rules
from chat_service.hooks.rules import Breaker, BreakerLimits, Failure, Hook, Outcome
from chat_service.hooks.views import HookAnswer, Question
from chat_service.instruments import ScreeningInstruments
from chatsdk_contracts import signatures
from chatsdk_contracts.ids import AppId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.outgoing.exchange import OutgoingRequest
from chatsdk_runtime.outgoing.sender import Sender

USER_AGENT = "ChatSDK-Hooks/1.0"


@dataclass(slots=True)
class _Calls:
    """One app's calls."""

    slots: asyncio.Semaphore
    breaker: Breaker = field(default_factory=Breaker)


class HookCaller:
    """Asks hooks, over the guarded sender; of each app `at_once`."""

    def __init__(
        self,
        sender: Sender,
        *,
        at_once: int,
        breaker: BreakerLimits,
        instruments: ScreeningInstruments,
    ) -> None:
        self._sender = sender
        self._at_once = at_once
        self._limits = breaker
        self._instruments = instruments
        self._apps: dict[AppId, _Calls] = {}

    async def ask(self, hook: Hook, question: Question) -> Outcome:
        """Ask about one draft, when one of the app's slots is free."""
        calls = self._apps.setdefault(question.app_id, _Calls(asyncio.Semaphore(self._at_once)))
        async with calls.slots:
            started_s = time.monotonic()
            calling = rules.before_call(calls.breaker, self._limits, started_s)
            if calling is None:
                return self._counted(Outcome("breaker_open", 0))
            calls.breaker = calling
            answer = await self._call(hook, question)
            ended_s = time.monotonic()
            failed = not isinstance(answer, HookAnswer)
            calls.breaker = rules.after_call(calls.breaker, self._limits, ended_s, failed=failed)
            self._instruments.hook_seconds.observe(ended_s - started_s)
            return self._counted(Outcome(answer, round((ended_s - started_s) * 1_000)))

    def forget(self, app_id: AppId) -> None:
        """The app's hook was changed: how the old one did says nothing of the new one."""
        calls = self._apps.get(app_id)
        if calls is not None:
            calls.breaker = Breaker()

    async def _call(self, hook: Hook, question: Question) -> HookAnswer | Failure:
        body = data_json(question)
        headers = _headers(hook, question.id, question.time, body)
        request = OutgoingRequest(hook.url, headers, body, hook.timeout_ms / 1_000)
        return rules.read_reply(await self._sender.send(request))

    def _counted(self, outcome: Outcome) -> Outcome:
        label = outcome.answer.action if isinstance(outcome.answer, HookAnswer) else outcome.answer
        self._instruments.hook_calls.labels(label).inc()
        return outcome


def _headers(hook: Hook, call_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """What a call carries: the signatures of a webhook."""
    timestamp_s = int(at.timestamp())
    return {
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        signatures.WEBHOOK_ID: call_id,
        signatures.WEBHOOK_TIMESTAMP: str(timestamp_s),
        signatures.WEBHOOK_SIGNATURE: signatures.sign_standard(hook.secrets, call_id, timestamp_s, body),
        signatures.CHATSDK_SIGNATURE: signatures.sign_chatsdk(hook.secrets[0], body),
    }
