"""Processes that outlive us: start them, find them again, stop them, and never touch anybody else's.

A pid alone is no name: it is used again after a crash or a reboot. What is recorded is the pid with the time
at which that process started, as the kernel tells both.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from deploy.local.console import Trouble

TAG = "CHATSDK_LOCAL_INSTANCE"
"""Set in the environment of every process that we start, to find it when its record is lost."""

PROC = Path("/proc")

_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Identity:
    """One process, for ever: `started` is in clock ticks since the boot named by `boot`."""

    pid: int
    started: int
    boot: str


@dataclass(frozen=True)
class Account:
    """The user under which a server runs."""

    name: str
    uid: int
    gid: int


def account_for(name: str) -> Account | None:
    """The package's user `name` if we are root, else None: run as who we are.

    Raises:
        Trouble: there is no such user.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise Trouble(
            f"there is no user {name!r}, under which its server has to run",
            f"reinstall its Debian package, or: useradd --system {name}",
        ) from None
    return Account(name, entry.pw_uid, entry.pw_gid)


def identity_of(pid: int) -> Identity | None:
    """The identity of a running process, None if it is gone or only waits to be reaped."""
    try:
        stat = (PROC / str(pid) / "stat").read_text()
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    # The name in parentheses may hold spaces and parentheses itself.
    fields = stat[stat.rindex(")") + 2 :].split()
    if fields[0] in {"Z", "X"}:
        return None
    return Identity(pid, int(fields[19]), boot)


def is_alive(identity: Identity | None) -> bool:
    """Whether this very process still runs."""
    return identity is not None and identity_of(identity.pid) == identity


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)


def record(path: Path, identity: Identity) -> None:
    """Keep an identity, to be found by `recorded`."""
    write_private(path, json.dumps(asdict(identity)))


def recorded(path: Path) -> Identity | None:
    """The process recorded in this file if it still runs, else None."""
    try:
        identity = Identity(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return identity if is_alive(identity) else None


def launch(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str],
    directory: Path,
    account: Account | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own: it outlives us and no Ctrl-C of our terminal reaches it."""
    rotate(log)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as sink:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            umask=0o077,
        )
    _children[child.pid] = child
    return child


def reap(pid: int) -> int | None:
    """Take leave of a child that ended. Returns its exit code, None if it runs or is no child of ours."""
    child = _children.get(pid)
    if child is None or child.poll() is None:
        return None
    del _children[pid]
    return child.returncode


def reap_all() -> None:
    """Take leave of every child that ended, however it ended; at the end of a test run, which stops them all."""
    for pid in list(_children):
        reap(pid)


def rotate(log: Path, *, limit: int = 20_000_000) -> None:
    """Put what a log holds aside once it has grown past `limit` bytes, in place of what was there before.

    The file stays the same one, since a process may be writing to its end.
    """
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > limit:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            os.truncate(log, 0)


def stop(identity: Identity | None, *, signals: Sequence[int], grace_s: float) -> None:
    """Send each signal in turn, waiting for the end after each; the last resort is SIGKILL."""
    for number in (*signals, signal.SIGKILL):
        if identity is None or not is_alive(identity):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.pid, number)
        wait_gone(identity, within_s=grace_s)


def wait_gone(identity: Identity, *, within_s: float) -> bool:
    """Wait for the end of a process, ours to reap or not. Returns whether it is gone."""
    until = time.monotonic() + within_s
    while is_alive(identity):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
        reap(identity.pid)
    reap(identity.pid)
    return True


def tagged(instance: Path) -> list[Identity]:
    """All running processes which carry the tag of this instance, whatever became of their records."""
    wanted = f"{TAG}={instance}".encode()
    found: list[Identity] = []
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            variables = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        identity = identity_of(int(entry.name))
        if wanted in variables and identity is not None and identity.pid != os.getpid():
            found.append(identity)
    return found


def working_in(directory: Path) -> list[Identity]:
    """All running processes whose working directory is `directory`: for PostgreSQL, which hides its tag."""
    found: list[Identity] = []
    target = directory.resolve()
    for entry in PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            matches = (entry / "cwd").readlink() == target
        except OSError:
            continue
        identity = identity_of(int(entry.name))
        if matches and identity is not None and identity.pid != os.getpid():
            found.append(identity)
    return found


def tail(log: Path, lines: int = 12) -> str:
    """The last lines of a log, indented, for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8_192))
            text = file.read().decode(errors="replace")
    except OSError:
        return "    (no log)"
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
