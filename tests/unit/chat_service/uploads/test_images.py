"""Pictures are measured as they are shown; thumbnails are small, upright and tell nothing else."""

import io
import struct
import zlib

import pytest
from PIL import ExifTags, Image

from chat_service.uploads.images import THUMBNAIL_EDGE, Darkroom, Picture, look_at


def picture(form: str, size: tuple[int, int] = (1_200, 600), mode: str = "RGB", **options: object) -> bytes:
    made = io.BytesIO()
    Image.new(mode, size, "red").save(made, form, **options)
    return made.getvalue()


def bomb(edge: int) -> bytes:
    """A PNG of a few hundred bytes that says it has so many pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", edge, edge, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1_000))
        + chunk(b"IEND", b"")
    )


def opened(found: Picture | None) -> Image.Image:
    assert found is not None
    assert found.thumbnail is not None
    return Image.open(io.BytesIO(found.thumbnail))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "BMP", "AVIF"])
def test_every_format_that_is_shown_has_a_size_and_a_thumbnail(form: str) -> None:
    found = look_at(picture(form))

    assert found is not None
    assert (found.width, found.height) == (1_200, 600)
    thumbnail = opened(found)
    assert (thumbnail.format, thumbnail.size) == ("WEBP", (THUMBNAIL_EDGE, THUMBNAIL_EDGE // 2))


def test_a_small_picture_is_not_made_larger() -> None:
    assert opened(look_at(picture("PNG", (20, 10)))).size == (20, 10)


@pytest.mark.parametrize(
    ("mode", "shown"), [("RGBA", "RGBA"), ("LA", "RGBA"), ("P", "RGB"), ("L", "RGB"), ("1", "RGB")]
)
def test_transparency_is_kept_where_there_is_some(mode: str, shown: str) -> None:
    image = Image.new("LA" if mode == "LA" else mode, (30, 30))
    made = io.BytesIO()
    image.save(made, "PNG")

    assert opened(look_at(made.getvalue())).mode == shown


def test_a_photo_is_turned_upright_and_its_place_is_not_told() -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "a-camera"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    photo = picture("JPEG", exif=exif.tobytes())

    found = look_at(photo)

    assert b"a-camera" in photo
    assert found is not None
    assert (found.width, found.height) == (600, 1_200)
    thumbnail = opened(found)
    assert thumbnail.size == (THUMBNAIL_EDGE // 2, THUMBNAIL_EDGE)
    assert not thumbnail.getexif()
    assert b"a-camera" not in (found.thumbnail or b"")


def test_a_picture_that_unpacks_to_too_much_is_not_unpacked() -> None:
    assert look_at(bomb(8_000)) == Picture(8_000, 8_000, None)
    assert look_at(bomb(60_000)) is None


@pytest.mark.parametrize("content", [b"", b"no picture", picture("PNG")[:200], b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_what_is_broken_or_no_picture_has_no_thumbnail(content: bytes) -> None:
    found = look_at(content)

    assert found is None or found.thumbnail is None


async def test_the_darkroom_answers_what_looking_does() -> None:
    darkroom = Darkroom()

    assert await darkroom.develop(picture("PNG")) == look_at(picture("PNG"))
    assert await darkroom.develop(b"") is None
