"""Fetching a page through the guard: so many redirects, each judged anew; one deadline for all; only HTML."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

import structlog

from chat_service.previews.reading import preview_of
from chat_service.previews.rules import MOST_REDIRECTS
from chatsdk_contracts.messages import LinkPreview
from chatsdk_runtime.outgoing.exchange import OutgoingRequest, Reply, SendFailure
from chatsdk_runtime.outgoing.sender import Sender

log = structlog.get_logger()

USER_AGENT = "ChatSDK-LinkPreview/1.0"
_HEADERS: Final = {"User-Agent": USER_AGENT}
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# They speak of the moment, not of the page.
_PASSING: Final = frozenset({408, 425, 429})
_HTML: Final = ("text/html", "application/xhtml+xml")


@dataclass(frozen=True, slots=True)
class NoPreview:
    """Why there is none, in one word; `passing`: another attempt may find one."""

    outcome: str
    passing: bool = False


class PageFetcher:
    """Looks at links, over the guarded sender."""

    def __init__(self, sender: Sender, *, timeout_s: float) -> None:
        self._sender = sender
        self._timeout_s = timeout_s

    async def look_at(self, link: str) -> LinkPreview | NoPreview:
        """What a link leads to. Whatever is at its end is a value."""
        deadline_s = time.monotonic() + self._timeout_s
        url = link
        for _ in range(MOST_REDIRECTS + 1):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                return NoPreview("timeout", passing=True)
            result = await self._sender.send(OutgoingRequest(url, _HEADERS, b"", left_s, method="GET"))
            if isinstance(result, SendFailure):
                return NoPreview(result.kind, passing=not result.kind.startswith("refused"))
            if result.status not in _REDIRECTS:
                # In a thread: a page may be made to take its time, and others send meanwhile.
                return await asyncio.to_thread(_read, link, url, result)
            target = _redirected(url, _header(result, "location"))
            if target is None:
                return NoPreview("bad_redirect")
            url = target
        return NoPreview("too_many_redirects")


def _redirected(url: str, location: str) -> str | None:
    """Where a redirect leads, without a fragment, which is never sent."""
    try:
        return urljoin(url, location).partition("#")[0] if location else None
    except ValueError:
        return None


def _read(link: str, url: str, reply: Reply) -> LinkPreview | NoPreview:
    if reply.status >= 500 or reply.status in _PASSING:
        return NoPreview("bad_status", passing=True)
    if not 200 <= reply.status < 300:
        return NoPreview("bad_status")
    content_type = _header(reply, "content-type")
    if content_type.partition(";")[0].strip().lower() not in _HTML:
        return NoPreview("not_html")
    try:
        preview = preview_of(link, url, content_type, reply.body_head)
    except Exception as failure:  # noqa: BLE001 - a hostile page must not end the loop, whatever it provokes
        log.warning("page_unreadable", error=type(failure).__name__)
        return NoPreview("unreadable")
    return preview or NoPreview("nothing_to_show")


def _header(reply: Reply, wanted: str) -> str:
    return next((value for name, value in reply.headers if name.lower() == wanted), "")
