"""What a page says of itself in its head: Open Graph, else its title and description. Pure, and bounded.

The page may be anything. It is fed in small pieces, and what the parser has not come to terms with after a while is
given up: an unclosed tag is looked at again with each piece, which would take quadratic time.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin

from chatsdk_contracts.messages import LinkPreview

_PIECE: Final = 2_048
_MOST_UNREAD: Final = 16_384
_MOST_TAGS: Final = 2_000
_TITLE: Final = 300
_DESCRIPTION: Final = 1_000
_SITE_NAME: Final = 100
_URL: Final = 2_048
_CHARSET: Final = re.compile(rb"charset=[\"']?([A-Za-z0-9_:.-]{1,40})", re.IGNORECASE)
_SCRIPT: Final = re.compile(r"<(script|style)\b", re.IGNORECASE)
_SCRIPT_ENDS: Final = {
    name: re.compile(rf"</{name}[^>]{{0,100}}>", re.IGNORECASE) for name in ("script", "style")
}
# Where a page says in which encoding it is written.
_CHARSET_WITHIN: Final = 1_024
_WANTED: Final = frozenset(
    {
        "og:title",
        "og:description",
        "og:image",
        "og:site_name",
        "description",
        "twitter:title",
        "twitter:image",
    }
)


def preview_of(url: str, page_url: str, content_type: str, body: bytes) -> LinkPreview | None:
    """What is shown for a link whose page came from `page_url`; None when the page says nothing of itself."""
    head = _Head()
    text = _without_scripts(_decoded(content_type, body))
    for start in range(0, len(text), _PIECE):
        head.feed(text[start : start + _PIECE])
        if head.is_done or len(head.rawdata) > _MOST_UNREAD:
            break
    return head.preview(url, page_url)


class _Head(HTMLParser):
    """The parts of a page's head that are shown."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.is_done = False
        self._tags = 0
        self._said: dict[str, str] = {}
        self._title: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens: a `meta` may be wanted, and with the body there is nothing more to come."""
        if self.is_done:
            return
        self._tags += 1
        if tag == "body" or self._tags > _MOST_TAGS:
            self.is_done = True
        self._in_title = tag == "title" and not self._title
        if tag == "meta":
            given = {name: value or "" for name, value in attrs}
            name = (given.get("property") or given.get("name") or "").lower()
            if name in _WANTED:
                self._said.setdefault(name, given.get("content", ""))

    def handle_endtag(self, tag: str) -> None:
        """A tag closes."""
        self._in_title = False
        if tag == "head":
            self.is_done = True

    def handle_data(self, data: str) -> None:
        """Text, of which only the title's is wanted."""
        if self._in_title and not self.is_done and len(self._title) < _TITLE:
            self._title.append(data[:_TITLE])

    def preview(self, url: str, page_url: str) -> LinkPreview | None:
        """What was found; None when that is nothing to show."""
        title = self._first(_TITLE, "og:title", "twitter:title") or _line("".join(self._title), _TITLE)
        description = self._first(_DESCRIPTION, "og:description", "description")
        image_url = _web_url(page_url, self._said.get("og:image") or self._said.get("twitter:image") or "")
        if title is None and description is None and image_url is None:
            return None
        return LinkPreview(
            url=url,
            title=title,
            description=description,
            image_url=image_url,
            site_name=self._first(_SITE_NAME, "og:site_name"),
        )

    def _first(self, longest: int, *names: str) -> str | None:
        return next((said for name in names if (said := _line(self._said.get(name, ""), longest))), None)


def _without_scripts(text: str) -> str:
    """Without what is between the tags of scripts and styles: much of many heads, and nothing that is shown."""
    kept, position = [], 0
    while (opening := _SCRIPT.search(text, position)) is not None:
        kept.append(text[position : opening.start()])
        closing = _SCRIPT_ENDS[opening[1].lower()].search(text, opening.end())
        if closing is None:
            # All the rest is script.
            return "".join(kept)
        position = closing.end()
    kept.append(text[position:])
    return "".join(kept)


def _decoded(content_type: str, body: bytes) -> str:
    """As the reply's head says, else the page's, else as UTF-8; what does not fit is replaced."""
    said = _CHARSET.search(content_type.encode("latin-1", "replace")) or _CHARSET.search(
        body[:_CHARSET_WITHIN]
    )
    try:
        return body.decode("utf-8" if said is None else said[1].decode("ascii"), "replace")
    except (LookupError, ValueError):
        # An encoding that does not exist, or one that is none of text.
        return body.decode("utf-8", "replace")


def _line(text: str, longest: int) -> str | None:
    """In one line and storable; None when nothing is left."""
    printable = "".join(
        letter if letter.isprintable() or letter.isspace() else " " for letter in text[: longest * 4]
    )
    return " ".join(printable.split())[:longest] or None


def _web_url(page_url: str, given: str) -> str | None:
    """The address of an image, made absolute; None when it is none of the web."""
    text = given.strip()
    if not text or len(text) > _URL or not text.isprintable():
        return None
    try:
        absolute = urljoin(page_url, text)
    except ValueError:
        return None
    is_web = absolute.lower().startswith(("http://", "https://"))
    return absolute if is_web and len(absolute) <= _URL and " " not in absolute else None
