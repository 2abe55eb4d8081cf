"""Rows of /ws: sends against a bare echo, fan-out to many followers, bursts, and what an idle socket costs."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from deploy.local import ports
from deploy.local.instance import Instance
from tests.bench.socket_client import SocketPlan, hold, load
from tests.bench.stack import SENDERS, Process, Stack
from tests.bench.table import Row, median

_RUNS = 3
_MESSAGES = 150  # per sender and run
_USERS = 125
_PER_USER = 40  # below what one user may have on a replica
_IDLE = 5_000
_PROCESSES = "chat, PostgreSQL, RabbitMQ, socket client; consumers stopped"


async def socket_rows(instance: Instance) -> list[Row]:
    """All of them on one stack, one after the other."""
    stack = Stack(instance)
    try:
        chat = stack.start("chat")
        stack.make_content()
        room = _room(stack)
        tokens = [_token(stack, f"sender-{number}") for number in range(SENDERS)]
        followers = [_token(stack, f"follower-{number}") for number in range(_USERS)]
        rows = await _send_rows(instance, stack, tokens)
        for count in (100, 1_000):
            rows.append(await _fan_out_row(stack, room, [tokens[0], *_spread(followers, count)]))
        rows.append(await _burst_row(stack, chat, room, [tokens[0], *_spread(followers, 100)]))
        rows.append(await _idle_row(stack, chat, room, _spread(followers, _IDLE)))
        return rows
    finally:
        stack.close()


async def _send_rows(instance: Instance, stack: Stack, tokens: list[str]) -> list[Row]:
    """16 sockets on 16 channels: acknowledged after the commit, and seen again over the broker."""
    noop_port = ports.choose(23_070)
    noop = Process(
        "noop socket",
        [sys.executable, "-m", "tests.bench.noop_socket", str(noop_port)],
        dict(os.environ),
        instance.directory / "logs" / "noop-socket.log",
    )
    try:
        noop.wait_ready(f"http://127.0.0.1:{noop_port}/openapi.json")
        acked = SocketPlan(stack.port("chat"), tokens, stack.channels, SENDERS, _MESSAGES)
        echoed = replace(acked, echo=True)
        bare = replace(acked, port=noop_port)
        await load(bare)
        await load(acked)
        runs: dict[str, list[tuple[float, float, float]]] = {"bare": [], "acked": [], "echoed": []}
        for _ in range(_RUNS):
            for name, plan in (("bare", bare), ("acked", acked), ("echoed", echoed)):
                await stack.wait_published()
                seen = await load(plan)
                latencies = (
                    (seen.frame_p50_ms, seen.frame_p99_ms)
                    if plan.echo
                    else (seen.ack_p50_ms, seen.ack_p99_ms)
                )
                runs[name].append((seen.acks_per_s, *latencies))
        return [
            _send_row("WebSocket send, acknowledged after commit", runs["acked"], runs["bare"]),
            _send_row("WebSocket send, own echo through the broker", runs["echoed"], runs["bare"]),
        ]
    finally:
        noop.stop()
        ports.release(noop_port)


def _send_row(
    name: str, ours: list[tuple[float, float, float]], bare: list[tuple[float, float, float]]
) -> Row:
    ratio = median([own[0] / other[0] for own, other in zip(ours, bare, strict=True)])
    per_s, p50, p99 = (median([run[place] for run in ours]) for place in range(3))
    return Row(
        name,
        f"{per_s:.0f}/s, p50 {p50:.1f}, p99 {p99:.1f} ms",
        f"bare socket {median([run[0] for run in bare]):.0f}/s",
        ratio,
        ">= 0.15x",
        ratio >= 0.15,
        _PROCESSES,
    )


async def _fan_out_row(stack: Stack, room: str, tokens: list[str]) -> Row:
    """One sender, 10 messages a second, everybody else follows; every frame has to arrive."""
    followers = len(tokens) - 1
    messages = 100
    plan = SocketPlan(
        stack.port("chat"),
        tokens,
        [room] * len(tokens),
        senders=1,
        messages=messages,
        rate=10.0,
        expected=messages * len(tokens),
    )
    seen = await load(plan)
    return Row(
        f"fan-out 1 -> {followers:,} at 10 messages/s",
        f"p50 {seen.frame_p50_ms:.1f}, p95 {seen.frame_p95_ms:.1f}, p99 {seen.frame_p99_ms:.1f} ms, "
        f"{plan.expected - seen.frames} of {plan.expected:,} lost",
        goal="p95 <= 15 ms, 0 lost" if followers == 100 else "0 lost",
        met=seen.frames == plan.expected and (followers != 100 or seen.frame_p95_ms <= 15),
        processes=_PROCESSES,
    )


async def _burst_row(stack: Stack, chat: Process, room: str, tokens: list[str]) -> Row:
    """One sender with 64 messages under way, 100 followers."""
    messages = 3_000
    plan = SocketPlan(
        stack.port("chat"),
        tokens,
        [room] * len(tokens),
        senders=1,
        messages=messages,
        pipelined=64,
        expected=messages * len(tokens),
    )
    before_s = chat.cpu_s
    seen = await load(plan)
    cpu_us = (chat.cpu_s - before_s) / plan.expected * 1e6
    return Row(
        "burst to 100 followers",
        f"{seen.frames_per_s:,.0f} frames/s ({seen.acks_per_s:.0f} messages/s), {cpu_us:.0f} us of chat's processor each",
        goal=">= 20,000 frames/s",
        met=seen.frames_per_s >= 20_000,
        processes=_PROCESSES,
    )


async def _idle_row(stack: Stack, chat: Process, room: str, tokens: list[str]) -> Row:
    """5,000 sockets that are connected, follow a channel and say nothing."""
    before = _resident_bytes(chat.pid)
    held = await hold(SocketPlan(stack.port("chat"), tokens, [room] * len(tokens), senders=0, hold=True))
    each = (_resident_bytes(chat.pid) - before) / len(tokens)
    await held.close()
    return Row(
        f"idle sockets, {len(tokens):,}",
        f"{each / 1024:.1f} KB each",
        goal="<= 50 KB each",
        met=each <= 50 * 1024,
        processes=_PROCESSES,
    )


def _resident_bytes(pid: int) -> int:
    fields = Path(f"/proc/{pid}/statm").read_text("ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def _room(stack: Stack) -> str:
    """A channel that everybody is in."""
    names = [f"follower-{number}" for number in range(_USERS)]
    stack.post(
        "chat", "/api/users/bulk-ensure", {"users": [{"userId": name, "name": name} for name in names]}
    )
    wanted = {"name": "room", "createdById": "sender-0", "memberIds": names[:90], "type": "group"}
    room = str(stack.post("chat", "/api/channels", wanted)["id"])
    stack.post("chat", f"/api/channels/{room}/members", {"userIds": names[90:]})
    return room


def _token(stack: Stack, user: str) -> str:
    return str(stack.post("chat", "/api/auth/tokens", {"userId": user})["token"])


def _spread(tokens: list[str], count: int) -> list[str]:
    """So many sockets over the users; none has more than it may."""
    assert count <= len(tokens) * _PER_USER
    return [tokens[number % len(tokens)] for number in range(count)]
