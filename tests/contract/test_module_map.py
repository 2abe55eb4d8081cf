"""Every module of a package has a test that uses it: one that imports it, or one that drives it from outside.

Doors, stores and composition roots are driven as a caller would, over HTTP, the broker or a command; DRIVEN_BY
says by which tests. A new module without a test fails here, and so does an entry that is not needed any more.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.contract.house_rules import Source, repository_files

ROOT = Path(__file__).resolve().parents[2]

CHAT = "tests/integration/chat_service"
DISPATCHER = "tests/integration/webhook_dispatcher"
METRICS = "tests/integration/metrics_service"

# A module, or a folder with all that it holds -> the test that drives it.
DRIVEN_BY = {
    "chat_service/__main__": "tests/e2e/test_story.py",
    "chat_service/admin": f"{CHAT}/test_admin_command.py",
    "chat_service/apps": f"{CHAT}/test_apps.py",
    "chat_service/audit/actions": f"{CHAT}/moderation/test_audit.py",
    "chat_service/audit/api": f"{CHAT}/moderation/test_audit.py",
    "chat_service/audit/store": f"{CHAT}/moderation/test_audit.py",
    "chat_service/audit/views": f"{CHAT}/moderation/test_audit.py",
    "chat_service/auth": f"{CHAT}/test_auth.py",
    "chat_service/channels/access": f"{CHAT}/test_channels.py",
    "chat_service/channels/actions": f"{CHAT}/test_channels.py",
    "chat_service/channels/list_store": f"{CHAT}/test_channel_lists.py",
    "chat_service/channels/listing": f"{CHAT}/test_channel_lists.py",
    "chat_service/channels/member_store": f"{CHAT}/test_channels_members.py",
    "chat_service/channels/membership": f"{CHAT}/test_channels_members.py",
    "chat_service/channels/requests": f"{CHAT}/test_channels.py",
    "chat_service/channels/sweep_store": f"{CHAT}/test_truncation.py",
    "chat_service/channels/store": f"{CHAT}/test_channels.py",
    "chat_service/channels/views": f"{CHAT}/test_channels.py",
    "chat_service/documentation": "tests/contract/test_openapi.py",
    "chat_service/documented_examples": "tests/contract/test_openapi.py",
    "chat_service/collab/actions": f"{CHAT}/test_collab.py",
    "chat_service/collab/api": f"{CHAT}/test_collab.py",
    "chat_service/collab/requests": f"{CHAT}/test_collab.py",
    "chat_service/collab/views": f"{CHAT}/test_collab.py",
    "chat_service/doors": "tests/e2e/test_errors.py",
    "chat_service/limits/calls": f"{CHAT}/test_limits.py",
    "chat_service/memberstate": f"{CHAT}/test_memberstate.py",
    "chat_service/mentions/actions": f"{CHAT}/test_mentions.py",
    "chat_service/mentions/api": f"{CHAT}/test_mentions.py",
    "chat_service/mentions/inbox_store": f"{CHAT}/test_mentions.py",
    "chat_service/mentions/member_store": f"{CHAT}/test_mentions.py",
    "chat_service/mentions/noting": f"{CHAT}/test_mentions.py",
    "chat_service/mentions/store": f"{CHAT}/test_mentions.py",
    "chat_service/mentions/views": f"{CHAT}/test_mentions.py",
    "chat_service/messages/actions": f"{CHAT}/messages/test_doors.py",
    "chat_service/messages/batch": f"{CHAT}/messages/test_writer.py",
    "chat_service/messages/editing": f"{CHAT}/messages/test_doors.py",
    "chat_service/messages/requests": f"{CHAT}/messages/test_doors.py",
    "chat_service/messages/history": f"{CHAT}/messages/test_life.py",
    "chat_service/erasure": f"{CHAT}/test_erasure.py",
    "chat_service/events/redaction_store": f"{CHAT}/events/test_feed.py",
    "chat_service/exports": f"{CHAT}/test_exports.py",
    "chat_service/holds": f"{CHAT}/test_holds.py",
    "chat_service/imports": f"{CHAT}/test_imports.py",
    "chat_service/retention": f"{CHAT}/test_holds.py",
    "chat_service/messages/attachment_input": f"{CHAT}/messages/test_doors.py",
    "chat_service/messages/removal": f"{CHAT}/messages/test_life.py",
    "chat_service/messages/send_store": f"{CHAT}/messages/test_writer.py",
    "chat_service/messages/shelf": f"{CHAT}/messages/test_life.py",
    "chat_service/messages/store": f"{CHAT}/messages/test_writer.py",
    "chat_service/messages/views": f"{CHAT}/messages/test_views.py",
    "chat_service/realtime/api": "tests/e2e/test_realtime.py",
    "chat_service/realtime/consumers": "tests/fault/test_realtime.py",
    "chat_service/realtime/store": f"{CHAT}/realtime/test_hub.py",
    "chat_service/threads/actions": f"{CHAT}/test_threads.py",
    "chat_service/threads/api": f"{CHAT}/test_threads.py",
    "chat_service/threads/list_store": f"{CHAT}/test_threads.py",
    "chat_service/threads/replying": f"{CHAT}/test_threads.py",
    "chat_service/threads/store": f"{CHAT}/test_threads.py",
    "chat_service/threads/views": f"{CHAT}/test_threads.py",
    "chat_service/sync/acks": f"{CHAT}/sync/test_ops.py",
    "chat_service/sync/actions": f"{CHAT}/sync/test_catching_up.py",
    "chat_service/sync/lanes": f"{CHAT}/sync/test_catching_up.py",
    "chat_service/sync/op_store": f"{CHAT}/sync/test_ops.py",
    "chat_service/sync/ops": f"{CHAT}/sync/test_ops.py",
    "chat_service/sync/pages": f"{CHAT}/sync/test_catching_up.py",
    "chat_service/sync/present": f"{CHAT}/sync/test_catching_up.py",
    "chat_service/sync/requests": f"{CHAT}/sync/test_ops.py",
    "chat_service/sync/store": f"{CHAT}/sync/test_catching_up.py",
    "chat_service/moderation/admission": f"{CHAT}/moderation/test_bans.py",
    "chat_service/moderation/bans_api": f"{CHAT}/moderation/test_bans.py",
    "chat_service/moderation/report_store": f"{CHAT}/moderation/test_reports.py",
    "chat_service/moderation/reporting": f"{CHAT}/moderation/test_reports.py",
    "chat_service/moderation/reports_api": f"{CHAT}/moderation/test_reports.py",
    "chat_service/moderation/restraint_store": f"{CHAT}/moderation/test_every_road.py",
    "chat_service/moderation/views": f"{CHAT}/moderation/test_reports.py",
    "chat_service/pins/actions": f"{CHAT}/test_pins.py",
    "chat_service/notifications/store": "tests/integration/chat_service/test_notifications.py",
    "chat_service/pins/store": f"{CHAT}/test_pins.py",
    "chat_service/reactions/actions": f"{CHAT}/test_reactions.py",
    "chat_service/reactions/store": f"{CHAT}/test_reactions.py",
    "chat_service/saved/actions": f"{CHAT}/test_saved.py",
    "chat_service/saved/store": f"{CHAT}/test_saved.py",
    "chat_service/uploads/actions": f"{CHAT}/test_uploads.py",
    "chat_service/uploads/arrival": f"{CHAT}/test_uploads.py",
    "chat_service/uploads/attaching": f"{CHAT}/messages/test_uploads.py",
    "chat_service/uploads/form": f"{CHAT}/test_uploads.py",
    "chat_service/uploads/link_store": f"{CHAT}/messages/test_uploads.py",
    "chat_service/uploads/store": f"{CHAT}/test_uploads.py",
    "chat_service/uploads/views": f"{CHAT}/test_uploads.py",
    "chat_service/presence/api": f"{CHAT}/test_presence.py",
    "chat_service/presence/store": f"{CHAT}/test_presence_replicas.py",
    "chat_service/presence/view_store": f"{CHAT}/test_presence.py",
    "chat_service/presence/views": f"{CHAT}/test_presence.py",
    "chat_service/typists/actions": f"{CHAT}/test_presence.py",
    "chat_service/typists/api": f"{CHAT}/test_presence.py",
    "chat_service/typists/store": f"{CHAT}/test_presence.py",
    "chat_service/polls/actions": f"{CHAT}/test_polls.py",
    "chat_service/polls/store": f"{CHAT}/test_polls.py",
    "chat_service/polls/views": f"{CHAT}/test_polls.py",
    "chat_service/search/index_store": f"{CHAT}/search/test_doors.py",
    "chat_service/search/store": f"{CHAT}/search/test_doors.py",
    "chat_service/hooks/actions": f"{CHAT}/test_hooks.py",
    "chat_service/hooks/api": f"{CHAT}/test_hooks.py",
    "chat_service/hooks/calling": f"{CHAT}/test_hooks.py",
    "chat_service/hooks/errors": f"{CHAT}/test_hooks.py",
    "chat_service/hooks/secrets": f"{CHAT}/test_hooks.py",
    "chat_service/hooks/store": f"{CHAT}/test_hooks.py",
    "chat_service/previews/actions": f"{CHAT}/test_previews.py",
    "chat_service/previews/store": f"{CHAT}/test_previews.py",
    "chat_service/review": f"{CHAT}/test_review.py",
    "chat_service/screening/actions": f"{CHAT}/test_hooks.py",
    "chat_service/screening/api": f"{CHAT}/test_hooks.py",
    "chat_service/screening/errors": f"{CHAT}/test_screening.py",
    "chat_service/screening/judging": f"{CHAT}/test_hooks.py",
    "chat_service/screening/lines": f"{CHAT}/test_hooks.py",
    "chat_service/screening/store": f"{CHAT}/test_screening.py",
    "chat_service/screening/views": f"{CHAT}/test_screening.py",
    "chat_service/wordlists/actions": f"{CHAT}/test_word_lists.py",
    "chat_service/wordlists/api": f"{CHAT}/test_word_lists.py",
    "chat_service/wordlists/errors": f"{CHAT}/test_word_lists.py",
    "chat_service/wordlists/store": f"{CHAT}/test_word_lists.py",
    "chat_service/wordlists/views": f"{CHAT}/test_word_lists.py",
    "chat_service/users": f"{CHAT}/test_users.py",
    "chat_service/channels/api": f"{CHAT}/test_channels.py",
    "chat_service/channels/listing_api": f"{CHAT}/test_channel_lists.py",
    "chat_service/channels/members_api": f"{CHAT}/test_channels_members.py",
    "chat_service/messages/life_api": f"{CHAT}/messages/test_life.py",
    "chat_service/pins/api": f"{CHAT}/test_pins.py",
    "chat_service/polls/api": f"{CHAT}/test_polls.py",
    "chat_service/reads": f"{CHAT}/test_reads.py",
    "chat_service/search/api": f"{CHAT}/search/test_doors.py",
    "chat_service/reactions/api": f"{CHAT}/test_reactions.py",
    "chat_service/saved/api": f"{CHAT}/test_saved.py",
    "chat_service/sync/api": f"{CHAT}/sync/test_catching_up.py",
    "chat_service/uploads/content_api": f"{CHAT}/test_uploads_reading.py",
    "chat_service/wire_input": "tests/e2e/test_errors.py",
    "chat_service/workspaces": f"{CHAT}/test_workspaces.py",
    "chatsdk/errors": "tests/unit/sdk/test_webhooks.py",
    "chatsdk/webhooks": "tests/unit/sdk/test_webhooks.py",
    "chatsdk_contracts/exports": "tests/contract/test_event_schemas.py",
    "chatsdk_contracts/mentions": "tests/contract/test_event_schemas.py",
    "chatsdk_contracts/notifications": "tests/contract/test_event_schemas.py",
    "chatsdk_contracts/reactions": "tests/contract/test_event_schemas.py",
    "chatsdk_contracts/receipts": "tests/contract/test_event_schemas.py",
    "chatsdk_contracts/sync": f"{CHAT}/sync/test_catching_up.py",
    "chatsdk_contracts/threads": "tests/contract/test_event_schemas.py",
    "chatsdk_contracts/uploads": "tests/contract/test_event_schemas.py",
    "chatsdk_contracts/users": "tests/contract/test_event_schemas.py",
    "chatsdk_runtime/broadcast": f"{CHAT}/test_revocation.py",
    "chatsdk_runtime/health": "tests/e2e/test_ports.py",
    "chatsdk_runtime/server": "tests/e2e/test_ports.py",
    "chatsdk_runtime/outgoing/failure_naming": "tests/integration/runtime/outgoing/test_sender_hostile.py",
    "chatsdk_runtime/ids": f"{CHAT}/messages/test_writer.py",
    "metrics_service/api": f"{METRICS}/test_exposition.py",
    "metrics_service/counting": f"{METRICS}/test_counting_once.py",
    "metrics_service/exposition": f"{METRICS}/test_exposition.py",
    "metrics_service/instruments": f"{METRICS}/test_exposition.py",
    "metrics_service/settings": f"{METRICS}/test_exposition.py",
    "webhook_dispatcher/__main__": "tests/e2e/test_story.py",
    "webhook_dispatcher/access": "tests/contract/test_webhook_routes.py",
    "webhook_dispatcher/deliveries": "tests/contract/test_webhook_routes.py",
    "webhook_dispatcher/dispatch/claim_store": f"{DISPATCHER}/test_drain.py",
    "webhook_dispatcher/dispatch/consumers": f"{DISPATCHER}/test_delivery.py",
    "webhook_dispatcher/dispatch/endpoints": f"{DISPATCHER}/test_workers.py",
    "webhook_dispatcher/dispatch/expiry_store": f"{DISPATCHER}/test_drain.py",
    "webhook_dispatcher/dispatch/expunge_store": f"{DISPATCHER}/test_expunge.py",
    "webhook_dispatcher/dispatch/plan": f"{DISPATCHER}/test_delivery.py",
    "webhook_dispatcher/dispatch/record_store": f"{DISPATCHER}/test_workers.py",
    "webhook_dispatcher/dispatch/session_store": f"{DISPATCHER}/test_workers.py",
    "webhook_dispatcher/dispatch/sessions": f"{DISPATCHER}/test_workers.py",
    "webhook_dispatcher/dispatch/worker": f"{DISPATCHER}/test_workers.py",
    "webhook_dispatcher/errors": "tests/contract/test_webhook_routes.py",
    "webhook_dispatcher/webhooks": "tests/contract/test_webhook_routes.py",
}


def _module(path: str) -> str:
    """`chat_service/messages/store` of a source file's path."""
    return path.split("/", 2)[2].removesuffix(".py")


