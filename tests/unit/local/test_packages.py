"""What is asked of the package manager, without asking it."""

from pathlib import Path

import pytest

from deploy.local import packages
from deploy.local.console import Console, Trouble


def test_installing_asks_nothing_waits_for_the_lock_and_upgrades_nothing() -> None:
    command = packages.install_command(["postgresql", "rabbitmq-server"])

    assert command[:2] == ["apt-get", "install"]
    assert command[-2:] == ["postgresql", "rabbitmq-server"]
    assert {"--yes", "--no-upgrade", "--no-install-recommends", "DPkg::Lock::Timeout=600"} <= set(command)


def test_root_runs_it_as_it_is_with_the_proxies_that_apt_reads() -> None:
    environment = {"http_proxy": "http://p", "HTTP_PROXY": "x", "A": "b"}

    command = packages.as_root(["apt-get", "update"], environment, uid=0)

    assert command == ["env", "LC_ALL=C.UTF-8", "http_proxy=http://p", "apt-get", "update"]


def test_others_run_it_through_sudo() -> None:
    command = packages.as_root(["apt-get", "update"], {}, uid=1000)

    assert command[0] == "sudo"
    assert command[-4:] == ["env", "LC_ALL=C.UTF-8", "apt-get", "update"]


def test_nothing_is_installed_where_nothing_is_missing(tmp_path: Path) -> None:
    packages.install([], Console(quiet=True), tmp_path / "logs")

    assert not (tmp_path / "logs").exists()


def test_without_apt_the_person_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Trouble, match="no apt-get") as raised:
        packages.install(["rabbitmq-server"], Console(quiet=True), tmp_path / "logs")

    assert "rabbitmq-server" in raised.value.advice


def test_an_ordinary_user_without_sudo_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "apt-get").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Trouble, match="no sudo"):
        packages.install(["rabbitmq-server"], Console(quiet=True), tmp_path / "logs", uid=1000)


def test_what_is_not_wanted_is_never_missing() -> None:
    assert packages.missing(postgres=False, rabbitmq=False) == []
