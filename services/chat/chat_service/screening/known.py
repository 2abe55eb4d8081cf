"""What every app wants screened, known for five seconds: a send of an app without list or hook looks into memory.

A change is known here at once, elsewhere as soon as the control event comes, and after five seconds even without one.
A list is made ready once for each version of it. While the database is away, what was known last still holds.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chat_service.hooks import secrets
from chat_service.hooks.rules import Hook
from chat_service.hooks.store import StoredHook, fetch_hook
from chat_service.resources import Resources
from chat_service.screening import store
from chat_service.wordlists.matching import Matcher
from chat_service.wordlists.rules import matchers
from chat_service.wordlists.store import fetch_phrases
from chatsdk_contracts.control import ChangedSettings, ControlEvent, SettingsChanged
from chatsdk_contracts.ids import AppId, ChannelId
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.postgres import DATABASE_AWAY, Pool, reading

_OUTAGE_FRESH_S = 1.0
_REMEMBERED_APPS = 10_000
_REMEMBERED_CHANNELS = 50_000
# The names by which changes are told.
WORD_LIST = "wordList"
HOOK = "beforeSendHook"
_SCREENING = frozenset({WORD_LIST, HOOK})
_NOTHING = Matcher(())


@dataclass(frozen=True, slots=True)
class AppScreen:
    """An app's list and hook as of a version; `lists` by channel type, None standing for all others."""

    version: int = 0
    lists: Mapping[str | None, Matcher] = field(default_factory=dict)
    hook: Hook | None = None

    @property
    def is_plain(self) -> bool:
        """Whether everything may be said."""
        return self.hook is None and all(matcher.is_empty for matcher in self.lists.values())

    def matcher(self, channel_type: str) -> Matcher:
        """The list for channels of this type."""
        return self.lists.get(channel_type) or self.lists.get(None) or _NOTHING


@dataclass(frozen=True, slots=True)
class _Known:
    """A screen, and until when (monotonic seconds) it may be believed."""

    screen: AppScreen
    until_s: float


class KnownScreens:
    """The screens of the apps that send here. Safe for concurrent use in one event loop."""

    def __init__(self, pool: Pool, keyring: Keyring, *, fresh_s: float) -> None:
        self._pool = pool
        self._keyring = keyring
        self._fresh_s = fresh_s
        self._known: OrderedDict[AppId, _Known] = OrderedDict()
        self._loading: dict[AppId, asyncio.Task[AppScreen]] = {}
        self._channel_types: OrderedDict[ChannelId, tuple[AppId, str]] = OrderedDict()
        # A look that began before a change must not be remembered after it.
        self._changes = 0

    async def of(self, app_id: AppId) -> AppScreen:
        """The app's screen; one query when it is not known (any more), however many ask."""
        known, now_s = self._known.get(app_id), time.monotonic()
        if known is not None and known.until_s > now_s:
            if known.until_s - now_s < self._fresh_s / 2:
                # Looked up ahead of time: where much is said, nobody ever waits for it.
                self._look_up(app_id, known)
            return known.screen
        # One caller that goes away does not take the answer from the others.
        return await asyncio.shield(self._look_up(app_id, known))

    def forget(self, app_id: AppId | None = None) -> None:
        """The app's list or hook was changed; None: anybody's may have been."""
        self._changes += 1
        for one in list(self._known) if app_id is None else [app_id]:
            known = self._known.get(one)
            if known is not None:
                # Kept, not believed: its lists are still ready when the version turns out to be the same.
                self._known[one] = _Known(known.screen, 0.0)
            self._loading.pop(one, None)

    async def channel_type(self, app_id: AppId, channel_id: ChannelId) -> str | None:
        """The type of a channel, which never changes; None when the app has no such channel."""
        known = self._channel_types.get(channel_id)
        if known is not None:
            self._channel_types.move_to_end(channel_id)
            return known[1] if known[0] == app_id else None
        async with reading(self._pool) as connection:
            found = await store.fetch_channel_type(connection, app_id, channel_id)
        if found is not None:
            self._channel_types[channel_id] = (app_id, found)
            if len(self._channel_types) > _REMEMBERED_CHANNELS:
                self._channel_types.popitem(last=False)
        return found

    def _look_up(self, app_id: AppId, known: _Known | None) -> asyncio.Task[AppScreen]:
        loading = self._loading.get(app_id)
        if loading is None:
            loading = asyncio.create_task(self._load(app_id, known), name="screen")
            self._loading[app_id] = loading
            loading.add_done_callback(lambda done: self._loaded(app_id, done))
        return loading

    def _loaded(self, app_id: AppId, done: asyncio.Task[AppScreen]) -> None:
        if self._loading.get(app_id) is done:
            del self._loading[app_id]
        if not done.cancelled():
            # Looked at here, in case that nobody waits for it any more.
            done.exception()

    async def _load(self, app_id: AppId, known: _Known | None) -> AppScreen:
        began, asked_s = self._changes, time.monotonic()
        before = AppScreen() if known is None else known.screen
        try:
            screen = await self._read(app_id, before)
        except DATABASE_AWAY:
            if known is None:
                raise
            # Not asked again for every send meanwhile: each would wait for the connection in vain.
            self._known[app_id] = _Known(before, time.monotonic() + _OUTAGE_FRESH_S)
            return before
        if began == self._changes:
            self._known[app_id] = _Known(screen, asked_s + self._fresh_s)
            self._known.move_to_end(app_id)
            if len(self._known) > _REMEMBERED_APPS:
                self._known.popitem(last=False)
        return screen

    async def _read(self, app_id: AppId, before: AppScreen) -> AppScreen:
        # The hook's secrets hang on the time, so it is read anew; an app without either is done with one query.
        async with reading(self._pool) as connection:
            version = await store.fetch_version(connection, app_id)
            if version == 0:
                return AppScreen()
            stored = await fetch_hook(connection, app_id)
            phrases = None if version == before.version else await fetch_phrases(connection, app_id)
        lists = before.lists
        if phrases is not None:
            # A list of a thousand long phrases takes a third of a second: others may go on meanwhile.
            lists = await asyncio.to_thread(matchers, phrases)
        return AppScreen(version, lists, self._hook(app_id, stored))

    def _hook(self, app_id: AppId, stored: StoredHook | None) -> Hook | None:
        if stored is None or not stored.shown.enabled:
            return None
        shown = stored.shown
        return Hook(
            shown.url,
            shown.timeout_ms,
            "closed" if shown.on_failure == "closed" else "open",
            {name: "closed" if how == "closed" else "open" for name, how in shown.on_failure_by_type.items()},
            secrets.live(self._keyring, app_id, stored, datetime.now(UTC)),
        )


def is_about_screening(event: ControlEvent) -> bool:
    """Whether another process tells that an app's list or hook was changed."""
    return isinstance(event, SettingsChanged) and bool(_SCREENING & set(event.data.changed))


def spread_change(resources: Resources, app_id: AppId, changed: str, now: datetime) -> None:
    """It is committed: stop believing the old one here, and tell the other processes."""
    resources.screening.forget(app_id)
    resources.control.tell(SettingsChanged, app_id, ChangedSettings(changed=[changed]), now)
