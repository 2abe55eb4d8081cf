"""Dimensions and thumbnails of pictures, made by Pillow in a thread.

A picture is hostile input. Only the formats that browsers show are opened; one that would unpack to more than
`MOST_PIXELS` is not unpacked; whatever goes wrong leaves the upload as it is, without a thumbnail. What a camera
writes beside the picture (place, device, time) is not carried over.
"""

from __future__ import annotations

import asyncio
import io
import warnings
from dataclasses import dataclass
from typing import Final

import structlog
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

log = structlog.get_logger()

MOST_PIXELS: Final = 50_000_000
THUMBNAIL_EDGE: Final = 512
THUMBNAIL_TYPE: Final = "image/webp"
_FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP", "AVIF", "BMP")
# Orientations that lie on their side.
_TURNED: Final = frozenset({5, 6, 7, 8})
_QUALITY: Final = 80
_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class Picture:
    """How large a picture is as it is shown, and a small one of it."""

    width: int
    height: int
    thumbnail: bytes | None


class Darkroom:
    """Looks at pictures, two at a time: each may hold some hundred megabytes while it is unpacked."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)
        # What Pillow only warns of is larger than anything that we unpack.
        warnings.simplefilter("error", Image.DecompressionBombWarning)

    async def develop(self, content: bytes) -> Picture | None:
        """The picture's size and thumbnail; None when it cannot be opened."""
        async with self._turns:
            return await asyncio.to_thread(look_at, content)


def look_at(content: bytes) -> Picture | None:
    """The same, at once, in the caller's thread."""
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            return _developed(image)
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning) as refused:
        log.info("picture_refused", reason=type(refused).__name__)
        return None


def _developed(image: Image.Image) -> Picture:
    width, height = image.size
    if width * height > MOST_PIXELS:
        # Not even its orientation is read: for some formats that unpacks it.
        return Picture(width, height, None)
    try:
        # JPEG unpacks straight to a smaller size.
        image.draft("RGB", (2 * THUMBNAIL_EDGE, 2 * THUMBNAIL_EDGE))
        turned = image.getexif().get(ExifTags.Base.Orientation) in _TURNED
        thumbnail = _thumbnail(image)
    except (OSError, SyntaxError, ValueError, MemoryError) as broken:
        # The decoders raise any of these for a broken file.
        log.info("thumbnail_failed", reason=type(broken).__name__)
        return Picture(width, height, None)
    return Picture(height, width, thumbnail) if turned else Picture(width, height, thumbnail)


def _thumbnail(image: Image.Image) -> bytes:
    upright = ImageOps.exif_transpose(image)
    small = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    small.thumbnail((THUMBNAIL_EDGE, THUMBNAIL_EDGE))
    made = io.BytesIO()
    small.save(made, "WEBP", quality=_QUALITY, exif=b"", xmp=b"", icc_profile=None)
    return made.getvalue()
