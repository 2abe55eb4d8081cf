"""The operations paths: /health, /health/detailed, /ready, /live, /metrics, /log-level.

`/live` fails when a loop's heartbeat is stale: a restart helps. `/ready` fails when this process cannot take
work: not started, draining, schema not at its head, database out of reach. A broker that is away makes no
chat replica unready: the event log takes everything in the meantime.
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel, ConfigDict

from chatsdk_runtime.logging import LogLevel
from chatsdk_runtime.loops import BackgroundLoops
from chatsdk_runtime.web import json_response

# A check answers None when all is well, else what is wrong.
Check = Callable[[], Awaitable[str | None]]

_CHECK_TIMEOUT_S = 2.0


@dataclass(slots=True)
class Health:
    """What the probes look at."""

    service: str
    version: str
    loops: BackgroundLoops
    log_level: LogLevel
    registry: CollectorRegistry
    ready_checks: Mapping[str, Check] = field(default_factory=dict)
    detail_checks: Mapping[str, Check] = field(default_factory=dict)
    before_scrape: Callable[[], Awaitable[None]] | None = None
    # Tells long-lived connections that the process is about to stop, before the server ends them.
    before_drain: Callable[[], Awaitable[None]] | None = None
    started: bool = False
    listening: bool = True
    draining: bool = False
    started_s: float = field(default_factory=time.monotonic)

    def listens(self) -> None:
        """The public port takes connections from now on."""
        self.listening = True


class LogLevelChange(BaseModel):
    """Body of `PUT /log-level`."""

    model_config = ConfigDict(extra="forbid")

    level: Literal["debug", "info", "warning", "error"]


def operations_router(health: Health) -> APIRouter:
    """The routes, for the operations port (and in development also for the public one)."""
    router = APIRouter(include_in_schema=False)

    @router.get("/live")
    async def live() -> Response:
        return _live(health)

    @router.get("/ready")
    async def ready() -> Response:
        return await _ready(health)

    @router.get("/health")
    async def basic() -> Response:
        return json_response({"status": "ok", "timestamp": _now(), "uptime": _uptime_s(health)})

    @router.get("/health/detailed")
    async def detailed() -> Response:
        return await _detailed(health)

    @router.get("/metrics")
    async def metrics(request: Request) -> Response:
        if health.before_scrape is not None:
            await health.before_scrape()
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        # Rendering thousands of series takes a while; not on the event loop.
        return Response(await asyncio.to_thread(encode, health.registry), media_type=content_type)

    @router.get("/log-level")
    async def level() -> Response:
        return json_response({"level": health.log_level.name})

    return router


def log_level_router(health: Health) -> APIRouter:
    """Changing the level: on the operations port only, also in development."""
    router = APIRouter(include_in_schema=False)

    @router.put("/log-level")
    async def change_level(change: LogLevelChange) -> Response:
        health.log_level.change(change.level)
        return json_response({"level": change.level})

    return router


def _live(health: Health) -> Response:
    stale = [beat.name for beat in health.loops.heartbeats if beat.is_stale]
    alive = not stale and not health.loops.failed.is_set()
    body: dict[str, Any] = {"alive": alive, "timestamp": _now()}
    if stale:
        body["stale"] = stale
    return json_response(body, 200 if alive else 503)


async def _ready(health: Health) -> Response:
    checks = await _run(health.ready_checks)
    if not (health.started and health.listening):
        checks["startup"] = {"status": "error", "message": "starting"}
    if health.draining:
        checks["drain"] = {"status": "error", "message": "draining"}
    is_ready = all(check["status"] == "ok" for check in checks.values())
    body: dict[str, Any] = {"ready": is_ready, "timestamp": _now(), "checks": checks}
    return json_response(body, 200 if is_ready else 503)


async def _detailed(health: Health) -> Response:
    checks = await _run({**health.ready_checks, **health.detail_checks})
    for beat in health.loops.heartbeats:
        state = "error" if beat.is_stale else "outage" if beat.outage else "ok"
        checks[f"loop:{beat.name}"] = {"status": state, "ageS": round(beat.age_s, 1), "message": beat.outage}
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    checks["memory"] = {"status": "ok", "peakBytes": peak_kib * 1024}
    healthy = all(checks[name]["status"] == "ok" for name in health.ready_checks)
    degraded = any(check["status"] != "ok" for check in checks.values())
    body = {
        "status": "degraded" if healthy and degraded else "ok" if healthy else "error",
        "service": health.service,
        "version": health.version,
        "timestamp": _now(),
        "uptime": _uptime_s(health),
        "checks": checks,
    }
    return json_response(body, 200 if healthy else 503)


async def _run(checks: Mapping[str, Check]) -> dict[str, dict[str, Any]]:
    names = list(checks)
    results = await asyncio.gather(*(_guarded(checks[name]) for name in names))
    return {
        name: {"status": "ok"} if problem is None else {"status": "error", "message": problem}
        for name, problem in zip(names, results, strict=True)
    }


async def _guarded(check: Check) -> str | None:
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT_S):
            return await check()
    except TimeoutError:
        return f"no answer within {_CHECK_TIMEOUT_S:g} s"
    except Exception as error:  # noqa: BLE001 - a probe reports, it never raises
        return f"{type(error).__name__}: {error}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _uptime_s(health: Health) -> float:
    return round(time.monotonic() - health.started_s, 1)
