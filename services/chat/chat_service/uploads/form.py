"""A form with one file, taken as a stream: the file is passed on while it arrives and is nowhere held whole.

The framework's own reader would write the file to a temporary one first, and would know its size too late to
refuse it. Fields may stand before the file and behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from chatsdk_runtime.errors import BadRequest, ServiceError, invalid_field
from chatsdk_runtime.web import streamed_body

FILE_FIELD: Final = "file"
_LONGEST_FIELD: Final = 4_096
_MOST_FIELDS: Final = 16


class NotAForm(ServiceError):
    """The body is of another type."""

    status_code = 415
    code = "unsupported_media_type"

    def __init__(self) -> None:
        super().__init__(
            "The body must be multipart/form-data with one file.",
            hint=f'Send the file in the field "{FILE_FIELD}".',
        )


@dataclass(slots=True)
class _Part:
    """One part as the parser meets it."""

    header_name: bytearray = field(default_factory=bytearray)
    header_value: bytearray = field(default_factory=bytearray)
    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    filename: str | None = None
    text: bytearray = field(default_factory=bytearray)


class FileForm:
    """The form of one request. `fields` holds what was read so far; `chunks` reads on to the end of the form."""

    def __init__(self, request: Request) -> None:
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        if kind != b"multipart/form-data" or not options.get(b"boundary"):
            raise NotAForm
        self.fields: dict[str, str] = {}
        self.filename = ""
        self.content_type: str | None = None
        self._body = streamed_body(request)
        self._part = _Part()
        self._file_found = False
        self._in_file = False
        self._ended = False
        self._arrived: deque[bytes] = deque()
        try:
            self._parser = MultipartParser(
                options[b"boundary"],
                {
                    "on_part_begin": self._begin,
                    "on_part_data": self._data,
                    "on_part_end": self._end_part,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_end": self._end,
                },
            )
        except FormParserError as broken:
            raise _unreadable() from broken

    async def find_file(self) -> None:
        """Read up to the file.

        Raises:
            InvalidInput: the form has none.
        """
        while not self._file_found and await self._read():
            pass
        if not self._file_found:
            raise invalid_field(FILE_FIELD, "missing", "required, but not given")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file, as it arrives; at its end the whole form has been read."""
        while True:
            while self._arrived:
                yield self._arrived.popleft()
            if not await self._read():
                return

    async def _read(self) -> bool:
        """Take one more piece of the body in; False at the end of it."""
        piece = await anext(self._body, None)
        try:
            if piece is None:
                if not self._ended:
                    raise _unreadable()
                return False
            self._parser.write(piece)
        except FormParserError as broken:
            raise _unreadable() from broken
        return True

    def _begin(self) -> None:
        self._part = _Part()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._part.header_name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._part.header_value += data[start:end]

    def _end_header(self) -> None:
        part = self._part
        part.headers[bytes(part.header_name).lower()] = bytes(part.header_value)
        part.header_name.clear()
        part.header_value.clear()

    def _end_headers(self) -> None:
        part = self._part
        _, options = parse_options_header(part.headers.get(b"content-disposition", b""))
        part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" not in options:
            return
        if part.name != FILE_FIELD or self._file_found:
            raise invalid_field(
                part.name or "body", "unknown_file", f'the form takes one file, in "{FILE_FIELD}"'
            )
        self._file_found = self._in_file = True
        self.filename = options[b"filename"].decode("utf-8", "replace")
        declared = part.headers.get(b"content-type")
        self.content_type = None if declared is None else declared.decode("latin-1")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._arrived.append(data[start:end])
            return
        self._part.text += data[start:end]
        if len(self._part.text) > _LONGEST_FIELD:
            raise invalid_field(self._part.name, "too_long", f"has more than {_LONGEST_FIELD} bytes")

    def _end_part(self) -> None:
        if self._in_file:
            self._in_file = False
            return
        if self._part.name == FILE_FIELD:
            raise invalid_field(FILE_FIELD, "no_file", "must be a file, with a filename")
        if len(self.fields) >= _MOST_FIELDS:
            raise invalid_field(self._part.name, "too_many", "the form has too many fields")
        self.fields[self._part.name] = self._part.text.decode("utf-8", "replace")

    def _end(self) -> None:
        self._ended = True


def _unreadable() -> BadRequest:
    return BadRequest("The form cannot be read.", hint="Send multipart/form-data as RFC 7578 has it.")
