"""The yardstick of deliveries: aiohttp that posts the same bytes again and again. A process of its own.

Arguments: URL, requests under way at once, how many in all. The event is a file given on standard input.
"""

import asyncio
import sys

import aiohttp
import uvloop

_HEADERS = {
    "Content-Type": "application/cloudevents+json",
    "webhook-id": "0" * 36,
    "webhook-timestamp": "0" * 10,
    "webhook-signature": "v1," + "0" * 44,
    "X-ChatSDK-Signature": "sha256=" + "0" * 64,
}


async def _post_all(url: str, at_once: int, total: int, body: bytes) -> None:
    left = iter(range(total))
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def post_some() -> None:
            for _ in left:
                async with session.post(url, data=body, headers=_HEADERS) as response:
                    await response.read()

        await asyncio.gather(*(post_some() for _ in range(at_once)))


if __name__ == "__main__":
    uvloop.run(_post_all(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.stdin.buffer.read()))
