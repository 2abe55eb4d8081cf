"""Calls about uploads, and files to be uploaded."""

import io
from dataclasses import dataclass, field
from typing import Any

import httpx2
import obstore
from PIL import Image

from tests.integration.chat_service.calling import Caller, Chat, Tenant

PDF = b"%PDF-1.7\n" + b"x" * 200
EXE = b"MZ\x90\x00" + b"\0" * 200


def a_picture(width: int = 800, height: int = 400, form: str = "PNG", **options: Any) -> bytes:
    """A picture with something in it."""
    made = io.BytesIO()
    Image.effect_noise((width, height), 40).convert("RGB").save(made, form, **options)
    return made.getvalue()


@dataclass
class File:
    """What is sent in a form."""

    content: bytes
    name: str = "report.pdf"
    type: str | None = "application/pdf"
    fields: dict[str, str] = field(default_factory=dict)


def credential(who: Caller | Tenant) -> dict[str, str]:
    if isinstance(who, Tenant):
        return {"X-API-Key": who.key}
    return {"Authorization": f"Bearer {who.token}"}


async def upload(who: Caller | Tenant, file: File, **headers: str) -> httpx2.Response:
    """POST the file in a form."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await who.chat.client.post(
        "/api/uploads/direct",
        files={"file": (file.name, file.content, file.type)},
        data=file.fields,
        headers={**credential(who), **named},
    )


async def uploaded(who: Caller | Tenant, file: File) -> dict[str, Any]:
    """The same, and it must succeed."""
    response = await upload(who, file)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def presigned(who: Caller, content: bytes, **fields: Any) -> dict[str, Any]:
    """Announce a file of this length."""
    asked = {
        "filename": "report.pdf",
        "contentType": "application/pdf",
        "size": len(content),
        **fields,
    }
    response = await who.call("POST", "/api/uploads/presigned", asked)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


async def written(who: Caller, content: bytes, **fields: Any) -> str:
    """Announce a file and write it to its address; returns the upload's id."""
    announced = await presigned(who, content, **fields)
    response = await who.chat.client.request(
        announced["method"], announced["uploadUrl"], content=content, headers=announced["headers"]
    )
    assert response.status_code in {200, 204}, response.text
    upload_id: str = announced["id"]
    return upload_id


async def paths(chat: Chat) -> list[str]:
    """What the object store holds, by path."""
    store = chat.resources.depot.objects._store
    return sorted([one["path"] async for batch in obstore.list(store) for one in batch])


async def read(
    who: Caller | Tenant, upload_id: str, part: str = "content", **headers: str
) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await who.chat.client.get(f"/api/uploads/{upload_id}/{part}", headers={**credential(who), **named})
