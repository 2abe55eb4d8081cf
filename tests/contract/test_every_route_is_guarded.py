"""Every public route of chat, with no credential, a bad one, an expired one, a plain user's, a limited one, a stranger's.

The routes come from the composed application: a new one fails here until ROUTES says who may call it, with which
scope, why, and what another tenant's ids lead to.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from uuid import UUID

import httpx2
import jwt
import orjson
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from chat_service import app as chat_app
from chat_service.apps.api import require_operator
from chat_service.auth.credentials import Guard
from chatsdk_contracts.scopes import SCOPES, Scope
from chatsdk_runtime.encryption import Sealed
from chatsdk_runtime.logging import LogLevel
from tests.contract import chat_routes
from tests.contract.chat_routes import ON_BEHALF, ROUTES, By
from tests.integration.chat_service.calling import ADMIN, Caller, Chat, Tenant, error_code, running_doors
from tests.integration.chat_service.channel_rows import running_writer

GUARDED = [route for route, door in ROUTES.items() if door.by != "anybody"]
SCOPED = [route for route, door in ROUTES.items() if door.scope is not None]
OF_SERVERS = [route for route, door in ROUTES.items() if door.by in {"server", "operator"}]
OF_USERS = [route for route, door in ROUTES.items() if door.by == "user"]
WITH_IDS = [route for route, door in ROUTES.items() if door.foreign is not None]


@dataclass
class Walk:
    """The composed application over a database with two tenants; `ids` are the other one's."""

    app: FastAPI
    client: httpx2.AsyncClient
    tenant: Tenant
    ann: Caller
    far: Caller
    expired: str
    ids: dict[str, str]

    async def call(self, route: tuple[str, str], headers: dict[str, str], **extra: str) -> httpx2.Response:
        """The route with the other tenant's ids, whatever it is asked for."""
        method, path = route[0], f"{route[1]}?{ROUTES[route].query}"
        for name, value in self.ids.items():
            path = path.replace(f"{{{name}_id}}", value).replace(f"{{{name}}}", value)
        path = path.replace("{user_id:path}", self.ids["user"])
        body, text = ROUTES[route].body, None
        if body is not None:
            text = orjson.dumps({**body, **extra}).decode().replace("{user}", self.ids["user"])
        return await self.client.request(
            method,
            path,
            content=text,
            headers={"Content-Type": "application/json", **headers},
        )

    @property
    def server(self) -> dict[str, str]:
        return {"X-API-Key": self.tenant.key}

    @property
    def user(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.ann.token}"}


@pytest.fixture(scope="module")
async def walk(chat_database: str) -> AsyncIterator[Walk]:
    async with AsyncExitStack() as stack:
        doors = await stack.enter_async_context(running_doors(chat_database))
        writer = await stack.enter_async_context(running_writer(chat_database))
        composed = await chat_app.compose(
            doors.resources.settings.model_copy(update={"environment": "production"}), LogLevel("info"), stack
        )
        app = composed.public
        app.state.resources = replace(doors.resources, writer=writer)
        client = await stack.enter_async_context(
            httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://chat")
        )
        tenant, other = await doors.new_tenant("ours"), await doors.new_tenant("theirs")
        ann, far = await tenant.user("ann"), await other.user("far")
        ids = {"app": other.id, "user": "far", "channel": (await far.channel(type="public"))["id"]}
        sent = await client.post(
            f"/api/channels/{ids['channel']}/messages",
            content=b'{"text": "hidden"}',
            headers={"Authorization": f"Bearer {far.token}", "Content-Type": "application/json"},
        )
        ids["message"] = sent.json()["id"]
        made = await other.server("POST", "/api/workspaces", {"name": "theirs", "createdById": "far"})
        ids["workspace"] = made.json()["id"]
        invited = await other.server(
            "POST", f"/api/workspaces/{ids['workspace']}/invites", {"emails": ["far@example.com"]}
        )
        [invite] = invited.json()["invites"]
        ids |= {"invite": invite["id"], "token": invite["token"]}
        announced = await other.server(
            "POST",
            "/api/uploads/presigned",
            {"userId": "far", "filename": "x.png", "contentType": "image/png", "size": 1},
        )
        ids["upload"] = announced.json()["id"]
        poll = await far.call("POST", f"/api/channels/{ids['channel']}/polls", chat_routes.POLL)
        ids["poll"] = poll.json()["id"]
        ids |= await lifecycle_of(other)
        finn = await other.user("finn")
        await finn.call("POST", f"/api/channels/{ids['channel']}/join")
        reported = await finn.call("POST", f"/api/moderation/{ids['message']}/report", {"reason": "spam"})
        ids["report"] = reported.json()["id"]
        entry = await other.server("POST", f"{chat_routes.WORD_LIST}/entries", chat_routes.ENTRY)
        ids["entry"] = entry.json()["id"]
        ids["key"] = (await other.server("GET", "/api/app/keys")).json()["keys"][0]["id"]
        yield Walk(app, client, tenant, ann, far, await expired_token(doors, tenant, ann), ids)


async def lifecycle_of(tenant: Tenant) -> dict[str, str]:
    """A hold, and jobs of each kind that nobody does."""
    await tenant.user("lost")
    asked = {
        "hold": await tenant.server("POST", "/api/legal-holds", {"userId": "far"}),
        "erasure": await tenant.server("POST", "/api/users/lost/erase", {}),
        "export": await tenant.server("POST", "/api/users/far/export"),
        "import": await tenant.server("POST", "/api/import", b"{}"),
    }
    return {name: answer.json()["id"] for name, answer in asked.items()}


