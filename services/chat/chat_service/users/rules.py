"""What a user is, who sees what of one, and what a change changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chat_service.users.errors import UserErased
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.users import User
from chatsdk_contracts.wire import WireModel

# Others see these; an e-mail address is for the user and the app's servers.
PUBLIC_FIELDS = ("name", "image", "custom")
FIELDS = (*PUBLIC_FIELDS, "email")


@dataclass(frozen=True, slots=True)
class StoredUser:
    """A user as stored. `version` orders the events about the user; one who was erased never comes back."""

    id: UserId
    name: str | None
    image: str | None
    email: str | None
    custom: Mapping[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime
    deactivated_at: datetime | None = None
    erased_at: datetime | None = None


class OwnUser(User):
    """A user as the user and the app's servers see it."""

    email: str | None = None


class EnsuredUser(OwnUser):
    """The same, and whether this call made it."""

    created: bool


class EnsuredUsers(WireModel):
    """Users in the order asked for; how many were made, brought up to date, or there already as given."""

    users: list[EnsuredUser]
    created: int
    updated: int
    existing: int


@dataclass(frozen=True, slots=True)
class Change:
    """The user after a change, and which public fields are now different."""

    user: StoredUser
    changed: tuple[str, ...]
    is_change: bool


def new_user(user_id: UserId, given: Mapping[str, Any], now: datetime) -> StoredUser:
    """A user from the fields given."""
    return StoredUser(
        id=user_id,
        name=given.get("name"),
        image=given.get("image"),
        email=given.get("email"),
        custom=given.get("custom") or {},
        version=1,
        created_at=now,
        updated_at=now,
    )


def change_user(user: StoredUser, given: Mapping[str, Any], now: datetime) -> Change:
    """Put the fields given in place; what is not given stays, null empties.

    The version moves with the public fields alone: it numbers events, and a changed address makes none.
    """
    wanted = {name: given[name] for name in FIELDS if name in given}
    if "custom" in wanted:
        wanted["custom"] = wanted["custom"] or {}
    different = {name: value for name, value in wanted.items() if getattr(user, name) != value}
    if not different:
        return Change(user, (), is_change=False)
    public = tuple(name for name in PUBLIC_FIELDS if name in different)
    version = user.version + 1 if public else user.version
    return Change(replace(user, **different, version=version, updated_at=now), public, is_change=True)


def deactivated(user: StoredUser, now: datetime) -> StoredUser:
    """The user, who may not call any more; what they wrote and where they are a member stays."""
    return replace(user, deactivated_at=now, version=user.version + 1, updated_at=now)


def reactivated(user: StoredUser, now: datetime) -> StoredUser:
    """The user, who may call again with a new token."""
    return replace(user, deactivated_at=None, version=user.version + 1, updated_at=now)


def erased(user: StoredUser, now: datetime) -> StoredUser:
    """The user without anything that says who it was, for ever."""
    return replace(
        deactivated(user, user.deactivated_at or now),
        name=None,
        image=None,
        email=None,
        custom={},
        updated_at=now,
        erased_at=now,
    )


def require_not_erased(users: Iterable[StoredUser]) -> None:
    """Raises UserErased for an id that somebody was erased under."""
    for user in users:
        if user.erased_at is not None:
            raise UserErased(user.id)


def public_fields(user: StoredUser) -> dict[str, Any]:
    """What every projection of a user has."""
    return {
        "id": user.id,
        "name": user.name,
        "image": user.image,
        "custom": dict(user.custom),
        "created_at": user.created_at,
        "updated_at": user.updated_at,
        "deactivated_at": user.deactivated_at,
    }


def as_others_see(user: StoredUser) -> User:
    """The public projection."""
    return User(**public_fields(user))


def as_servers_see(user: StoredUser) -> OwnUser:
    """The projection for the user and the app's servers."""
    return OwnUser(**public_fields(user), email=user.email)
