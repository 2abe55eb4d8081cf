"""Search over 1,000,000 messages of one app, asked over HTTP one after another.

The rows are written straight into the tables: texts of eight frequent and rare words from a vocabulary of 20,000,
and planted words of a known frequency.
"""

import http.client
import json
import time
from dataclasses import dataclass
from urllib.parse import quote

import asyncpg

from deploy.local.instance import Instance
from tests.bench.stack import Stack
from tests.bench.table import Row, percentile

_MESSAGES = 1_000_000
_CHANNELS = 2_000
_MANY, _FEW = 1_000, 20  # channels of the two users
_ASKED = 60
_WARM_UP = 5
_GOAL_MS = 100.0
_PROCESSES = "chat, PostgreSQL, one client"

_LOAD = f"""
set synchronous_commit = off;
set maintenance_work_mem = '256MB';
-- Rows that are right need no foreign keys checked, and what search does not read needs no index.
set session_replication_role = replica;
drop index message_by_seq, message_by_client_id, message_by_thread;
drop index message_search_by_word, message_search_by_app, message_search_by_channel;
insert into app_user (app_id, id, created_at, updated_at)
select app.id, named.id, now(), now() from app, unnest(array['many', 'few', 'writer']) as named (id);
insert into channel (id, app_id, type, name, created_at, updated_at, last_seq, message_count)
select md5('channel' || n)::uuid, app.id, 'group', 'channel ' || n, now(), now(), {_MESSAGES}, 0
from app, generate_series(0, {_CHANNELS} - 1) as n;
insert into channel_member (channel_id, user_id, app_id, role, joined_at)
select md5('channel' || n)::uuid, 'many', app.id, 'member', now() from app, generate_series(0, {_MANY} - 1) as n
union all
select md5('channel' || n * 37)::uuid, 'few', app.id, 'member', now() from app, generate_series(1, {_FEW}) as n;
insert into message (
  id, channel_id, app_id, user_id, text, seq, cv, client_msg_id, request_hash, created_at, updated_at
)
select (lpad(to_hex(1700000000000 + n * 1000), 12, '0') || '7000' || '8' || substr(md5(n::text), 1, 15))::uuid,
  md5('channel' || floor({_CHANNELS} * power(random(), 2))::int)::uuid, app.id, 'writer',
  concat_ws(' ',
    'w' || floor(20000 * power(random(), 3))::int, 'w' || floor(20000 * power(random(), 3))::int,
    'w' || floor(20000 * power(random(), 3))::int, 'w' || floor(20000 * power(random(), 3))::int,
    'w' || floor(20000 * random())::int, 'w' || floor(20000 * random())::int,
    'w' || floor(20000 * random())::int, 'w' || floor(20000 * random())::int,
    case when random() < 0.3 then 'common' end, case when random() < 0.1 then 'usual' end,
    case when random() < 0.02 then 'fair' end, case when random() < 0.002 then 'uncommon' end,
    case when n % 50000 = 7 then 'rare' end
  ),
  n, n, n::text, '', to_timestamp(1700000000 + n), to_timestamp(1700000000 + n)
from app, generate_series(1, {_MESSAGES}) as n;
update channel set message_count = counted.count
from (select channel_id, count(*) as count from message group by channel_id) as counted
where counted.channel_id = channel.id;
insert into message_search (
  message_id, app_id, channel_id, user_id, seq, created_at, has_attachment, words, scope
)
select id, app_id, channel_id, user_id, seq, created_at, false, to_tsvector('simple', text),
  array['apps/' || app_id, 'channels/' || channel_id, 'apps/' || app_id || '/users/' || user_id]
from message
order by created_at;
create index message_search_by_app on message_search (app_id, created_at, message_id);
create index message_search_by_channel on message_search (channel_id, created_at, message_id);
create index message_search_by_word on message_search using gin (words, scope) with (gin_pending_list_limit = 256);
"""
_SETTLE = (
    "vacuum analyze message",
    "vacuum analyze message_search",
    "analyze channel, channel_member",
    "checkpoint",
)


