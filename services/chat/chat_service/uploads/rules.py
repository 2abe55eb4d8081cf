"""Pure decisions about files: what kind they are, whether they are what they claim, how they are shown.

A browser that is given somebody else's file may run it. So what can be run is never shown in place, whatever it
calls itself, and what claims to be a picture has to be one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote
from uuid import UUID

Kind = Literal["image", "video", "file"]

UNKNOWN_TYPE: Final = "application/octet-stream"
LONGEST_FILENAME: Final = 255

# Shown in place by browsers, and unable to run anything there. SVG is not among them: it holds scripts.
_SHOWN_IMAGES: Final = frozenset(
    {"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"}
)
_OTHER_NAMES: Final = {
    "image/jpg": "image/jpeg",
    "image/pjpeg": "image/jpeg",
    "image/x-png": "image/png",
    "image/x-ms-bmp": "image/bmp",
}
_CONTENT_TYPE = re.compile(r"^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$")
_EXECUTABLE_TYPES: Final = frozenset(
    {
        UNKNOWN_TYPE,
        "application/vnd.microsoft.portable-executable",
        "application/x-dosexec",
        "application/x-elf",
        "application/x-executable",
        "application/x-mach-binary",
        "application/x-msdownload",
        "application/x-sh",
        "application/x-sharedlib",
    }
)
_EXECUTABLE_STARTS: Final = (
    b"\x7fELF",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xcf\xfa\xed\xfe",
    b"\xce\xfa\xed\xfe",
)
# A DOS header is this long and never without a NUL; a text may well begin with "MZ".
_DOS_HEADER_BYTES: Final = 64
# Separators of paths, and what file systems and shells give a meaning to.
_UNSAFE_IN_NAMES = re.compile(r'[/\\:*?"<>|]')
# Written the other way round than read: a name must not pretend another extension.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A part of a file: from `start` up to, not including, `end`."""

    start: int
    end: int


def canonical_type(given: str | None) -> str:
    """A declared content type in lower case without parameters; unknown when it is none."""
    plain = (given or "").partition(";")[0].strip().lower()
    if not _CONTENT_TYPE.match(plain):
        return UNKNOWN_TYPE
    return _OTHER_NAMES.get(plain, plain)


def kind_of(content_type: str) -> Kind:
    """Which limit and which list a file of this type belongs to; a picture that holds scripts is a file."""
    if content_type == "image/svg+xml":
        return "file"
    family = content_type.partition("/")[0]
    return "image" if family == "image" else "video" if family == "video" else "file"


def settled_type(declared: str, sniffed: Collection[str], head: bytes) -> str | None:
    """The type that a file is kept as, from what it is declared to be and what its first bytes look like.

    `sniffed` are the types that its content may have, the likeliest first. None: it is not what it claims, in a
    way that matters. Unknown content claims nothing, except as an image, which every one of ours can be told by.
    """
    found = [canonical_type(one) for one in sniffed]
    if _is_executable(head) and declared not in _EXECUTABLE_TYPES:
        return None
    family = _family(declared)
    if declared == UNKNOWN_TYPE:
        return found[0] if found and _family(found[0]) is not None else UNKNOWN_TYPE
    if family is None or declared in found:
        return declared
    alike = [one for one in found if _family(one) == family]
    if alike:
        # A JPEG called PNG is shown by every browser; it is called what it is.
        return alike[0] if family == "image" else declared
    return None if found or family == "image" else declared


def _family(content_type: str) -> str | None:
    """`image` or `media` (sound and video share containers); None for what is not shown in place."""
    kind = content_type.partition("/")[0]
    if content_type == "image/svg+xml":
        return None
    if kind in {"video", "audio"} or content_type == "application/ogg":
        return "media"
    return "image" if kind == "image" else None


def _is_executable(head: bytes) -> bool:
    if head.startswith(b"MZ"):
        return b"\0" in head[:_DOS_HEADER_BYTES]
    return head.startswith((*_EXECUTABLE_STARTS, b"#!/"))


def shown_in_place(content_type: str) -> bool:
    """Whether a browser may show the file itself; everything else is handed over as a download."""
    return content_type in _SHOWN_IMAGES or content_type.partition("/")[0] in {"video", "audio"}


def safe_filename(given: str) -> str:
    """A name without a path, without what cannot be seen, and without what a file system gives a meaning to.

    The extension stays when the name has to be cut. Never empty, never a name that stands for a directory.
    """
    last = re.split(r"[/\\]", given)[-1]
    visible = "".join(char for char in last if unicodedata.category(char) not in _INVISIBLE)
    plain = _UNSAFE_IN_NAMES.sub("_", unicodedata.normalize("NFC", visible)).strip().lstrip(".").strip()
    if not plain:
        return "file"
    if len(plain) <= LONGEST_FILENAME:
        return plain
    stem, dot, extension = plain.rpartition(".")
    if not dot or len(extension) > 16:
        return plain[:LONGEST_FILENAME]
    return f"{stem[: LONGEST_FILENAME - len(extension) - 1]}.{extension}"


def content_headers(filename: str, content_type: str) -> dict[str, str]:
    """What a file is served with, so that it does nothing in the reader's browser but be seen or saved."""
    disposition = "inline" if shown_in_place(content_type) else "attachment"
    return {
        "Content-Type": content_type,
        "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(filename, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "private, max-age=3600",
        "Accept-Ranges": "bytes",
    }


def wanted_range(header: str | None, size: int) -> ByteRange | Literal["all", "unsatisfiable"]:
    """What a `Range` header asks of a file of this size; several parts, or what cannot be read, is all of it."""
    found = re.fullmatch(r"bytes=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", header or "", re.ASCII)
    if found is None or not any(found.groups()):
        return "all"
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        return ByteRange(size - length, size) if length else "unsatisfiable"
    start, end = int(first), min(int(last) + 1, size) if last else size
    if last and int(last) < start:
        return "all"
    return ByteRange(start, end) if start < size else "unsatisfiable"


def matches_tag(header: str | None, tag: str) -> bool:
    """Whether `If-None-Match` names this tag; a weak one is as good as a strong one there."""
    if header is None:
        return False
    return any(one.strip().removeprefix("W/") in {tag, "*"} for one in header.split(","))


def folder_of(upload_id: str) -> str:
    """Where an upload's objects are: sharded by the random end of its id, so that no directory grows large."""
    plain = str(UUID(upload_id))
    return f"{plain[-2:]}/{plain[-4:-2]}/{plain}"


def incoming_path(upload_id: str) -> str:
    """Where a signed address writes to: a place that nothing is read from but the confirmation."""
    return f"{folder_of(upload_id)}/incoming"
