"""The gate that everything said passes before it is written, on whatever road it comes.

The writer, the edit and the poll take only what was made here (`Screened...`), so that no road can forget it; the type
checker sees to that. Outside any transaction: a hook may take two seconds. What would be refused anyway, and what was
sent before, is found out first, by the same decision that the writer makes again under the channel's lock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Self, TypeVar
from uuid import UUID

from chat_service.errors import ChannelNotFound
from chat_service.hooks.calling import HookCaller
from chat_service.hooks.rules import BreakerLimits
from chat_service.hooks.views import Draft, DraftedPoll
from chat_service.instruments import ScreeningInstruments
from chat_service.mentions.rules import asked_by_change
from chat_service.messages import send_store
from chat_service.messages.batch import facts_of
from chat_service.messages.rules import (
    Accepted,
    Decisions,
    Repeat,
    ScreenedOutcome,
    ScreenedSend,
    ScreenedText,
    Send,
)
from chat_service.screening import rules
from chat_service.screening.errors import MessageRejected, ReviewNotPossible
from chat_service.screening.judging import Judges, Said
from chat_service.screening.known import AppScreen, KnownScreens
from chat_service.screening.lines import Lines
from chat_service.screening.rules import Ruling
from chat_service.settings import ChatSettings
from chatsdk_contracts.ids import AppId, ChannelId, MessageId, UserId, new_id
from chatsdk_contracts.messages import Message
from chatsdk_contracts.wire import to_wire_precision
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.errors import ServiceError
from chatsdk_runtime.outgoing.sender import Sender
from chatsdk_runtime.postgres import Connection, Pool, reading

Screened = TypeVar("Screened")
Look = Callable[[Connection], Awaitable[Message]]
"""Reads what is to be changed, or raises why it may not be."""
LookForOutcome = Callable[[Connection], Awaitable[tuple[Message, str] | None]]
"""Reads a text that several people write and what an operation makes of it; None for one that came before."""
LookForAuthor = Callable[[Connection], Awaitable[UserId]]
"""Reads in whose name something is said, or raises why it may not be."""


class Gate:
    """Screens what is said on every road, by the app's word list and its hook."""

    def __init__(
        self,
        pool: Pool,
        known: KnownScreens,
        lines: Lines,
        judges: Judges,
    ) -> None:
        self._pool = pool
        self._known = known
        self._lines = lines
        self._judges = judges

    @classmethod
    def open(
        cls,
        settings: ChatSettings,
        pool: Pool,
        keyring: Keyring,
        sender: Sender,
        instruments: ScreeningInstruments,
    ) -> Self:
        """The gate of one replica; `sender` calls the hooks."""
        caller = HookCaller(
            sender,
            at_once=settings.hook_calls_at_once,
            breaker=BreakerLimits(settings.hook_breaker_failures, settings.hook_breaker_open_s),
            instruments=instruments,
        )
        known = KnownScreens(pool, keyring, fresh_s=settings.screening_fresh_s)
        return cls(pool, known, Lines(settings.screening_waiting), Judges(pool, caller, instruments))

    def forget(self, app_id: AppId | None = None) -> None:
        """The app's list or hook was changed; None: anybody's may have been."""
        self._known.forget(app_id)
        if app_id is not None:
            self._judges.forget(app_id)

    @property
    def waiting(self) -> int:
        """What waits to be screened or is under way, of all apps that screen."""
        return self._lines.waiting

    async def is_plain(self, app_id: AppId) -> bool:
        """Whether everything may be said in this app."""
        return (await self._known.of(app_id)).is_plain

    @asynccontextmanager
    async def screened(self, wanted: Send) -> AsyncIterator[ScreenedSend]:
        """A send as it may be written: as it is, changed, or held for a moderator.

        While it is written, the next one of its user in its channel waits: they keep their order.

        Raises:
            MessageRejected: the app does not take it.
            ScreeningUnavailable: its hook did not answer, and it wants nothing sent unseen.
            ServiceError: it would be refused anyway.
        """
        screen = await self._known.of(wanted.app_id)
        # System messages are the app's own word: no user sends them.
        if screen.is_plain or (wanted.type == "system" and wanted.by_server):
            yield ScreenedSend(wanted)
            return
        async with self._lines.turn(wanted.app_id, wanted.user_id, wanted.channel_id):
            yield await self._screened(screen, wanted)

    async def _screened(self, screen: AppScreen, wanted: Send) -> ScreenedSend:
        channel_type = await self._type_of(wanted.app_id, wanted.channel_id)
        listed = rules.by_list(screen.matcher(channel_type).look(wanted.text))
        if listed is None and screen.hook is None:
            return ScreenedSend(wanted)
        async with reading(self._pool) as connection:
            foreseen = await foresee(connection, wanted)
        if isinstance(foreseen, Repeat):
            return ScreenedSend(wanted)
        message_id = foreseen.message.id
        draft = Draft(**_drafted(wanted), id=message_id)
        said = Said("send", wanted.app_id, wanted.channel_id, channel_type, draft)
        content, is_held = await self._judges.judge(screen, said, listed)
        if is_held and not wanted.may_wait:
            raise ReviewNotPossible
        return ScreenedSend(
            replace(
                wanted,
                text=content.text,
                asked=asked_by_change(wanted.asked, wanted.text, content.text),
                attachments=content.attachments,
                custom=content.custom,
                message_id=message_id,
                held=is_held,
            )
        )

    async def screen_edit(self, app_id: AppId, channel_id: ChannelId, text: str, look: Look) -> ScreenedText:
        """A message's new text as it may be written.

        Raises:
            MessageRejected: the app does not take it.
            ReviewNotPossible: it would have to wait for a moderator.
            ServiceError: it would be refused anyway.
        """
        screen = await self._known.of(app_id)
        if screen.is_plain:
            return ScreenedText(text)
        channel_type = await self._type_of(app_id, channel_id)
        listed = rules.by_list(screen.matcher(channel_type).look(text))
        if listed is None and screen.hook is None:
            return ScreenedText(text)
        async with reading(self._pool) as connection:
            message = await look(connection)
        if message.text == text:
            return ScreenedText(text)
        said = Said("edit", app_id, channel_id, channel_type, _edited(message, text), message.text)
        return ScreenedText(await self._judged(screen, said, listed))

    async def screen_operation(
        self, app_id: AppId, channel_id: ChannelId, writer_id: UserId, look: LookForOutcome
    ) -> ScreenedOutcome:
        """What an operation makes of a text that several people write. Nothing of it can be masked or changed on the way.

        Raises:
            MessageRejected: the app does not take it, or not as it is.
            ReviewNotPossible: it would have to wait for a moderator.
            ServiceError: it would be refused anyway.
        """
        screen = await self._known.of(app_id)
        if screen.is_plain:
            return ScreenedOutcome()
        channel_type = await self._type_of(app_id, channel_id)
        async with reading(self._pool) as connection:
            outcome = await look(connection)
        if outcome is None:
            return ScreenedOutcome()
        message, text = outcome
        listed = rules.by_list(screen.matcher(channel_type).look(text))
        if (listed is not None or screen.hook is not None) and text != message.text:
            draft = _edited(message, text).model_copy(update={"user_id": writer_id})
            said = Said("edit", app_id, channel_id, channel_type, draft, message.text)
            if await self._judged(screen, said, listed) != text:
                raise MessageRejected
        return ScreenedOutcome(text)

    async def _judged(self, screen: AppScreen, said: Said, listed: Ruling | None) -> str:
        """The text of what cannot wait, as it may be written."""
        async with self._lines.turn(said.app_id, said.draft.user_id, said.channel_id):
            content, is_held = await self._judges.judge(screen, said, listed)
        if is_held:
            raise ReviewNotPossible
        return content.text

    async def screen_poll(
        self, app_id: AppId, channel_id: ChannelId, texts: Sequence[str], look: LookForAuthor
    ) -> list[ScreenedText]:
        """A poll's question and options as they may be written. A hook accepts or rejects, it changes nothing.

        Raises:
            MessageRejected: the app does not take it.
            ReviewNotPossible: it would have to wait for a moderator.
            ServiceError: it would be refused anyway.
        """
        screen = await self._known.of(app_id)
        if screen.is_plain:
            return [ScreenedText(text) for text in texts]
        channel_type = await self._type_of(app_id, channel_id)
        found = [screen.matcher(channel_type).look(text) for text in texts]
        ruling, masked = rules.strictest(found), [one.text for one in found]
        if ruling is not None or screen.hook is not None:
            async with reading(self._pool) as connection:
                author_id = await look(connection)
            question, *options = masked
            draft = Draft(
                id=MessageId(new_id()),
                channel_id=channel_id,
                user_id=author_id,
                text="",
                poll=DraftedPoll(question=question, options=options),
            )
            said = Said("poll", app_id, channel_id, channel_type, draft)
            async with self._lines.turn(app_id, author_id, channel_id):
                _, is_held = await self._judges.judge(screen, said, ruling)
            if is_held:
                raise ReviewNotPossible
        return [ScreenedText(text) for text in masked]

    async def _type_of(self, app_id: AppId, channel_id: ChannelId) -> str:
        channel_type = await self._known.channel_type(app_id, channel_id)
        if channel_type is None:
            raise ChannelNotFound
        return channel_type


