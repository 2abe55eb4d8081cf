"""Serve two ports from one process, and stop in order.

The public port carries the API, the operations port everything that is private. SIGTERM and SIGINT: not
ready any more, stop accepting, finish what is under way within the drain time, then the application's own
shutdown (its lifespan). A loop that failed ends the process with exit code 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
import uvicorn
from starlette.types import ASGIApp

from chatsdk_runtime.health import Health

log = structlog.get_logger()


_SHUTDOWN_S = 10.0  # for the lifespan's own end, after the requests under way
_YOUNG_OBJECTS = 20_000


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen."""

    host: str
    port: int


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling: two servers share one process."""

    def __init__(self, config: uvicorn.Config, on_listening: Callable[[], None] | None = None) -> None:
        super().__init__(config)
        self._on_listening = on_listening

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _keep_what_is_there()
        if self.started and self._on_listening is not None:
            self._on_listening()


def _keep_what_is_there() -> None:
    """What is there after the start stays: the garbage collector need not look through it again and again.

    Nearly all that a request makes is freed by its reference count; cycles may wait a little for their collection.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 10, 10)


async def serve(
    public: ASGIApp,
    operations: ASGIApp,
    *,
    public_address: Address,
    operations_address: Address,
    health: Health,
    drain_timeout_s: float,
) -> int:
    """Serve until a signal or a failed loop; returns the exit code. The public app's lifespan owns resources."""
    # Ready means that a request to the public port is answered, so not before it listens.
    health.listening = False
    main = _Server(_config(public, public_address, drain_timeout_s, lifespan="on"), health.listens)
    ops = _Server(_config(operations, operations_address, drain_timeout_s, lifespan="off"))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # The operations port answers from the first moment, so that a probe sees "starting" and not a refusal.
    ops_task = asyncio.create_task(ops.serve(), name="operations-server")
    main_task = asyncio.create_task(main.serve(), name="public-server")
    waiting = {
        asyncio.create_task(stop.wait()),
        asyncio.create_task(health.loops.failed.wait()),
        ops_task,
        main_task,
    }
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    health.draining = True
    failed = health.loops.failed.is_set() or not stop.is_set()
    log.info("draining", failed=failed)
    if health.before_drain is not None:
        await health.before_drain()
    main.should_exit = True
    # A start that still waits for its database has nothing under way, and does not hear of it.
    await asyncio.wait({main_task}, timeout=drain_timeout_s + _SHUTDOWN_S if main.started else 0)
    main_task.cancel()
    await asyncio.gather(main_task, return_exceptions=True)
    ops.should_exit = True
    await asyncio.gather(ops_task, return_exceptions=True)
    for task in waiting:
        task.cancel()
    if not main.started:
        log.error("startup_failed", service=health.service)
    return 1 if failed else 0


def _config(app: ASGIApp, address: Address, drain_timeout_s: float, *, lifespan: str) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=address.host,
        port=address.port,
        http="httptools",
        loop="uvloop",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        lifespan="on" if lifespan == "on" else "off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(drain_timeout_s),
        backlog=4096,
    )
