"""Judging a draft: by what the word list found in it, and by the app's hook. What they decide is written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chat_service.channels.store import fetch_channel
from chat_service.errors import ChannelNotFound
from chat_service.hooks.calling import HookCaller
from chat_service.hooks.rules import Hook
from chat_service.hooks.views import Draft, Kind, Question
from chat_service.instruments import ScreeningInstruments
from chat_service.screening import rules, store
from chat_service.screening.errors import MessageRejected, ScreeningUnavailable
from chat_service.screening.known import AppScreen
from chat_service.screening.rules import Content, Ruling
from chat_service.screening.views import ScreeningVerdict
from chat_service.users.rules import as_others_see
from chat_service.users.store import fetch_user
from chatsdk_contracts.ids import AppId, ChannelId, new_id
from chatsdk_contracts.wire import to_wire_precision
from chatsdk_runtime.postgres import Pool, reading, transaction


@dataclass(frozen=True, slots=True)
class Said:
    """What is about to be said, by whom and where; of an edit also what the message says now."""

    kind: Kind
    app_id: AppId
    channel_id: ChannelId
    channel_type: str
    draft: Draft
    previous_text: str | None = None


class Judges:
    """The list's findings and the hook's answer, made one decision."""

    def __init__(self, pool: Pool, hooks: HookCaller, instruments: ScreeningInstruments) -> None:
        self._pool = pool
        self._hooks = hooks
        self._instruments = instruments

    def forget(self, app_id: AppId) -> None:
        """The app's hook was changed."""
        self._hooks.forget(app_id)

    async def judge(self, screen: AppScreen, said: Said, listed: Ruling | None) -> tuple[Content, bool]:
        """What may be said, and whether it has to wait. The list comes first; what it rejects the hook never sees.

        Raises:
            MessageRejected: one of the two does not take it.
            ScreeningUnavailable: the hook did not answer, and the app wants nothing said unseen.
        """
        rulings = [] if listed is None else [listed]
        draft = said.draft
        content = Content(draft.text, draft.attachments, draft.custom)
        if listed is not None:
            content = rules.applied(content, listed)
        if screen.hook is not None and (listed is None or listed.action != "reject"):
            asked = await self._ask(screen.hook, said, content)
            content = rules.applied(content, asked)
            rulings.append(asked)
        await self._record(said, rulings)
        for ruling in rulings:
            if ruling.action == "reject":
                raise MessageRejected(ruling.reason)
        if any(ruling.action == "unavailable" for ruling in rulings):
            raise ScreeningUnavailable
        return content, any(ruling.action == "hold" for ruling in rulings)

    async def _ask(self, hook: Hook, said: Said, content: Content) -> Ruling:
        async with reading(self._pool) as connection:
            channel = await fetch_channel(connection, said.app_id, said.channel_id)
            sender = await fetch_user(connection, said.app_id, said.draft.user_id)
        if channel is None:
            raise ChannelNotFound
        given: dict[str, Any] = {"text": content.text, "attachments": content.attachments}
        question = Question(
            id=new_id(),
            kind=said.kind,
            time=_now(),
            app_id=said.app_id,
            message=said.draft.model_copy(update=given),
            previous_text=said.previous_text,
            channel=channel.channel,
            sender=None if sender is None else as_others_see(sender),
        )
        outcome = await self._hooks.ask(hook, question)
        return rules.by_hook(hook, outcome, kind=said.kind, content=content, channel_type=said.channel_type)

    async def _record(self, said: Said, rulings: Sequence[Ruling]) -> None:
        now = _now()
        verdicts = [
            ScreeningVerdict(
                id=new_id(),
                channel_id=said.channel_id,
                user_id=said.draft.user_id,
                message_id=said.draft.id,
                kind=said.kind,
                source=ruling.source,
                outcome=ruling.outcome,
                action=ruling.action,
                reason=ruling.reason,
                duration_ms=ruling.duration_ms,
                created_at=now,
            )
            for ruling in rulings
        ]
        for ruling in rulings:
            self._instruments.screenings.labels(ruling.source, ruling.action).inc()
        async with transaction(self._pool) as tx:
            await store.insert_verdicts(tx, said.app_id, verdicts)


def _now() -> datetime:
    return to_wire_precision(datetime.now(UTC))
