"""Ports are chosen so that two runners, or a runner and a stranger, never get the same one."""

import socket

import pytest

from deploy.local import ports
from deploy.local.console import Trouble

BASE = 28_000


@pytest.fixture
def stranger() -> socket.socket:
    listener = socket.socket()
    port = next(port for port in range(BASE, BASE + 500) if ports.is_free(port))
    listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener


def test_the_preferred_port_is_taken_if_it_is_free() -> None:
    preferred = next(port for port in range(BASE + 600, BASE + 900) if ports.is_free(port))

    chosen = ports.choose(preferred)

    assert chosen == preferred
    ports.release(chosen)


def test_the_next_port_is_taken_if_the_preferred_one_is_listened_on(stranger: socket.socket) -> None:
    taken = stranger.getsockname()[1]

    with stranger:
        chosen = ports.choose(taken)

    assert taken < chosen < taken + ports.SPAN
    ports.release(chosen)


def test_a_reserved_port_is_not_given_twice_although_nobody_listens() -> None:
    first, second = ports.choose(BASE), ports.choose(BASE)

    assert first != second
    ports.release(first)
    ports.release(second)


def test_a_released_port_may_be_given_again() -> None:
    first = ports.choose(BASE)
    ports.release(first)

    second = ports.choose(first)

    assert second == first
    ports.release(second)


def test_no_free_port_is_said_with_advice() -> None:
    with pytest.raises(Trouble, match="no free port") as raised:
        ports.choose(BASE, span=0)

    assert "ss -ltnp" in raised.value.advice
