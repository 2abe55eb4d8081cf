"""The door of sockets: `/ws`."""

from __future__ import annotations

import asyncio
from typing import Final, cast

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from fastapi.websockets import WebSocketState

from chat_service.realtime.connection import Connection
from chat_service.realtime.protocol import Close
from chat_service.realtime.session import Realtime, Session, closed_line
from chat_service.resources import Resources
from chatsdk_runtime.postgres import DATABASE_AWAY

log = structlog.get_logger()

router = APIRouter()

_CONNECT_S: Final = 10.0
_CLOSE_S: Final = 1.0
_GONE: Final = 1006


@router.websocket("/ws")
async def socket(websocket: WebSocket) -> None:
    """Events as they come, sends as they go; see docs/realtime.md."""
    await websocket.accept()
    realtime = cast("Realtime", websocket.app.state.realtime)
    resources = cast("Resources", websocket.app.state.resources)
    session = Session(realtime, resources, websocket.send_text)
    code: int = _GONE
    try:
        async with asyncio.timeout(_CONNECT_S):
            first = await websocket.receive_text()
        connected = await session.connect(first, _bearer(websocket))
        if isinstance(connected, Close):
            code = connected
        else:
            code = await _converse(websocket, session, connected, first)
    except TimeoutError:
        code = Close.NOT_CONNECTED
    except (WebSocketDisconnect, KeyError):  # KeyError: a binary message
        code = _GONE
    except DATABASE_AWAY as outage:
        log.warning("socket_not_connected", error=f"{type(outage).__name__}: {outage}")
        code = Close.TRY_AGAIN
    finally:
        await session.end()
        if session.connection is not None:
            realtime.closes.labels(str(int(code))).inc()
            log.info("socket_closed", **closed_line(session.connection, int(code)))
        if websocket.client_state is WebSocketState.CONNECTED and code != _GONE:
            await _close(websocket, int(code))


async def _converse(websocket: WebSocket, session: Session, connection: Connection, first: str) -> int:
    """Read and write side by side until either ends; returns the close code."""
    writer = asyncio.create_task(connection.run_writer(), name="socket-writer")
    reader = asyncio.create_task(_read(websocket, session, first), name="socket-reader")
    aborted = asyncio.create_task(connection.aborted.wait(), name="socket-aborted")
    tasks = {writer, reader, aborted}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if reader in done:
            await reader
        if writer in done:
            return int(await writer)
        return int(Close.SLOW) if aborted in done else _GONE
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(websocket: WebSocket, session: Session, first: str) -> None:
    await session.begin(first)
    while True:
        await session.take(await websocket.receive_text())


async def _close(websocket: WebSocket, code: int) -> None:
    try:
        # A client that does not read would hold even this up.
        async with asyncio.timeout(_CLOSE_S):
            await websocket.close(code)
    except (RuntimeError, WebSocketDisconnect, TimeoutError):
        # The other side was quicker, or is stuck: the connection ends with its next missed ping.
        return


def _bearer(websocket: WebSocket) -> str | None:
    kind, _, token = websocket.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None
