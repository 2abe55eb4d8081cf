"""Files come in through their doors: in a form, or announced, written and confirmed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from chat_service.uploads.signing import signed_query
from chatsdk_contracts.catalogue import parse_event
from chatsdk_contracts.ids import UploadId, new_id
from tests.integration.chat_service.calling import Chat, Tenant, error_code, problems
from tests.integration.chat_service.uploading import (
    EXE,
    PDF,
    File,
    a_picture,
    credential,
    paths,
    presigned,
    read,
    upload,
    uploaded,
    written,
)

HTML = b"<!DOCTYPE html><html><script>alert(1)</script></html>"


async def test_a_file_in_a_form_is_stored_told_and_read_back(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    made = await uploaded(ann, File(PDF))

    content = await read(ann, made["id"])

    assert made["url"] == f"/api/uploads/{made['id']}/content"
    assert (made["userId"], made["filename"], made["contentType"], made["size"]) == (
        "ann",
        "report.pdf",
        "application/pdf",
        len(PDF),
    )
    assert made["completedAt"] is not None
    assert (content.status_code, content.content) == (200, PDF)
    [event] = await tenant.events(f"uploads/{made['id']}")
    assert parse_event(content_of(event)).type == "upload.completed"
    assert (event["sequence"], event["actorid"], event["data"]) == ("1", "ann", made)


def content_of(event: dict[str, Any]) -> bytes:
    return orjson.dumps(event)


async def test_a_picture_has_its_size_and_a_thumbnail(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    made = await uploaded(ann, File(a_picture(800, 400), "p.png", "image/png"))

    thumbnail = await read(ann, made["id"], "thumbnail")

    assert (made["width"], made["height"]) == (800, 400)
    assert made["thumbnailUrl"] == f"/api/uploads/{made['id']}/thumbnail"
    assert (thumbnail.status_code, thumbnail.headers["content-type"]) == (200, "image/webp")


async def test_a_broken_picture_is_kept_without_a_thumbnail(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    made = await uploaded(ann, File(a_picture()[:2_000], "p.png", "image/png"))

    assert made["thumbnailUrl"] is None
    assert (await read(ann, made["id"], "thumbnail")).status_code == 404
    assert (await read(ann, made["id"])).status_code == 200


@pytest.mark.parametrize("kind", ["image", "video", "file"])
async def test_a_file_over_the_limit_of_its_kind_is_refused_while_it_arrives(
    chat: Chat, tenant: Tenant, kind: str
) -> None:
    ann = await tenant.user("ann")
    limits = {"image": 5_000, "video": 6_000, "file": 7_000}
    small = dict(chat.resources.depot.limits)
    before = await paths(chat)
    chat.resources.depot.limits.update(limits)  # type: ignore[attr-defined]  # the very dictionary, for a moment
    try:
        starts = {"image": a_picture()[:4_000], "video": MP4, "file": PDF}
        types = {"image": "image/png", "video": "video/mp4", "file": "application/pdf"}
        length = limits[kind]
        fits = await upload(ann, File(starts[kind].ljust(length, b"x"), "f", types[kind]))
        over = await upload(ann, File(starts[kind].ljust(length + 1, b"x"), "f", types[kind]))
        announced = await ann.call(
            "POST",
            "/api/uploads/presigned",
            {"filename": "f", "contentType": types[kind], "size": length + 1},
        )
    finally:
        chat.resources.depot.limits.update(small)  # type: ignore[attr-defined]  # the same

    assert fits.status_code == 201, fits.text
    for refused in (over, announced):
        assert (refused.status_code, error_code(refused)) == (413, "file_too_large")
    assert len(await paths(chat)) == len(before) + 1
    assert (
        await chat.sql(
            "select from upload where user_id = 'ann' and app_id = $1 and state <> 'complete'", tenant.id
        )
        == []
    )


MP4 = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + b"\0" * 100


async def test_a_form_larger_than_any_file_is_refused_by_its_length_alone(tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    response = await ann.call("POST", "/api/uploads/direct", b"", Content_Length=str(2**31))

    assert (response.status_code, error_code(response)) == (413, "payload_too_large")


@pytest.mark.parametrize(
    ("name", "declared", "content"),
    [
        ("photo.png", "image/png", HTML),
        ("photo.png", "image/png", b"nothing that is known"),
        ("photo.png", "image/png", EXE),
        ("film.mp4", "video/mp4", HTML),
        ("report.pdf", "application/pdf", EXE),
        ("notes.txt", "text/plain", b"#!/bin/sh\nrm -rf ~"),
    ],
)
async def test_what_is_not_what_it_claims_is_refused_and_not_kept(
    chat: Chat, tenant: Tenant, name: str, declared: str, content: bytes
) -> None:
    ann = await tenant.user("ann")
    before = await paths(chat)

    response = await upload(ann, File(content, name, declared))

    assert (response.status_code, error_code(response)) == (415, "content_mismatch")
    assert await paths(chat) == before


@pytest.mark.parametrize(
    ("name", "declared", "content"),
    [
        ("a.html", "text/html", HTML),
        ("a.svg", "image/svg+xml", b'<svg xmlns="http://www.w3.org/2000/svg"/>'),
        ("a.js", "text/javascript", b"alert(1)"),
        ("a.exe", "application/octet-stream", EXE),
        ("report.pdf", "application/pdf", PDF),
    ],
)
async def test_what_could_run_in_a_browser_is_only_ever_a_download(
    tenant: Tenant, name: str, declared: str, content: bytes
) -> None:
    ann = await tenant.user("ann")
    made = await uploaded(ann, File(content, name, declared))

    response = await read(ann, made["id"])

    assert response.headers["content-disposition"] == f"attachment; filename*=UTF-8''{name}"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"].startswith("sandbox")


async def test_a_hostile_name_is_made_harmless(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    made = await uploaded(ann, File(PDF, "../../etc/pass\u202ewd.pdf"))

    assert made["filename"] == "passwd.pdf"
    assert not [path for path in await paths(chat) if ".." in path or "pass" in path]


async def test_the_same_form_with_the_same_key_is_one_upload_also_at_once(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    before = await paths(chat)

    answers = await asyncio.gather(*(upload(ann, File(PDF), Idempotency_Key="k") for _ in range(4)))
    other = await upload(ann, File(PDF + b"more"), Idempotency_Key="k")

    assert [answer.status_code for answer in answers] == [201] * 4
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sorted(answer.headers.get("idempotent-replayed", "") for answer in answers) == ["", *["true"] * 3]
    assert (other.status_code, error_code(other)) == (422, "idempotency_mismatch")
    assert len(await paths(chat)) == len(before) + 1
    assert [
        row["state"] for row in await chat.sql("select state from upload where app_id = $1", tenant.id)
    ] == ["complete"]


async def test_a_channel_may_be_named_before_and_behind_the_file(tenant: Tenant) -> None:
    ann, bob = await tenant.users("ann", "bob")
    channel = (await ann.channel(type="group", name="room"))["id"]
    field = f'--b\r\nContent-Disposition: form-data; name="channelId"\r\n\r\n{channel}\r\n'.encode()
    file = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n' + PDF + b"\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b"}

    for body in (field + file, file + field):
        for who, status in ((ann, 201), (bob, 403)):
            response = await who.chat.client.post(
                "/api/uploads/direct", content=body + b"--b--\r\n", headers={**credential(who), **headers}
            )
            assert response.status_code == status, response.text
            if status == 201:
                assert response.json()["channelId"] == channel


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{}", "application/json", 415),
        (b"--b--\r\n", "multipart/form-data; boundary=b", 422),
        (b"no form at all", "multipart/form-data; boundary=b", 400),
        (b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\ntext\r\n--b--\r\n', "multipart/form-data; boundary=b", 422),
        (b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc', "multipart/form-data; boundary=b", 400),
        (b'--b\r\nContent-Disposition: form-data; name="other"; filename="a"\r\n\r\nabc\r\n--b--\r\n', "multipart/form-data; boundary=b", 422),
        (b"", "multipart/form-data", 415),
        (b'--b\r\nContent-Disposition: form-data; name="colour"\r\n\r\nred\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc\r\n--b--\r\n', "multipart/form-data; boundary=b", 422),
    ],
)  # fmt: skip
async def test_a_form_that_is_none_is_refused(
    chat: Chat, tenant: Tenant, body: bytes, kind: str, status: int
) -> None:
    ann = await tenant.user("ann")
    before = await paths(chat)

    response = await ann.call("POST", "/api/uploads/direct", body, Content_Type=kind)

    assert response.status_code == status, response.text
    assert await paths(chat) == before


async def test_a_server_names_whose_file_it_is(tenant: Tenant) -> None:
    ann = await tenant.user("ann")

    made = await uploaded(tenant, File(PDF, fields={"userId": "ann"}))
    nobody, unknown = await upload(tenant, File(PDF)), await upload(tenant, File(PDF, fields={"userId": "x"}))
    as_other = await upload(ann, File(PDF, fields={"userId": "bob"}))

    assert (await read(ann, made["id"])).status_code == 200
    assert problems(nobody) == {"userId": "missing"}
    assert problems(unknown) == {"userId": "unknown_user"}
    assert as_other.status_code == 403


async def test_a_presigned_file_is_written_confirmed_once_and_told_once(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    upload_id = await written(ann, a_picture(), filename="p.png", contentType="image/png")
    before = await read(ann, upload_id)

    answers = await asyncio.gather(
        *(ann.call("POST", f"/api/uploads/{upload_id}/confirm") for _ in range(4)),
    )
    late = await ann.call("POST", f"/api/uploads/{upload_id}/confirm")

    assert before.status_code == 404
    assert [answer.status_code for answer in (*answers, late)] == [200] * 5, answers[0].text
    assert len({answer.content for answer in (*answers, late)}) == 1
    assert late.json()["width"] == 800
    [event] = await tenant.events(f"uploads/{upload_id}")
    assert event["data"] == late.json()
    # What the attempts that came second had copied is gone, and so is what was written to.
    assert len([path for path in await paths(chat) if upload_id in path]) == 2


@pytest.mark.parametrize(
    ("content", "announced"),
    [
        (PDF, {"size": len(PDF) + 1}),
        (HTML, {"contentType": "image/png"}),
        (EXE, {}),
    ],
)
async def test_what_was_not_announced_is_not_confirmed_and_may_be_written_again(
    tenant: Tenant, content: bytes, announced: dict[str, Any]
) -> None:
    ann = await tenant.user("ann")
    made = await presigned(ann, content, **announced)
    nothing = await ann.call("POST", f"/api/uploads/{made['id']}/confirm")
    await ann.chat.client.put(made["uploadUrl"], content=content)

    refused = await ann.call("POST", f"/api/uploads/{made['id']}/confirm")

    for response in (nothing, refused):
        assert (response.status_code, error_code(response)) == (400, "upload_metadata_mismatch")
    assert await tenant.events(f"uploads/{made['id']}") == []


async def test_a_written_file_cannot_be_exchanged_after_its_confirmation(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    made = await presigned(ann, PDF)
    await chat.client.put(made["uploadUrl"], content=PDF)
    await ann.call("POST", f"/api/uploads/{made['id']}/confirm")

    again = await chat.client.put(made["uploadUrl"], content=PDF[::-1])

    assert (again.status_code, error_code(again)) == (403, "link_invalid")
    assert (await read(ann, made["id"])).content == PDF


async def test_an_address_takes_no_more_than_was_announced_and_nothing_when_it_was_changed(
    chat: Chat, tenant: Tenant
) -> None:
    ann = await tenant.user("ann")
    made, other = await presigned(ann, PDF), await presigned(ann, PDF)
    url = made["uploadUrl"]

    over = await chat.client.put(url, content=PDF + b"x")
    changed = [
        url.replace("signature=", "signature=0"),
        url.replace("expires=", "expires=9"),
        url.replace("expires=", "expires=x"),
        url.split("?")[0],
        url.replace(made["id"], other["id"]),
        url.replace(made["id"], new_id()),
    ]
    refusals = [await chat.client.put(one, content=PDF) for one in changed]
    past = signed_query(
        chat.resources.keyring, "write", UploadId(made["id"]), datetime.now(UTC) - timedelta(seconds=1)
    )
    reader = signed_query(
        chat.resources.keyring, "read", UploadId(made["id"]), datetime.now(UTC) + timedelta(hours=1)
    )
    refusals += [
        await chat.client.put(f"{url.split('?')[0]}?{query}", content=PDF) for query in (past, reader)
    ]

    assert (over.status_code, error_code(over)) == (413, "file_too_large")
    assert {(one.status_code, error_code(one)) for one in refusals} == {(403, "link_invalid")}
    assert not [path for path in await paths(chat) if made["id"] in path or other["id"] in path]


async def test_a_repeated_announcement_with_a_key_is_one_announcement(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    body = {"filename": "a.pdf", "contentType": "application/pdf", "size": 5}

    answers = await asyncio.gather(
        *(ann.call("POST", "/api/uploads/presigned", body, Idempotency_Key="k") for _ in range(3))
    )

    assert len({answer.content for answer in answers}) == 1
    assert len(await chat.sql("select from upload where app_id = $1", tenant.id)) == 1


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"filename": "", "contentType": "a/b", "size": 1}, "filename"),
        ({"filename": "x" * 256, "contentType": "a/b", "size": 1}, "filename"),
        ({"filename": "a", "contentType": "a/b", "size": -1}, "size"),
        ({"filename": "a", "contentType": "a/b", "size": 1, "channelId": "x"}, "channelId"),
        ({"filename": "a", "contentType": "a/b", "size": 1, "colour": 1}, "colour"),
        ({"filename": "a\0", "contentType": "a/b", "size": 1}, "filename"),
    ],
)
async def test_an_announcement_names_what_is_wrong_with_it(
    tenant: Tenant, body: dict[str, Any], path: str
) -> None:
    ann = await tenant.user("ann")
    response = await ann.call("POST", "/api/uploads/presigned", body)

    assert response.status_code == 422
    assert list(problems(response)) == [path]


async def test_files_are_counted_by_kind_and_outcome(chat: Chat, tenant: Tenant) -> None:
    ann = await tenant.user("ann")
    counted = chat.resources.depot.instruments.uploads

    def count(kind: str, result: str) -> float:
        value: float = counted.labels(kind, result)._value.get()
        return value

    before = [count("file", "stored"), count("image", "refused")]
    await uploaded(ann, File(PDF))
    await upload(ann, File(HTML, "p.png", "image/png"))

    assert [count("file", "stored"), count("image", "refused")] == [before[0] + 1, before[1] + 1]
