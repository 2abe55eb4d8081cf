"""What the other services ask on the private port: positions, the log by position, who a credential is.

The feed gives the stored bytes, as a JSON string each, so that a reader has exactly what was published.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Body, Depends, Query, Request, Response

from chat_service.auth.introspection import introspect
from chat_service.doors import resources_of
from chat_service.events import redaction_store, store
from chat_service.events.store import FeedFilter
from chat_service.wire_input import InputTime
from chatsdk_contracts.ids import new_id
from chatsdk_contracts.topology import LANES
from chatsdk_contracts.wire import to_epoch_ms
from chatsdk_runtime.errors import Unauthorized, invalid_field
from chatsdk_runtime.postgres import reading, transaction
from chatsdk_runtime.web import RawJson, json_response

_LONGEST_PAGE = 1_000


async def require_service(request: Request) -> None:
    """Only our own services, by CHATSDK_SERVICE_TOKEN."""
    _, _, given = request.headers.get("authorization", "").partition(" ")
    expected = resources_of(request).settings.service_token.get_secret_value()
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise Unauthorized(
            "The service credential is missing or wrong.", hint="Set CHATSDK_SERVICE_TOKEN alike everywhere."
        )


router = APIRouter(prefix="/internal", include_in_schema=False, dependencies=[Depends(require_service)])


@router.post("/introspect")
async def introspect_credential(request: Request, asked: Annotated[dict[str, Any], Body()]) -> Response:
    """Who an API key or a user token is."""
    return json_response(await introspect(resources_of(request), asked))


@router.get("/lanes")
async def lanes(request: Request) -> Response:
    """How far each lane is numbered and published."""
    resources = resources_of(request)
    async with reading(resources.pool) as connection:
        positions = await store.lane_positions(connection)
    listed = [
        {"lane": one.lane, "nextPos": one.next_pos, "publishedPos": one.published_pos} for one in positions
    ]
    return json_response({"epoch": resources.epoch, "lanes": listed})


@router.get("/events")
async def events(
    request: Request,
    lane: Annotated[int, Query(ge=0, lt=LANES)],
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=_LONGEST_PAGE)] = 500,
    app_id: Annotated[UUID | None, Query(alias="appId")] = None,
    types: str | None = None,
    channels: str | None = None,
    since: Annotated[InputTime | None, Query(alias="from")] = None,
    until: Annotated[InputTime | None, Query(alias="to")] = None,
) -> Response:
    """Published events of a lane behind a position; a filter leaves out, it does not change positions."""
    wanted = FeedFilter(
        app_id=app_id,
        types=types.split(",") if types else None,
        channels=_uuids(channels) if channels else None,
        since=_first_id(since),
        until=_first_id(until),
    )
    async with reading(resources_of(request).pool) as connection:
        positions = await store.lane_positions(connection)
        published = next(one.published_pos for one in positions if one.lane == lane)
        page = await store.feed_page(connection, lane, after, limit, wanted)
    # A full page covers up to its last event; a shorter one everything that was published before it was read.
    covered = page[-1][0] if len(page) == limit else max(after, published)
    listed = [{"pos": pos, "body": body.decode()} for pos, body in page]
    return RawJson(orjson.dumps({"events": listed, "nextAfter": covered, "publishedPos": published}))


@router.get("/redactions")
async def redactions(
    request: Request,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=_LONGEST_PAGE)] = 500,
) -> Response:
    """Which events lost what somebody said, behind a position, with their bytes now; null is not in the log any more."""
    pool = resources_of(request).pool
    async with transaction(pool) as tx:
        await redaction_store.number(tx, limit=limit)
    async with reading(pool) as connection:
        page = await redaction_store.read(connection, after=after, limit=limit)
    listed = [
        {
            "pos": one.pos,
            "id": one.event_id,
            "lane": one.lane,
            "lanePos": one.lane_pos,
            "body": None if one.body is None else one.body.decode(),
        }
        for one in page
    ]
    return RawJson(orjson.dumps({"redactions": listed}))


def _uuids(text: str) -> list[UUID]:
    try:
        return [UUID(part) for part in text.split(",")]
    except ValueError:
        raise invalid_field(
            "channels", "invalid_id", "must be channel ids (UUIDs), comma separated"
        ) from None


def _first_id(at: datetime | None) -> UUID | None:
    """The smallest event id of that millisecond."""
    if at is None:
        return None
    made = UUID(new_id(to_epoch_ms(at)))
    return UUID(int=made.int >> 80 << 80)
