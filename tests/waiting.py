"""The only polling loops of the tests: wait for a condition, never for a time.

A condition that does not come fails with what was waited for and what was last seen.
"""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

_PAUSE_S = 0.02


@overload
async def wait_for(
    predicate: Callable[[], Awaitable[T]], within_s: float = 10, what: str | Callable[[], str] = ""
) -> T: ...


@overload
async def wait_for(
    predicate: Callable[[], T], within_s: float = 10, what: str | Callable[[], str] = ""
) -> T: ...


async def wait_for(
    predicate: Callable[[], T] | Callable[[], Awaitable[T]],
    within_s: float = 10,
    what: str | Callable[[], str] = "",
) -> T:
    """Call `predicate` (plain or async) until it returns something true; returns that."""
    until = time.monotonic() + within_s
    while True:
        answer = predicate()
        seen = await answer if inspect.isawaitable(answer) else answer
        if seen:
            return seen
        if time.monotonic() > until:
            raise AssertionError(_missed(within_s, what, seen))
        await asyncio.sleep(_PAUSE_S)


def wait_for_sync(predicate: Callable[[], T], within_s: float = 10, what: str | Callable[[], str] = "") -> T:
    """The same where no event loop runs."""
    until = time.monotonic() + within_s
    while True:
        seen = predicate()
        if seen:
            return seen
        if time.monotonic() > until:
            raise AssertionError(_missed(within_s, what, seen))
        time.sleep(_PAUSE_S)


def _missed(within_s: float, what: str | Callable[[], str], seen: object) -> str:
    text = what() if callable(what) else what
    return f"not within {within_s} s: {text or 'the condition'}; last seen: {seen!r}"
