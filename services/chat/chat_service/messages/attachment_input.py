"""An attachment as it comes in: with sends, edits and imports."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from chat_service.wire_input import CustomObject, Line, Reference, RequestModel, SafeText

MOST_ATTACHMENTS: Final = 30


class AttachmentInput(RequestModel):
    """Something sent with a message. Sizes in bytes, duration in milliseconds."""

    type: Annotated[Line, Field(min_length=1, max_length=32)]
    url: Annotated[Line, Field(min_length=1, max_length=2_048)]
    name: Annotated[SafeText, Field(max_length=255)] | None = None
    title: Annotated[SafeText, Field(max_length=255)] | None = None
    mime_type: Annotated[Line, Field(max_length=255)] | None = None
    size: Annotated[int, Field(ge=0)] | None = None
    width: Annotated[int, Field(ge=0)] | None = None
    height: Annotated[int, Field(ge=0)] | None = None
    duration_ms: Annotated[int, Field(ge=0)] | None = None
    waveform: Annotated[list[float], Field(max_length=512)] | None = None
    thumbnail_url: Annotated[Line, Field(max_length=2_048)] | None = None
    blurhash: Annotated[Line, Field(max_length=255)] | None = None
    upload_id: Reference | None = None
    custom: CustomObject = Field(default_factory=dict)
