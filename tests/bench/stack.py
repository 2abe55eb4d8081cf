"""What is measured: private servers with fsync on, processes of the services, an app with its channels.

The servers live in `.local/bench`, are started for one bench and wiped after it. Processes run with the
production defaults; their output goes to files beside the servers' logs.
"""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg

from deploy.local import ports
from deploy.local.instance import Instance, open_instance
from deploy.local.loopback import call
from deploy.local.paths import layout_of, make_directory, prepare
from deploy.local.services import MODULES, NAMES, Backing, settings_for, urls_for, without_proxy
from tests.fixtures.slot import ROOT
from tests.waiting import wait_for, wait_for_sync

_FIRST_PORT = 23_000
SENDERS = 16
_UNPUBLISHED = """
select (select count(*) from event where lane_pos is null)
  + (select sum(next_pos - 1 - published_pos)::bigint from relay_lane)
"""


@contextlib.contextmanager
def servers() -> Iterator[Instance]:
    """PostgreSQL and RabbitMQ, running. One bench at a time: a second waits."""
    layout = layout_of(ROOT)
    prepare(layout)
    directory = layout.state / "bench"
    make_directory(directory, 0o711)
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    instance = open_instance(directory, postgres_port=_FIRST_PORT, rabbitmq_port=_FIRST_PORT + 5)
    instance.end_leftovers()
    instance.wipe()
    try:
        instance.rabbitmq.launch()
        instance.postgres.start()
        instance.rabbitmq.start()
        yield instance
    finally:
        instance.end_leftovers()
        instance.wipe()
        os.close(lock)


