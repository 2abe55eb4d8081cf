"""Messages that only their shadow-banned author sees: which these are, and where they stand among those of all. Pure.

They have no seq: each stands behind the message that was the newest when it was sent.
"""

from __future__ import annotations

from collections.abc import Sequence

from chat_service.messages.visible_store import Own
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.messages import Message


def only_reader(message: Message) -> UserId | None:
    """Who alone sees the message besides the app's servers; None when its channel's members do.

    A message that was sent has its place among those of all, unless its author was shadow-banned.
    """
    is_shadowed = message.status == "sent" and message.seq is None and message.thread_seq is None
    return message.user_id if is_shadowed else None


def span_behind(page: Sequence[Message], after_seq: int, *, has_more: bool) -> tuple[int, int | None]:
    """Between which seqs an author's own belong to a page that goes forward: those behind its last come with the next."""
    return after_seq, page[-1].seq if page and has_more else None


def span_before(
    page: Sequence[Message], before_seq: int | None, floor_seq: int, *, has_more: bool
) -> tuple[int, int | None]:
    """The same for a page that goes back: those before its first come with the next."""
    first = page[0].seq if page and has_more else None
    return (floor_seq if first is None else first), before_seq


def with_own(page: Sequence[Message], own: Sequence[Own]) -> list[Message]:
    """The page with the author's own in their places; both are in order."""
    placed = [(message.seq or 0, 0, message) for message in page]
    placed += [(one.after_seq, 1, one.message) for one in own]
    # Sorting keeps the order of what stands at the same place.
    return [message for _, _, message in sorted(placed, key=lambda one: one[:2])]
