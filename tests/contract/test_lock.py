"""requirements.lock is what `make setup` installs: complete, with hashes, and bound to no package index."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from deploy.lock_requirements import normal_name, package_folders, wanted

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(
    r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?: ; [^\\]+)?(?P<hashes>( --hash=sha256:[0-9a-f]{64})+)"
)


def _entries(text: str) -> Iterator[str]:
    """The lock's requirements, each on one line."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\s*\\\n\s*", " ", "\n".join(lines)).splitlines():
        if line.strip():
            yield line.strip()


def _pins(text: str) -> dict[str, set[str]]:
    """The locked versions by normalised name; several where they depend on the Python.

    Raises:
        ValueError: an entry is no pin with hashes.
    """
    found: dict[str, set[str]] = {}
    for entry in _entries(text):
        match = PIN.fullmatch(entry)
        if match is None:
            raise ValueError(entry)
        found.setdefault(normal_name(match["name"]), set()).add(match["version"])
    return found


@pytest.fixture(scope="module")
def lock() -> str:
    return (ROOT / "requirements.lock").read_text()


def test_every_entry_is_one_version_with_hashes(lock: str) -> None:
    assert len(_pins(lock)) > 50


def test_no_address_is_in_it(lock: str) -> None:
    assert "://" not in lock
    assert not re.search(r"^\s*-", re.sub(r"^\s+--hash=", "", lock, flags=re.MULTILINE), re.MULTILINE)


@pytest.mark.parametrize("wish", wanted(ROOT))
def test_what_a_package_depends_on_is_locked_in_a_version_that_it_takes(wish: str, lock: str) -> None:
    requirement = Requirement(wish)

    versions = _pins(lock).get(normal_name(requirement.name), set())

    assert versions
    assert all(requirement.specifier.contains(version) for version in versions)


def test_our_own_packages_are_not_in_it(lock: str) -> None:
    own = {
        normal_name(tomllib.loads((folder / "pyproject.toml").read_text())["project"]["name"])
        for folder in package_folders(ROOT)
    }

    assert len(own) == 6
    assert not own & set(_pins(lock))


@pytest.mark.parametrize(
    "entry",
    [
        "aiohttp==3.14.5",
        "aiohttp>=3 --hash=sha256:" + "0" * 64,
        "aiohttp @ https://host/aiohttp.whl --hash=sha256:" + "0" * 64,
        "--extra-index=x",
        "aiohttp==3.14.5 --hash=md5:" + "0" * 32,
    ],
)
def test_an_entry_of_another_form_is_seen(entry: str) -> None:
    with pytest.raises(ValueError, match=re.escape(entry)):
        _pins(entry)