async def expired_token(chat: Chat, tenant: Tenant, user: Caller) -> str:
    """The user's token as it will be one day."""
    [row] = await chat.sql("select token_secret_key_id, token_secret from app where id = $1", UUID(tenant.id))
    sealed = Sealed(row["token_secret_key_id"], row["token_secret"])
    secret = chat.resources.keyring.open(sealed, table="app", column="token_secret", row=tenant.id)
    claims = jwt.decode(user.token, options={"verify_signature": False})
    return jwt.encode({**claims, "exp": int(time.time()) - 1}, secret, algorithm="HS256")


def guards_of(app: FastAPI) -> dict[tuple[str, str], tuple[By, Scope | None]]:
    """Each public route, and what it says of its callers."""
    found: dict[tuple[str, str], tuple[By, Scope | None]] = {}
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        path = str(getattr(route, "path", route))
        calls = [one.call for one in route.dependant.dependencies] if isinstance(route, APIRoute) else []
        guards = [(one.by, one.scope) for one in calls if isinstance(one, Guard)]
        declared: tuple[By, Scope | None] = ("operator" if require_operator in calls else "anybody", None)
        assert len(guards) <= 1, path
        for method in getattr(route, "methods", None) or {"WEBSOCKET"}:
            if method != "HEAD":
                found[method, path] = guards[0] if guards else declared
    return found


async def test_every_route_is_classified_and_declares_just_that(walk: Walk) -> None:
    assert guards_of(walk.app) == {route: (door.by, door.scope) for route, door in ROUTES.items()}


def test_who_needs_a_credential_needs_a_scope_and_every_entry_says_why() -> None:
    assert {ROUTES[route].by for route in set(GUARDED) - set(SCOPED)} == {"operator"}
    assert all(door.reason for door in ROUTES.values())
    assert all(ROUTES[route].foreign for route in GUARDED if "_id" in route[1] and route in SCOPED)


async def test_a_route_without_a_guard_is_seen(walk: Walk) -> None:
    planted = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    planted.add_api_route("/open", lambda: None, methods=["GET"])
    assert guards_of(planted) == {("GET", "/open"): ("anybody", None)}


@pytest.mark.parametrize("route", GUARDED, ids=" ".join)
async def test_nobody_is_let_in_without_a_valid_credential(walk: Walk, route: tuple[str, str]) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": "Basic eDp4"},
        {"Authorization": f"Bearer {walk.expired}"},
        {"Authorization": f"Bearer {walk.tenant.key}"},
        {"X-API-Key": "x"},
        {"X-API-Key": walk.ann.token},
        {"X-API-Key": "chatsdk_" + "0" * 40},
    ):
        answer = await walk.call(route, headers)
        assert (answer.status_code, error_code(answer)) == (401, "unauthorized"), answer.text


@pytest.mark.parametrize("route", OF_SERVERS, ids=" ".join)
async def test_a_plain_user_manages_nothing(walk: Walk, route: tuple[str, str]) -> None:
    # An operator is somebody else altogether: there, a user's token is no credential.
    expected = 401 if ROUTES[route].by == "operator" else 403
    assert (await walk.call(route, walk.user)).status_code == expected


@pytest.mark.parametrize("route", [one for one in OF_SERVERS if ROUTES[one].by == "operator"], ids=" ".join)
async def test_an_apps_key_is_no_operator(walk: Walk, route: tuple[str, str]) -> None:
    assert (await walk.call(route, walk.server)).status_code == 401


@pytest.mark.parametrize("route", SCOPED, ids=" ".join)
async def test_the_operators_token_is_no_credential_of_an_app(walk: Walk, route: tuple[str, str]) -> None:
    assert (await walk.call(route, ADMIN)).status_code == 401


@pytest.mark.parametrize("route", OF_USERS, ids=" ".join)
async def test_a_server_does_not_do_what_is_a_users_own(walk: Walk, route: tuple[str, str]) -> None:
    assert (await walk.call(route, walk.server)).status_code == 403


@pytest.mark.parametrize("route", SCOPED, ids=" ".join)
async def test_a_limited_credential_is_told_which_scope_it_lacks(walk: Walk, route: tuple[str, str]) -> None:
    door = ROUTES[route]
    limited = []
    if door.by != "user":
        others = [scope for scope in SCOPES if scope != door.scope]
        limited.append({"X-API-Key": (await walk.tenant.limited(*others)).key})
    if door.by != "server":
        other = "upload:write" if door.scope == "typing:write" else "typing:write"
        limited.append({"Authorization": f"Bearer {(await walk.tenant.token('ann', scopes=[other])).token}"})
    for headers in limited:
        answer = await walk.call(route, headers)
        assert (answer.status_code, error_code(answer)) == (403, "scope_missing")
        assert str(door.scope) in answer.json()["error"]["hint"]


@pytest.mark.parametrize("route", WITH_IDS, ids=" ".join)
async def test_what_another_tenant_has_does_not_exist(walk: Walk, route: tuple[str, str]) -> None:
    door = ROUTES[route]
    answers = []
    if door.by != "user":
        answers.append(await walk.call(route, walk.server, **ON_BEHALF.get(route, {})))
    if door.by != "server":
        answers.append(await walk.call(route, walk.user))
    for answer in answers:
        assert answer.status_code == door.foreign, answer.text
        assert "hidden" not in answer.text


async def test_the_other_tenant_has_lost_nothing_by_all_this(walk: Walk) -> None:
    keys = await walk.client.get(f"/admin/apps/{walk.ids['app']}/keys", headers=ADMIN)
    assert [key["revokedAt"] for key in keys.json()["keys"]] == [None]
    path = f"/api/channels/{walk.ids['channel']}/messages/{walk.ids['message']}"
    read = await walk.client.get(path, headers={"Authorization": f"Bearer {walk.far.token}"})
    assert (read.status_code, read.json()["text"]) == (200, "hidden")