class Process:
    """A process of ours and the file that it writes to."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path) -> None:
        self.name = name
        self._log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=out, stderr=out)

    @property
    def pid(self) -> int:
        """For the profiler."""
        return self._process.pid

    @property
    def cpu_s(self) -> float:
        """Seconds of processor time so far: says more than the clock when others use the machine as well."""
        fields = Path(f"/proc/{self.pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_ready(self, url: str) -> None:
        """Until `GET url` is answered 200."""

        def ready() -> bool:
            assert self._process.poll() is None, self.tail()
            return call("GET", url, timeout_s=2).status == 200

        wait_for_sync(ready, 40, self.tail)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that is not enough."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def tail(self) -> str:
        """The end of what it wrote."""
        return f"{self.name}:\n{self._log.read_text('utf-8', 'replace')[-4000:]}"


class Stack:
    """Fresh databases and a fresh virtual host, the services that a row needs, one app with 16 channels."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.vhost = f"bench-{uuid.uuid4().hex[:8]}"
        instance.rabbitmq.add_vhost(self.vhost)
        self._ports = {
            name: ports.choose(_FIRST_PORT + 20)
            for name in [*NAMES.values(), *(f"{name}-ops" for name in NAMES.values())]
        }
        self.urls = urls_for(self._ports)
        names = {service: f"{self.vhost}-{service}" for service in MODULES}
        for name in names.values():
            instance.postgres.sql(f'create database "{name}"')
        self._backing = Backing(
            {service: instance.postgres.dsn(name) for service, name in names.items()},
            instance.rabbitmq.url(self.vhost),
        )
        self._running: dict[str, Process] = {}
        self._migrated: set[str] = set()
        self.api_key = ""
        self.channels: list[str] = []

    def start(self, service: str) -> Process:
        """Start a service by the prefix of its settings; returns when it is ready."""
        environment = self._environment(service)
        if service not in self._migrated:
            command = [sys.executable, "-m", MODULES[service], "migrate"]
            subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)
            self._migrated.add(service)
        process = Process(
            service,
            [sys.executable, "-m", MODULES[service], "serve"],
            environment,
            self.instance.directory / "logs" / f"{self.vhost}-{service}.log",
        )
        self._running[service] = process
        process.wait_ready(f"{self.urls[f'{NAMES[service]}-ops']}/ready")
        # The public port is bound a moment after the service is ready.
        wait_for_sync(lambda: call("GET", self.urls[NAMES[service]], timeout_s=2).status, 10, process.tail)
        return process

    def stop(self, service: str) -> None:
        """Stop a service in good order."""
        self._running.pop(service).stop()

    def close(self) -> None:
        """Stop everything and drop what it stood on."""
        for process in reversed(self._running.values()):
            process.stop()
        for port in self._ports.values():
            ports.release(port)
        self.instance.rabbitmq.delete_vhost(self.vhost)
        for service in MODULES:
            self.instance.postgres.sql(f'drop database "{self.vhost}-{service}" with (force)')

    def _environment(self, service: str) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("CHAT", "LOG_"))
        }
        chosen = settings_for(self._ports, self._backing, self.instance.credentials, service)
        return (
            without_proxy(inherited)
            | chosen
            # What a limit refuses costs nothing, and is not what is measured.
            | {
                "CHATSDK_ENV": "production",
                "CHAT_UPLOADS_URL": "memory:///",
                "CHAT_RATE_LIMIT_FACTOR": "1000",
            }
        )

    def port(self, name: str) -> int:
        """The port of a service's URL, by name in `urls`."""
        return self._ports[name]

    @property
    def queue_counts(self) -> dict[str, int]:
        """Ready messages by queue."""
        return self.instance.rabbitmq.ready_counts(self.vhost)

    # ------------------------------------------------------------------------------------------ content

    def make_content(self) -> None:
        """One app, 16 users who are members of each of 16 channels."""
        bearer = {"Authorization": f"Bearer {self.instance.credentials['adminToken']}"}
        app = self.post("chat", "/admin/apps", {"name": "bench"}, bearer)
        self.api_key = app["apiKey"]
        users = [f"sender-{number}" for number in range(SENDERS)]
        for user in users:
            self.post("chat", "/api/users/ensure", {"userId": user, "name": user})
        for number in range(SENDERS):
            wanted = {"name": f"channel {number}", "createdById": users[0], "memberIds": users}
            self.channels.append(self.post("chat", "/api/channels", wanted)["id"])

    def post(self, name: str, path: str, body: object, headers: dict[str, str] | None = None) -> Any:
        """POST that has to succeed; with the app's key unless told otherwise."""
        headers = headers or {"X-API-Key": self.api_key}
        return call("POST", self.urls[name] + path, body, headers).expect(path, 200, 201)

    def paths(self, *, channels: int) -> list[str]:
        """Where each of the 16 senders posts to, spread over so many channels."""
        return [f"/api/channels/{self.channels[number % channels]}/messages" for number in range(SENDERS)]

    async def unpublished(self) -> int:
        """Events that are stored and that the broker has not confirmed."""
        connection = await asyncpg.connect(self._backing.databases["chat"])
        try:
            behind: int = await connection.fetchval(_UNPUBLISHED)
            return behind
        finally:
            await connection.close()

    async def wait_published(self) -> None:
        """What was sent before must not weigh on what is measured next."""

        async def all_published() -> bool:
            return await self.unpublished() == 0

        await wait_for(all_published, 60, "everything published")


class Receiver:
    """The receiving process and what it counted."""

    def __init__(self, instance: Instance) -> None:
        self.port = ports.choose(_FIRST_PORT + 40)
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = Process(
            "receiver",
            [sys.executable, "-m", "tests.bench.receiver", str(self.port)],
            dict(os.environ),
            instance.directory / "logs" / "receiver.log",
        )
        self._process.wait_ready(f"{self.url}/count")

    def ask(self, what: str) -> dict[str, Any]:
        """`stats`, `count` or `reset`."""
        answer = call("GET", f"{self.url}/{what}", timeout_s=30)
        assert answer.status == 200, answer
        return dict(answer.body)

    def wait_for(self, count: int, within_s: float) -> dict[str, Any]:
        """The statistics once so many came; asked rarely, since asking costs the receiver time."""
        until = time.monotonic() + within_s
        while (seen := self.ask("count")["count"]) < count:
            assert time.monotonic() < until, f"{seen} of {count} deliveries within {within_s} s"
            time.sleep(0.1)
        return self.ask("stats")

    def close(self) -> None:
        """End the process."""
        self._process.stop()
        ports.release(self.port)


def example_event(instance: Instance, stack: Stack) -> bytes:
    """The bytes of a stored `message.new`, for the yardstick of deliveries."""
    text = instance.postgres.sql(
        "select convert_from(body, 'utf8') from event where type = 'message.new' limit 1",
        f"{stack.vhost}-chat",
    )
    return json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":")).encode()
