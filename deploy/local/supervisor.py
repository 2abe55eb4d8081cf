"""The supervisor: a process in the background that starts the programs and whatever of them dies.

`runner` writes the plan and starts it; it also watches the private PostgreSQL and RabbitMQ. Each new pid is
written to `.local/stack.json`. SIGTERM ends the programs; the two servers are left to `make stop`.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from deploy.local import processes, stack
from deploy.local.console import Trouble
from deploy.local.instance import Instance, open_instance
from deploy.local.paths import Layout
from deploy.local.processes import Identity
from deploy.local.services import POSTGRES_PORT, RABBITMQ_PORT, Program
from deploy.local.supervision import Ward

TICK_S = 0.1
STOP_S = 15.0
LOG_TICKS = 600
"""How often, in ticks, logs are looked at for their size."""


def plan_file(layout: Layout) -> Path:
    """Where the runner leaves what the supervisor shall run."""
    return layout.state / "plan.json"


def write_plan(layout: Layout, programs: list[Program], servers: dict[str, int]) -> None:
    """Store the plan. `servers` are the ports of those of our own servers that are to be watched."""
    plan = {"programs": [asdict(program) for program in programs], "servers": servers}
    processes.write_private(plan_file(layout), json.dumps(plan))


def clone_instance(layout: Layout) -> Instance:
    """The PostgreSQL and RabbitMQ of this clone."""
    return open_instance(layout.state, postgres_port=POSTGRES_PORT, rabbitmq_port=RABBITMQ_PORT)


def supervise(layout: Layout) -> int:
    """Run the plan until SIGTERM. Returns the exit code."""
    plan = json.loads(plan_file(layout).read_text())
    programs = [Program(**entry) for entry in plan["programs"]]
    wards = [Ward(program.name, partial(_launch, layout, program)) for program in programs]
    servers = _servers(clone_instance(layout), plan["servers"])
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: asked.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _say(f"supervisor {os.getpid()} runs {', '.join(ward.name for ward in [*servers, *wards])}")
    for tick in itertools.count():
        if asked:
            break
        for ward in (*servers, *wards):
            _tend(ward)
        pids = {ward.name: ward.identity.pid for ward in wards if ward.identity is not None}
        if stack.refresh_pids(layout.stack_file, pids):
            _say(f"stack.json has the new pids: {pids}")
        if tick % LOG_TICKS == 0:
            for log in layout.logs.glob("*.log"):
                processes.rotate(log)
        time.sleep(TICK_S)
    _end(wards)
    return 0


def _tend(ward: Ward) -> None:
    now = time.monotonic()
    if ward.identity is not None and not processes.is_alive(ward.identity):
        code = processes.reap(ward.identity.pid)
        delay = ward.ended(now)
        _say(f"{ward.name} ended (exit code {code}); it starts again in {delay:.1f} s")
    if ward.is_due(now):
        try:
            ward.begun(ward.start(), now)
        except (Trouble, OSError) as error:
            delay = ward.ended(now)
            _say(f"{ward.name} could not be started: {error}; once more in {delay:.1f} s")
        else:
            _say(f"{ward.name} started, pid {ward.identity.pid if ward.identity else '?'}")


def _launch(layout: Layout, program: Program) -> Identity:
    child = processes.launch(
        program.command,
        log=layout.logs / f"{program.name}.log",
        environment=program.environment,
        directory=Path(program.directory),
    )
    identity = processes.identity_of(child.pid)
    if identity is None:
        processes.reap(child.pid)
        raise Trouble(f"{program.name} ended at once", f"see its log in {layout.logs}")
    processes.record(layout.pids / f"{program.name}.pid", identity)
    return identity


def _servers(instance: Instance, ports: dict[str, int]) -> list[Ward]:
    wards: list[Ward] = []
    if "postgres" in ports:
        instance.postgres.port = ports["postgres"]
        wards.append(Ward("postgres", instance.postgres.launch, instance.postgres.running()))
    if "rabbitmq" in ports:
        instance.rabbitmq.port = ports["rabbitmq"]
        wards.append(Ward("rabbitmq", instance.rabbitmq.launch, instance.rabbitmq.running()))
    return wards


def _end(wards: list[Ward]) -> None:
    """SIGTERM to all at once, then wait for each; the patience is for all of them together."""
    _say("asked to stop")
    for ward in wards:
        if ward.identity is not None and processes.is_alive(ward.identity):
            os.kill(ward.identity.pid, signal.SIGTERM)
    until = time.monotonic() + STOP_S
    for ward in wards:
        if ward.identity is not None and not processes.wait_gone(
            ward.identity, within_s=max(0.1, until - time.monotonic())
        ):
            processes.stop(ward.identity, signals=[], grace_s=5)
            _say(f"{ward.name} had to be killed")


def _say(text: str) -> None:
    sys.stdout.write(f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {text}\n")
    sys.stdout.flush()
