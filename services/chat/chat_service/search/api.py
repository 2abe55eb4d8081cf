"""HTTP in: /api/search, /api/search/suggestions, /api/channels/{id}/search."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from chat_service.auth.credentials import Searcher
from chat_service.auth.principal import Principal
from chat_service.doors import resources_of
from chat_service.errors import ChannelNotFound
from chat_service.paging import Cursor, Limit
from chat_service.search import actions
from chat_service.search.actions import Filters, Paging, Reader
from chat_service.search.rules import parse_query
from chat_service.wire_input import InputTime, channel_id_in_path, user_id_in_path
from chatsdk_contracts.ids import ChannelId, UserId
from chatsdk_contracts.wire import data_json
from chatsdk_runtime.errors import BadRequest, Forbidden, invalid_field
from chatsdk_runtime.postgres import transaction
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api", tags=["search"])

Words = Annotated[
    str,
    Query(
        min_length=1,
        max_length=500,
        description='Words that all have to be there; `"a phrase"`, `-without`, `this or that`. '
        "The last word matches by its beginning.",
    ),
]
AsUser = Annotated[
    str | None, Query(alias="asUserId", description="With an API key: only what this user may see.")
]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """For whom, and the filters that every search takes, as they come in the query."""

    as_user_id: AsUser = None
    user_id: Annotated[str | None, Query(alias="userId", description="Only what this user wrote.")] = None
    since: Annotated[InputTime | None, Query(alias="from", description="Sent then or later.")] = None
    until: Annotated[InputTime | None, Query(alias="to", description="Sent before.")] = None
    from_date: Annotated[InputTime | None, Query(alias="fromDate", description="The same as `from`.")] = None
    to_date: Annotated[InputTime | None, Query(alias="toDate", description="The same as `to`.")] = None
    has_attachment: Annotated[bool | None, Query(alias="hasAttachment")] = None

    def filters(self, channel_id: ChannelId | None) -> Filters:
        """What was asked for, checked."""
        if (self.since and self.from_date) or (self.until and self.to_date):
            raise BadRequest("Give from or fromDate, to or toDate, not both.")
        return Filters(
            channel_id=channel_id,
            author=None if self.user_id is None else _user_id("userId", self.user_id),
            since=self.since or self.from_date,
            until=self.until or self.to_date,
            has_attachment=self.has_attachment,
        )


@router.get("/search")
async def search(
    request: Request,
    q: Words,
    caller: Searcher,
    narrowing: Annotated[Narrowing, Depends()],
    channel_id: Annotated[str | None, Query(alias="channelId")] = None,
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Response:
    """Messages that the caller may see, newest first: those of their channels; for a server all of the app's."""
    filters = narrowing.filters(None if channel_id is None else _channel_id(channel_id))
    return await _search(request, _reader(caller, narrowing.as_user_id), q, filters, Paging(limit, cursor))


@router.get("/channels/{channel_id}/search")
async def search_channel(
    request: Request,
    channel_id: str,
    q: Words,
    caller: Searcher,
    narrowing: Annotated[Narrowing, Depends()],
    cursor: Cursor = None,
    limit: Limit = 20,
) -> Response:
    """Messages of one channel, newest first."""
    filters = narrowing.filters(_channel_id(channel_id))
    return await _search(request, _reader(caller, narrowing.as_user_id), q, filters, Paging(limit, cursor))


@router.get("/search/suggestions")
async def suggest(
    request: Request,
    q: Words,
    caller: Searcher,
    channel_id: Annotated[str | None, Query(alias="channelId")] = None,
    as_user_id: AsUser = None,
) -> Response:
    """At most five words that complete the query's last one, from what the caller may see."""
    reader = _reader(caller, as_user_id)
    wanted = None if channel_id is None else _channel_id(channel_id)
    async with transaction(resources_of(request).pool) as tx:
        return RawJson(data_json(await actions.suggest(tx, reader, parse_query(q), wanted)))


async def _search(request: Request, reader: Reader, text: str, filters: Filters, paging: Paging) -> Response:
    began_s = time.perf_counter()
    async with transaction(resources_of(request).pool) as tx:
        page = await actions.search(tx, reader, parse_query(text), filters, paging)
    took_ms = round((time.perf_counter() - began_s) * 1000)
    return RawJson(data_json(page.model_copy(update={"processing_time_ms": took_ms})))


def _reader(caller: Principal, as_user_id: str | None) -> Reader:
    if as_user_id is None:
        return Reader(caller.app_id, caller.user_id)
    wanted = _user_id("asUserId", as_user_id)
    if caller.user_id not in {None, wanted}:
        raise Forbidden("A user searches as themselves.", hint="Leave asUserId out, or use the API key.")
    return Reader(caller.app_id, wanted)


def _user_id(path: str, text: str) -> UserId:
    user_id = user_id_in_path(text)
    if user_id is None:
        raise invalid_field(path, "invalid", "no user has such an id")
    return user_id


def _channel_id(text: str) -> ChannelId:
    channel_id = channel_id_in_path(text)
    if channel_id is None:
        raise ChannelNotFound
    return channel_id
