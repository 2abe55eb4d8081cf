"""A private PostgreSQL server: TCP on 127.0.0.1 only, passwords for everybody, data in one directory.

`launch` doesn't wait, so that the broker can start meanwhile; `wait_ready` does. A server that was killed in
any way is started again on what it left behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.local import packages, ports, processes
from deploy.local.console import Trouble
from deploy.local.paths import make_directory
from deploy.local.processes import Account, Identity

SUPERUSER = "postgres"
START_S = 60.0
"""A crash recovery may take its time."""


@dataclass
class Postgres:
    """One server. `home` holds its data; `logs` and `pids` are directories of the instance."""

    home: Path
    logs: Path
    pids: Path
    password: str
    preferred_port: int
    fsync: bool = True
    port: int = 0

    @property
    def data(self) -> Path:
        """The data directory proper."""
        return self.home / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.logs / "postgres.log"

    @property
    def binaries(self) -> Path:
        """Where the programs are: of the version that made the data, else of the newest.

        Raises:
            Trouble: there is none that fits.
        """
        found = packages.postgres_bins()
        try:
            made_by = int((self.data / "PG_VERSION").read_text())
        except OSError:
            made_by = max(found, default=0)
        if made_by not in found:
            raise Trouble(
                f"PostgreSQL {made_by or '15 to 18'} is not installed, and {self.data} needs it",
                f"apt-get install postgresql{f'-{made_by}' if made_by else ''}; or start anew: "
                f"make stop, then remove {self.home}",
            )
        return found[made_by]

    @property
    def account(self) -> Account | None:
        """The user it runs as: the package's for root."""
        return processes.account_for("postgres")

    def dsn(self, database: str = "postgres", role: str = SUPERUSER, password: str | None = None) -> str:
        """A URL for a database of this server, for the superuser if no role is named."""
        return f"postgresql://{role}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def running(self) -> Identity | None:
        """The server process if it runs, found by its record or, that being lost, by its directory."""
        identity = processes.recorded(self.pids / "postgres.pid")
        if identity is None and (first := self._pid_file()) is not None:
            found = {other.pid: other for other in processes.working_in(self.data)}
            identity = found.get(int(first[0]))
        return identity

    def adopt(self) -> bool:
        """Take over a server that already runs here. Returns whether there is one."""
        lines = self._pid_file()
        if self.running() is None or lines is None or len(lines) < 8 or lines[7].strip() != "ready":
            return False
        self.port = int(lines[3])
        return True

    def launch(self) -> Identity:
        """Start the server, on the port it had if that is still free. Doesn't wait until it is ready."""
        self._initialise()
        self._clear_remains()
        self._choose_port()
        durability = [] if self.fsync else ["-c", "fsync=off", "-c", "full_page_writes=off"]
        child = processes.launch(
            [self.binaries / "postgres", "-D", self.data, *self._options(), *durability],
            log=self.log,
            environment=_environment(self.home),
            directory=self.home,
            account=self.account,
        )
        return self._record(child.pid)

    def wait_ready(self, within_s: float = START_S) -> None:
        """Wait until the server takes connections.

        Raises:
            Trouble: it ended or did not become ready in time.
        """
        until = time.monotonic() + within_s
        while True:
            lines = self._pid_file()
            identity = processes.recorded(self.pids / "postgres.pid")
            mine = lines is not None and identity is not None and int(lines[0]) == identity.pid
            if mine and lines is not None and len(lines) >= 8 and lines[7].strip() == "ready":
                ports.release(self.port)
                return
            if identity is None or time.monotonic() > until:
                raise Trouble(f"PostgreSQL does not start:\n{processes.tail(self.log)}", f"see {self.log}")
            processes.reap(identity.pid)
            time.sleep(0.02)

    def start(self) -> None:
        """Adopt a server that runs or is just starting, else launch one; wait until it is ready."""
        if self.adopt():
            return
        if (found := self.running()) is not None:
            processes.stop(found, signals=[signal.SIGINT, signal.SIGQUIT], grace_s=10)
        self.launch()
        self.wait_ready()

    def stop(self) -> None:
        """End the server in good order, and by force after 20 s."""
        processes.stop(self.running(), signals=[signal.SIGINT, signal.SIGQUIT], grace_s=20)
        (self.pids / "postgres.pid").unlink(missing_ok=True)

    def kill(self) -> None:
        """SIGKILL the server and everything of it, as a crash would."""
        processes.stop(self.running(), signals=[], grace_s=10)
        for identity in processes.working_in(self.data):
            processes.stop(identity, signals=[], grace_s=10)

    def sql(self, statements: str, database: str = "postgres") -> str:
        """Run SQL as the superuser by psql; stops at the first error. Returns what was selected, unaligned.

        Raises:
            Trouble: a statement failed.
        """
        done = subprocess.run(
            [self.binaries / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.dsn(database)],
            input=statements,
            capture_output=True,
            text=True,
            env=_environment(self.home),
            check=False,
        )
        if done.returncode != 0:
            raise Trouble(f"PostgreSQL refused a statement: {done.stderr.strip()}", f"see {self.log}")
        return done.stdout.strip()

    def _choose_port(self) -> None:
        """A port that this object has had is kept, for the addresses given out name it."""
        file = self.home / "port"
        if not self.port:
            held = file.read_text() if file.exists() else ""
            self.port = ports.choose(int(held) if held.isdigit() else self.preferred_port)
            processes.write_private(file, str(self.port))
        elif not ports.is_free(self.port):
            raise Trouble(f"port {self.port}, where PostgreSQL was, is taken", "make stop, then make run")

    def _options(self) -> list[str]:
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "300",
            "shared_buffers": "128MB",
            "max_wal_size": "2GB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] %q%u@%d ",
            "jit": "off",
        }
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _initialise(self) -> None:
        """Make the data directory if there is none; a half-made one of a killed start is thrown away."""
        if (self.data / "PG_VERSION").exists():
            return
        make_directory(self.home, 0o700, self.account)
        fresh = self.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password_file = self.home / "password"
        processes.write_private(password_file, self.password + "\n")
        if self.account:
            os.chown(password_file, self.account.uid, self.account.gid)
        child = processes.launch(
            [
                self.binaries / "initdb", "-D", fresh, "-U", SUPERUSER, "--encoding=UTF8", "--locale=C.UTF-8",
                "--auth=scram-sha-256", "--pwfile", password_file, "--no-instructions",
                *([] if self.fsync else ["--no-sync"]),
            ],
            log=self.log,
            environment=_environment(self.home),
            directory=self.home,
            account=self.account,
        )  # fmt: skip
        child.wait()
        password_file.unlink()
        if processes.reap(child.pid) != 0:
            raise Trouble(f"initdb failed:\n{processes.tail(self.log)}", f"see {self.log}")
        fresh.rename(self.data)

    def _clear_remains(self) -> None:
        """What a killed server left: children that are still ending, and a pid file that names a stranger."""
        until = time.monotonic() + 10
        while (remains := processes.working_in(self.data)) and time.monotonic() < until:
            time.sleep(0.05)
        for identity in remains:
            processes.stop(identity, signals=[signal.SIGQUIT], grace_s=5)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _pid_file(self) -> list[str] | None:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return None
        return lines if lines and lines[0].lstrip("-").isdigit() else None

    def _record(self, pid: int) -> Identity:
        identity = processes.identity_of(pid)
        if identity is None:
            raise Trouble(f"PostgreSQL ended at once:\n{processes.tail(self.log)}", f"see {self.log}")
        processes.record(self.pids / "postgres.pid", identity)
        return identity


def _environment(home: Path) -> dict[str, str]:
    # Nothing of the caller's PG* variables: they would lead psql and the server elsewhere.
    return {"PATH": "/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8"}
