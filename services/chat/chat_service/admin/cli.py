"""`chatsdk-admin`: apps, keys, dead letters, the log and the search index at a terminal; reads the service's own settings."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, TypeVar
from uuid import UUID

import orjson
import typer
from pydantic import TypeAdapter, ValidationError

from chat_service.admin import dead_letters, republish
from chat_service.admin.problems import OperatorProblem
from chat_service.apps import actions
from chat_service.doors import utc_now
from chat_service.events.log import Cause
from chat_service.search import indexer
from chat_service.settings import ChatSettings
from chat_service.wire_input import Name, uuid_in_path
from chatsdk_contracts.ids import ApiKeyId, AppId
from chatsdk_contracts.topology import LANES
from chatsdk_contracts.wire import WireModel, data_json
from chatsdk_runtime.encryption import Keyring
from chatsdk_runtime.errors import ServiceError
from chatsdk_runtime.postgres import DATABASE_AWAY, Connection, connect, transaction_on
from chatsdk_runtime.rabbit import BROKER_AWAY, Publisher
from chatsdk_runtime.settings import SettingsError, load_settings

T = TypeVar("T")

app = typer.Typer(help="ChatSDK at a terminal.", no_args_is_help=True, add_completion=False)
apps = typer.Typer(help="Tenants.", no_args_is_help=True)
keys = typer.Typer(help="API keys of a tenant.", no_args_is_help=True)
dlq = typer.Typer(help="Dead letters: what a consumer could not take.", no_args_is_help=True)
app.add_typer(apps, name="apps")
app.add_typer(keys, name="keys")
app.add_typer(dlq, name="dlq")
search = typer.Typer(help="The search index.", no_args_is_help=True)
app.add_typer(search, name="search")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
AppIdOption = Annotated[str, typer.Option("--app", help="The app's id.")]
QueueArgument = Annotated[str, typer.Argument(help="The work queue, e.g. webhook-dispatcher.plan.")]
Limit = Annotated[int | None, typer.Option(min=1, help="At most so many; all without it.")]


def main() -> None:
    """The console script. Exit codes: 1 it did not work, 2 called or configured wrongly."""
    try:
        app()
    except SettingsError as problem:
        _end(str(problem), 2)
    except ServiceError as problem:
        _end(problem.message if problem.hint is None else f"{problem.message} {problem.hint}", 1)
    except OperatorProblem as problem:
        _end(str(problem), 1)
    except (*DATABASE_AWAY, *BROKER_AWAY) as outage:
        _end(f"cannot reach a server: {type(outage).__name__}: {outage}", 1)


@apps.command("create")
def create_app(
    name: Annotated[str, typer.Option(help="What people call it.")], *, as_json: AsJson = False
) -> None:
    """Make an app; its API key is shown now and never again."""
    _require_name(name)

    async def run(settings: ChatSettings, connection: Connection) -> WireModel:
        keyring = Keyring.parse(settings.master_keys.get_secret_value())
        async with transaction_on(connection) as tx:
            return await actions.create_app(tx, keyring, name, utc_now())

    _tell(_with_database(run), as_json=as_json)


@apps.command("list")
def list_apps(*, as_json: AsJson = False) -> None:
    """Every app."""

    async def run(settings: ChatSettings, connection: Connection) -> list[WireModel]:
        found: list[WireModel] = []
        after: str | None = None
        while True:
            page = await actions.list_apps(connection, after=after, limit=100)
            found += page.apps
            if not page.has_more:
                return found
            after = page.apps[-1].id

    _tell_all(_with_database(run), as_json=as_json)


@keys.command("create")
def create_key(
    app_id: AppIdOption,
    name: Annotated[str, typer.Option(help="What people call it.")] = "key",
    *,
    as_json: AsJson = False,
) -> None:
    """Make one more API key; it is shown now and never again."""
    _require_name(name)
    wanted = AppId(_uuid(app_id))

    async def run(settings: ChatSettings, connection: Connection) -> WireModel:
        async with transaction_on(connection) as tx:
            return await actions.create_key(tx, _cause(wanted), name, ())

    _tell(_with_database(run), as_json=as_json)


@keys.command("list")
def list_keys(app_id: AppIdOption, *, as_json: AsJson = False) -> None:
    """The app's keys, revoked ones too."""
    wanted = AppId(_uuid(app_id))

    async def run(settings: ChatSettings, connection: Connection) -> list[WireModel]:
        return list((await actions.list_keys(connection, wanted)).keys)

    _tell_all(_with_database(run), as_json=as_json)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The key's id.")],
    app_id: AppIdOption,
    *,
    as_json: AsJson = False,
) -> None:
    """Take a key back; it stops working everywhere within five seconds."""
    wanted_app, wanted_key = AppId(_uuid(app_id)), ApiKeyId(_uuid(key_id))

    async def run(settings: ChatSettings, connection: Connection) -> WireModel:
        async with transaction_on(connection) as tx:
            return await actions.revoke_key(tx, _cause(wanted_app), wanted_key)

    _tell(_with_database(run), as_json=as_json)


