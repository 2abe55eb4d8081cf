"""The virtual environment is made again exactly when what it was made from has changed."""

from pathlib import Path

import pytest

from deploy.local.venv import our_packages, stamp_for


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for folder in ("shared/runtime", "services/chat"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "pyproject.toml").write_text("[project]")
    (tmp_path / "requirements.lock").write_text("one==1")
    return tmp_path


def test_the_packages_are_found_by_their_descriptions(clone: Path) -> None:
    (clone / "services" / "no-package").mkdir()

    assert our_packages(clone) == [clone / "services/chat", clone / "shared/runtime"]


@pytest.mark.parametrize("name", ["requirements.lock", "services/chat/pyproject.toml"])
def test_a_changed_file_is_another_stamp(clone: Path, name: str) -> None:
    before = stamp_for(clone)
    assert stamp_for(clone) == before

    (clone / name).write_text("changed")

    assert stamp_for(clone) != before


def test_a_moved_clone_is_another_stamp(clone: Path, tmp_path: Path) -> None:
    before = stamp_for(clone)
    moved = clone.rename(tmp_path.with_name(f"{tmp_path.name} moved"))

    assert stamp_for(moved) != before
