"""The yardstick of sockets: FastAPI on the same server that answers each text at once."""

import sys

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

from chatsdk_runtime.server import Address, _config

app = FastAPI()


@app.websocket("/ws")
async def socket(websocket: WebSocket) -> None:
    """A result for whatever comes, after the greeting that the load client waits for."""
    await websocket.accept()
    try:
        await websocket.receive_text()
        await websocket.receive_text()
        await websocket.send_text('{"type":"subscribed","id":0,"channels":[],"refused":[]}')
        while True:
            text = await websocket.receive_text()
            number = text[text.index('"id":') + 5 : text.index(',"channelId"')]
            await websocket.send_text(f'{{"type":"result","id":{number},"status":201,"body":{{}}}}')
    except WebSocketDisconnect:
        return


if __name__ == "__main__":
    uvicorn.Server(_config(app, Address("127.0.0.1", int(sys.argv[1])), 1.0, lifespan="off")).run()
