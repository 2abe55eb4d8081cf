"""`Idempotency-Key`: the first call's answer, for every later one with the same key, for seven days.

The answer is stored in the transaction of the effect, so the two cannot disagree. Concurrent calls with one
key wait for each other. Answers are stored encrypted, because some hold a secret that is shown once. Refusals
are not stored: nothing happened, and the same call may succeed later. A use case whose answer is to be read anew
keeps its status only: there is then no second copy of what may have to be erased.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import orjson
from fastapi import Request

from chatsdk_runtime.encryption import Keyring, Sealed
from chatsdk_runtime.errors import IdempotencyMismatch, invalid_field
from chatsdk_runtime.postgres import Connection, Pool, Transaction, transaction
from chatsdk_runtime.web import RawJson

KEY_LIFETIME = "7 days"
_LONGEST_KEY = 255


@dataclass(frozen=True, slots=True)
class IdempotentCall:
    """Who calls (`scope`), the key given, and what is asked (`fingerprint` of method, path and body)."""

    scope: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What a use case gives back to its door: a status and the JSON bytes."""

    body: bytes
    status_code: int = 200


Effect = Callable[[Transaction], Awaitable[Answer]]

Reread = Callable[[Connection], Awaitable[bytes]]
"""Reads the body of an earlier answer as it is now."""


async def idempotent_call(request: Request, scope: str) -> IdempotentCall | None:
    """The call's key and fingerprint, or None when it has no `Idempotency-Key`.

    Raises:
        InvalidInput: a key that is empty or too long.
    """
    if "idempotency-key" not in request.headers:
        return None
    body = await request.body()
    try:
        canonical = orjson.dumps(orjson.loads(body), option=orjson.OPT_SORT_KEYS) if body else b""
    except orjson.JSONDecodeError:
        canonical = body
    return call_about(request, scope, canonical)


def call_about(request: Request, scope: str, content: bytes) -> IdempotentCall | None:
    """The same for a body that was not kept: `content` stands for it, being equal when the bodies are.

    Raises:
        InvalidInput: a key that is empty or too long.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not key or len(key) > _LONGEST_KEY:
        raise invalid_field("Idempotency-Key", "invalid_length", f"must have 1 to {_LONGEST_KEY} characters")
    asked = b"\0".join(
        [request.method.encode(), request.url.path.encode(), request.url.query.encode(), content]
    )
    return IdempotentCall(scope, key, hashlib.sha256(asked).digest())


async def perform(
    pool: Pool,
    keyring: Keyring,
    call: IdempotentCall | None,
    effect: Effect,
    reread: Reread | None = None,
) -> RawJson:
    """Run one use case in one transaction; with a key, at most once.

    With `reread` a repeat is answered with what it reads, and the first answer's body is not kept.

    Raises:
        IdempotencyMismatch: the key was used for another request.
    """
    async with transaction(pool) as tx:
        if call is None:
            answer = await effect(tx)
            return RawJson(answer.body, answer.status_code)
        await tx.execute(_LOCK, f"{call.scope}\x1f{call.key}")
        stored = await fetch_answer(tx, keyring, call)
        if stored is not None:
            body = stored.body if reread is None else await reread(tx)
            return RawJson(body, stored.status_code, {"Idempotent-Replayed": "true"})
        answer = await effect(tx)
        kept = answer if reread is None else Answer(b"", answer.status_code)
        await store_answer(tx, keyring, call, kept)
        return RawJson(answer.body, answer.status_code)


async def fetch_answer(connection: Connection, keyring: Keyring, call: IdempotentCall) -> Answer | None:
    """The stored answer of an earlier call with this key.

    Raises:
        IdempotencyMismatch: the key was used for another request.
    """
    row = await connection.fetchrow(_FETCH, call.scope, call.key)
    if row is None:
        return None
    if row["fingerprint"] != call.fingerprint:
        raise mismatch()
    sealed = Sealed(row["key_id"], row["answer"])
    return Answer(
        keyring.open(sealed, table="idempotency_key", column="answer", row=_row(call)), row["status_code"]
    )


async def store_answer(tx: Transaction, keyring: Keyring, call: IdempotentCall, answer: Answer) -> None:
    """Keep the answer, in the transaction of the effect."""
    sealed = keyring.seal(answer.body, table="idempotency_key", column="answer", row=_row(call))
    await tx.execute(
        _STORE, call.scope, call.key, call.fingerprint, answer.status_code, sealed.key_id, sealed.ciphertext
    )


async def forget_expired(connection: Connection, *, limit: int = 5_000) -> int:
    """Delete keys past their lifetime, at most `limit` at a time; returns how many."""
    return len(await connection.fetch(_FORGET, limit))


def mismatch() -> IdempotencyMismatch:
    """The error for a key that comes back with another request."""
    return IdempotencyMismatch(
        "This Idempotency-Key was used for another request.",
        hint="Use a new key for a new request; repeat a request with the same method, path and body.",
    )


def _row(call: IdempotentCall) -> str:
    return f"{call.scope}/{call.key}"


_LOCK = "select pg_advisory_xact_lock(hashtextextended($1, 0))"

_FETCH = """
select fingerprint, status_code, key_id, answer
from idempotency_key
where scope = $1 and key = $2 and created_at > now() - interval '7 days'
"""

_STORE = """
insert into idempotency_key as stored (scope, key, fingerprint, status_code, key_id, answer)
values ($1, $2, $3, $4, $5, $6)
on conflict (scope, key) do update
set fingerprint = excluded.fingerprint, status_code = excluded.status_code,
    key_id = excluded.key_id, answer = excluded.answer, created_at = now()
where stored.created_at <= now() - interval '7 days'
"""

_FORGET = """
delete from idempotency_key
where (scope, key) in (
  select scope, key from idempotency_key where created_at <= now() - interval '7 days' limit $1
)
returning 1
"""
