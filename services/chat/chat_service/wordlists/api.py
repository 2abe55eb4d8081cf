"""HTTP in: /api/moderation/word-list, for an app's servers."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from chat_service.auth.credentials import Moderator
from chat_service.auth.principal import Principal
from chat_service.doors import cause_of, mutate, resources_of, utc_now
from chat_service.events.log import Cause
from chat_service.screening.known import WORD_LIST, spread_change
from chat_service.wire_input import Line, RequestModel, uuid_in_path
from chat_service.wordlists import actions, rules
from chat_service.wordlists.matching import Action, Match
from chat_service.wordlists.rules import LONGEST_PHRASE, MOST_ENTRIES, NewEntry
from chatsdk_contracts.channels import ChannelType
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.idempotency import Answer
from chatsdk_runtime.postgres import Transaction, reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/moderation/word-list", tags=["moderation"])

_Phrase = Annotated[Line, Field(min_length=1, max_length=LONGEST_PHRASE)]


class EntryInput(RequestModel):
    """A phrase, how it is looked for, and what follows; without `channelType` in channels of every type."""

    phrase: _Phrase
    match: Match = "word"
    action: Action
    channel_type: ChannelType | None = None

    def entry(self, path: str) -> NewEntry:
        """What is asked for, `path` being where the phrase stands in the request."""
        key = rules.require_visible(path, self.phrase)
        return NewEntry(self.phrase, self.match, self.action, self.channel_type, key)


class EntryChange(RequestModel):
    """What to change; what is left out stays as it is."""

    phrase: _Phrase = ""
    match: Match = "word"
    action: Action = "mask"
    channel_type: ChannelType | None = None


class ListInput(RequestModel):
    """The whole list."""

    entries: Annotated[tuple[EntryInput, ...], Field(max_length=MOST_ENTRIES)]


@router.get("")
async def get_word_list(request: Request, caller: Moderator) -> Response:
    """The app's list."""
    async with reading(resources_of(request).pool) as connection:
        return RawJson(data_json(await actions.get_list(connection, caller.app_id)))


@router.put("")
async def replace_word_list(request: Request, body: ListInput, caller: Moderator) -> Response:
    """Have these entries and no others; they hold for every message sent after the answer."""
    entries = [one.entry(f"entries[{index}].phrase") for index, one in enumerate(body.entries)]
    cause = _cause(request, caller)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.replace_list(tx, cause, entries)))

    answer = await mutate(request, caller.scope, effect)
    spread_change(resources_of(request), caller.app_id, WORD_LIST, cause.now)
    return answer


@router.post("/entries", status_code=201)
async def add_entry(request: Request, body: EntryInput, caller: Moderator) -> Response:
    """One more entry."""
    entry, cause = body.entry("phrase"), _cause(request, caller)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.add_entry(tx, cause, entry)), 201)

    answer = await mutate(request, caller.scope, effect)
    spread_change(resources_of(request), caller.app_id, WORD_LIST, cause.now)
    return answer


@router.patch("/entries/{entry_id}")
async def change_entry(request: Request, entry_id: str, body: EntryChange, caller: Moderator) -> Response:
    """Change an entry."""
    wanted, given = _entry_id(entry_id), body.model_dump(exclude_unset=True, by_alias=False)
    cause = _cause(request, caller)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.change_entry(tx, cause, wanted, given)))

    answer = await mutate(request, caller.scope, effect)
    spread_change(resources_of(request), caller.app_id, WORD_LIST, cause.now)
    return answer


@router.delete("/entries/{entry_id}")
async def remove_entry(request: Request, entry_id: str, caller: Moderator) -> Response:
    """Take an entry out; it is the answer."""
    wanted, cause = _entry_id(entry_id), _cause(request, caller)

    async def effect(tx: Transaction) -> Answer:
        return Answer(data_json(await actions.remove_entry(tx, cause, wanted)))

    answer = await mutate(request, caller.scope, effect)
    spread_change(resources_of(request), caller.app_id, WORD_LIST, cause.now)
    return answer


def _cause(request: Request, caller: Principal) -> Cause:
    return cause_of(request, caller.app_id, caller.user_id, utc_now())


def _entry_id(text: str) -> UUID | None:
    canonical = uuid_in_path(text)
    return None if canonical is None else UUID(canonical)
