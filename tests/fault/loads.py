"""One load on a stack: an app with channels, a receiver process with its webhook, and a loader process."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fault.truth import Truth
from tests.fixtures.callers import AppCaller
from tests.fixtures.rabbitmq import RabbitServer
from tests.fixtures.services import Stack
from tests.fixtures.slot import ROOT
from tests.waiting import wait_for

CHANNELS = (("ann", "ben"), ("ann", "cem"), ("ben", "cem"), ("ann", "ben", "cem"))
RATE = 120
LEAST_RATE = 100
SETTLES_WITHIN_S = 40


@dataclass
class Load:
    """A prepared load; `start` begins to send."""

    truth: Truth
    plan: Path
    _process: asyncio.subprocess.Process | None = None

    async def start(self, seconds: float) -> None:
        """Begin to send, `RATE` messages a second."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.fixtures.loader",
            *("--plan", str(self.plan), "--record", str(self.truth.acknowledged_file)),
            *("--rate", str(RATE), "--seconds", str(seconds)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
        )

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def acknowledged(self, more_than: int, within_s: float = 30) -> int:
        """Wait until more than so many are acknowledged, or the load is over; returns how many are."""

        def enough() -> bool:
            return len(self.truth.acknowledged()) > more_than or not self.is_running

        await wait_for(enough, within_s, f"more than {more_than} messages acknowledged")
        return len(self.truth.acknowledged())

    async def finish(self) -> dict[str, Any]:
        """Wait for the end of the load; everything sent must be acknowledged by then."""
        assert self._process is not None
        out, _ = await self._process.communicate()
        summary: dict[str, Any] = json.loads(out)
        assert self._process.returncode == 0, summary
        assert len(self.truth.acknowledged()) == summary["sent"]
        assert summary["rate"] >= LEAST_RATE, "the loader did not keep up"
        return summary

    async def settle(self) -> None:
        """Wait, with no hand on anything, until all accounts agree."""
        last: list[str] = []

        async def agree() -> bool:
            last[:] = await self.truth.differences()
            return not last

        await wait_for(agree, SETTLES_WITHIN_S, lambda: "; ".join(last))

    async def run(self, seconds: float) -> dict[str, Any]:
        """The whole of it."""
        await self.start(seconds)
        summary = await self.finish()
        await self.settle()
        return summary

    async def end(self) -> None:
        """Stop sending, if a test failed in between."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.communicate()


@contextlib.asynccontextmanager
async def prepared_load(stack: Stack, rabbit: RabbitServer, folder: Path) -> AsyncIterator[Load]:
    """Make the app, its channels and its webhook, and start the receiver."""
    for process in stack.replicas:
        await process.wait_ready()
    app = await stack.new_app()
    delivered = folder / "delivered"
    async with _receiver(delivered) as url:
        webhook = await app.webhook(url + "/hook", "message.new")
        trusted = await stack.caller.call("POST", url + "/secrets", {"secret": webhook["secret"]})
        assert trusted.status == 200
        plan = folder / "plan.json"
        plan.write_text(json.dumps({"senders": await _senders(stack, app)}))
        load = Load(Truth(stack, rabbit, app.app_id, webhook["id"], folder / "acknowledged", delivered), plan)
        try:
            yield load
        finally:
            await load.end()


async def _senders(stack: Stack, app: AppCaller) -> list[dict[str, str]]:
    senders = []
    for users in CHANNELS:
        channel = await app.channel(*users)
        url = f"{stack.chat.url}/api/channels/{channel}/messages"
        senders += [{"url": url, "token": await app.token(user)} for user in users]
    return senders


@contextlib.asynccontextmanager
async def _receiver(record: Path) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.fixtures.receiver",
        *("--record", str(record)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        url: str = json.loads(await process.stdout.readline())["url"]
        yield url
    finally:
        process.kill()
        await process.communicate()


NewLoad = Callable[[], contextlib.AbstractAsyncContextManager[Load]]
