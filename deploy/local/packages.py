"""Debian packages that are absent are installed: quietly, without starting or touching any service.

Called first of all by the runner and by the tests. What is already on the machine is left as it is.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from deploy.local.console import Console, Trouble

LOCK_WAIT_S = 600
"""How long another package manager may hold its locks before we give up."""

POSTGRES_VERSIONS = range(15, 19)
"""Major versions of PostgreSQL that the services support."""

NEW_UNITS = {
    "rabbitmq-server": ("rabbitmq-server.service", "epmd.service", "epmd.socket"),
    "postgresql": ("postgresql.service",),
}
"""systemd units that come with a package and would start at the next boot."""


def postgres_bins() -> dict[int, Path]:
    """The directories with `initdb` and `postgres`, by supported major version."""
    found: dict[int, Path] = {}
    for path in Path("/usr/lib/postgresql").glob("*/bin/postgres"):
        version = path.parts[4]
        if version.isdigit():
            found[int(version)] = path.parent
    on_path = shutil.which("postgres")
    if on_path is not None:
        directory = Path(on_path).resolve().parent
        found.setdefault(_version(directory), directory)
    return {version: path for version, path in found.items() if version in POSTGRES_VERSIONS}


def _version(directory: Path) -> int:
    text = subprocess.run([directory / "postgres", "--version"], capture_output=True, text=True, check=False)
    match = re.search(r"\b(\d+)[.\d]*", text.stdout)
    return int(match[1]) if match else 0


def rabbitmq_server() -> Path | None:
    """The broker's start script that runs under any user, or None."""
    home = Path("/usr/lib/rabbitmq")
    found = [home / "bin/rabbitmq-server", *home.glob("lib/rabbitmq_server-*/sbin/rabbitmq-server")]
    return next((path for path in found if path.exists()), None)


def missing(*, postgres: bool, rabbitmq: bool) -> list[str]:
    """The Debian packages to install for those of the two servers that are wanted."""
    wanted: list[str] = []
    if postgres and not postgres_bins():
        wanted.append("postgresql")
    if rabbitmq and rabbitmq_server() is None:
        wanted.append("rabbitmq-server")
    return wanted


def install_command(names: Sequence[str]) -> list[str]:
    """The apt-get command: asks nothing, keeps configuration files, waits for the package lock."""
    return [
        "apt-get", "install", "--yes", "--no-install-recommends", "--no-upgrade",
        "-o", f"DPkg::Lock::Timeout={LOCK_WAIT_S}",
        "-o", "Dpkg::Options::=--force-confdef",
        "-o", "Dpkg::Options::=--force-confold",
        "-o", "Dpkg::Use-Pty=0",
        *names,
    ]  # fmt: skip


def as_root(
    command: Sequence[str], environment: Mapping[str, str] | None = None, *, uid: int | None = None
) -> list[str]:
    """`command` as root: as it is for root, else through sudo, keeping only the proxies that apt reads.

    `uid` is who asks; who runs this, if not given.
    """
    env = os.environ if environment is None else environment
    keep = [f"{name}={env[name]}" for name in ("http_proxy", "https_proxy", "no_proxy") if env.get(name)]
    plain = ["env", "LC_ALL=C.UTF-8", *keep, *command]
    if (os.geteuid() if uid is None else uid) == 0:
        return plain
    return ["sudo", "-p", "[sudo] password to install Debian packages: ", "--", *plain]


def install(names: Iterable[str], console: Console, logs: Path, *, uid: int | None = None) -> None:
    """Install Debian packages; a package list that is missing or out of date is fetched first.

    Raises:
        Trouble: the machine has no apt, we may not become root, or apt failed.
    """
    wanted = list(names)
    if not wanted:
        return
    _check_means(wanted, os.geteuid() if uid is None else uid)
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / "packages.log"
    script = str(Path(__file__).with_name("quiet_install.sh"))
    command = as_root(["sh", script, *install_command(wanted)])
    units = [unit for name in wanted for unit in NEW_UNITS.get(name, ()) if not _unit_exists(unit)]
    with console.phase(f"install Debian packages: {' '.join(wanted)} (starts no service)"):
        if not _lists_know(wanted) or _patiently(command, console, log) != 0:
            console.note("    fetch the package lists (apt-get update)")
            _patiently(as_root(["apt-get", "update"]), console, log)
            if _patiently(command, console, log) != 0:
                raise Trouble(
                    f"apt-get could not install {' '.join(wanted)}: {_last_line(log)}",
                    f"see {log}; or run by hand: apt-get install {' '.join(wanted)}, then again",
                )
        _keep_off_at_boot(units, log)


def _check_means(wanted: Sequence[str], uid: int) -> None:
    by_hand = f"install them yourself, then run this again: {' '.join(wanted)}"
    if shutil.which("apt-get") is None:
        raise Trouble("this machine has no apt-get, and these are absent: " + " ".join(wanted), by_hand)
    if uid == 0:
        return
    if shutil.which("sudo") is None:
        raise Trouble("installing needs root, and there is no sudo", f"as root, {by_hand}")
    silent = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    if not silent and not sys.stdin.isatty():
        raise Trouble("sudo wants a password, and there is no terminal to ask on", by_hand)


def _lists_know(names: Sequence[str]) -> bool:
    shown = subprocess.run(
        ["apt-cache", "show", "--no-all-versions", *names], capture_output=True, check=False
    )
    return shown.returncode == 0


def _patiently(command: Sequence[str], console: Console, log: Path) -> int:
    """Run an apt command, again for as long as another package manager holds a lock that apt won't wait for."""
    until = time.monotonic() + LOCK_WAIT_S
    while True:
        with log.open("ab") as sink:
            began_at = sink.seek(0, os.SEEK_END)
            code = subprocess.run(command, stdout=sink, stderr=subprocess.STDOUT, check=False).returncode
        said = log.read_bytes()[began_at:]
        if code == 0 or b"Could not get lock" not in said or time.monotonic() > until:
            return code
        console.note("    another package manager is at work: waiting for it")
        time.sleep(5)


def _unit_exists(unit: str) -> bool:
    return any(Path(folder, unit).exists() for folder in ("/etc/systemd/system", "/usr/lib/systemd/system"))


def _keep_off_at_boot(units: Sequence[str], log: Path) -> None:
    """What has just come with a package shall not start by itself at the next boot either."""
    if not units or shutil.which("systemctl") is None:
        return
    command = as_root(["systemctl", "disable", "--quiet", *units])
    with log.open("ab") as sink:
        subprocess.run(command, stdout=sink, stderr=subprocess.STDOUT, check=False)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "no output"
