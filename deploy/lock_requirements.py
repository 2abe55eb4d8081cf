"""Compile requirements.lock from the packages' own dependencies and the development group.

The input is what is committed: every `pyproject.toml` under services/ and shared/, and the root's `dev` group. Our
own packages are left out, they are installed from their folders. The output has names, versions and hashes and no
address, so that the package index of whoever installs it applies. Called by `make lock`.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
HEADER = """\
# Third-party packages with their hashes, for Linux and Python 3.11 to 3.13.
# Made by `make lock` from the packages' pyproject.toml files and the dev group; do not edit.
"""


def package_folders(root: Path = ROOT) -> list[Path]:
    """Return the folders that hold one of our packages, in a stable order."""
    return sorted(
        path.parent for part in ("services", "shared") for path in root.glob(f"{part}/*/pyproject.toml")
    )


def normal_name(requirement: str) -> str:
    """Return the normalised distribution name that a requirement line starts with."""
    name = re.split(r"[^A-Za-z0-9._-]", requirement.strip(), maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(root: Path = ROOT) -> list[str]:
    """Return every third-party requirement that a package or the development group names."""
    projects = [tomllib.loads((folder / "pyproject.toml").read_text()) for folder in package_folders(root)]
    own = {normal_name(project["project"]["name"]) for project in projects}
    found = set(tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]["dev"])
    for project in projects:
        found.update(project["build-system"]["requires"])
        found.update(project["project"].get("dependencies", []))
        for extra in project["project"].get("optional-dependencies", {}).values():
            found.update(extra)
    return sorted(requirement for requirement in found if normal_name(requirement) not in own)


def main() -> int:
    """Rewrite the lock; versions already in it stay unless `--upgrade` is given."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "-", "--output-file", str(LOCK)]
    command += [
        "--universal",
        "--python-version",
        "3.11",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
    ]
    command += ["--quiet", *sys.argv[1:]]
    done = subprocess.run(command, input="\n".join(wanted()), text=True, cwd=ROOT, check=False)
    if done.returncode == 0:
        LOCK.write_text(HEADER + LOCK.read_text())
    return done.returncode


if __name__ == "__main__":
    raise SystemExit(main())
