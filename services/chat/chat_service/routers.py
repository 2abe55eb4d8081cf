"""Every public route of the service, in the order in which a request tries them."""

from __future__ import annotations

from chat_service.apps.api import router as apps_router
from chat_service.apps.own_api import router as own_app_router
from chat_service.audit.api import router as audit_router
from chat_service.auth.api import router as auth_router
from chat_service.channels.api import router as channels_router
from chat_service.channels.listing_api import router as listing_router
from chat_service.channels.members_api import router as members_router
from chat_service.collab.api import router as collab_router
from chat_service.discovery import router as discovery_router
from chat_service.erasure.api import router as erasure_router
from chat_service.exports.api import router as exports_router
from chat_service.holds.api import router as holds_router
from chat_service.hooks.api import router as hook_router
from chat_service.imports.api import router as imports_router
from chat_service.memberstate.api import router as memberstate_router
from chat_service.mentions.api import router as mentions_router
from chat_service.messages.api import router as messages_router
from chat_service.messages.life_api import router as message_life_router
from chat_service.moderation.bans_api import router as bans_router
from chat_service.moderation.reports_api import router as reports_router
from chat_service.pins.api import older_router as older_pins_router
from chat_service.pins.api import router as pins_router
from chat_service.polls.api import router as polls_router
from chat_service.presence.api import router as presence_router
from chat_service.reactions.api import router as reactions_router
from chat_service.reads.api import router as reads_router
from chat_service.realtime.api import router as realtime_router
from chat_service.review.api import router as review_router
from chat_service.review.channel_api import router as channel_review_router
from chat_service.saved.api import router as saved_router
from chat_service.screening.api import router as verdicts_router
from chat_service.search.api import router as search_router
from chat_service.sync.api import router as sync_router
from chat_service.threads.api import router as threads_router
from chat_service.typists.api import router as typists_router
from chat_service.uploads.api import router as uploads_router
from chat_service.uploads.content_api import router as content_router
from chat_service.users.api import router as users_router
from chat_service.users.own_api import router as own_user_router
from chat_service.wordlists.api import router as word_list_router
from chat_service.workspaces.api import router as workspaces_router
from chat_service.workspaces.invites_api import router as invites_router
from chat_service.workspaces.members_api import router as workspace_members_router

# Tried one after the other for every request, each with its routes: sends come first, being most calls. Before
# the messages and the users stand the routes that theirs would take for an id.
ROUTERS = (
    older_pins_router,
    messages_router,
    reactions_router,
    message_life_router,
    collab_router,
    threads_router,
    pins_router,
    saved_router,
    # Before the channels' own, whose id would take the place of `discover`.
    listing_router,
    reads_router,
    typists_router,
    presence_router,
    channels_router,
    members_router,
    memberstate_router,
    polls_router,
    mentions_router,
    bans_router,
    reports_router,
    channel_review_router,
    review_router,
    word_list_router,
    hook_router,
    verdicts_router,
    search_router,
    workspaces_router,
    workspace_members_router,
    invites_router,
    # Before the users: it knows `me` and `block`, where those take any id.
    own_user_router,
    # A user id may hold a slash: before the users as well.
    exports_router,
    erasure_router,
    users_router,
    content_router,
    uploads_router,
    auth_router,
    own_app_router,
    apps_router,
    holds_router,
    imports_router,
    audit_router,
    sync_router,
    realtime_router,
    discovery_router,
)
