"""Free ports on 127.0.0.1: the preferred one, or the next above it.

Between choosing and listening others may choose too; within this machine a reservation keeps two runners
apart. It is a name in the abstract socket namespace, which lives as long as this process.
"""

from __future__ import annotations

import socket

from deploy.local.console import Trouble

SPAN = 500
"""How many ports above the preferred one are tried."""

_reservations: dict[int, socket.socket] = {}


def is_free(port: int) -> bool:
    """Whether one could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def _reserve(port: int) -> bool:
    if port in _reservations:
        return False
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0chatsdk-local-port-{port}")
    except OSError:
        claim.close()
        return False
    _reservations[port] = claim
    return True


def release(port: int) -> None:
    """Give a reservation back: the port is listened on now, or not wanted any more."""
    claim = _reservations.pop(port, None)
    if claim is not None:
        claim.close()


def choose(preferred: int, *, span: int = SPAN) -> int:
    """Reserve and return the first free port from `preferred` on.

    Raises:
        Trouble: all of `span` ports are taken.
    """
    for port in range(preferred, min(preferred + span, 65_536)):
        if _reserve(port):
            if is_free(port):
                return port
            release(port)
    raise Trouble(
        f"no free port between {preferred} and {preferred + span}",
        "end what listens there (ss -ltnp shows it), then run this again",
    )