async def foresee(connection: Connection, wanted: Send) -> Accepted | Repeat:
    """What the writer would make of a send now. Not binding: it decides anew, under the channel's lock.

    Raises:
        ServiceError: it would be refused.
    """
    heads = await send_store.peek_channels(connection, [UUID(wanted.channel_id)])
    head = heads.get(wanted.channel_id)
    if head is None:
        raise ChannelNotFound
    [facts] = await facts_of(connection, [wanted])
    verdict = Decisions(_now()).decide(wanted, head, facts)
    if isinstance(verdict, ServiceError):
        raise verdict
    return verdict


def passed(screened: Screened | ServiceError) -> Screened:
    """What the gate let through; raises what it refused."""
    if isinstance(screened, ServiceError):
        raise screened
    return screened


def _drafted(wanted: Send) -> dict[str, Any]:
    return {
        "channel_id": wanted.channel_id,
        "user_id": wanted.user_id,
        "text": wanted.text,
        "attachments": list(wanted.attachments),
        "custom": dict(wanted.custom),
        "parent_id": wanted.parent_id,
        "reply_to_id": wanted.reply_to_id,
        "silent": wanted.silent,
    }


def _edited(message: Message, text: str) -> Draft:
    """A message as it would be with this text."""
    return Draft(**message.model_dump(include=set(Draft.model_fields) - {"poll", "text"}), text=text)


def _now() -> datetime:
    return to_wire_precision(datetime.now(UTC))
