"""Where a clone keeps what it runs with: `.local/` in the clone, and for root a directory under /var/lib.

PostgreSQL and RabbitMQ refuse to run as root or need not: for root they run as their packages' users, which
can't reach a clone below a private home. Then `.local` is a link to a place that they can reach.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from deploy.local.console import Trouble
from deploy.local.processes import Account

SYSTEM_DIRECTORY = Path("/var/lib/chatsdk-local")


@dataclass(frozen=True)
class Layout:
    """The places of one clone. `state` is where `.local` leads to."""

    root: Path
    state: Path

    @property
    def link(self) -> Path:
        """`.local` in the clone: the state directory itself, or a link to it."""
        return self.root / ".local"

    @property
    def stack_file(self) -> Path:
        """The file by which tools find the running stack."""
        return self.link / "stack.json"

    @property
    def secrets_file(self) -> Path:
        """Generated passwords and keys, kept over restarts."""
        return self.state / "secrets.json"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.state / "logs"

    @property
    def pids(self) -> Path:
        """One file per process that we started."""
        return self.state / "run"

    @property
    def venv(self) -> Path:
        """The virtual environment of the clone."""
        return self.root / ".venv"


def layout_of(root: Path, *, uid: int | None = None, system: Path = SYSTEM_DIRECTORY) -> Layout:
    """The layout of the clone at `root` for the user `uid` (who runs this, if not given)."""
    root = root.resolve()
    if (os.geteuid() if uid is None else uid) != 0:
        return Layout(root, root / ".local")
    digest = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return Layout(root, system / digest)


def check_owner(layout: Layout) -> None:
    """Root and an ordinary user keep their things apart: one clone belongs to one of them.

    Raises:
        Trouble: `.local` belongs to the other kind of user.
    """
    link = layout.link
    if layout.state == link and link.is_symlink():
        raise Trouble(
            f"{link} was made by root (make run as root before)",
            f"go on as root, or as root: make stop && rm {link.name}",
        )
    if layout.state != link and link.exists() and not link.is_symlink():
        raise Trouble(
            f"{link} was made by an ordinary user (make run without root before)",
            "go on as that user, or as that user: make stop && rm -r .local",
        )


def prepare(layout: Layout) -> None:
    """Make the directories, and the link for root. Changes the mode of nothing that was there before.

    Raises:
        Trouble: `.local` belongs to the other kind of user.
    """
    check_owner(layout)
    link, state = layout.link, layout.state
    if state != link:
        make_directory(state.parent, 0o755)
    # Others may pass through (the servers' users have directories below), not look around.
    make_directory(state, 0o711)
    make_directory(layout.logs, 0o700)
    make_directory(layout.pids, 0o700)
    if state != link and (not link.is_symlink() or link.readlink() != state):
        link.unlink(missing_ok=True)
        link.symlink_to(state)


def make_directory(path: Path, mode: int, account: Account | None = None) -> None:
    """Make a directory with exactly this mode, whatever the umask; one that is there is left as it is."""
    if path.is_dir():
        return
    path.mkdir(mode=mode, parents=True)
    path.chmod(mode)
    if account:
        os.chown(path, account.uid, account.gid)