@dataclass(frozen=True)
class _Question:
    """A row: what is asked, for whom (None: the app's server)."""

    name: str
    q: str
    user: str | None = None
    channel: str | None = None


_QUESTIONS = (
    _Question("common word (30 %), whole app", "common"),
    _Question("fair word (2 %), whole app", '"fair"'),
    _Question("uncommon word (0.2 %), whole app", '"uncommon"'),
    _Question("rare word (20 messages), whole app", "rare"),
    _Question("two words (10 % and 0.2 %), whole app", "uncommon usual"),
    _Question("two rare words, whole app", "w19001 w18002"),
    _Question("beginning of a word (w19*), whole app", "w19"),
    _Question("common word, one channel", "common", channel="channel1"),
    _Question("uncommon word, one channel", "uncommon", channel="channel1"),
    _Question("common word, user in 1,000 channels", "common", user="many"),
    _Question("uncommon word, user in 1,000 channels", "uncommon", user="many"),
    _Question("rare word, user in 1,000 channels", "rare", user="many"),
    _Question("two words, user in 1,000 channels", "uncommon usual", user="many"),
    _Question("common word, user in 20 channels", "common", user="few"),
    _Question("uncommon word, user in 20 channels", "uncommon", user="few"),
)


async def search_rows(instance: Instance) -> list[Row]:
    """Load, then ask each question 60 times, in turn so that a busy moment hits all alike."""
    stack = Stack(instance)
    try:
        stack.start("chat")
        bearer = {"Authorization": f"Bearer {instance.credentials['adminToken']}"}
        stack.api_key = stack.post("chat", "/admin/apps", {"name": "bench"}, bearer)["apiKey"]
        database = f"{stack.vhost}-chat"
        channel = await _load(instance.postgres.dsn(database))
        client = http.client.HTTPConnection("127.0.0.1", stack.port("chat"), timeout=30)
        took: dict[str, list[float]] = {question.name: [] for question in _QUESTIONS}
        hits: dict[str, str] = {}
        for turn in range(_WARM_UP + _ASKED):
            for question in _QUESTIONS:
                took_ms, hits[question.name] = _ask(client, stack.api_key, question, channel)
                if turn >= _WARM_UP:
                    took[question.name].append(took_ms)
        client.close()
        return [_row(name, sorted(times), hits[name]) for name, times in took.items()]
    finally:
        stack.close()


async def _load(dsn: str) -> str:
    """Write everything; returns the id of a busy channel."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_LOAD)
        for statement in _SETTLE:
            await connection.execute(statement)
        return str(await connection.fetchval("select md5('channel1')::uuid"))
    finally:
        await connection.close()


def _ask(
    client: http.client.HTTPConnection, api_key: str, question: _Question, channel: str
) -> tuple[float, str]:
    path = f"/api/search?q={quote(question.q)}"
    path += f"&asUserId={question.user}" if question.user else ""
    path += f"&channelId={channel}" if question.channel else ""
    began_s = time.perf_counter()
    client.request("GET", path, headers={"X-API-Key": api_key})
    response = client.getresponse()
    body = response.read()
    took_ms = (time.perf_counter() - began_s) * 1000
    assert response.status == 200, body
    page = json.loads(body)
    return took_ms, f"{page['totalHits']:,}{'' if page['totalIsExact'] else '+'} hits"


def _row(name: str, ordered: list[float], hits: str) -> Row:
    p50, p95 = percentile(ordered, 0.5), percentile(ordered, 0.95)
    return Row(
        f"search: {name}",
        f"p50 {p50:.1f}, p95 {p95:.1f} ms, {hits}",
        goal=f"p95 < {_GOAL_MS:.0f} ms",
        met=p95 < _GOAL_MS,
        processes=_PROCESSES,
    )
