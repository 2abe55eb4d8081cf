"""What uploads need beside the database: the object store, the darkroom, the limits, the counters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chat_service.instruments import UploadInstruments
from chat_service.settings import ChatSettings
from chat_service.uploads.images import Darkroom
from chat_service.uploads.objects import Objects
from chat_service.uploads.rules import Kind


@dataclass(frozen=True, slots=True)
class Depot:
    """Made once by `app`. `limits` are bytes by kind."""

    objects: Objects
    darkroom: Darkroom
    limits: Mapping[Kind, int]
    instruments: UploadInstruments

    @classmethod
    def open(cls, settings: ChatSettings, instruments: UploadInstruments) -> Depot:
        """The depot that the settings describe.

        Raises:
            OSError: the local directory cannot be made.
        """
        return cls(
            Objects.open(settings.uploads_url, settings.uploads_directory),
            Darkroom(),
            limits_of(settings),
            instruments,
        )


def limits_of(settings: ChatSettings) -> dict[Kind, int]:
    """The most bytes of a file, by its kind."""
    return {
        "image": settings.upload_image_bytes,
        "video": settings.upload_video_bytes,
        "file": settings.upload_file_bytes,
    }
