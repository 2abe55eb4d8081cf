"""A file on its way into the store: judged by its first bytes, measured and fingerprinted while it passes."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping

from chat_service.uploads.errors import ContentMismatch, FileTooLarge
from chat_service.uploads.rules import Kind, kind_of, settled_type
from chat_service.uploads.sniffing import HEAD_BYTES, sniff


class Intake:
    """One file's passage. What is known of it stands in the attributes once `passing` has ended."""

    def __init__(self, declared: str, limits: Mapping[Kind, int]) -> None:
        self.content_type = declared
        self.kind: Kind = kind_of(declared)
        self.size = 0
        self._limits = limits
        self._digest = hashlib.sha256()

    @property
    def digest(self) -> bytes:
        """SHA-256 of what has passed."""
        return self._digest.digest()

    async def passing(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same bytes.

        Raises:
            ContentMismatch: it is not what it is declared to be; nothing was passed on.
            FileTooLarge: as soon as it is.
        """
        head = bytearray()
        judged = False
        async for chunk in chunks:
            self._measure(chunk)
            if judged:
                yield chunk
                continue
            head += chunk
            if len(head) >= HEAD_BYTES:
                self._judge(bytes(head))
                judged = True
                yield bytes(head)
        if not judged:
            self._judge(bytes(head))
            yield bytes(head)

    def _measure(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._check_size()
        self._digest.update(chunk)

    def _judge(self, head: bytes) -> None:
        settled = settled_type(self.content_type, sniff(head), head)
        if settled is None:
            raise ContentMismatch(self.content_type)
        self.content_type, self.kind = settled, kind_of(settled)
        self._check_size()

    def _check_size(self) -> None:
        if self.size > self._limits[self.kind]:
            raise FileTooLarge(self.kind, self._limits[self.kind])


async def at_most(chunks: AsyncIterator[bytes], size: int, kind: Kind) -> AsyncIterator[bytes]:
    """The same bytes.

    Raises:
        FileTooLarge: there are more than `size`.
    """
    passed = 0
    async for chunk in chunks:
        passed += len(chunk)
        if passed > size:
            raise FileTooLarge(kind, size)
        yield chunk
