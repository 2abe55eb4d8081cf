"""What runs: the three services and the demo receiver, with their commands, settings, ports and addresses."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local import ports, processes
from deploy.local.paths import Layout
from deploy.local.venv import python_of

PREFERRED_PORTS = {
    "chat": 5500,
    "chat-ops": 5501,
    "webhook-dispatcher": 5510,
    "webhook-dispatcher-ops": 5511,
    "metrics": 5520,
    "metrics-ops": 5521,
    "demo-receiver": 5530,
}
POSTGRES_PORT = 5540
RABBITMQ_PORT = 5550

MODULES = {"chat": "chat_service", "webhooks": "webhook_dispatcher", "metrics": "metrics_service"}
"""Module of each service by the prefix of its settings."""

NAMES = {"chat": "chat", "webhooks": "webhook-dispatcher", "metrics": "metrics"}
"""What a service is called, in logs and here, by the prefix of its settings."""


@dataclass(frozen=True)
class Program:
    """A process that the supervisor keeps running. `ready_url` answers 200 once it works."""

    name: str
    command: list[str]
    environment: dict[str, str]
    directory: str
    ready_url: str


@dataclass(frozen=True)
class Backing:
    """What the services stand on: database URLs by the prefix of their settings, and the broker."""

    databases: dict[str, str]
    rabbitmq_url: str


def choose_ports(layout: Layout) -> dict[str, int]:
    """Free ports for all programs: those of the last start, else the preferred ones, else the next above."""
    file = layout.state / "ports.json"
    held: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError):
        held = json.loads(file.read_text())
    chosen = {name: ports.choose(held.get(name, preferred)) for name, preferred in PREFERRED_PORTS.items()}
    processes.write_private(file, json.dumps(chosen))
    return chosen


def urls_for(chosen: Mapping[str, int]) -> dict[str, str]:
    """The base URL of each port."""
    return {name: f"http://127.0.0.1:{port}" for name, port in chosen.items()}


def without_proxy(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with loopback traffic kept off any proxy."""
    merged = dict(environment)
    listed = merged.get("no_proxy") or merged.get("NO_PROXY") or ""
    hosts = [host for host in listed.split(",") if host.strip()]
    hosts += [host for host in ("127.0.0.1", "localhost") if host not in hosts]
    merged["no_proxy"] = merged["NO_PROXY"] = ",".join(hosts)
    return merged


def settings_for(
    chosen: Mapping[str, int], backing: Backing, secrets: Mapping[str, str], service: str
) -> dict[str, str]:
    """The environment variables of one service, on top of those that it inherits."""
    urls = urls_for(chosen)
    prefix = service.upper()
    settings = {
        "CHATSDK_ENV": "development",
        "CHATSDK_SERVICE_TOKEN": secrets["serviceToken"],
        "CHATSDK_MASTER_KEYS": secrets["masterKeys"],
        "CHATSDK_DRAIN_TIMEOUT_S": "3",
        "RABBITMQ_URL": backing.rabbitmq_url,
        f"{prefix}_DATABASE_URL": backing.databases[service],
        f"{prefix}_HOST": "127.0.0.1",
        f"{prefix}_OPS_HOST": "127.0.0.1",
        f"{prefix}_PORT": str(chosen[NAMES[service]]),
        f"{prefix}_OPS_PORT": str(chosen[f"{NAMES[service]}-ops"]),
        "CHAT_INTERNAL_URL": urls["chat-ops"],
    }
    if service == "chat":
        settings |= {
            "CHATSDK_ADMIN_TOKEN": secrets["adminToken"],
            # Whoever tries out how fast this is wants to measure the service, not its limits.
            "CHAT_RATE_LIMIT_FACTOR": "100",
            "CHAT_PUBLIC_URL": urls["chat"],
            "WEBHOOKS_PUBLIC_URL": urls["webhook-dispatcher"],
            "METRICS_PUBLIC_URL": urls["metrics"],
            "CHAT_HOOK_ALLOW_HTTP": "true",
            "CHAT_OUTGOING_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
    if service == "webhooks":
        settings |= {"WEBHOOKS_ALLOW_HTTP": "true", "WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.0/8"}
    return settings


def programs_for(
    layout: Layout, chosen: Mapping[str, int], backing: Backing, secrets: Mapping[str, str]
) -> list[Program]:
    """Everything that the supervisor shall run."""
    python, urls = str(python_of(layout)), urls_for(chosen)
    inherited = inherited_environment(layout)
    programs = [
        Program(
            name=name,
            command=[python, "-m", MODULES[service], "serve"],
            environment=inherited
            | settings_for(chosen, backing, secrets, service)
            | _directories(layout, service),
            directory=str(layout.root),
            ready_url=f"{urls[f'{name}-ops']}/ready",
        )
        for service, name in NAMES.items()
    ]
    receiver = Path(__file__).with_name("demo_receiver.py")
    programs.append(
        Program(
            name="demo-receiver",
            command=[python, str(receiver), str(chosen["demo-receiver"]), str(demo_secrets_file(layout))],
            environment=inherited,
            directory=str(layout.root),
            ready_url=f"{urls['demo-receiver']}/received",
        )
    )
    return programs


def _directories(layout: Layout, service: str) -> dict[str, str]:
    return {"CHAT_UPLOADS_DIRECTORY": str(layout.state / "uploads")} if service == "chat" else {}


def inherited_environment(layout: Layout) -> dict[str, str]:
    """What every process of ours gets of the caller's environment, with our mark on it."""
    return without_proxy(os.environ) | {processes.TAG: str(tag_of_programs(layout)), "PYTHONUNBUFFERED": "1"}


def tag_of_programs(layout: Layout) -> Path:
    """The mark of all that the supervisor runs, and of itself; the servers have another."""
    return layout.state / "programs"


def demo_secrets_file(layout: Layout) -> Path:
    """Where the demo receiver reads the secrets of the webhooks that lead to it."""
    return layout.state / "demo-webhooks.json"


def migrate_commands(
    layout: Layout, chosen: Mapping[str, int], backing: Backing, secrets: Mapping[str, str]
) -> dict[str, tuple[list[str], dict[str, str]]]:
    """Command and environment of each service's migration, by the service's name."""
    inherited = inherited_environment(layout)
    return {
        name: (
            [str(python_of(layout)), "-m", MODULES[service], "migrate"],
            inherited | settings_for(chosen, backing, secrets, service),
        )
        for service, name in NAMES.items()
    }
