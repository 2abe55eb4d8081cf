"""Decisions about sends: repeats first, then rights, then dense numbers."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_service.errors import ChannelFrozen, ChannelNotFound, NotAMember
from chat_service.mentions.rules import Asked, Present
from chat_service.messages import remains, rights, rules
from chat_service.messages.rules import Accepted, ChannelHead, Decisions, Repeat, SendFacts
from chatsdk_contracts.ids import AppId, UserId, new_id
from chatsdk_contracts.messages import tombstone
from chatsdk_runtime.errors import Forbidden, IdempotencyMismatch, InvalidInput
from tests.unit.chat_service.messages.sends import NOW, PARENT, STORED, a_channel, a_send, facts


def test_an_accepted_send_gets_the_next_seq_and_the_next_channel_version() -> None:
    channel = a_channel()

    verdict = Decisions(NOW).decide(a_send(), channel, facts())

    assert isinstance(verdict, Accepted)
    assert (verdict.message.seq, verdict.message.cv, verdict.message.version) == (5, 10, 1)
    assert (channel.last_seq, channel.cv, channel.added) == (5, 10, 1)


def test_a_reply_counts_in_its_thread_and_not_in_the_timeline() -> None:
    channel, decisions = a_channel(), Decisions(NOW)
    known = facts(parent_last_seq=2, parent_is_top=True)

    first = decisions.decide(a_send("c1", parent_id=PARENT), channel, known)
    second = decisions.decide(a_send("c2", parent_id=PARENT), channel, known)

    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert [(one.message.seq, one.message.thread_seq) for one in (first, second)] == [(None, 3), (None, 4)]
    assert (channel.last_seq, channel.cv, channel.added) == (4, 11, 0)


def test_a_send_that_may_not_mention_takes_no_number() -> None:
    channel, decisions = a_channel(), Decisions(NOW)
    known = facts(present=Present(frozenset({UserId("bob")}), frozenset({UserId("bob")})))

    refused = decisions.decide(a_send("c1", asked=Asked(named=[UserId("eve")])), channel, known)
    accepted = decisions.decide(a_send("c2", asked=Asked(named=[UserId("bob")])), channel, known)

    assert isinstance(refused, InvalidInput)
    assert isinstance(accepted, Accepted)
    assert (accepted.message.mentions, accepted.message.seq, accepted.message.cv) == (["bob"], 5, 10)
    assert accepted.deaf == {"bob"}


@pytest.mark.parametrize(
    ("channel", "known", "changes", "refusal"),
    [
        pytest.param(
            a_channel(app_id=AppId(new_id())), facts(), {}, ChannelNotFound, id="another app's channel"
        ),
        pytest.param(a_channel(deleted=True), facts(), {}, ChannelNotFound, id="deleted channel"),
        pytest.param(a_channel(), facts(role=None), {}, NotAMember, id="not a member"),
        pytest.param(
            a_channel(type="private"),
            facts(role=None),
            {},
            ChannelNotFound,
            id="private channels are not told of",
        ),
        pytest.param(a_channel(frozen=True), facts(), {}, ChannelFrozen, id="frozen"),
        pytest.param(
            a_channel(frozen=True), facts(role="moderator"), {}, ChannelFrozen, id="frozen for moderators"
        ),
        pytest.param(a_channel(), facts(), {"parent_id": PARENT}, InvalidInput, id="unknown parent"),
        pytest.param(
            a_channel(),
            facts(parent_last_seq=0),
            {"parent_id": PARENT},
            InvalidInput,
            id="parent is a reply itself",
        ),
        pytest.param(
            a_channel(), facts(), {"reply_to_id": PARENT}, InvalidInput, id="unknown quoted message"
        ),
        pytest.param(
            a_channel(),
            facts(stored=STORED, stored_hash=b"other"),
            {},
            IdempotencyMismatch,
            id="client id reused",
        ),
    ],
)
def test_refusals_change_no_counter(
    channel: ChannelHead, known: SendFacts, changes: dict[str, object], refusal: type[Exception]
) -> None:
    before = (channel.last_seq, channel.cv, channel.added)

    verdict = Decisions(NOW).decide(a_send(**changes), channel, known)  # type: ignore[arg-type] # a mapping again

    assert isinstance(verdict, refusal)
    assert (channel.last_seq, channel.cv, channel.added) == before


@pytest.mark.parametrize("role", ["owner", "admin"])
def test_who_runs_a_frozen_channel_may_write_in_it(role: str) -> None:
    assert isinstance(Decisions(NOW).decide(a_send(), a_channel(frozen=True), facts(role=role)), Accepted)


def test_the_apps_server_may_write_in_a_frozen_channel() -> None:
    assert isinstance(
        Decisions(NOW).decide(a_send(by_server=True), a_channel(frozen=True), facts()), Accepted
    )


def test_a_repeat_comes_before_the_right_to_send() -> None:
    known = facts(role=None, stored=STORED, stored_hash=b"h")

    verdict = Decisions(NOW).decide(a_send(), a_channel(frozen=True), known)

    assert verdict == Repeat(STORED)


def test_the_same_client_id_twice_in_one_batch_is_one_message() -> None:
    channel, decisions = a_channel(), Decisions(NOW)

    first = decisions.decide(a_send(), channel, facts())
    second = decisions.decide(a_send(), channel, facts())
    other = decisions.decide(a_send(request_hash=b"x"), channel, facts())

    assert isinstance(first, Accepted)
    assert second == Repeat(first.message)
    assert isinstance(other, IdempotencyMismatch)
    assert channel.last_seq == 5


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["member", None]), st.booleans()), max_size=60))
def test_seq_and_cv_are_dense_whatever_is_refused_or_repeated(
    sends: list[tuple[int, str | None, bool]],
) -> None:
    channel, decisions = a_channel(last_seq=0, cv=0), Decisions(NOW)
    accepted = []
    for client, role, is_reply in sends:
        parent = PARENT if is_reply else None
        known = facts(role=role, parent_last_seq=0, parent_is_top=True)
        hashed = b"reply" if is_reply else b"top"
        verdict = decisions.decide(
            a_send(f"c{client}-{is_reply}", parent_id=parent, request_hash=hashed), channel, known
        )
        if isinstance(verdict, Accepted):
            accepted.append(verdict.message)

    assert [message.cv for message in accepted] == list(range(1, len(accepted) + 1))
    timeline = [message.seq for message in accepted if message.seq is not None]
    assert timeline == list(range(1, len(timeline) + 1))
    thread = [message.thread_seq for message in accepted if message.thread_seq is not None]
    assert thread == list(range(1, len(thread) + 1))


def test_the_hash_of_a_request_does_not_depend_on_the_order_of_its_fields() -> None:
    assert rules.request_hash({"text": "a", "custom": {"x": 1, "y": 2}}) == rules.request_hash(
        {"custom": {"y": 2, "x": 1}, "text": "a"}
    )


def test_a_client_id_is_the_callers_own_or_a_new_one() -> None:
    assert rules.client_id_for("mine", None) == "mine"
    assert rules.client_id_for(None, None) != rules.client_id_for(None, None)


@pytest.mark.parametrize(
    ("user", "role", "edits", "deletes"),
    [
        pytest.param("ann", "member", True, True, id="author"),
        pytest.param("bob", "member", False, False, id="another member"),
        pytest.param("bob", "moderator", False, True, id="moderator"),
        pytest.param(None, None, True, True, id="the app's server"),
    ],
)
def test_who_edits_and_who_deletes(user: str | None, role: str | None, edits: bool, deletes: bool) -> None:
    user_id = None if user is None else UserId(user)

    assert rights.may_edit(STORED, user_id) is edits
    assert rights.may_delete(STORED, user_id, role) is deletes


@pytest.mark.parametrize(
    ("user", "role", "deleted_by", "restores"),
    [
        pytest.param("ann", "member", "ann", True, id="author, own deletion"),
        pytest.param("ann", "member", "bob", False, id="author, a moderator's deletion"),
        pytest.param("ann", "member", None, False, id="author, the server's deletion"),
        pytest.param("ann", "moderator", "bob", True, id="author who moderates"),
        pytest.param("bob", "member", "ann", False, id="another member"),
        pytest.param("bob", "moderator", "ann", True, id="moderator"),
        pytest.param(None, None, "ann", True, id="the app's server"),
    ],
)
def test_who_restores(user: str | None, role: str | None, deleted_by: str | None, restores: bool) -> None:
    gone = tombstone(
        STORED, deleted_at=NOW, deleted_by=None if deleted_by is None else UserId(deleted_by), cv=4
    )

    assert rights.may_undelete(gone, None if user is None else UserId(user), role) is restores


@pytest.mark.parametrize(
    ("user", "role", "purges", "reads_history"),
    [
        pytest.param("ann", "member", False, True, id="author"),
        pytest.param("bob", "member", False, False, id="another member"),
        pytest.param("bob", "moderator", True, True, id="moderator"),
        pytest.param(None, None, True, True, id="the app's server"),
    ],
)
def test_who_purges_and_who_reads_the_history(
    user: str | None, role: str | None, purges: bool, reads_history: bool
) -> None:
    user_id = None if user is None else UserId(user)

    assert rights.may_purge(user_id, role) is purges
    assert rights.may_read_history(STORED, user_id, role) is reads_history


def test_a_system_message_is_the_servers_alone_whomever_it_names() -> None:
    system = STORED.model_copy(update={"type": "system"})

    assert not rights.may_edit(system, UserId("ann"))
    assert not rights.may_delete(system, UserId("ann"), "member")
    assert rights.may_edit(system, None)
    by_user = Decisions(NOW).decide(a_send(type="system"), a_channel(), facts())
    by_server = Decisions(NOW).decide(a_send(type="system", by_server=True), a_channel(), facts())
    assert isinstance(by_user, Forbidden)
    assert isinstance(by_server, Accepted)
    assert by_server.message.type == "system"


def test_a_purge_keeps_when_and_by_whom_a_message_was_deleted_before() -> None:
    earlier = datetime(2025, 12, 1, tzinfo=UTC)
    deleted = tombstone(STORED, deleted_at=earlier, deleted_by=UserId("ann"), cv=4)

    again = remains.purged(deleted, now=NOW, by=UserId("bob"), cv=5)
    at_once = remains.purged(STORED, now=NOW, by=UserId("bob"), cv=5)

    assert (again.deleted_at, again.deleted_by, again.updated_at, again.version) == (earlier, "ann", NOW, 3)
    assert (at_once.deleted_at, at_once.deleted_by, at_once.updated_at, at_once.version) == (
        NOW,
        "bob",
        NOW,
        2,
    )
    assert at_once.text == ""


def test_what_is_held_takes_no_number_and_the_next_one_gets_it() -> None:
    decisions, channel = Decisions(NOW), a_channel()

    held = decisions.decide(a_send("c1", held=True), channel, facts())
    sent = decisions.decide(a_send("c2"), channel, facts())
    again = decisions.decide(a_send("c1", held=True), channel, facts())

    assert isinstance(held, Accepted)
    assert (held.message.status, held.message.seq, held.message.cv) == ("held", None, 9)
    assert isinstance(sent, Accepted)
    assert (sent.message.status, sent.message.seq, sent.message.cv, channel.added) == ("sent", 5, 10, 1)
    assert again == Repeat(held.message)


def test_a_held_reply_takes_no_place_in_its_thread() -> None:
    decisions, channel = Decisions(NOW), a_channel()
    parent = facts(parent_last_seq=2, parent_is_top=True)

    held = decisions.decide(a_send("c1", parent_id=PARENT, held=True), channel, parent)
    sent = decisions.decide(a_send("c2", parent_id=PARENT), channel, parent)

    assert isinstance(held, Accepted)
    assert held.message.thread_seq is None
    assert isinstance(sent, Accepted)
    assert (sent.message.thread_seq, decisions.threads) == (3, {PARENT: 3})
