"""The object store behind uploads: a local directory, an S3-compatible store, or memory, all through obstore.

Every path is made by us from an upload's id; what a caller calls a file is in the database only. obstore refuses
`..` besides, and its local store writes a file beside its place and renames it, so that nobody reads half of one.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, S3Store, from_url

from chat_service.errors import StorageAway

# Of a file on its way to the store this much is held in memory, twice.
_PART_BYTES = 5 * 1024 * 1024
_PARTS_AT_ONCE = 2
_READ_BYTES = 256 * 1024


class Objects:
    """Files by path. Every outage of the store is `StorageAway`; an absent file is None or False."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def open(cls, url: str | None, directory: str) -> Objects:
        """The store that the settings name; nothing is asked of it yet, but a local directory is made.

        Raises:
            ValueError: a URL that names no store that we know.
            OSError: the directory cannot be made.
        """
        if url is None:
            return cls(_local(Path(directory)))
        if url.startswith("memory:"):
            return cls(MemoryStore())
        if url.startswith("file://"):
            return cls(_local(Path(url.removeprefix("file://"))))
        if url.startswith("s3://"):
            return cls(from_url(url))
        message = f"CHAT_UPLOADS_URL: {url!r} is none of file:///..., s3://bucket[/prefix], memory:///"
        raise ValueError(message)

    async def put(self, path: str, chunks: AsyncIterable[bytes]) -> None:
        """Write a file whole or not at all; what `chunks` raises comes through."""
        with _outages():
            await obstore.put_async(
                self._store,
                path,
                _at_least_one(chunks),
                chunk_size=_PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )

    async def size(self, path: str) -> int | None:
        """The bytes of a file; None when there is none."""
        try:
            with _outages():
                return (await obstore.head_async(self._store, path))["size"]
        except FileNotFoundError:
            return None

    async def read(self, path: str, start: int, end: int) -> AsyncIterator[bytes] | None:
        """The bytes from `start` up to, not including, `end`; None when there is no such file."""
        if start >= end:
            return _nothing() if await self.size(path) is not None else None
        try:
            with _outages():
                found = await obstore.get_async(self._store, path, options={"range": (start, end)})
        except FileNotFoundError:
            return None
        return _passed_on(found)

    async def read_whole(self, path: str, most_bytes: int) -> bytes:
        """The first `most_bytes` of a file at once; empty when there is none."""
        size = await self.size(path)
        parts = await self.read(path, 0, min(size or 0, most_bytes))
        return b"" if parts is None else b"".join([part async for part in parts])

    async def copy(self, path: str, to: str) -> bool:
        """A second file with the same content, which later writes to the first do not change; False: no such file."""
        try:
            with _outages():
                await obstore.copy_async(self._store, path, to)
        except FileNotFoundError:
            return False
        return True

    async def remove(self, path: str) -> None:
        """Delete a file; one that is not there is deleted already."""
        try:
            with _outages():
                await obstore.delete_async(self._store, path)
        except FileNotFoundError:
            return

    async def remove_folder(self, folder: str) -> None:
        """Delete all files of a folder, also such as nobody knows of."""
        with _outages():
            paths = [one["path"] async for batch in obstore.list(self._store, prefix=folder) for one in batch]
        for path in paths:
            await self.remove(path)

    async def signed_put(self, path: str, lifetime: timedelta) -> str | None:
        """An address of the store itself that takes a PUT; None when the store has no addresses."""
        if not isinstance(self._store, S3Store):
            return None
        with _outages():
            return await obstore.sign_async(self._store, "PUT", path, lifetime)


def _local(directory: Path) -> LocalStore:
    return LocalStore(directory.absolute(), mkdir=True, automatic_cleanup=True)


@contextmanager
def _outages() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as failure:
        raise StorageAway from failure


async def _at_least_one(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    # A multipart write without a part is refused by S3, and an empty file is a file.
    yielded = False
    async for chunk in chunks:
        yielded = True
        yield chunk
    if not yielded:
        yield b""


async def _nothing() -> AsyncIterator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for chunk in nothing:
        yield chunk


async def _passed_on(found: obstore.GetResult) -> AsyncIterator[bytes]:
    with _outages():
        async for chunk in found.stream(min_chunk_size=_READ_BYTES):
            yield bytes(chunk)
