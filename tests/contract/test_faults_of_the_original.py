"""The faults that the original ChatSDK was found to have in chat, and the tests that show ours does not have them.

The numbers are those of the list that we keep of its faults; those of webhooks, metrics and the SDK are not chat's.
"""

import ast
from collections.abc import Mapping
from functools import cache
from typing import Final

import pytest

from tests.fixtures.slot import ROOT

CHAT = "integration/chat_service"

# Fault -> what it was, and the tests that would fail if we had it.
FAULTS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "11": (
        "the documented way to a token gave one that could do nothing",
        (
            f"{CHAT}/test_auth.py::test_a_minted_token_lets_its_user_in",
            f"{CHAT}/test_scopes.py::test_a_credential_without_scopes_does_everything_of_its_kind",
        ),
    ),
    "12": (
        "users made themselves moderators by writing so into their own custom data",
        (
            f"{CHAT}/test_users_own.py::test_nobody_raises_their_rights_by_what_they_say_of_themselves",
            f"{CHAT}/moderation/test_bans.py::test_nothing_that_users_say_of_themselves_gives_them_rights",
        ),
    ),
    "13": (
        "who was banned or blocked went on posting",
        (
            f"{CHAT}/moderation/test_every_road.py::test_who_is_banned_here_or_everywhere_is_refused_and_told_until_when",
            f"{CHAT}/moderation/test_blocks.py::test_who_is_blocked_is_refused_in_a_direct_channel_by_every_road",
        ),
    ),
    "14a": (
        "looking at an invitation changed something",
        (
            f"{CHAT}/test_workspace_invitations.py::test_an_invitation_is_shown_without_effect_and_accepted_once",
        ),
    ),
    "14b": (
        "lists of members and channels told everybody's address and custom data",
        (
            f"{CHAT}/test_channels_members.py::test_lists_tell_of_members_who_and_in_which_role_and_no_more",
            f"{CHAT}/test_users.py::test_an_email_address_is_for_the_user_and_the_servers",
        ),
    ),
    "15a": (
        "the same send several times at once was an error of the server's",
        (
            f"{CHAT}/messages/test_writer.py::test_a_hundred_concurrent_identical_sends_are_one_message",
            "e2e/test_idempotency.py::test_a_hundred_concurrent_identical_sends_are_one_message",
        ),
    ),
    "15b": (
        "an id of the client's that was no UUID, or was another app's, was an error of the server's",
        (
            "e2e/test_idempotency.py::test_a_client_id_belongs_to_its_user_and_channel",
            f"{CHAT}/messages/test_doors.py::test_ids_that_another_app_has_used_are_no_error_of_ours",
        ),
    ),
    "15c": (
        "the answer to a repeat lacked most fields",
        (
            f"{CHAT}/messages/test_doors.py::test_a_sent_message_is_answered_whole_and_its_repeat_with_the_same_body",
        ),
    ),
    "15d": (
        "a repeated reply was a second reply",
        (f"{CHAT}/test_threads.py::test_a_reply_is_a_send_with_its_repeats_and_refusals",),
    ),
    "16a": (
        "the list of pins was hidden by another route",
        (f"{CHAT}/test_pins.py::test_pins_are_listed_newest_first_and_each_change_is_told_once",),
    ),
    "16b": (
        "reporting a message was documented where it was not",
        (
            f"{CHAT}/moderation/test_reports.py::test_a_message_is_reported_once_by_who_sees_it_and_did_not_write_it",
        ),
    ),
    "16c": (
        "reading up to an old message read everything",
        (f"{CHAT}/test_reads.py::test_a_marker_moves_up_and_never_back",),
    ),
    "17": (
        "of several changes of a reaction or a pin only the first two were told",
        (
            f"{CHAT}/test_reactions.py::test_four_changes_are_four_events_with_dense_versions",
            f"{CHAT}/test_pins.py::test_pins_are_listed_newest_first_and_each_change_is_told_once",
        ),
    ),
    "18a": (
        "replies left gaps in the timeline that no client could fill",
        (
            f"{CHAT}/messages/test_doors.py::test_replies_are_numbered_in_their_thread_and_leave_no_gap_in_the_timeline",
        ),
    ),
    "18b": (
        "who came back was never told of edits, deletions and reactions",
        (
            f"{CHAT}/sync/test_catching_up.py::test_an_edited_and_then_deleted_message_is_shown_once_as_it_is_now",
            f"{CHAT}/sync/test_catching_up.py::test_devices_that_catch_up_now_and_then_end_with_the_truth",
            "fault/test_sync_truth.py::test_every_device_has_the_truth_in_the_end",
        ),
    ),
    "18c": (
        "pages said wrongly that there was more, skipped what was of the same time, and began at the wrong end",
        (
            f"{CHAT}/messages/test_doors.py::test_the_timeline_is_read_both_ways_without_a_gap",
            f"{CHAT}/test_channel_lists.py::test_every_order_is_paged_without_gap_or_repeat",
        ),
    ),
    "19a": (
        "replies mentioned nobody, were unread to nobody, and passed every limit",
        (
            f"{CHAT}/test_mentions.py::test_a_mention_is_in_the_message_the_inbox_and_the_users_events",
            f"{CHAT}/test_threads.py::test_who_follows_and_how_much_they_have_not_read",
            f"{CHAT}/test_limits.py::test_each_kind_of_call_has_a_limit_of_its_own",
        ),
    ),
    "19b": (
        "the page before a reply was the oldest of the thread",
        (f"{CHAT}/test_threads.py::test_a_thread_is_read_both_ways_without_a_gap",),
    ),
    "20": (
        "what happened while a socket was away was lost without a word",
        (
            "e2e/test_realtime.py::test_a_client_that_comes_back_gets_exactly_what_it_lacks",
            "fault/test_realtime.py::test_users_on_two_replicas_see_each_other_also_when_one_replica_is_killed",
            f"{CHAT}/realtime/test_following.py::test_no_cursor_leads_past_a_channel_that_the_client_has_not_heard_of",
        ),
    ),
    "21": (
        "any text was a reaction, and some emoji were not",
        (
            "unit/chat_service/reactions/test_rules.py::test_what_is_a_reaction_and_how_it_is_spelled",
            "unit/chat_service/reactions/test_rules.py::test_every_emoji_of_unicode_is_one_and_its_spellings_are_the_same",
        ),
    ),
    "22a": (
        "of a deleted user the words stayed",
        ("e2e/test_erasure.py::test_an_erased_users_words_are_nowhere_though_the_service_was_killed",),
    ),
    "22b": (
        "what users were given about themselves was incomplete, and unreadable to them",
        (f"{CHAT}/test_exports.py::test_a_user_is_given_everything_about_them_and_nothing_of_others",),
    ),
    "23": (
        "an edit kept nothing of what was said before",
        (f"{CHAT}/messages/test_life.py::test_every_edit_keeps_the_text_before_it",),
    ),
}


@cache
def _tests_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    return frozenset(
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_a_test_stands_against_each_fault(fault: str) -> None:
    _, tests = FAULTS[fault]

    assert tests
    for test in tests:
        file, _, name = test.partition("::")
        assert name in _tests_in(file), (
            f"{fault}: there is no {test} any more; name the test that took its place"
        )
