"""Use cases of erasing: ask for it, and see how far it is. The work itself is `work.py`."""

from __future__ import annotations

from chat_service.erasure import trace_store
from chat_service.erasure.errors import ErasureNotFound
from chat_service.erasure.rules import Words
from chat_service.erasure.views import Erasure, as_shown
from chat_service.errors import UserNotFound
from chat_service.events.log import Cause, append, user_event
from chat_service.holds.check import refuse_held_user
from chat_service.jobs import store as jobs
from chat_service.jobs.rules import Job
from chat_service.users import rules as users
from chat_service.users.store import lock_users
from chatsdk_contracts.ids import AppId, UserId, new_id
from chatsdk_contracts.users import UserDeleted
from chatsdk_runtime.postgres import Connection, Transaction


async def erase_user(
    tx: Transaction, cause: Cause, user_id: UserId | None, words: Words, *, delay_s: float
) -> Erasure:
    """Empty the profile and revoke the tokens now; the rest is done behind this, and not before `delay_s` is over.

    Until then a replica that has not heard of the revocation may still take a call. Asked again, it is the same
    erasure; one that was given up begins anew.

    Raises:
        UserNotFound: the app has no such user.
        LegalHold: something that the user wrote may not be deleted.
    """
    found = [] if user_id is None else await lock_users(tx, cause.app_id, [user_id])
    if not found:
        raise UserNotFound(user_id)
    user = found[0]
    if user.erased_at is not None:
        known = await jobs.fetch_newest(tx, cause.app_id, "erase", user.id)
        if known is not None and known.state != "failed":
            return as_shown(known)
    await refuse_held_user(tx, cause.app_id, user.id)
    invites = await trace_store.erase_invites(tx, cause.app_id, user.id, user.email)
    if user.erased_at is None:
        gone = users.erased(user, cause.now)
        await trace_store.write_erased_user(tx, cause.app_id, gone)
        await append(tx, [user_event(UserDeleted, cause, gone.id, gone.version, users.as_others_see(gone))])
    job = Job(
        id=new_id(),
        app_id=cause.app_id,
        kind="erase",
        created_at=cause.now,
        user_id=user.id,
        options={"messages": words, "invites": invites},
    )
    return as_shown(await jobs.insert(tx, job, delay_s=delay_s))


async def get_erasure(connection: Connection, app_id: AppId, erasure_id: str | None) -> Erasure:
    """How far an erasure is.

    Raises:
        ErasureNotFound: the app has none by this id.
    """
    job = None if erasure_id is None else await jobs.fetch(connection, app_id, "erase", erasure_id)
    if job is None:
        raise ErasureNotFound
    return as_shown(job)
