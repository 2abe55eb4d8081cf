"""What is refused about imports; beside `chat_service.errors`, and rendered like those."""

from __future__ import annotations

from chatsdk_runtime.errors import BadRequest, NotFound


class ImportNotFound(NotFound):
    """No such import in the app."""

    code = "import_not_found"

    def __init__(self) -> None:
        super().__init__("No such import.", hint="POST /api/import starts one and names its id.")


class ImportEmpty(BadRequest):
    """Nothing came."""

    code = "import_empty"

    def __init__(self) -> None:
        super().__init__(
            "The body is empty.",
            hint='Send one JSON object a line, each with its "kind", as application/x-ndjson.',
        )
