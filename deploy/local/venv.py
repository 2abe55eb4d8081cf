"""The virtual environment of the clone: locked third-party packages, then ours in editable form.

Everything goes through pip of the environment itself, so an operator's pip configuration (index, proxy,
certificates) applies. A stamp tells what it was made from; as long as that is unchanged nothing is done.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.local import processes
from deploy.local.console import Console, Trouble
from deploy.local.paths import Layout

STAMP = "chatsdk-local-stamp"


def missing_packages() -> list[str]:
    """The Debian package to install before a virtual environment can be made, if it is absent."""
    return [] if importlib.util.find_spec("ensurepip") else ["python3-venv"]


def python_of(layout: Layout) -> Path:
    """The interpreter of the virtual environment."""
    return layout.venv / "bin" / "python"


def our_packages(root: Path) -> list[Path]:
    """The folders of our own packages, in a fixed order."""
    return sorted(
        path.parent for place in ("shared", "services") for path in root.glob(f"{place}/*/pyproject.toml")
    )


def stamp_for(root: Path) -> str:
    """What the environment depends on: interpreter, place, lock, and the packages' own descriptions."""
    digest = hashlib.sha256(f"{sys.version}\0{root}\0".encode())
    for path in (root / "requirements.lock", *(folder / "pyproject.toml" for folder in our_packages(root))):
        digest.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def is_current(layout: Layout) -> bool:
    """Whether the environment was made from what is in the clone now."""
    stamp = layout.venv / STAMP
    return python_of(layout).exists() and stamp.exists() and stamp.read_text() == stamp_for(layout.root)


def set_up(layout: Layout, console: Console) -> None:
    """Make the environment, or bring it up to date.

    Raises:
        Trouble: pip failed; its last lines are in the text.
    """
    if is_current(layout):
        return
    log = layout.logs / "setup.log"
    root, python = layout.root, python_of(layout)
    stamp = layout.venv / STAMP
    stamp.unlink(missing_ok=True)
    if not _works_here(layout):
        shutil.rmtree(layout.venv, ignore_errors=True)
        with console.phase("make the virtual environment .venv"):
            _run([_base_python(), "-m", "venv", layout.venv], root, log)
    pip: list[str | Path] = [
        python,
        "-m",
        "pip",
        "--no-input",
        "--disable-pip-version-check",
        "install",
        "--quiet",
    ]
    with console.phase("install the locked Python packages (pip, with hashes)"):
        _run([*pip, "--require-hashes", "-r", root / "requirements.lock"], root, log)
    editable = [part for folder in our_packages(root) for part in ("-e", str(folder))]
    with console.phase("install our own packages (editable)"):
        _run([*pip, "--no-deps", "--no-build-isolation", *editable], root, log)
    stamp.write_text(stamp_for(root))


def _works_here(layout: Layout) -> bool:
    """Whether the environment runs, at this very place, with the Python that runs us; a moved one does not."""
    probe = "import sys, pip; print(sys.version, sys.prefix, sep='\\0')"
    try:
        done = subprocess.run([python_of(layout), "-c", probe], capture_output=True, text=True, check=False)
    except OSError:
        return False
    script = layout.venv / "bin" / "pip"
    return (
        done.stdout == f"{sys.version}\0{layout.venv}\n"
        and script.exists()
        and str(layout.venv) in script.read_text(errors="replace")
    )


def _base_python() -> str:
    """The interpreter to make environments with, also if we run in one ourselves."""
    return str(getattr(sys, "_base_executable", sys.executable))


def _run(command: Sequence[str | Path], root: Path, log: Path) -> None:
    # PIP_USER or a `user = true` in pip's configuration make no sense inside an environment.
    environment = {**os.environ, "PIP_USER": "0"}
    environment.pop("PYTHONPATH", None)
    with log.open("ab") as sink:
        done = subprocess.run(
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            check=False,
        )
    if done.returncode != 0:
        words = " ".join(str(part) for part in command[1:5])
        raise Trouble(
            f"`{words} ...` failed:\n{processes.tail(log)}",
            f"see {log}; pip uses your own configuration (pip config list), and needs its index reachable",
        )
