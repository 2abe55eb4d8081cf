"""HTTP in: the lists of channels. Stands before `api`, whose `/{channel_id}` would take `discover` for an id."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from chat_service.auth.credentials import ChatReader
from chat_service.auth.principal import Principal
from chat_service.channels import listing
from chat_service.channels.list_store import Filters, Sort
from chat_service.doors import resources_of, utc_now
from chat_service.paging import Cursor, Limit
from chat_service.wire_input import SafeText, user_id_in_path, workspace_id_in_path
from chatsdk_contracts.channels import ChannelType
from chatsdk_contracts.ids import UserId
from chatsdk_contracts.wire import WireModel, data_json
from chatsdk_runtime.errors import Forbidden, invalid_field
from chatsdk_runtime.postgres import reading
from chatsdk_runtime.web import RawJson

router = APIRouter(prefix="/api/channels", tags=["channels"])

_PREFIX = "How the channel's name begins, in letters of any case."


class ListQuery(WireModel):
    """What a list of channels may be asked for."""

    cursor: Annotated[str | None, Field(max_length=2_048, description="`nextCursor` of the page before.")] = (
        None
    )
    limit: Annotated[int, Field(ge=1, le=100, description="Most items of one page.")] = 50
    user_id: Annotated[str | None, Field(description="Whose channels; for the app's servers.")] = None
    type: ChannelType | None = None
    workspace_id: str | None = None
    starred: bool | None = None
    muted: bool | None = None
    unread: Annotated[bool, Field(description="Those with unread messages alone.")] = False
    hidden: Annotated[bool, Field(description="Those that the user hides, in place of the others.")] = False
    q: Annotated[SafeText | None, Field(max_length=255, description=_PREFIX)] = None
    sort: Sort = "lastMessageAt"


@router.get("")
async def list_channels(
    request: Request, caller: ChatReader, asked: Annotated[ListQuery, Query()]
) -> Response:
    """The caller's channels, newest activity first; for a server all of the app's, or those of `userId`."""
    user_id = _whose(caller, asked.user_id)
    filters = _filters(asked, of_user=user_id is not None)
    async with reading(resources_of(request).pool) as connection:
        page = await listing.list_channels(
            connection,
            caller.app_id,
            user_id,
            filters,
            sort=asked.sort,
            cursor=asked.cursor,
            window=(utc_now(), asked.limit),
        )
    return RawJson(data_json(page))


def _whose(caller: Principal, given: str | None) -> UserId | None:
    if caller.user_id is not None:
        if given not in {None, caller.user_id}:
            raise Forbidden("A user lists their own channels.", hint="Leave userId out, or use the API key.")
        return caller.user_id
    if given is None:
        return None
    user_id = user_id_in_path(given)
    if user_id is None:
        raise invalid_field("userId", "invalid", "no user has such an id")
    return user_id


def _filters(asked: ListQuery, *, of_user: bool) -> Filters:
    if not of_user:
        for name in ("starred", "muted", "unread", "hidden"):
            if getattr(asked, name):
                raise invalid_field(name, "needs_user", "is a user's own; give userId")
    workspace_id = None
    if asked.workspace_id is not None:
        workspace_id = workspace_id_in_path(asked.workspace_id)
        if workspace_id is None:
            raise invalid_field("workspaceId", "invalid_id", "is not a workspace id (a UUID)")
    return Filters(
        type=asked.type,
        workspace_id=workspace_id,
        starred=asked.starred,
        muted=asked.muted,
        unread=asked.unread,
        hidden=asked.hidden if of_user else None,
        name_prefix=asked.q,
    )


@router.get("/discover")
async def discover(
    request: Request,
    caller: ChatReader,
    q: Annotated[SafeText | None, Query(max_length=255, description=_PREFIX)] = None,
    type: Annotated[ChannelType | None, Query()] = None,  # noqa: A002  # the name in the query
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """Open channels by name that the caller may join and is not in; for a server all open ones."""
    filters = Filters(type=type, name_prefix=q)
    async with reading(resources_of(request).pool) as connection:
        page = await listing.discover(
            connection, caller.app_id, caller.user_id, filters, cursor=cursor, limit=limit
        )
    return RawJson(data_json(page))
