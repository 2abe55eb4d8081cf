"""What is refused about exports; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

from chatsdk_runtime.errors import Conflict, NotFound, ServiceError


class ExportNotFound(NotFound):
    """No such export, or none that the caller may have."""

    code = "export_not_found"

    def __init__(self) -> None:
        super().__init__("No such export.")


class ExportUnfinished(Conflict):
    """The export is being written."""

    code = "export_unfinished"

    def __init__(self) -> None:
        super().__init__(
            "The export is not finished.", hint="Ask GET /api/exports/{id} until its status is done."
        )


class ExportExpired(ServiceError):
    """The export's file was removed when its time was over."""

    status_code = 410
    code = "export_expired"

    def __init__(self) -> None:
        super().__init__("The export has expired.", hint="Make a new one.")
