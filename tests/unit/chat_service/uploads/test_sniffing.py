"""The beginnings of files are told apart."""

import pytest

from chat_service.uploads.sniffing import sniff


@pytest.mark.parametrize(
    ("head", "content_type"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "image/jpeg"),
        (b"GIF89a\x01\x00\x01\x00", "image/gif"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"<!DOCTYPE html><html>", "text/html"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "image/svg+xml"),
        (b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41", "video/mp4"),
        (b"ID3\x03\x00\x00\x00\x00\x00\x00", "audio/mpeg"),
    ],
)
def test_a_beginning_is_recognised(head: bytes, content_type: str) -> None:
    assert content_type in sniff(head)


@pytest.mark.parametrize("head", [b"", b"hello world", bytes(range(200, 256))])
def test_what_is_not_known_is_nothing(head: bytes) -> None:
    assert sniff(head) == []
