"""What replies make of a thread: counters, participants, who follows, and where their unread begins."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from chat_service.threads.rules import (
    PARTICIPANTS_TOLD,
    Before,
    OwnPlace,
    PlaceChange,
    grow,
    state_changes,
    unread_count,
)
from chatsdk_contracts.ids import MessageId, UserId
from chatsdk_contracts.messages import Message
from tests.unit.chat_service.messages.sends import CHANNEL, NOW, PARENT, STORED


def before(**changes: object) -> Before:
    """A thread of ann's without replies."""
    values: dict[str, object] = {
        "parent_id": PARENT,
        "channel_id": CHANNEL,
        "author_id": UserId("ann"),
        "mentions": [],
        "reply_count": 0,
        "last_thread_seq": 0,
        "latest": [],
        "participant_count": 0,
    }
    return Before(**{**values, **changes})  # type: ignore[arg-type] # one place that builds them from a mapping


def replies(*authors: str, first: int = 1, mentions: Sequence[str] = ()) -> list[Message]:
    return [
        STORED.model_copy(
            update={
                "id": MessageId(f"r{number}"),
                "user_id": UserId(author),
                "parent_id": PARENT,
                "thread_seq": number,
                "mentions": list(mentions),
                "created_at": NOW,
            }
        )
        for number, author in enumerate(authors, first)
    ]


def places(*rows: tuple[str, int, int, int]) -> list[PlaceChange]:
    return [PlaceChange(PARENT, CHANNEL, UserId(user), *numbers) for user, *numbers in rows]


def test_a_first_reply_makes_its_author_and_the_parents_follow() -> None:
    grown = grow(before(mentions=[UserId("eve")]), replies("bob"))

    assert (grown.added, grown.joined) == (1, 1)
    assert grown.thread.participants == ["bob"]
    assert grown.thread.last_reply_at == NOW
    assert grown.thread.changed == [
        "replyCount", "lastThreadSeq", "lastReplyAt", "participants", "participantCount",
    ]  # fmt: skip
    assert grown.places == places(("ann", 0, 0, 0), ("bob", 1, 1, 1), ("eve", 0, 0, 0))


def test_later_replies_make_nobody_follow_but_those_they_mention() -> None:
    known = before(
        reply_count=3, last_thread_seq=4, last_reply_at=NOW, latest=[UserId("bob"), UserId("ann")], participant_count=2,
        known=frozenset({UserId("bob")}),
    )  # fmt: skip

    grown = grow(known, replies("bob", "bob", first=5, mentions=["cid"]))

    assert (grown.thread.reply_count, grown.thread.last_thread_seq) == (5, 6)
    assert grown.thread.changed == ["replyCount", "lastThreadSeq"]
    assert grown.places == places(("bob", 2, 6, 6), ("cid", 0, 0, 4))


def test_who_replies_has_read_up_to_there_whoever_mentions_them() -> None:
    assert grow(before(last_thread_seq=1), replies("cid", "bob", first=2, mentions=["bob"])).places == places(
        ("bob", 1, 3, 3), ("cid", 1, 2, 2)
    )


def test_the_latest_few_are_told_the_latest_first() -> None:
    authors = [f"u{number}" for number in range(8)]

    grown = grow(before(), replies(*authors, "u6"))

    assert grown.thread.participants == ["u6", "u7", "u5", "u4", "u3"]
    assert len(grown.thread.participants) == PARTICIPANTS_TOLD
    assert grown.thread.participant_count == 8


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=20), st.data())
def test_one_batch_comes_to_the_same_as_many(authors: list[str], data: st.DataObject) -> None:
    all_at_once = grow(before(), replies(*authors)).thread
    state, thread, done = before(), None, 0
    while done < len(authors):
        size = data.draw(st.integers(1, len(authors) - done))
        batch = authors[done : done + size]
        known = {UserId(one) for one in authors[:done]} & {UserId(one) for one in batch}
        state = before(
            reply_count=state.reply_count, last_thread_seq=done, latest=state.latest,
            participant_count=state.participant_count, known=frozenset(known),
        )  # fmt: skip
        thread = grow(state, replies(*batch, first=done + 1)).thread
        done += size
        state = before(
            reply_count=thread.reply_count,
            latest=thread.participants,
            participant_count=thread.participant_count,
        )

    assert thread is not None
    assert thread.model_dump(exclude={"changed"}) == all_at_once.model_dump(exclude={"changed"})


def test_what_changed_for_its_user() -> None:
    assert state_changes(OwnPlace(), OwnPlace()) == []
    assert state_changes(OwnPlace(), OwnPlace(followed=True, last_read_seq=3)) == ["following", "lastReadSeq"]


def test_unread_is_never_less_than_nothing() -> None:
    assert (unread_count(5, 2), unread_count(2, 5)) == (3, 0)
