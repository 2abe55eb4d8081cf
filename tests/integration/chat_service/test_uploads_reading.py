"""Files go out: whole, in parts, by link, listed; to whom they were shown, and to nobody else; and are deleted."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chat_service.uploads.signing import signed_query
from chatsdk_contracts.ids import UploadId, new_id
from tests.integration.chat_service.calling import Caller, Chat, Tenant, error_code
from tests.integration.chat_service.uploading import (
    PDF,
    File,
    a_picture,
    credential,
    paths,
    presigned,
    read,
    upload,
    uploaded,
)

HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"


@pytest.mark.parametrize(
    ("asked", "status", "part"),
    [
        ("bytes=0-3", 206, (0, 4)),
        ("bytes=5-", 206, (5, 209)),
        ("bytes=-4", 206, (205, 209)),
        ("bytes=0-99999", 206, (0, 209)),
        ("bytes=0-1,4-5", 200, (0, 209)),
        ("lines=0-1", 200, (0, 209)),
        ("bytes=209-", 416, (0, 0)),
        ("bytes=-0", 416, (0, 0)),
    ],
)
async def test_a_part_is_served_by_range(
    tenant: Tenant, asked: str, status: int, part: tuple[int, int]
) -> None:
    ann = await tenant.user("ann")
    made = await uploaded(ann, File(PDF))

    response = await read(ann, made["id"], Range=asked)

    assert (response.status_code, response.content) == (status, PDF[slice(*part)])
    if status == 206:
        assert response.headers["content-range"] == f"bytes {part[0]}-{part[1] - 1}/209"
    if status == 416:
        assert response.headers["content-range"] == "bytes */209"


async def test_a_known_file_is_not_sent_again_and_a_head_is_the_answer_without_its_body(
    tenant: Tenant,
) -> None:
    ann = await tenant.user("ann")
    made = await uploaded(ann, File(PDF))
    whole = await read(ann, made["id"])
    tag = whole.headers["etag"]

    known = await read(ann, made["id"], If_None_Match=f'"x", W/{tag}')
    stale = await read(ann, made["id"], If_Range='"x"', Range="bytes=0-3")
    same = await read(ann, made["id"], If_Range=tag, Range="bytes=0-3")
    head = await ann.chat.client.head(made["url"], headers=credential(ann))

    assert (known.status_code, known.content) == (304, b"")
    assert (stale.status_code, same.status_code) == (200, 206)
    assert (head.status_code, head.content) == (200, b"")
    ours = {"content-length", "content-type", "etag", "content-disposition", "accept-ranges"}
    assert {name: head.headers[name] for name in ours} == {name: whole.headers[name] for name in ours}


async def test_an_empty_file_is_a_file(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    made = await uploaded(ann, File(b"", "empty.txt", "text/plain"))

    response = await read(ann, made["id"])

    assert (made["size"], response.status_code, response.content) == (0, 200, b"")


async def test_who_may_read_a_file(tenant: Tenant) -> None:
    ann, bob, eve = await tenant.users("ann", "bob", "eve")
    channel = await ann.channel(type="group", name="room", memberIds=["bob"])
    alone = await uploaded(ann, File(PDF))
    shared = await uploaded(ann, File(PDF, fields={"channelId": channel["id"]}))

    async def readers(made: dict[str, Any]) -> list[int]:
        return [(await read(who, made["id"])).status_code for who in (ann, bob, eve, tenant)]

    assert await readers(alone) == [200, 404, 404, 200]
    assert await readers(shared) == [200, 200, 404, 200]
    await ann.call("DELETE", f"/api/channels/{channel['id']}/members/bob")
    assert await readers(shared) == [200, 404, 404, 200]


async def test_a_link_needs_no_header_and_opens_one_file_for_a_while(chat: Chat, tenant: Tenant) -> None:
    ann, eve = await tenant.users("ann", "eve")
    made, other = await uploaded(ann, File(a_picture(), "p.png", "image/png")), await uploaded(ann, File(PDF))

    link = (await ann.call("POST", f"/api/uploads/{made['id']}/link", {"expiresInS": 60})).json()
    opened = await chat.client.get(link["url"])
    small = await chat.client.get(link["thumbnailUrl"])
    elsewhere = await chat.client.get(link["url"].replace(made["id"], other["id"]))
    past = signed_query(
        chat.resources.keyring, "read", UploadId(made["id"]), datetime.now(UTC) - timedelta(seconds=1)
    )
    over = await chat.client.get(f"{made['url']}?{past}")

    assert (opened.status_code, small.status_code) == (200, 200)
    assert (elsewhere.status_code, over.status_code) == (403, 403)
    assert error_code(over) == "link_invalid"
    assert (await eve.call("POST", f"/api/uploads/{made['id']}/link")).status_code == 404
    assert (await ann.call("POST", f"/api/uploads/{made['id']}/link", {"expiresInS": 1})).status_code == 422
    await ann.call("DELETE", f"/api/uploads/{made['id']}")
    assert (await chat.client.get(link["url"])).status_code == 404


async def test_a_channels_files_are_listed_newest_first_by_kind_and_page(tenant: Tenant) -> None:
    ann, bob, eve = await tenant.users("ann", "bob", "eve")
    channel = (await ann.channel(type="group", name="room", memberIds=["bob"]))["id"]
    here = {"channelId": channel}
    files = [(await uploaded(ann, File(PDF, fields=here)))["id"] for _ in range(3)]
    image = (await uploaded(ann, File(a_picture(), "p.png", "image/png", here)))["id"]
    await uploaded(ann, File(PDF))
    await presigned(ann, PDF, channelId=channel)

    async def listed(query: str = "") -> dict[str, Any]:
        page: dict[str, Any] = (await bob.call("GET", f"/api/channels/{channel}/uploads{query}")).json()
        return page

    assert [one["id"] for one in (await listed())["uploads"]] == [image, *reversed(files)]
    assert [one["id"] for one in (await listed("?type=image"))["uploads"]] == [image]
    assert (await listed("?type=video"))["uploads"] == []
    first = await listed("?type=file&limit=2")
    rest = await listed(f"?type=file&limit=2&cursor={first['nextCursor']}")
    assert [one["id"] for one in [*first["uploads"], *rest["uploads"]]] == [*reversed(files)]
    assert (first["hasMore"], rest["hasMore"], rest["nextCursor"]) == (True, False, None)
    assert (await eve.call("GET", f"/api/channels/{channel}/uploads")).status_code == 403
    assert (await bob.call("GET", f"/api/channels/{channel}/uploads?cursor=x")).status_code == 400
    assert (await bob.call("GET", f"/api/channels/{channel}/uploads?type=x")).status_code == 422


async def test_files_of_messages_that_nobody_is_shown_are_not_listed(chat: Chat, tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    entry = {"phrase": "hold", "action": "hold"}
    await tenant.server("POST", "/api/moderation/word-list/entries", entry)
    room = f"/api/channels/{(await ann.channel(type='group', name='room', memberIds=['bob']))['id']}"
    earlier, held, later = [(await uploaded(ann, File(PDF)))["id"] for _ in range(3)]

    async def send(text: str, upload_id: str) -> int | None:
        shown = {"type": "file", "url": "x:y", "uploadId": upload_id}
        sent = await ann.call("POST", f"{room}/messages", {"text": text, "attachments": [shown]})
        assert sent.status_code == 201, sent.text
        seq: int | None = sent.json()["seq"]
        return seq

    async def listed() -> list[str]:
        return [one["id"] for one in (await bob.call("GET", f"{room}/uploads")).json()["uploads"]]

    seq = await send("see this", earlier)
    assert await send("hold this", held) is None
    await send("see that", later)
    assert await listed() == [later, earlier], "what waits for a moderator is its author's alone"
    assert (await ann.call("POST", f"{room}/truncate", {"beforeSeq": seq})).status_code == 200
    assert await listed() == [later]


async def test_a_channel_without_uploads_takes_none(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    made = await uploaded(ann, File(PDF))
    channel = (await ann.channel(type="group", name="room", config={"uploads": False}))["id"]
    shown = {"type": "file", "url": "x:y", "uploadId": made["id"]}
    announced = {"filename": "a.pdf", "contentType": "application/pdf", "size": 1, "channelId": channel}

    for refused in (
        await upload(ann, File(PDF, fields={"channelId": channel})),
        await ann.call("POST", "/api/uploads/presigned", announced),
        await ann.call("POST", f"/api/channels/{channel}/messages", {"attachments": [shown]}),
    ):
        assert (refused.status_code, error_code(refused)) == (403, "uploads_off")
    linked = {"attachments": [{"type": "image", "url": "https://example.org/a.png"}]}
    assert (await ann.call("POST", f"/api/channels/{channel}/messages", linked)).status_code == 201


async def test_who_may_delete_a_file(chat: Chat, tenant: Tenant) -> None:
    ann, bob, mod, eve = await tenant.users("ann", "bob", "mod", "eve")
    channel = (await mod.channel(type="group", name="room", memberIds=["ann", "bob"]))["id"]

    async def delete(who: Caller | Tenant) -> tuple[int, str]:
        made = await uploaded(ann, File(PDF, fields={"channelId": channel}))
        call = who.server if isinstance(who, Tenant) else who.call
        response = await call("DELETE", f"/api/uploads/{made['id']}")
        if response.status_code == 200:
            assert (await read(ann, made["id"])).status_code == 404
            assert (await call("DELETE", f"/api/uploads/{made['id']}")).status_code == 404
            assert not [path for path in await paths(chat) if made["id"] in path]
            assert await chat.sql("select from upload where id = $1", made["id"]) == []
            return 200, ""
        return response.status_code, error_code(response)

    assert await delete(ann) == (200, "")
    assert await delete(mod) == (200, "")
    assert await delete(tenant) == (200, "")
    assert await delete(bob) == (403, "role_too_low")
    assert await delete(eve) == (404, "upload_not_found")


ROUTES: list[tuple[str, str, object]] = [
    ("GET", "/api/uploads/{id}", None),
    ("GET", "/api/uploads/{id}/content", None),
    ("GET", "/api/uploads/{id}/thumbnail", None),
    ("POST", "/api/uploads/{id}/link", {}),
    ("POST", "/api/uploads/{id}/confirm", None),
    ("DELETE", "/api/uploads/{id}", None),
]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
async def test_another_apps_file_does_not_exist(
    chat: Chat, tenant: Tenant, method: str, path: str, body: object
) -> None:
    ann = await tenant.user("ann")
    made = await uploaded(ann, File(a_picture(), "p.png", "image/png"))
    theirs = await chat.new_tenant("theirs")
    namesake = await theirs.user("ann")

    for upload_id in (made["id"], new_id(), "nothing"):
        for call in (theirs.server, namesake.call):
            response = await call(method, path.format(id=upload_id), body)
            assert (response.status_code, error_code(response)) == (404, "upload_not_found")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        *ROUTES,
        ("POST", "/api/uploads/direct", b""),
        ("POST", "/api/uploads/presigned", {"filename": "a", "contentType": "a/b", "size": 1}),
        ("GET", "/api/channels/{id}/uploads", None),
    ],
)
async def test_nobody_is_let_in_without_a_credential(
    chat: Chat, method: str, path: str, body: object
) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"X-API-Key": "x"}):
        response = await chat.call(method, path.format(id=new_id()), body, headers=headers)
        assert response.status_code == 401, response.text
