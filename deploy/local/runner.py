"""`make run` and `make stop`: from whatever is there to a stack that has proved itself, and back.

The order: nothing claims to be ready; what ran before ends, but for PostgreSQL and RabbitMQ, which are
adopted; packages; then environment, database and broker at once; migrations; programs; proof; banner.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from deploy.local import databases, packages, ports, processes, proof, stack, venv
from deploy.local.banner import render
from deploy.local.console import Console, Trouble
from deploy.local.instance import Instance
from deploy.local.loopback import call
from deploy.local.paths import Layout, check_owner, prepare
from deploy.local.processes import Identity
from deploy.local.services import (
    Backing,
    Program,
    choose_ports,
    demo_secrets_file,
    inherited_environment,
    migrate_commands,
    programs_for,
    tag_of_programs,
    urls_for,
)
from deploy.local.supervisor import clone_instance, write_plan

READY_S = 60.0
LIVES = 4
"""A program that was started so often without getting ready is given up."""
LOCK_S = 180.0


def set_up(layout: Layout, console: Console) -> None:
    """`make setup`: only the virtual environment."""
    prepare(layout)
    with _alone(layout, console):
        packages.install(venv.missing_packages(), console, layout.logs)
        venv.set_up(layout, console)


def run(layout: Layout, console: Console) -> None:
    """`make run`. Returns when the banner is printed; everything goes on in the background."""
    began = time.monotonic()
    check_owner(layout)
    stack.remove(layout.stack_file)
    prepare(layout)
    with _alone(layout, console):
        _end_programs(layout)
        stack.remove(layout.stack_file)
        given = databases.given_urls()
        given_broker = os.environ.get("RABBITMQ_URL")
        _install(layout, console, postgres=len(given) < len(databases.DATABASES), rabbitmq=not given_broker)
        instance = clone_instance(layout)
        backing, chosen = _prepare_ground(layout, console, instance, given, given_broker)
        programs = programs_for(layout, chosen, backing, instance.credentials)
        watched = {}
        if not given_broker:
            watched["rabbitmq"] = instance.rabbitmq.port
        if instance.postgres.port:
            watched["postgres"] = instance.postgres.port
        write_plan(layout, programs, watched)
        with console.phase("start the services"):
            _start_programs(layout, programs, list(chosen.values()))
        _prove_and_publish(layout, console, instance, backing, chosen, began)


def stop(layout: Layout, console: Console) -> None:
    """`make stop`: end everything that this clone started; data stay."""
    check_owner(layout)
    stack.remove(layout.stack_file)
    if not layout.state.exists():
        console.note("nothing runs here")
        return
    prepare(layout)
    with _alone(layout, console):
        with console.phase("stop the services"):
            _end_programs(layout)
        stack.remove(layout.stack_file)
        instance = clone_instance(layout)
        with console.phase("stop PostgreSQL and RabbitMQ"), ThreadPoolExecutor() as pool:
            for ending in [pool.submit(instance.postgres.stop), pool.submit(instance.rabbitmq.stop)]:
                ending.result()
        instance.end_leftovers()


@contextlib.contextmanager
def _alone(layout: Layout, console: Console) -> Iterator[None]:
    """One `make run` or `make stop` of this clone at a time."""
    lock = os.open(layout.state / "make.lock", os.O_RDWR | os.O_CREAT, 0o600)
    until = time.monotonic() + LOCK_S
    said = False
    try:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise Trouble("another make of this clone does not end", "end it, then again") from None
            if not said:
                console.note("another make is at work in this clone: waiting for it")
                said = True
            time.sleep(0.2)
        yield
    finally:
        os.close(lock)


def _install(layout: Layout, console: Console, *, postgres: bool, rabbitmq: bool) -> None:
    wanted = packages.missing(postgres=postgres, rabbitmq=rabbitmq)
    if not venv.is_current(layout):
        wanted += venv.missing_packages()
    if wanted and shutil.which("curl") is None:
        wanted.append("curl")  # the banner's lines use it
    packages.install(wanted, console, layout.logs)


def _prepare_ground(
    layout: Layout, console: Console, instance: Instance, given: dict[str, str], given_broker: str | None
) -> tuple[Backing, dict[str, int]]:
    """Environment, database and broker at the same time; migrations as soon as the first two are there."""
    with ThreadPoolExecutor() as pool:
        environment = pool.submit(venv.set_up, layout, console)
        database: Future[dict[str, str]] = pool.submit(_databases, console, instance, given)
        broker = pool.submit(_broker, console, instance, given_broker)
        environment.result()
        chosen = choose_ports(layout)
        backing = Backing(database.result(), given_broker or "amqp://not-yet")
        with console.phase("migrate the three databases"):
            _migrate(layout, chosen, backing, instance.credentials)
        return Backing(backing.databases, broker.result()), chosen


def _databases(console: Console, instance: Instance, given: dict[str, str]) -> dict[str, str]:
    if len(given) == len(databases.DATABASES):
        return given
    with console.phase("PostgreSQL"):
        instance.postgres.start()
        own = databases.provision(instance.postgres, instance.credentials)
    return own | given


def _broker(console: Console, instance: Instance, given: str | None) -> str:
    if given:
        return given
    with console.phase("RabbitMQ"):
        instance.rabbitmq.end_strays()
        instance.rabbitmq.start()
    return instance.rabbitmq.url()


def _migrate(layout: Layout, chosen: dict[str, int], backing: Backing, secrets: dict[str, str]) -> None:
    running: dict[str, subprocess.Popen[bytes]] = {}
    for name, (command, environment) in migrate_commands(layout, chosen, backing, secrets).items():
        with (layout.logs / f"{name}-migrate.log").open("wb") as log:
            running[name] = subprocess.Popen(
                command, env=environment, cwd=layout.root, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
    failed = [name for name, child in running.items() if child.wait() != 0]
    if failed:
        log_file = layout.logs / f"{failed[0]}-migrate.log"
        raise Trouble(
            f"the migration of {', '.join(failed)} failed:\n{processes.tail(log_file)}",
            f"see {log_file}; a database of your own must exist and be its role's property",
        )


def _start_programs(layout: Layout, programs: list[Program], reserved: list[int]) -> None:
    for port in reserved:
        ports.release(port)
    supervisor = processes.launch(
        [sys.executable, "-m", "deploy.local", "supervise"],
        log=layout.logs / "supervisor.log",
        environment=inherited_environment(layout),
        directory=layout.root,
    )
    identity = processes.identity_of(supervisor.pid)
    if identity is not None:
        processes.record(layout.pids / "supervisor.pid", identity)
    try:
        for program in programs:
            _wait_ready(layout, program, identity)
    except Trouble:
        _end_programs(layout)
        raise


def _wait_ready(layout: Layout, program: Program, supervisor: Identity | None) -> None:
    until = time.monotonic() + READY_S
    lives: set[Identity] = set()
    while call("GET", program.ready_url, timeout_s=2).status != 200:
        log = layout.logs / f"{program.name}.log"
        if not processes.is_alive(supervisor):
            log = layout.logs / "supervisor.log"
            raise Trouble(f"the supervisor ended:\n{processes.tail(log)}", f"see {log}")
        if (life := processes.recorded(layout.pids / f"{program.name}.pid")) is not None:
            lives.add(life)
        if len(lives) >= LIVES:
            raise Trouble(f"{program.name} ends again and again:\n{processes.tail(log)}", f"see {log}")
        if time.monotonic() > until:
            answer = call("GET", program.ready_url, timeout_s=2)
            raise Trouble(
                f"{program.name} is not ready after {READY_S:.0f} s ({answer.status} {answer.body}):\n"
                f"{processes.tail(log)}",
                f"see {log} and {layout.logs / 'supervisor.log'}",
            )
        time.sleep(0.05)


def _prove_and_publish(
    layout: Layout,
    console: Console,
    instance: Instance,
    backing: Backing,
    chosen: dict[str, int],
    began: float,
) -> None:
    urls = urls_for(chosen)
    at = proof.Addresses(urls["chat"], urls["webhook-dispatcher"], urls["demo-receiver"])
    admin_token = instance.credentials["adminToken"]
    with console.phase("prove it with a message"):
        demo = proof.prepare_demo(at, admin_token, layout.state / "app.json", demo_secrets_file(layout))
        shown = proof.prove(at, demo, "hello from make run")
    pids = {
        name: identity.pid
        for name in stack.KEYS
        if (identity := processes.recorded(layout.pids / f"{name}.pid")) is not None
    }
    own = bool(instance.postgres.port)
    dsn = instance.postgres.dsn() if own else os.environ.get("DATABASE_URL", backing.databases["chat"])
    description = stack.describe(
        urls=urls,
        pids={name: pids.get(name, 0) for name in stack.KEYS},
        postgres={"dsn": dsn, "databases": backing.databases},
        rabbitmq_url=backing.rabbitmq_url,
        app={"id": demo.app_id, "apiKey": demo.api_key},
        admin_token=admin_token,
    )
    stack.write(layout.stack_file, description)
    took = time.monotonic() - began
    print(render(urls, demo, shown, console.phases, total_s=took, environment=os.environ), flush=True)


def _end_programs(layout: Layout) -> None:
    """The supervisor first, for it would start again what ends; then whatever it left."""
    names = ["supervisor", *stack.KEYS, "demo-receiver"]
    for name in names:
        file: Path = layout.pids / f"{name}.pid"
        processes.stop(processes.recorded(file), signals=[signal.SIGTERM], grace_s=20)
        file.unlink(missing_ok=True)
    for identity in processes.tagged(tag_of_programs(layout)):
        processes.stop(identity, signals=[signal.SIGTERM], grace_s=20)
