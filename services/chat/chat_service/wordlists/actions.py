"""Use cases of word lists, one transaction each. Every change raises the version of the app's screening."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from chat_service.audit.actions import Target, note
from chat_service.events.log import Cause
from chat_service.screening.store import raise_version
from chat_service.wordlists import rules, store
from chat_service.wordlists.errors import EntryExists, EntryNotFound, ListFull
from chat_service.wordlists.rules import MOST_ENTRIES, NewEntry
from chat_service.wordlists.views import WordList, WordListEntry
from chatsdk_contracts.ids import AppId
from chatsdk_runtime.postgres import Connection, Transaction


async def get_list(connection: Connection, app_id: AppId) -> WordList:
    """All entries, in the order of their making."""
    entries = await store.list_entries(connection, app_id)
    return WordList(entries=entries, next_cursor=None, has_more=False)


async def replace_list(tx: Transaction, cause: Cause, entries: Sequence[NewEntry]) -> WordList:
    """Have these entries and no others."""
    rules.require_different(entries)
    await raise_version(tx, cause.app_id)
    await store.delete_all(tx, cause.app_id)
    await store.insert_entries(tx, cause.app_id, entries, cause.now)
    await _note(tx, cause, {"change": "replaced", "entries": len(entries)})
    return await get_list(tx, cause.app_id)


async def add_entry(tx: Transaction, cause: Cause, entry: NewEntry) -> WordListEntry:
    """One more entry.

    Raises:
        ListFull: there are as many as there may be.
        EntryExists: one says the same.
    """
    await raise_version(tx, cause.app_id)
    if await store.count_entries(tx, cause.app_id) >= MOST_ENTRIES:
        raise ListFull(MOST_ENTRIES)
    added = await store.insert_entries(tx, cause.app_id, [entry], cause.now)
    if not added:
        raise EntryExists(entry.phrase)
    await _note(tx, cause, {"change": "added", "entryId": added[0].id, "action": entry.action})
    return added[0]


async def change_entry(
    tx: Transaction, cause: Cause, entry_id: UUID | None, given: dict[str, Any]
) -> WordListEntry:
    """Change the fields given, by their Python names; the others stay.

    Raises:
        EntryNotFound: there is none.
        EntryExists: another one says the same then.
    """
    await raise_version(tx, cause.app_id)
    present = None if entry_id is None else await store.fetch_entry(tx, cause.app_id, entry_id)
    if entry_id is None or present is None:
        raise EntryNotFound
    after = present.model_copy(update=given)
    key = rules.require_visible("phrase", after.phrase)
    entry = NewEntry(after.phrase, after.match, after.action, after.channel_type, key)  # type: ignore[arg-type]  # stored by us, or checked at the door
    if await store.has_equal(tx, cause.app_id, entry_id, entry):
        raise EntryExists(entry.phrase)
    await store.update_entry(tx, cause.app_id, entry_id, entry)
    await _note(tx, cause, {"change": "changed", "entryId": after.id, "action": after.action})
    return after


async def remove_entry(tx: Transaction, cause: Cause, entry_id: UUID | None) -> WordListEntry:
    """Take an entry out; it is the answer.

    Raises:
        EntryNotFound: there is none.
    """
    await raise_version(tx, cause.app_id)
    removed = None if entry_id is None else await store.delete_entry(tx, cause.app_id, entry_id)
    if removed is None:
        raise EntryNotFound
    await _note(tx, cause, {"change": "removed", "entryId": removed.id, "action": removed.action})
    return removed


async def _note(tx: Transaction, cause: Cause, details: dict[str, Any]) -> None:
    """Without the phrase: the audit log holds no words of anybody's."""
    await note(tx, cause, "word_list.changed", Target("app", cause.app_id), details)
