"""The import contracts of the root pyproject.toml hold for the code, and each of them can fail.

A contract that matches no module passes for ever. So every one is run against a small planted tree with the
packages' real names, once clean and once with the import that it forbids.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

PLANTED_MODULES = (
    "chat_service/app.py",
    "chat_service/messages/api.py",
    "chat_service/messages/actions.py",
    "chat_service/messages/store.py",
    "chat_service/messages/rules.py",
    "chat_service/realtime/consumers.py",
    "chat_service/realtime/protocol.py",
    "chat_service/settings.py",
    "webhook_dispatcher/app.py",
    "webhook_dispatcher/webhooks/api.py",
    "webhook_dispatcher/dispatch/consumers.py",
    "webhook_dispatcher/dispatch/matching.py",
    "webhook_dispatcher/dispatch/worker.py",
    "metrics_service/app.py",
    "metrics_service/consumers.py",
    "metrics_service/projections.py",
    "metrics_service/store.py",
    "chatsdk_runtime/outgoing/sender.py",
    "chatsdk_runtime/postgres.py",
    "chatsdk_contracts/ids.py",
    "chatsdk/client.py",
    "chatsdk/offline/engine.py",
)

VIOLATIONS = [
    ("packages", "chat_service/messages/rules.py", "webhook_dispatcher.dispatch.matching"),
    ("packages", "chatsdk_runtime/postgres.py", "chat_service.settings"),
    ("packages", "chatsdk_contracts/ids.py", "chatsdk_runtime.postgres"),
    ("sdk", "chatsdk/client.py", "chatsdk_runtime.postgres"),
    ("sdk", "chatsdk/client.py", "asyncpg"),
    ("servers-without-sdk", "metrics_service/store.py", "chatsdk.client"),
    ("contracts-are-data", "chatsdk_contracts/ids.py", "asyncpg"),
    ("rules-are-pure", "chat_service/messages/rules.py", "time"),
    ("rules-are-pure", "chat_service/realtime/protocol.py", "asyncio"),
    ("rules-are-pure", "webhook_dispatcher/dispatch/matching.py", "chatsdk_runtime.postgres"),
    ("rules-are-pure", "chatsdk/offline/engine.py", "random"),
    ("rules-below", "metrics_service/projections.py", "metrics_service.store"),
    ("stores-below", "chat_service/messages/store.py", "chat_service.messages.actions"),
    ("stores-below", "chatsdk_runtime/outgoing/sender.py", "webhook_dispatcher.dispatch.worker"),
    ("stores-are-sql", "metrics_service/store.py", "fastapi"),
    ("actions-below", "chat_service/messages/actions.py", "chat_service.messages.api"),
    ("actions-know-no-door", "chat_service/messages/actions.py", "asyncpg"),
    ("http-door", "webhook_dispatcher/webhooks/api.py", "webhook_dispatcher.dispatch.worker"),
    ("http-door", "chat_service/messages/api.py", "asyncpg"),
    ("broker-door", "metrics_service/consumers.py", "fastapi"),
    ("composition-root", "chat_service/messages/actions.py", "chat_service.app"),
    ("composition-root", "chat_service/settings.py", "chat_service.app"),
]


# Found first on the path, the planted packages stand in for the installed ones.
PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); import importlinter.cli as c; c.lint_imports_command()"
)


def lint(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run import-linter with the repository's contracts on the packages that `folder` holds."""
    command = [
        sys.executable,
        "-c",
        PROGRAM,
        str(folder),
        "--config",
        str(ROOT / "pyproject.toml"),
        "--no-cache",
    ]
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def plant(folder: Path) -> None:
    for module in PLANTED_MODULES:
        path = folder / module
        path.parent.mkdir(parents=True, exist_ok=True)
        for package in path.relative_to(folder).parents[:-1]:
            (folder / package / "__init__.py").touch()
        path.touch()


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    plant(folder)
    return folder


def test_every_contract_has_a_violation_that_breaks_it() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]

    contracts = {contract["id"] for contract in settings["contracts"]}

    assert contracts == {contract for contract, _, _ in VIOLATIONS}


def test_the_contracts_accept_a_tree_without_a_forbidden_import(planted: Path) -> None:
    done = lint(planted)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("contract", "importer", "imported"), VIOLATIONS)
def test_a_forbidden_import_breaks_its_contract(
    planted: Path, contract: str, importer: str, imported: str
) -> None:
    module = planted / importer
    module.write_text(f"import {imported}\n")

    done = lint(planted, "--contract", contract)
    module.write_text("")

    assert done.returncode == 1
    assert "BROKEN" in done.stdout, done.stdout + done.stderr
