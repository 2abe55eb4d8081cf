"""The yardstick of sends: FastAPI that takes the same body at the same path and answers at once."""

import sys

import uvicorn
from fastapi import FastAPI, Response

from chat_service.messages.requests import SendMessage
from chatsdk_runtime.server import Address, _config

app = FastAPI()
_ANSWER = b'{"id":"00000000-0000-7000-8000-000000000000","duplicate":false}'


@app.post("/api/channels/{channel_id}/messages", status_code=201)
async def take(channel_id: str, body: SendMessage) -> Response:
    """Nothing is done with it."""
    return Response(_ANSWER, 201, media_type="application/json")


if __name__ == "__main__":
    uvicorn.Server(_config(app, Address("127.0.0.1", int(sys.argv[1])), 1.0, lifespan="off")).run()
