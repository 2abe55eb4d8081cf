"""SQL of word lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chat_service.wordlists.matching import Phrase
from chat_service.wordlists.rules import NewEntry, StoredPhrase
from chat_service.wordlists.views import WordListEntry
from chatsdk_contracts.ids import AppId, new_id
from chatsdk_runtime.postgres import Connection, Row, Transaction


async def list_entries(connection: Connection, app_id: AppId) -> list[WordListEntry]:
    """The app's entries in the order of their making."""
    return [_entry(row) for row in await connection.fetch(_LIST, UUID(app_id))]


async def fetch_phrases(connection: Connection, app_id: AppId) -> list[StoredPhrase]:
    """The app's entries as the matcher takes them."""
    rows = await connection.fetch(_LIST, UUID(app_id))
    return [
        StoredPhrase(Phrase(row["phrase"], row["match"], row["action"]), row["channel_type"]) for row in rows
    ]


async def count_entries(connection: Connection, app_id: AppId) -> int:
    """How many entries the app has."""
    return int(
        await connection.fetchval("select count(*) from word_list_entry where app_id = $1", UUID(app_id))
    )


async def insert_entries(
    tx: Transaction, app_id: AppId, entries: Sequence[NewEntry], now: datetime
) -> list[WordListEntry]:
    """Add entries; those that are there already are left out of the answer."""
    rows = await tx.fetch(
        _INSERT,
        UUID(app_id),
        now,
        [UUID(new_id()) for _ in entries],
        [entry.phrase for entry in entries],
        [entry.folded for entry in entries],
        [entry.match for entry in entries],
        [entry.action for entry in entries],
        [entry.channel_type for entry in entries],
    )
    return [_entry(row) for row in rows]


async def fetch_entry(connection: Connection, app_id: AppId, entry_id: UUID) -> WordListEntry | None:
    """One entry."""
    row = await connection.fetchrow(_FETCH, UUID(app_id), entry_id)
    return None if row is None else _entry(row)


async def has_equal(tx: Transaction, app_id: AppId, entry_id: UUID, entry: NewEntry) -> bool:
    """Whether another entry says the same."""
    found = await tx.fetchval(
        _HAS_EQUAL, UUID(app_id), entry_id, entry.folded, entry.match, entry.channel_type
    )
    return found is not None


async def update_entry(tx: Transaction, app_id: AppId, entry_id: UUID, entry: NewEntry) -> None:
    """Write what an entry says now."""
    await tx.execute(
        _UPDATE,
        UUID(app_id),
        entry_id,
        entry.phrase,
        entry.folded,
        entry.match,
        entry.action,
        entry.channel_type,
    )


async def delete_entry(tx: Transaction, app_id: AppId, entry_id: UUID) -> WordListEntry | None:
    """Remove an entry; None when there is none."""
    row = await tx.fetchrow(_DELETE, UUID(app_id), entry_id)
    return None if row is None else _entry(row)


async def delete_all(tx: Transaction, app_id: AppId) -> None:
    """Empty the list."""
    await tx.execute("delete from word_list_entry where app_id = $1", UUID(app_id))


def _entry(row: Row) -> WordListEntry:
    return WordListEntry(
        id=str(row["id"]),
        phrase=row["phrase"],
        match=row["match"],
        action=row["action"],
        channel_type=row["channel_type"],
        created_at=row["created_at"],
    )


_COLUMNS = "id, phrase, match, action, channel_type, created_at"

_LIST = f"select {_COLUMNS} from word_list_entry where app_id = $1 order by id"

_FETCH = f"select {_COLUMNS} from word_list_entry where app_id = $1 and id = $2"

_INSERT = f"""
insert into word_list_entry (app_id, created_at, id, phrase, folded, match, action, channel_type)
select $1, $2, id, phrase, folded, match, action, channel_type
from unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
  as new (id, phrase, folded, match, action, channel_type)
on conflict do nothing
returning {_COLUMNS}
"""

_HAS_EQUAL = """
select id
from word_list_entry
where app_id = $1 and id <> $2 and folded = $3 and match = $4 and channel_type is not distinct from $5
"""

_UPDATE = """
update word_list_entry
set phrase = $3, folded = $4, match = $5, action = $6, channel_type = $7
where app_id = $1 and id = $2
"""

_DELETE = f"delete from word_list_entry where app_id = $1 and id = $2 returning {_COLUMNS}"
