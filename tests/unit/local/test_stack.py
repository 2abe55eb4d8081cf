"""`.local/stack.json` as the contract pins it."""

import json
from pathlib import Path
from typing import Any

from deploy.local import stack

URLS = {
    "chat": "http://127.0.0.1:1",
    "chat-ops": "http://127.0.0.1:2",
    "webhook-dispatcher": "http://127.0.0.1:3",
    "webhook-dispatcher-ops": "http://127.0.0.1:4",
    "metrics": "http://127.0.0.1:5",
    "metrics-ops": "http://127.0.0.1:6",
    "demo-receiver": "http://127.0.0.1:7",
}


def _described() -> dict[str, Any]:
    return stack.describe(
        urls=URLS,
        pids={"chat": 11, "webhook-dispatcher": 12, "metrics": 13},
        postgres={"dsn": "postgresql://server", "databases": {"chat": "a", "webhooks": "b", "metrics": "c"}},
        rabbitmq_url="amqp://broker",
        app={"id": "app", "apiKey": "key", "webhook": "not shown"},
        admin_token="token",
    )


def test_the_file_has_exactly_the_pinned_entries() -> None:
    assert _described() == {
        "chat": {"url": URLS["chat"], "wsUrl": "ws://127.0.0.1:1/ws", "opsUrl": URLS["chat-ops"], "pid": 11},
        "webhookDispatcher": {"url": "http://127.0.0.1:3", "opsUrl": "http://127.0.0.1:4", "pid": 12},
        "metrics": {"url": "http://127.0.0.1:5", "opsUrl": "http://127.0.0.1:6", "pid": 13},
        "postgres": {
            "dsn": "postgresql://server",
            "databases": {"chat": "a", "webhooks": "b", "metrics": "c"},
        },
        "rabbitmq": {"url": "amqp://broker"},
        "app": {"id": "app", "apiKey": "key"},
        "adminToken": "token",
        "demoReceiver": {"url": "http://127.0.0.1:7"},
    }


def test_the_file_is_its_owners_alone_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "stack.json"

    stack.write(file, _described())

    assert file.stat().st_mode & 0o777 == 0o600
    assert json.loads(file.read_text()) == _described()
    assert list(tmp_path.iterdir()) == [file]


def test_a_new_pid_is_written_and_everything_else_stays(tmp_path: Path) -> None:
    file = tmp_path / "stack.json"
    stack.write(file, _described())

    changed = stack.refresh_pids(file, {"chat": 99, "demo-receiver": 5})

    expected = _described()
    expected["chat"]["pid"] = 99
    assert changed
    assert json.loads(file.read_text()) == expected


def test_the_same_pids_write_nothing(tmp_path: Path) -> None:
    file = tmp_path / "stack.json"
    stack.write(file, _described())
    before = file.stat().st_ino

    assert not stack.refresh_pids(file, {"chat": 11, "metrics": 13})

    assert file.stat().st_ino == before


def test_a_stack_that_is_not_ready_gets_no_file_by_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "stack.json"

    assert not stack.refresh_pids(file, {"chat": 99})

    assert not file.exists()


def test_removing_is_no_error_where_nothing_is(tmp_path: Path) -> None:
    stack.remove(tmp_path / "stack.json")