def _imported(test: Source) -> set[str]:
    """The modules that a file imports, or imports a name of, written as paths."""
    found: set[str] = set()
    for node in test.nodes:
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return {name.replace(".", "/") for name in found}


def _is_driven(module: str, driven: set[str]) -> bool:
    return any(module == key or module.startswith(f"{key}/") for key in driven)


@pytest.fixture(scope="module")
def modules() -> set[str]:
    """Every committed module of the packages; package docstrings and migrations are none."""
    python = [source.path for source in repository_files() if source.is_product and source.is_python]
    return {
        _module(path) for path in python if not path.endswith("/__init__.py") and "/migrations/" not in path
    }


@pytest.fixture(scope="module")
def imported() -> set[str]:
    """What tests and their fixtures import; the bench is no test."""
    files = [source for source in repository_files() if source.is_test]
    tests = [source for source in files if not source.path.startswith("tests/bench/")]
    return set().union(*map(_imported, tests))


def test_every_module_has_a_test(modules: set[str], imported: set[str]) -> None:
    without = {module for module in modules - imported if not _is_driven(module, set(DRIVEN_BY))}

    assert modules
    assert not without, "write its test; one that does not import it is named in DRIVEN_BY"


def test_every_entry_is_needed(modules: set[str], imported: set[str]) -> None:
    needed = {key for key in DRIVEN_BY if any(_is_driven(module, {key}) for module in modules - imported)}

    assert set(DRIVEN_BY) == needed


def test_every_driving_test_is_there() -> None:
    assert not [path for path in DRIVEN_BY.values() if not (ROOT / path).is_file()]


def test_a_module_without_a_test_is_seen() -> None:
    test = Source("tests/unit/a/test_b.py", "import a.b\nfrom a import c\nfrom a.d import E\n")

    assert _imported(test) >= {"a/b", "a/c", "a/d"}
    assert not _is_driven("a/f", {"a/b", "a/ff"})
    assert _is_driven("a/f/g", {"a/f"})