@dlq.command("list")
def list_dead_letters() -> None:
    """How many dead letters each work queue has."""
    for found in asyncio.run(dead_letters.count(_broker_url())):
        print(f"{found.queue}\t{'not declared' if found.waiting is None else found.waiting}")


@dlq.command("show")
def show_dead_letters(
    queue: QueueArgument, limit: Annotated[int, typer.Option(min=1, max=1_000)] = 10
) -> None:
    """Print the first dead letters, one JSON object a line; they stay where they are."""

    async def run() -> None:
        async with dead_letters.broker_channel(_broker_url()) as channel:
            _print_letters(await dead_letters.show(channel, queue, limit))

    asyncio.run(run())


@dlq.command("requeue")
def requeue_dead_letters(queue: QueueArgument, limit: Limit = None) -> None:
    """Put dead letters back into their work queue."""

    async def run() -> int:
        async with dead_letters.broker_channel(_broker_url()) as channel:
            return await dead_letters.requeue(channel, queue, limit)

    print(f"requeued {asyncio.run(run())}")


@dlq.command("discard")
def discard_dead_letters(
    queue: QueueArgument,
    limit: Limit = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Throw dead letters away, printing each."""
    if not yes:
        typer.confirm(f"Throw away the dead letters of {queue}?", abort=True)

    async def run() -> None:
        async with dead_letters.broker_channel(_broker_url()) as channel:
            _print_letters(await dead_letters.discard(channel, queue, limit))

    asyncio.run(run())


@search.command("rebuild")
def rebuild_search() -> None:
    """Index every message anew; searching goes on meanwhile."""

    async def run(settings: ChatSettings, connection: Connection) -> int:
        return await indexer.rebuild(connection)

    print(f"indexed {_with_database(run)}")


@app.command("republish")
def republish_events(
    lane: Annotated[int | None, typer.Option(min=0, max=LANES - 1, help="A lane of the log.")] = None,
    after: Annotated[int, typer.Option(min=0, help="Begin behind this position.")] = 0,
    to: Annotated[int | None, typer.Option(min=1, help="End at this position.")] = None,
    event_id: Annotated[UUID | None, typer.Option(help="One event instead of a lane.")] = None,
) -> None:
    """Publish stored events once more; consumers drop what they have seen."""
    if (lane is None) == (event_id is None):
        raise OperatorProblem("give either --lane or --event-id")

    async def run(settings: ChatSettings, connection: Connection) -> int:
        async with _publisher(settings) as publisher:
            if event_id is not None:
                return await republish.republish_event(connection, publisher, event_id)
            assert lane is not None, "one of the two is given"
            return await republish.republish_lane(connection, publisher, lane, after=after, up_to=to)

    print(f"republished {_with_database(run)}")


@asynccontextmanager
async def _publisher(settings: ChatSettings) -> AsyncIterator[Publisher]:
    publisher = await Publisher.open(settings.rabbitmq_url.get_secret_value(), name="chatsdk-admin")
    try:
        yield publisher
    finally:
        await publisher.close()


def _with_database(use: Callable[[ChatSettings, Connection], Awaitable[T]]) -> T:
    settings = load_settings(ChatSettings)

    async def run() -> T:
        connection = await connect(settings.direct_url, application_name="chatsdk-admin")
        try:
            return await use(settings, connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def _broker_url() -> str:
    return load_settings(ChatSettings).rabbitmq_url.get_secret_value()


def _require_name(name: str) -> None:
    try:
        TypeAdapter(Name).validate_python(name)
    except ValidationError as error:
        raise OperatorProblem(f"--name: {error.errors()[0]['msg']}") from None


def _cause(app_id: AppId) -> Cause:
    # No event comes of it, so that the epoch is nobody's; the audit log says that it was this command.
    return Cause(app_id, utc_now(), epoch=0, request_id="chatsdk-admin")


def _uuid(text: str) -> str:
    canonical = uuid_in_path(text)
    if canonical is None:
        raise OperatorProblem(f"{text!r} is not an id")
    return canonical


def _tell(found: WireModel, *, as_json: bool) -> None:
    if as_json:
        print(data_json(found).decode())
    else:
        for name, value in orjson.loads(data_json(found)).items():
            print(f"{name}: {value}")


def _tell_all(found: list[WireModel], *, as_json: bool) -> None:
    if as_json:
        print(f"[{','.join(data_json(one).decode() for one in found)}]")
    else:
        for one in found:
            print("\t".join(str(value) for value in orjson.loads(data_json(one)).values()))


def _print_letters(letters: Sequence[dead_letters.DeadLetter]) -> None:
    for letter in letters:
        told = {
            "id": letter.id,
            "type": letter.type,
            "reason": letter.reason,
            "body": letter.body.decode("utf-8", "replace"),
        }
        print(orjson.dumps(told).decode())


def _end(text: str, code: int) -> None:
    print(text, file=sys.stderr)
    sys.exit(code)
