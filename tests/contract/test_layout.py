"""The layout that docs and habits rely on: the same names in every service, complete packages, honest dependencies.

A package installs alone, in an image with nothing else: what it imports has to be in its own pyproject.toml.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from deploy.lock_requirements import normal_name, package_folders
from tests.contract.house_rules import Source, repository_files

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = package_folders(ROOT)
SERVICES = [folder for folder in PACKAGES if folder.parent.name == "services"]
OURS = {
    "chat_service",
    "webhook_dispatcher",
    "metrics_service",
    "chatsdk_runtime",
    "chatsdk_contracts",
    "chatsdk",
}

PART_OF = {"aiormq": "aio-pika", "pamqp": "aio-pika", "pydantic_core": "pydantic", "yarl": "aiohttp"}
"""Packages whose names appear in the interface of another, which brings them in the version that it needs."""

ROOT_NAMES = {"__init__", "__main__", "app", "settings", "errors", "instruments"}
"""What every service has beside its domains."""

DOMAIN_NAMES = {"__init__", "api", "actions", "store", "rules"}
"""What a domain is made of: HTTP in, use cases, SQL, decisions."""

FURTHER_IDEAS = {
    # chat
    "chat_service/discovery": "/.well-known/chatsdk: where the services are",
    "chat_service/documentation": "what the OpenAPI document says beyond the routes",
    "chat_service/documented_examples": "examples in the OpenAPI document",
    "chat_service/documented_replies": "what each route answers, for the OpenAPI document",
    "chat_service/doors": "what all doors share: reading bodies, the caller, raw JSON",
    "chat_service/maintenance": "partitions made ahead and dropped in time",
    "chat_service/paging": "cursors",
    "chat_service/routers": "every public route, in order",
    "chat_service/resources": "what the composition root hands to every door",
    "chat_service/events/ephemeral": "typing and presence on their way: told and forgotten",
    "chat_service/presence/reaping": "the loop that ends sockets of dead replicas, and who is due",
    "chat_service/presence/roster": "the sockets of this replica as the database has them",
    "chat_service/presence/telling": "what changed of how users are shown",
    "chat_service/presence/view_store": "the SQL of who sees whom",
    "chat_service/presence/views": "presence as it is shown",
    "chat_service/presence/watching": "which sockets asked for whose presence",
    "chat_service/realtime/crowd": "what happens in a large channel, as counts",
    "chat_service/typists/errors": "what is refused about typing",
    "chat_service/typists/ledger": "what this replica told of who types",
    "chat_service/polls/errors": "what is refused about polls",
    "chat_service/collab/document": "a shared text as a Yjs document",
    "chat_service/collab/errors": "what is refused about collaborative text",
    "chat_service/collab/ot": "operational transformation of text",
    "chat_service/collab/requests": "bodies of operations",
    "chat_service/collab/views": "operations as they are shown",
    "chat_service/collab/yjs_format": "what is in a Yjs update",
    "chat_service/reads/errors": "what is refused about read state",
    "chat_service/reads/telling": "the loop that tells the last receipt of a burst",
    "chat_service/reads/views": "read state as it is shown",
    "chat_service/strangers": "the senders to hooks and to linked pages",
    "chat_service/hooks/calling": "asks a hook: in turn, signed, with a breaker",
    "chat_service/hooks/errors": "what is refused about hooks",
    "chat_service/hooks/secrets": "a hook's secrets at rest",
    "chat_service/hooks/views": "a hook as it is shown, and what it is asked",
    "chat_service/previews/fetching": "a page, through the guard",
    "chat_service/previews/looking": "the loop that looks at links",
    "chat_service/previews/reading": "what a page says of itself",
    "chat_service/review/channel_api": "the HTTP door of a channel's held messages",
    "chat_service/review/errors": "what is refused about held messages",
    "chat_service/review/holding": "storing what has to wait, in the batch of sends",
    "chat_service/review/views": "the moderators' queue as it is shown",
    "chat_service/screening/errors": "what is refused because of what it says",
    "chat_service/screening/gate": "what everything said passes before it is written",
    "chat_service/screening/known": "what every app wants screened, in memory",
    "chat_service/screening/judging": "by what the list found, and by the hook",
    "chat_service/screening/lines": "whose turn it is, so that messages keep their order",
    "chat_service/screening/views": "a verdict as it is shown",
    "chat_service/wordlists/errors": "what is refused about word lists",
    "chat_service/wordlists/matching": "finds phrases in a text",
    "chat_service/wordlists/views": "a word list as it is shown",
    "chat_service/uploads/errors": "what is refused about files",
    "chat_service/wire_input": "checks of what people send",
    "chat_service/admin/cli": "chatsdk-admin",
    "chat_service/admin/dead_letters": "look at, requeue and discard dead letters",
    "chat_service/admin/problems": "what can go wrong for an operator, in words",
    "chat_service/admin/republish": "send stored events again",
    "chat_service/apps/own_api": "the HTTP door of an app's own keys and settings",
    "chat_service/apps/settings_model": "what an app's owner may choose",
    "chat_service/apps/views": "an app and a key as they are shown",
    "chat_service/audit/views": "the audit log as it is shown",
    "chat_service/auth/credentials": "API keys and user tokens: making and reading",
    "chat_service/auth/introspection": "answers the other services' question of who calls",
    "chat_service/auth/principal": "who calls, as a value",
    "chat_service/auth/revocation": "what was taken back, as a value, and how it spreads",
    "chat_service/auth/verifier": "checks a credential, with a short memory",
    "chat_service/channels/access": "who may do what in a channel",
    "chat_service/channels/list_store": "the SQL of channel lists",
    "chat_service/channels/listing": "use cases that list channels",
    "chat_service/channels/listing_api": "the HTTP door of channel lists",
    "chat_service/channels/member_store": "the SQL of members",
    "chat_service/channels/members_api": "the HTTP door of members",
    "chat_service/channels/membership": "use cases of members",
    "chat_service/channels/requests": "bodies of channel requests",
    "chat_service/channels/sweep": "what large changes leave to be done, in small transactions",
    "chat_service/channels/sweep_store": "the SQL of the sweep",
    "chat_service/channels/views": "a channel and a member as they are shown",
    "chat_service/events/control": "what the processes tell each other at once",
    "chat_service/events/feed": "read the log by position",
    "chat_service/events/lanes": "a lane between its numbers and the broker's confirmations",
    "chat_service/events/log": "append in the transaction",
    "chat_service/events/outgoing": "an event on its way to the broker",
    "chat_service/events/relay": "number and publish",
    "chat_service/limits/calls": "limits at the HTTP doors",
    "chat_service/limits/charge": "what came of counting one call",
    "chat_service/limits/errors": "what is refused for being too much",
    "chat_service/limits/limiter": "counts calls, and asks the database about those near a limit",
    "chat_service/limits/rates": "how much is allowed",
    "chat_service/mentions/errors": "what is refused about mentions",
    "chat_service/mentions/inbox_store": "the SQL of one user's inbox",
    "chat_service/mentions/member_store": "the SQL of finding members to mention",
    "chat_service/mentions/noting": "mentions of messages that are being written",
    "chat_service/mentions/views": "mentions as they are shown",
    "chat_service/events/redaction_store": "the SQL of what was redacted in the log",
    "chat_service/erasure/errors": "what is refused about erasures",
    "chat_service/erasure/leftovers": "steps: files, lists, the log, the last word",
    "chat_service/erasure/person": "whose erasure a job is",
    "chat_service/erasure/places": "steps: channels and workspaces",
    "chat_service/erasure/said": "steps: messages, reactions, votes",
    "chat_service/erasure/trace_store": "the SQL of traces beside messages",
    "chat_service/erasure/views": "an erasure as it is shown",
    "chat_service/erasure/work": "the erasing, step after step",
    "chat_service/exports/errors": "what is refused about exports",
    "chat_service/exports/views": "an export as it is shown",
    "chat_service/exports/writing": "a snapshot, line by line into the object store",
    "chat_service/holds/check": "what everybody asks who is about to delete",
    "chat_service/holds/errors": "what a hold refuses",
    "chat_service/imports/applying": "a piece of an import in one transaction",
    "chat_service/imports/errors": "what is refused about imports",
    "chat_service/imports/place_store": "the SQL of the end of an import",
    "chat_service/imports/requests": "the lines of an import",
    "chat_service/imports/views": "an import as it is shown",
    "chat_service/imports/work": "the import, step after step",
    "chat_service/jobs/bench": "what every job works with",
    "chat_service/jobs/cleanup": "remove files whose time is over",
    "chat_service/jobs/worker": "the loop that does jobs",
    "chat_service/retention/expiry": "the loop that lets old messages go",
    "chat_service/users/errors": "what is refused about users",
    "chat_service/messages/attachment_input": "an attachment as it comes in",
    "chat_service/messages/batch": "a batch of sends in one transaction",
    "chat_service/messages/editing": "use case: edit",
    "chat_service/messages/requests": "bodies of message requests, and the send that one asks for",
    "chat_service/messages/visible_store": "the SQL of what a reader may see of a timeline",
    "chat_service/messages/waiting": "a send that waits for its batch",
    "chat_service/messages/detail_store": "the SQL of quotes, edit history and deleted content",
    "chat_service/messages/history": "use case: what a message said before its edits",
    "chat_service/messages/life_api": "the HTTP door of history, undelete and purge",
    "chat_service/messages/removal": "use cases: delete, undelete, purge",
    "chat_service/messages/send_store": "the SQL of a batch of sends",
    "chat_service/messages/rights": "who may do what to a message that is there",
    "chat_service/messages/remains": "what remains of a message when what it said goes",
    "chat_service/messages/shadows": "messages that only their author sees, and where they stand",
    "chat_service/moderation/admission": "the question that every road which writes asks",
    "chat_service/moderation/ban_store": "the SQL of bans",
    "chat_service/moderation/banning": "use cases of bans",
    "chat_service/moderation/bans_api": "the HTTP door of bans",
    "chat_service/moderation/errors": "what moderation refuses",
    "chat_service/moderation/expiry": "the loop that tells of bans whose time is over",
    "chat_service/moderation/report_store": "the SQL of reports",
    "chat_service/moderation/reporting": "use cases of reports and their review",
    "chat_service/moderation/reports_api": "the HTTP door of reports",
    "chat_service/moderation/requests": "bodies of moderation requests",
    "chat_service/moderation/restraint_store": "the SQL of what keeps a user from writing",
    "chat_service/moderation/restraints": "what keeps a user from writing, as a value",
    "chat_service/moderation/views": "bans and reports as they are shown",
    "chat_service/messages/shelf": "what a deleted message said, sealed",
    "chat_service/messages/views": "a message as one reader sees it",
    "chat_service/messages/writer": "the batched writer",
    "chat_service/realtime/connection": "one socket: what waits to be sent",
    "chat_service/realtime/consumers": "the broker door: a queue per replica",
    "chat_service/realtime/following": "subscribe and resume without missing or repeating",
    "chat_service/realtime/guarding": "closes the sockets of revoked tokens",
    "chat_service/realtime/heartbeat": "how far everything is, told to every socket",
    "chat_service/realtime/hiding": "keeps sockets knowing whom their users have blocked",
    "chat_service/realtime/hub": "which sockets follow what, and every event to them",
    "chat_service/realtime/protocol": "the frames of a socket",
    "chat_service/realtime/session": "one client's conversation",
    "chat_service/realtime/topic": "a channel or user that somebody follows",
    "chat_service/sync/acks": "which operations a page acknowledges",
    "chat_service/sync/cursor": "a client's place in the log, as opaque text",
    "chat_service/sync/lanes": "reading the log behind a cursor",
    "chat_service/sync/op_store": "the SQL of kept operations",
    "chat_service/sync/ops": "operations that a client kept, each applied once",
    "chat_service/sync/pages": "a page as it goes out",
    "chat_service/sync/present": "what changed, as it is now",
    "chat_service/sync/requests": "bodies of sync requests",
    "chat_service/threads/list_store": "the SQL of reading threads",
    "chat_service/threads/replying": "threads of replies that are being written or taken away",
    "chat_service/threads/views": "threads as they are shown",
    "chat_service/users/block_store": "the SQL of blocks",
    "chat_service/users/blocking": "use cases of blocks",
    "chat_service/users/directory_store": "the SQL of finding users",
    "chat_service/users/mute_store": "the SQL of mutes",
    "chat_service/users/muting": "use cases of mutes",
    "chat_service/users/own_api": "the HTTP door of what is a user's own",
    "chat_service/users/requests": "bodies of user requests",
    "chat_service/workspaces/access": "find a workspace to read, or lock it to write",
    "chat_service/workspaces/invitations": "use cases of invitations",
    "chat_service/workspaces/invite_store": "the SQL of invitations",
    "chat_service/workspaces/invites_api": "the HTTP door of invitations",
    "chat_service/workspaces/members_api": "the HTTP door of a workspace's members",
    "chat_service/workspaces/membership": "use cases of a workspace's members",
    "chat_service/workspaces/requests": "bodies of workspace requests",
    "chat_service/workspaces/views": "a workspace and an invitation as they are shown",
    "chat_service/uploads/arrival": "what happens to a file when it arrives",
    "chat_service/uploads/attaching": "uploads as attachments of messages",
    "chat_service/uploads/cleanup": "remove files whose time is over",
    "chat_service/uploads/content_api": "the HTTP door of what is in files",
    "chat_service/uploads/depot": "what uploads need beside the database",
    "chat_service/uploads/form": "a form with one file, as a stream",
    "chat_service/uploads/images": "dimensions and thumbnails",
    "chat_service/uploads/intake": "a file on its way into the store",
    "chat_service/uploads/link_store": "the SQL of which messages show which files",
    "chat_service/uploads/objects": "the object store",
    "chat_service/uploads/signing": "addresses that are credentials",
    "chat_service/uploads/sniffing": "what the first bytes say",
    "chat_service/uploads/views": "an upload as it is shown",
    "chat_service/notifications/telling": "the loop that tells apps of what is unread",
    "chat_service/polls/closing": "the loop that closes polls in time",
    "chat_service/polls/views": "a poll as one caller sees it",
    "chat_service/search/index_store": "the SQL of the index",
    "chat_service/search/indexer": "keeps the index beside the log",
    "chat_service/search/views": "results as they are shown",
    "chat_service/search/words": "text cut into words, alike for index, query and marks",
    # webhook dispatcher
    "webhook_dispatcher/access": "who calls, asked of chat",
    "webhook_dispatcher/documentation": "what the OpenAPI document says beyond the routes",
    "webhook_dispatcher/housekeeping": "partitions made ahead and dropped in time",
    "webhook_dispatcher/dispatch/consumers": "the broker door: events in",
    "webhook_dispatcher/dispatch/deliver": "prepare, send, judge, record",
    "webhook_dispatcher/dispatch/endpoint_rules": "the states of an endpoint",
    "webhook_dispatcher/dispatch/endpoints": "an endpoint's share of sending",
    "webhook_dispatcher/dispatch/claim_store": "the SQL of claiming deliveries",
    "webhook_dispatcher/dispatch/expiry": "deliveries that end unsent",
    "webhook_dispatcher/dispatch/expiry_store": "the SQL of that",
    "webhook_dispatcher/dispatch/record_store": "the SQL of recording",
    "webhook_dispatcher/dispatch/session_store": "the SQL of worker sessions",
    "webhook_dispatcher/dispatch/slots": "who gets the next request of a worker",
    "webhook_dispatcher/webhooks/sending": "how a webhook is sent to, as its owner chose",
    "webhook_dispatcher/dispatch/expunge": "what chat took out of its log goes here as well",
    "webhook_dispatcher/dispatch/expunge_store": "the SQL of that",
    "webhook_dispatcher/dispatch/ladder": "the waits between attempts",
    "webhook_dispatcher/dispatch/leases": "the words of the loop: a lease, a target, an outcome",
    "webhook_dispatcher/dispatch/matching": "which webhooks get an event",
    "webhook_dispatcher/dispatch/outcome": "what a reply means",
    "webhook_dispatcher/dispatch/plan": "events to deliveries, in order",
    "webhook_dispatcher/dispatch/record": "write down what became of attempts",
    "webhook_dispatcher/dispatch/sessions": "a worker's life, seen by the others",
    "webhook_dispatcher/dispatch/worker": "claims and sends",
    # metrics, which has one domain and so no folder for it
    "metrics_service/api": "HTTP in",
    "metrics_service/consumers": "the broker door: events in",
    "metrics_service/counting": "count a batch in one transaction",
    "metrics_service/documentation": "what the OpenAPI document says beyond the routes",
    "metrics_service/exposition": "rollups as Prometheus series",
    "metrics_service/projections": "what an event adds to which series",
    "metrics_service/store": "its SQL",
}


def _names(folder: Path) -> list[str]:
    """The service's committed modules, from its package's name on; migrations are named by number."""
    start = f"{folder.relative_to(ROOT)}/"
    paths = [source.path for source in repository_files() if source.is_python]
    inside = [path.removeprefix(start).removesuffix(".py") for path in paths if path.startswith(start)]
    return [name for name in inside if "/migrations/" not in name]


def _is_usual(name: str) -> bool:
    _package, *domain, last = name.split("/")
    return last in (DOMAIN_NAMES if domain else ROOT_NAMES)


def _imports(text: str, path: str) -> set[str]:
    """The top-level packages that a module imports, wherever in it."""
    found = set()
    for node in Source(path, text).nodes:
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found - sys.stdlib_module_names


def _undeclared(imported: set[str], declared: set[str]) -> set[str]:
    """Imported packages none of whose distributions is declared."""
    providers = packages_distributions()
    return {
        name
        for name in imported
        if not {PART_OF.get(name), *map(normal_name, providers.get(name, [name]))} & declared
    }


def _project(folder: Path) -> dict[str, object]:
    project: dict[str, object] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return project


def _declared(folder: Path) -> set[str]:
    """The normalised names of what a package depends on, in one of its extras or always."""
    project = _project(folder)
    lists = [project.get("dependencies", []), *dict(project.get("optional-dependencies", {})).values()]  # type: ignore[call-overload]  # any TOML
    return {normal_name(requirement) for one in lists for requirement in one}


@pytest.mark.parametrize("folder", SERVICES, ids=lambda folder: folder.name)
def test_a_service_names_its_files_as_every_service_does(folder: Path) -> None:
    names = _names(folder)

    unknown = [name for name in names if not _is_usual(name) and name not in FURTHER_IDEAS]

    assert names
    assert not unknown, "a further idea is listed in FURTHER_IDEAS, with what it is"


def test_every_listed_idea_is_there_and_not_usual() -> None:
    present = {name for folder in SERVICES for name in _names(folder)}

    assert set(FURTHER_IDEAS) <= present
    assert not [name for name in FURTHER_IDEAS if _is_usual(name)]


@pytest.mark.parametrize(
    "name", ["chat_service/messages/more", "chat_service/store", "chat_service/messages/app"]
)
def test_an_unusual_name_is_seen(name: str) -> None:
    assert not _is_usual(name)


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.name)
def test_a_package_is_complete(folder: Path) -> None:
    [package] = [path for path in folder.iterdir() if (path / "__init__.py").exists()]

    assert package.name in OURS
    assert (package / "py.typed").exists()
    assert (folder / "README.md").read_text().startswith("# ")
    assert _project(folder)["requires-python"] == ">=3.11,<3.14"
    assert _project(folder)["license"] == "Apache-2.0"


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda folder: folder.name)
def test_a_package_declares_what_it_imports(folder: Path) -> None:
    files = [
        path for path in folder.rglob("*.py") if re.fullmatch(r"[\w/]+", str(path.relative_to(folder).parent))
    ]
    imported = {name for path in files for name in _imports(path.read_text(), str(path))}
    own = {path.name for path in folder.iterdir()}

    undeclared = _undeclared(imported - own, _declared(folder))

    assert imported
    assert not undeclared


def test_an_undeclared_import_is_seen() -> None:
    imported = _imports(
        "import os, asyncpg\ndef f():\n    from uuid_utils.compat import uuid7\n", "planted.py"
    )

    assert imported == {"asyncpg", "uuid_utils"}
    assert _undeclared(imported, {"asyncpg"}) == {"uuid_utils"}
    assert not _undeclared(imported, {"asyncpg", "uuid-utils"})
