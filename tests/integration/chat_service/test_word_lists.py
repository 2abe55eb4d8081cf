"""An app's word list: its entries, their limits, and for which channels they are."""

from datetime import UTC, datetime

from chat_service.screening.known import is_about_screening
from chatsdk_contracts.control import ChangedSettings, SettingsChanged
from chatsdk_contracts.ids import AppId, EventId, new_id
from tests.integration.chat_service.calling import Tenant, error_code, problems
from tests.integration.chat_service.message_room import a_room

LIST = "/api/moderation/word-list"


async def test_entries_are_added_changed_and_taken_out_and_hold_at_once(tenant: Tenant) -> None:
    room = await a_room(tenant)
    assert (await tenant.server("GET", LIST)).json() == {"entries": [], "nextCursor": None, "hasMore": False}
    added = await tenant.server("POST", f"{LIST}/entries", {"phrase": "Psst", "action": "mask"})
    entry = added.json()
    assert (added.status_code, entry["match"], entry["channelType"]) == (201, "word", None)
    assert (await room.send("psst!"))["text"] == "****!"

    path = f"{LIST}/entries/{entry['id']}"
    changed = await tenant.server("PATCH", path, {"phrase": "hush", "match": "substring"})
    assert changed.json() == {**entry, "phrase": "hush", "match": "substring"}
    assert (await room.send("psst, hushed"))["text"] == "psst, ****ed"

    assert (await tenant.server("DELETE", path)).json() == changed.json()
    assert (await room.send("hush"))["text"] == "hush"
    for method, body in (("PATCH", {}), ("DELETE", None)):
        assert error_code(await tenant.server(method, path, body)) == "entry_not_found"
        assert error_code(await tenant.server(method, f"{LIST}/entries/x", body)) == "entry_not_found"


async def test_the_whole_list_is_replaced_or_nothing_of_it(tenant: Tenant) -> None:
    entries = [
        {"phrase": "one", "action": "hold"},
        {"phrase": "two", "action": "reject", "match": "substring"},
    ]
    first = (await tenant.server("PUT", LIST, {"entries": entries})).json()["entries"]
    assert [(one["phrase"], one["action"], one["match"]) for one in first] == [
        ("one", "hold", "word"),
        ("two", "reject", "substring"),
    ]
    repeated = [{"phrase": "three", "action": "mask"}, {"phrase": "THREE", "action": "hold"}]
    refused = await tenant.server("PUT", LIST, {"entries": repeated})
    assert problems(refused) == {"entries[1].phrase": "repeated"}
    invisible = await tenant.server("PUT", LIST, {"entries": [{"phrase": "\u200b", "action": "mask"}]})
    assert problems(invisible) == {"entries[0].phrase": "nothing_visible"}
    assert (await tenant.server("GET", LIST)).json()["entries"] == first


async def test_a_phrase_is_there_once_for_a_kind_of_match_and_channel(tenant: Tenant) -> None:
    path = f"{LIST}/entries"
    entry = {"phrase": "Straße", "action": "mask"}
    assert (await tenant.server("POST", path, entry)).status_code == 201
    for same in ("STRASSE", "strasse ", "stra\u00dfe"):
        again = await tenant.server("POST", path, {"phrase": same, "action": "reject"})
        assert error_code(again) == "entry_exists"
    other = await tenant.server("POST", path, {**entry, "channelType": "group"})
    assert other.status_code == 201
    moved = await tenant.server("PATCH", f"{path}/{other.json()['id']}", {"channelType": None})
    assert error_code(moved) == "entry_exists"


async def test_a_list_has_a_thousand_entries_of_a_hundred_characters(tenant: Tenant) -> None:
    full = [{"phrase": f"{number:>0100}", "action": "mask"} for number in range(1_000)]
    assert len((await tenant.server("PUT", LIST, {"entries": full})).json()["entries"]) == 1_000
    more = await tenant.server("POST", f"{LIST}/entries", {"phrase": "more", "action": "mask"})
    assert error_code(more) == "list_full"
    too_many = await tenant.server("PUT", LIST, {"entries": [*full, {"phrase": "x", "action": "mask"}]})
    assert (too_many.status_code, list(problems(too_many))) == (422, ["entries"])
    too_long = await tenant.server("POST", f"{LIST}/entries", {"phrase": "x" * 101, "action": "mask"})
    assert list(problems(too_long)) == ["phrase"]


async def test_an_entry_for_a_type_of_channel_is_for_no_other(tenant: Tenant) -> None:
    entries = [
        {"phrase": "here", "action": "mask", "channelType": "group"},
        {"phrase": "everywhere", "action": "mask"},
    ]
    await tenant.server("PUT", LIST, {"entries": entries})
    group, public = await a_room(tenant), await a_room(tenant, type="public")
    assert (await group.send("here and everywhere"))["text"] == "**** and **********"
    assert (await public.send("here and everywhere"))["text"] == "here and **********"


async def test_a_list_is_its_apps_own(tenant: Tenant) -> None:
    far = await tenant.chat.new_tenant()
    entry = (await far.server("POST", f"{LIST}/entries", {"phrase": "far", "action": "reject"})).json()
    assert (await tenant.server("GET", LIST)).json()["entries"] == []
    room = await a_room(tenant)
    assert (await room.send("far"))["text"] == "far"
    assert error_code(await tenant.server("DELETE", f"{LIST}/entries/{entry['id']}")) == "entry_not_found"
    assert len((await far.server("GET", LIST)).json()["entries"]) == 1


async def test_another_replicas_change_is_heard(tenant: Tenant) -> None:
    room = await a_room(tenant)
    await room.send("known as plain")
    # Written by another replica: nobody told this one yet.
    await tenant.chat.sql(
        "with counted as (insert into app_screening (app_id, version) values ($1::text::uuid, 1))"
        " insert into word_list_entry (id, app_id, phrase, folded, match, action, created_at)"
        " values ($2::text::uuid, $1::text::uuid, 'psst', 'psst', 'word', 'mask', now())",
        tenant.id,
        new_id(),
    )
    assert (await room.send("psst"))["text"] == "psst"
    tenant.chat.resources.screening.forget(AppId(tenant.id))
    assert (await room.send("psst"))["text"] == "****"


def test_what_is_told_of_a_list_or_a_hook_is_about_screening() -> None:
    def told(*changed: str) -> SettingsChanged:
        return SettingsChanged(
            id=EventId(new_id()),
            subject="apps/a",
            time=datetime(2026, 1, 31, tzinfo=UTC),
            appid=AppId("a"),
            epoch=1,
            data=ChangedSettings(changed=list(changed)),
        )

    assert is_about_screening(told("wordList"))
    assert is_about_screening(told("userDirectory", "beforeSendHook"))
    assert not is_about_screening(told("userDirectory"))
