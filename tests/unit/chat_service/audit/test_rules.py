"""Who stands behind a change."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chat_service.audit.rules import kind_of
from chat_service.events.log import Cause
from chatsdk_contracts.ids import AppId

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"key_id": "k", "request_id": "r"}, "server"),
        ({"key_id": "k", "actor_id": "eve", "request_id": "r"}, "server"),
        ({"actor_id": "eve", "request_id": "r"}, "user"),
        ({"request_id": "r"}, "operator"),
        ({}, "system"),
    ],
)
def test_who_stands_behind_a_change(fields: dict[str, Any], kind: str) -> None:
    assert kind_of(Cause(AppId("a"), NOW, 1, **fields)) == kind
