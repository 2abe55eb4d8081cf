"""Where a clone keeps its things, for root and for others."""

import os
from pathlib import Path

import pytest

from deploy.local.console import Trouble
from deploy.local.paths import check_owner, layout_of, make_directory, prepare


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    clone = tmp_path / "a clone" / ("long " * 30 + "name")
    clone.mkdir(parents=True)
    return clone


def test_an_ordinary_user_has_everything_in_the_clone(clone: Path, tmp_path: Path) -> None:
    layout = layout_of(clone, uid=1000, system=tmp_path / "system")

    prepare(layout)

    assert layout.state == clone / ".local"
    assert not (clone / ".local").is_symlink()
    assert not (tmp_path / "system").exists()


def test_root_has_a_link_to_a_place_that_the_servers_users_can_reach(clone: Path, tmp_path: Path) -> None:
    layout = layout_of(clone, uid=0, system=tmp_path / "system")

    old = os.umask(0o077)
    prepare(layout)
    os.umask(old)

    assert (clone / ".local").readlink() == layout.state
    assert layout.state.parent == tmp_path / "system"
    assert layout.state.stat().st_mode & 0o777 == 0o711
    assert layout.state.parent.stat().st_mode & 0o777 == 0o755


def test_no_mode_of_a_parent_directory_changes(clone: Path, tmp_path: Path) -> None:
    clone.parent.chmod(0o700)

    prepare(layout_of(clone, uid=0, system=tmp_path / "system"))

    assert clone.parent.stat().st_mode & 0o777 == 0o700


def test_two_clones_have_two_places_and_one_clone_has_one(clone: Path, tmp_path: Path) -> None:
    other = layout_of(tmp_path, uid=0)

    assert layout_of(clone, uid=0).state != other.state
    assert layout_of(clone, uid=0) == layout_of(clone, uid=0)


def test_a_copied_clone_does_not_follow_the_link_of_the_original(clone: Path, tmp_path: Path) -> None:
    (clone / ".local").symlink_to(tmp_path / "of the original")
    layout = layout_of(clone, uid=0, system=tmp_path / "system")

    prepare(layout)

    assert (clone / ".local").readlink() == layout.state


def test_root_and_an_ordinary_user_do_not_mix(clone: Path, tmp_path: Path) -> None:
    mine, roots = layout_of(clone, uid=1000), layout_of(clone, uid=0, system=tmp_path / "system")
    prepare(mine)

    with pytest.raises(Trouble, match="made by an ordinary user"):
        check_owner(roots)

    (clone / ".local/logs").rmdir()
    (clone / ".local/run").rmdir()
    (clone / ".local").rmdir()
    prepare(roots)
    with pytest.raises(Trouble, match="made by root"):
        check_owner(mine)


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)

    make_directory(tmp_path, 0o700)

    assert tmp_path.stat().st_mode & 0o777 == 0o750
