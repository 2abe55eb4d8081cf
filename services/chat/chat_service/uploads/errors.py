"""What is refused about files; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

from chatsdk_runtime.errors import BadRequest, Forbidden, NotFound, PayloadTooLarge, ServiceError


class UploadNotFound(NotFound):
    """No such file, or none that the caller may know of."""

    code = "upload_not_found"

    def __init__(self) -> None:
        super().__init__("No such upload.")


class UploadMismatch(BadRequest):
    """What arrived is not what was announced."""

    code = "upload_metadata_mismatch"

    def __init__(self, message: str) -> None:
        super().__init__(message, hint="PUT the announced file to uploadUrl, then confirm again.")


class FileTooLarge(PayloadTooLarge):
    """More bytes than a file of this kind may have."""

    code = "file_too_large"

    def __init__(self, kind: str, limit: int) -> None:
        super().__init__(
            f"A file of the kind {kind!r} has at most {limit} bytes.", hint="Send a smaller file."
        )


class ContentMismatch(ServiceError):
    """A file that is not of the type that it claims."""

    status_code = 415
    code = "content_mismatch"

    def __init__(self, content_type: str) -> None:
        super().__init__(
            f"The content is not of the type {content_type!r}.",
            hint="Declare the type that the file has.",
        )


class LinkInvalid(Forbidden):
    """A signed address that was changed or is over."""

    code = "link_invalid"

    def __init__(self) -> None:
        super().__init__(
            "The link is not valid or has expired.", hint="Make a new one: POST /api/uploads/{id}/link."
        )
