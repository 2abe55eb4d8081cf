"""A private RabbitMQ broker: 127.0.0.1 only, with a node name, cookie, port mapper and plugins of its own.

Only the core is started (no plugin): it is ready in some five seconds. Control goes through `erl_call`,
which comes with Erlang and answers in milliseconds where rabbitmqctl takes one or two seconds.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.local import packages, ports, processes
from deploy.local.console import Trouble
from deploy.local.paths import make_directory
from deploy.local.processes import Account, Identity

USER = "chatsdk"
START_S = 120.0
ADOPT_S = 30.0
"""A broker that runs but does not answer for so long is replaced."""

NODE_HOST = "localhost"


@dataclass
class RabbitMQ:
    """One broker. `home` holds its data; `logs` and `pids` are directories of the instance."""

    home: Path
    logs: Path
    pids: Path
    password: str
    cookie: str
    node: str
    preferred_port: int
    instance: Path
    schedulers: int = 2
    port: int = 0

    @property
    def log(self) -> Path:
        """What the broker says."""
        return self.logs / "rabbitmq.log"

    @property
    def account(self) -> Account | None:
        """The user it runs as: the package's for root."""
        return processes.account_for("rabbitmq")

    @property
    def node_name(self) -> str:
        """The Erlang node, which the data belong to."""
        return f"{self.node}@{NODE_HOST}"

    def url(self, vhost: str = "/") -> str:
        """The AMQP URL of a virtual host."""
        path = "" if vhost == "/" else f"/{vhost}"
        return f"amqp://{USER}:{self.password}@127.0.0.1:{self.port}{path}"

    def running(self) -> Identity | None:
        """The broker process if it runs."""
        return processes.recorded(self.pids / "rabbitmq.pid")

    def adopt(self) -> bool:
        """Take over a broker that already runs here and answers. Returns whether there is one."""
        if self.running() is None or not self._read_ports():
            return False
        return answers(self.port)

    def launch(self) -> Identity:
        """Start the broker, on the ports it had if they are still free. Doesn't wait until it is ready."""
        script = packages.rabbitmq_server()
        if script is None:
            raise Trouble("RabbitMQ is not installed", "apt-get install rabbitmq-server, then again")
        make_directory(self.home, 0o700, self.account)
        mapper_runs = processes.recorded(self.pids / "epmd.pid") is not None
        self._choose_ports(keep_mapper=mapper_runs)
        self._configure()
        if not mapper_runs:
            mapper = [_epmd(), "-address", "127.0.0.1", "-port", str(self._mapper_port)]
            self._launch(mapper, "epmd", self.logs / "epmd.log")
        return self._launch([str(script)], "rabbitmq", self.log)

    def wait_ready(self, within_s: float = START_S) -> None:
        """Wait until the broker greets an AMQP client: its listener is the last thing that it starts.

        Raises:
            Trouble: it ended or did not become ready in time.
        """
        until = time.monotonic() + within_s
        while not answers(self.port):
            if self.running() is None or time.monotonic() > until:
                raise Trouble(f"RabbitMQ does not start:\n{processes.tail(self.log)}", f"see {self.log}")
            time.sleep(0.05)
        for port in (self.port, self._mapper_port, self._node_port):
            ports.release(port)

    def start(self) -> None:
        """Adopt a broker that runs or is just starting, else launch one; wait until it is ready."""
        if self.running() is not None and self._read_ports():
            try:
                self.wait_ready(ADOPT_S)
                return
            except Trouble:
                self.stop()
        self.launch()
        self.wait_ready()

    def stop(self) -> None:
        """End the broker in good order, by force after 20 s; then its port mapper."""
        processes.stop(self.running(), signals=[signal.SIGTERM], grace_s=20)
        mapper = processes.recorded(self.pids / "epmd.pid")
        processes.stop(mapper, signals=[signal.SIGTERM], grace_s=5)
        for name in ("rabbitmq.pid", "epmd.pid"):
            (self.pids / name).unlink(missing_ok=True)

    def end_strays(self) -> None:
        """End a broker of this instance whose record is lost, and what a killed one left."""
        if self.running() is None:
            for identity in processes.tagged(self.instance):
                processes.stop(identity, signals=[], grace_s=5)

    def kill(self) -> None:
        """SIGKILL the broker, as a crash would. Its port mapper stays."""
        processes.stop(self.running(), signals=[], grace_s=10)

    def evaluate(self, expression: str, within_s: int = 30) -> str:
        """Evaluate an Erlang expression inside the broker. Returns the printed result.

        Raises:
            Trouble: the broker is away, or the expression failed.
        """
        done = subprocess.run(
            ["erl_call", "-c", self.cookie, "-n", self.node_name, "-timeout", str(within_s), "-e"],
            input=f"{expression}.\n",
            capture_output=True,
            text=True,
            env=self._environment(),
            cwd="/",
            check=False,
        )
        result = done.stdout.strip()
        if done.returncode != 0 or not result.startswith("{ok,"):
            raise Trouble(f"RabbitMQ: {expression}: {result or done.stderr.strip()}", f"see {self.log}")
        return result.removeprefix("{ok,").removesuffix("}").strip()

    def add_vhost(self, name: str) -> None:
        """Add a virtual host that our user may use."""
        vhost, user = f'<<"{name}">>', f'<<"{USER}">>'
        self.evaluate(
            f"rabbit_vhost:add({vhost}, {user}), "
            f'rabbit_auth_backend_internal:set_permissions({user}, {vhost}, <<".*">>, <<".*">>, <<".*">>, {user})'
        )

    def delete_vhost(self, name: str) -> None:
        """Delete a virtual host with all that is in it; its connections are closed."""
        self.evaluate(f'rabbit_vhost:delete(<<"{name}">>, <<"{USER}">>)')

    def ready_counts(self, vhost: str) -> dict[str, int]:
        """How many messages wait in each queue of a virtual host, asked of the queues themselves."""
        listed = self.evaluate(
            "[{binary_to_list(element(4, amqqueue:get_name(Q))), element(2, rabbit_amqqueue:stat(Q))} "
            f'|| Q <- rabbit_amqqueue:list(<<"{vhost}">>)]'
        )
        return {name: int(count) for name, count in re.findall(r'\{"([^"]+)",\s*(\d+)\}', listed)}

    def close_connections(self, reason: str = "closed by test") -> None:
        """Close every client connection by force."""
        self.evaluate(
            f'[rabbit_networking:close_connection(Pid, "{reason}") || Pid <- rabbit_networking:connections()], ok'
        )

    @property
    def _mapper_port(self) -> int:
        return int((self.home / "ports").read_text().split()[1])

    @property
    def _node_port(self) -> int:
        return int((self.home / "ports").read_text().split()[2])

    def _read_ports(self) -> bool:
        try:
            self.port, _, _ = map(int, (self.home / "ports").read_text().split())
        except (OSError, ValueError):
            return False
        return True

    def _choose_ports(self, *, keep_mapper: bool) -> None:
        """Three ports: AMQP, port mapper, node. Those of the last start, if they are free.

        Ports that this object has had are kept, for the addresses given out name them.
        """
        try:
            held = [int(word) for word in (self.home / "ports").read_text().split()]
        except (OSError, ValueError):
            held = []
        if self.port and len(held) == 3:
            taken = [held[index] for index in (0, 1, 2) if not (index == 1 and keep_mapper)]
            taken = [port for port in taken if not ports.is_free(port)]
            if taken:
                raise Trouble(f"port {taken[0]}, where RabbitMQ was, is taken", "make stop, then make run")
            return
        if len(held) != 3:
            held, keep_mapper = [self.preferred_port + offset for offset in range(3)], False
        chosen = [
            port if (index == 1 and keep_mapper) else ports.choose(port) for index, port in enumerate(held)
        ]
        self.port = chosen[0]
        processes.write_private(self.home / "ports", " ".join(map(str, chosen)))

    def _configure(self) -> None:
        lines = [
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
            f"default_user = {USER}",
            f"default_pass = {self.password}",
            "log.console = true",
            "log.console.level = info",
            "log.file = false",
            "disk_free_limit.absolute = 50MB",
        ]
        self._write("rabbitmq.conf", "\n".join(lines) + "\n", 0o600)
        self._write("enabled_plugins", "[].\n", 0o600)
        self._write(".erlang.cookie", self.cookie, 0o400)

    def _write(self, name: str, text: str, mode: int) -> None:
        path = self.home / name
        processes.write_private(path, text)
        path.chmod(mode)
        if self.account:
            os.chown(path, self.account.uid, self.account.gid)

    def _launch(self, command: list[str], name: str, log: Path) -> Identity:
        child = processes.launch(
            command, log=log, environment=self._environment(), directory=self.home, account=self.account
        )
        identity = processes.identity_of(child.pid)
        if identity is None:
            raise Trouble(f"{name} ended at once:\n{processes.tail(log)}", f"see {log}")
        processes.record(self.pids / f"{name}.pid", identity)
        return identity

    def _environment(self) -> dict[str, str]:
        """All that the start script reads, so that nothing below /etc/rabbitmq applies to this broker."""
        home = str(self.home)
        # Schedulers that are not bound to a core and don't spin leave the machine to the services.
        arguments = f"+S {self.schedulers}:{self.schedulers} -kernel inet_dist_use_interface {{127,0,0,1}}"
        emulator = "+P 262144 +t 5000000 +stbt u +zdbbl 128000 +sbwt none +sbwtdcpu none +sbwtdio none"
        return {
            "PATH": f"{os.environ.get('PATH', '')}:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LC_ALL": "C.UTF-8",
            "HOME": home,
            processes.TAG: str(self.instance),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._mapper_port),
            "RABBITMQ_NODENAME": self.node_name,
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_CONF_ENV_FILE": f"{home}/no-rabbitmq-env.conf",
            "RABBITMQ_CONFIG_FILE": f"{home}/rabbitmq.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{home}/no-advanced.config",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{home}/enabled_plugins",
            "RABBITMQ_MNESIA_BASE": f"{home}/data",
            "RABBITMQ_MNESIA_DIR": f"{home}/data/{self.node}",
            "RABBITMQ_FEATURE_FLAGS_FILE": f"{home}/data/{self.node}-feature_flags",
            "RABBITMQ_PLUGINS_EXPAND_DIR": f"{home}/data/{self.node}-plugins-expand",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{home}/data/config",
            "RABBITMQ_LOG_BASE": f"{home}/data/log",
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_SERVER_ERL_ARGS": emulator,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": arguments,
            # The start script replaces itself by the broker, so that the recorded pid is the broker's.
            "RUNNING_UNDER_SYSTEMD": "true",
        }


def answers(port: int) -> bool:
    """Whether an AMQP 0-9-1 server on this port answers a client's greeting with connection.start."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as client:
            client.sendall(b"AMQP\x00\x00\x09\x01")
            return client.recv(1) == b"\x01"
    except OSError:
        return False


def _epmd() -> str:
    found = shutil.which("epmd") or next(map(str, Path("/usr/lib/erlang").glob("erts-*/bin/epmd")), None)
    if found is None:
        raise Trouble("epmd, a part of Erlang, is not installed", "apt-get install erlang-base, then again")
    return found
