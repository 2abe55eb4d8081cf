"""One private PostgreSQL and one private RabbitMQ with the directory, ports and passwords they share.

`make run` has one instance per clone; a test run takes one of its own. Both use this module.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path

from deploy.local import processes
from deploy.local.credentials import load_credentials
from deploy.local.paths import make_directory
from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ


@dataclass(frozen=True)
class Instance:
    """The two servers, not necessarily running, and the credentials of everything around them."""

    directory: Path
    credentials: dict[str, str]
    postgres: Postgres
    rabbitmq: RabbitMQ

    @property
    def pids(self) -> Path:
        """One file per process that belongs to this instance."""
        return self.directory / "run"

    def end_leftovers(self) -> None:
        """End whatever an earlier run left running, also where its records are lost."""
        self.rabbitmq.kill()
        self.rabbitmq.end_strays()
        self.postgres.stop()
        for identity in processes.working_in(self.postgres.data):
            processes.stop(identity, signals=[signal.SIGQUIT], grace_s=5)

    def wipe(self) -> None:
        """Remove the data of both servers. They must not run."""
        for home in (self.postgres.home, self.rabbitmq.home):
            shutil.rmtree(home, ignore_errors=True)


def open_instance(
    directory: Path, *, postgres_port: int, rabbitmq_port: int, fsync: bool = True, schedulers: int = 2
) -> Instance:
    """The instance that lives in `directory`, which is made if it is not there. Starts nothing.

    The ports are preferences: the first of up to three for RabbitMQ. Without `fsync` a power cut, but no
    killed process, loses data.
    """
    make_directory(directory, 0o711)
    logs, pids = directory / "logs", directory / "run"
    make_directory(logs, 0o700)
    make_directory(pids, 0o700)
    credentials = load_credentials(directory / "secrets.json")
    postgres = Postgres(
        home=directory / "postgres",
        logs=logs,
        pids=pids,
        password=credentials["postgres"],
        preferred_port=postgres_port,
        fsync=fsync,
    )
    rabbitmq = RabbitMQ(
        home=directory / "rabbitmq",
        logs=logs,
        pids=pids,
        password=credentials["rabbitmq"],
        cookie=credentials["erlangCookie"],
        node=_node_of(directory),
        preferred_port=rabbitmq_port,
        instance=directory,
        schedulers=schedulers,
    )
    return Instance(directory, credentials, postgres, rabbitmq)


def _node_of(directory: Path) -> str:
    """The name of the broker's node: kept with the data, which belong to a node of that name only."""
    file = directory / "node"
    if not file.exists():
        digest = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]
        processes.write_private(file, f"chatsdk-{digest}")
    return file.read_text()
