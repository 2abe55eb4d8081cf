"""Workspaces as tests make them, fill them and follow them."""

from typing import Any

from tests.integration.chat_service.calling import Caller, Tenant


async def a_workspace(owner: Caller, **fields: Any) -> dict[str, Any]:
    response = await owner.call("POST", "/api/workspaces", {"name": "W", **fields})
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def add(owner: Caller, workspace_id: str, *user_ids: str, role: str = "member") -> None:
    path = f"/api/workspaces/{workspace_id}/members"
    response = await owner.call("POST", path, {"userIds": list(user_ids), "role": role})
    assert response.status_code == 200, response.text


async def invited(owner: Caller, workspace_id: str, **fields: Any) -> list[dict[str, Any]]:
    response = await owner.call("POST", f"/api/workspaces/{workspace_id}/invites", fields)
    assert response.status_code == 201, response.text
    invites: list[dict[str, Any]] = response.json()["invites"]
    return invites


async def history(tenant: Tenant, workspace_id: str) -> list[tuple[str, str]]:
    events = await tenant.events(f"workspaces/{workspace_id}")
    return [(event["type"], event["sequence"]) for event in events]
