"""Which links of a message are looked at, and when again. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from chatsdk_contracts.channels import ChannelConfig
from chatsdk_contracts.ids import ChannelId, MessageId
from chatsdk_contracts.messages import Message

MOST_LINKS: Final = 3
MOST_REDIRECTS: Final = 3
JOBS_KEPT_DAYS: Final = 7
_LONGEST_LINK: Final = 2_048
_MOST_ATTEMPTS: Final = 2
_SECOND_ATTEMPT: Final = timedelta(seconds=30)
# One class and no alternative: a link ends where white space, a quote or an angle bracket comes.
_LINK: Final = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
# What ends a sentence is no part of the link in it.
_TRAILING: Final = ".,;:!?'*_~"
_BRACKETS: Final = (("(", ")"), ("[", "]"), ("{", "}"))


@dataclass(frozen=True, slots=True)
class WantedPreview:
    """A message whose links are to be looked at, in the version that has them."""

    message_id: MessageId
    channel_id: ChannelId
    version: int


def wanted_previews(messages: Iterable[tuple[Message, ChannelConfig]]) -> list[WantedPreview]:
    """Those of these messages that have links, in channels that want to see where they lead."""
    return [
        WantedPreview(message.id, message.channel_id, message.version)
        for message, config in messages
        if config.link_previews and links_in(message.text)
    ]


def links_in(text: str) -> list[str]:
    """The first links of a text, each once, in their order."""
    found: dict[str, None] = {}
    for match in _LINK.finditer(text):
        link = _trimmed(match[0])
        if len(link) <= _LONGEST_LINK and not link.endswith("//"):
            found[link] = None
        if len(found) == MOST_LINKS:
            break
    return list(found)


def _trimmed(link: str) -> str:
    """Without what belongs to the sentence: its punctuation, and brackets that were opened before the link."""
    # As often as there are kinds of endings; a thousand brackets in a row are nobody's sentence.
    for _ in range(8):
        link = link.rstrip(_TRAILING)
        for opening, closing in _BRACKETS:
            if link.endswith(closing) and link.count(opening) < link.count(closing):
                link = link[:-1]
    return link


def next_attempt(attempts: int, now: datetime) -> datetime | None:
    """When to try again after so many attempts that failed for a reason that may pass; None: not any more."""
    return None if attempts >= _MOST_ATTEMPTS else now + _SECOND_ATTEMPT
