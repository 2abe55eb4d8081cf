"""The object stores: a local directory, an S3-compatible server, memory; each keeps, serves and forgets files alike."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import obstore
import pytest
from obstore.store import S3Store

from chat_service.errors import StorageAway
from chat_service.uploads.objects import Objects
from tests.fixtures.dispatcher import free_port
from tests.integration.chat_service.calling import running_doors
from tests.integration.chat_service.uploading import PDF, File, a_picture, presigned, uploaded
from tests.waiting import wait_for

PLACE = "ab/cd/0199f3a1-0000-7000-8000-00000000cdab"


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def broken(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    raise LookupError


def names_below(directory: Path) -> list[str]:
    return [one.name for one in directory.rglob("*")]


def answers(port: int) -> bool:
    try:
        httpx2.get(f"http://127.0.0.1:{port}/moto-api/data.json")
    except httpx2.TransportError:
        return False
    return True


@pytest.fixture(scope="module")
async def s3() -> AsyncIterator[str]:
    """The URL of a bucket on a server of our own; the AWS variables lead there."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    silent = asyncio.subprocess.DEVNULL
    server = await asyncio.create_subprocess_exec(*command, stdout=silent, stderr=silent)
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as environment:
        for name, value in variables.items():
            environment.setenv(name, value)
        try:

            async def ready() -> bool:
                return await asyncio.to_thread(answers, port)

            await wait_for(ready, what="the S3 server answers", within_s=30)
            httpx2.put(f"http://127.0.0.1:{port}/files").raise_for_status()
            yield "s3://files/some/prefix"
        finally:
            server.terminate()
            await server.wait()


@pytest.fixture(params=["local", "s3", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "s3":
        there: str = request.getfixturevalue("s3")
        return there
    return f"file://{tmp_path}/deep/er" if request.param == "local" else "memory:///"


async def test_a_file_is_kept_served_in_parts_copied_and_forgotten(url: str) -> None:
    objects = Objects.open(url, "")
    path = f"{PLACE}/content"
    # More than one part of a multipart write.
    chunks = [bytes([number]) * 1_000_000 for number in range(12)]
    whole = b"".join(chunks)

    await objects.put(path, stream(*chunks))
    await objects.copy(path, f"{PLACE}/copy")
    await objects.put(path, stream(b"other"))

    assert await objects.size(f"{PLACE}/copy") == len(whole)
    assert await objects.read_whole(f"{PLACE}/copy", len(whole)) == whole
    part = await objects.read(f"{PLACE}/copy", 999_999, 1_000_001)
    assert part is not None
    assert b"".join([chunk async for chunk in part]) == b"\0\1"
    assert await objects.read_whole(path, 100) == b"other"
    await objects.remove_folder(PLACE)
    for gone in (path, f"{PLACE}/copy"):
        assert await objects.size(gone) is None
        assert await objects.read(gone, 0, 5) is None
        assert await objects.copy(gone, f"{PLACE}/x") is False
        await objects.remove(gone)


async def test_an_empty_file_is_kept_too(url: str) -> None:
    objects = Objects.open(url, "")
    await objects.put(f"{PLACE}/empty", stream())

    assert await objects.size(f"{PLACE}/empty") == 0
    assert await objects.read_whole(f"{PLACE}/empty", 10) == b""


async def test_half_a_file_is_no_file(url: str) -> None:
    objects = Objects.open(url, "")
    with pytest.raises(LookupError):
        await objects.put(f"{PLACE}/half", broken(*[b"x" * 1_000_000] * 12))

    assert await objects.size(f"{PLACE}/half") is None


@pytest.mark.parametrize("path", ["../x", "a/../../x", "a/./b", "..", "%2e%2e/../x"])
async def test_no_path_leads_out_of_the_directory(tmp_path: Path, path: str) -> None:
    objects = Objects.open(f"file://{tmp_path}/root", "")

    with pytest.raises(ValueError, match="path"):
        await objects.put(path, stream(b"x"))

    assert names_below(tmp_path) == ["root"]


async def test_an_absolute_path_lies_in_the_directory_and_a_link_leads_nowhere_new(tmp_path: Path) -> None:
    objects = Objects.open(None, str(tmp_path / "root"))
    await objects.put("/etc/x", stream(b"x"))

    assert (tmp_path / "root/etc/x").read_bytes() == b"x"


async def test_a_file_appears_whole_and_leaves_no_empty_directories(tmp_path: Path) -> None:
    objects, path = Objects.open(None, str(tmp_path)), f"{PLACE}/content"
    seen: list[bool] = []

    async def watched() -> AsyncIterator[bytes]:
        for _ in range(3):
            seen.append((tmp_path / path).exists())
            yield b"x" * 6_000_000

    await objects.put(path, watched())
    assert (seen, (tmp_path / path).stat().st_size) == ([False] * 3, 18_000_000)
    await objects.remove_folder(PLACE)
    assert "content" not in names_below(tmp_path)


async def test_a_store_that_is_away_is_an_outage() -> None:
    away = S3Store(
        "files",
        endpoint="http://127.0.0.1:1",
        access_key_id="k",
        secret_access_key="s",
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    with pytest.raises(StorageAway):
        await Objects(away).size("a")
    with pytest.raises(StorageAway):
        await Objects(away).put("a", stream(b"x"))


def test_a_url_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="CHAT_UPLOADS_URL"):
        Objects.open("ftp://files", "")


async def test_uploads_go_straight_to_an_s3_store_and_are_served_from_it(chat_database: str, s3: str) -> None:
    async with running_doors(chat_database, uploads_url=s3) as chat:
        ann = await (await chat.new_tenant()).user("ann")
        picture = a_picture()

        announced = await presigned(ann, picture, filename="p.png", contentType="image/png")
        async with httpx2.AsyncClient() as browser:
            put = await browser.put(announced["uploadUrl"], content=picture, headers=announced["headers"])
        confirmed = await ann.call("POST", f"/api/uploads/{announced['id']}/confirm")
        direct = await uploaded(ann, File(PDF))

        assert announced["uploadUrl"].startswith(os.environ["AWS_ENDPOINT_URL"])
        assert (put.status_code, confirmed.status_code) == (200, 200)
        assert confirmed.json()["thumbnailUrl"] is not None
        content = await ann.call("GET", confirmed.json()["url"], Range="bytes=1-3")
        assert (content.status_code, content.content) == (206, picture[1:4])
        assert (await ann.call("GET", direct["url"])).content == PDF
        await ann.call("DELETE", f"/api/uploads/{announced['id']}")
        left = [one async for batch in obstore.list(chat.resources.depot.objects._store) for one in batch]
        assert [one for one in left if announced["id"] in one["path"]] == []


async def test_an_address_of_the_store_ends(s3: str) -> None:
    signed = await Objects.open(s3, "").signed_put(f"{PLACE}/incoming", timedelta(minutes=5))

    assert signed is not None
    assert "X-Amz-Expires=300" in signed
    assert await Objects.open("memory:///", "").signed_put("a", timedelta(minutes=5)) is None
