"""What the OpenAPI document says of this service's routes beyond what they say themselves. A new route is a row here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import FastAPI

from chatsdk_contracts.wire import WireModel
from chatsdk_runtime.openapi import Replies, ServiceDocument, document

DESCRIPTION: Final = "Metrics: exact totals of each app, every event counted once."


class Totals(WireModel):
    """The app's totals by series; a series with a label has one by each of its values."""

    app_id: str
    totals: dict[str, int | float | dict[str, int | float]]


REPLIES: Final[Mapping[str, Replies]] = {"GET /api/metrics/totals": {200: Totals}}


def describe(app: FastAPI) -> None:
    """Have the public application's document be whole."""
    document(
        app,
        ServiceDocument(
            package="metrics_service",
            description=DESCRIPTION,
            replies=REPLIES,
            security_schemes={
                "ApiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-API-Key",
                    "description": "Of an app's server, with the scope metrics:read or without any.",
                }
            },
            security_of=lambda _route: [{"ApiKey": []}],
            tags={"totals": "Exact totals."},
            by_name={
                "appId": "01890a5d-ac96-774b-bcce-b302099a8057",
                "totals": {"chatsdk_messages_total": {"messaging": 7}, "chatsdk_users_total": 3},
            },
        ),
    )
