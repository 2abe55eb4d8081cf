"""Which keys a key may make and take back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from chat_service.apps.settings_model import AppSettings
from chat_service.errors import LastFullKey
from chatsdk_contracts.scopes import missing
from chatsdk_runtime.errors import ScopeMissing


def require_reach(granted: frozenset[str], scopes: Iterable[str]) -> None:
    """A key makes and takes back only keys that may no more than itself; without scopes a key may everything.

    Raises:
        ScopeMissing: naming what the caller's key lacks.
    """
    wanted = list(scopes)
    if lacking := missing(granted, wanted or None):
        raise ScopeMissing(*lacking)


def require_revocable(scopes: Sequence[str], *, other_full_keys: int) -> None:
    """An app keeps a key with all rights: without one nobody could make another.

    Raises:
        LastFullKey: it is the last.
    """
    if not scopes and other_full_keys == 0:
        raise LastFullKey


def changed_settings(settings: AppSettings, given: dict[str, Any]) -> dict[str, Any]:
    """The settings given, as plain values, that differ from what is; by their Python names."""
    wanted = AppSettings.model_validate({**settings.model_dump(by_alias=False), **given})
    return {name: getattr(wanted, name) for name in given if getattr(wanted, name) != getattr(settings, name)}
