create table platform (
  only_row boolean primary key default true check (only_row),
  epoch bigint not null default 1
);
comment on table platform is 'One row. epoch is raised after a restore; (epoch, version) is compared everywhere.';
insert into platform default values;

create table app (
  id uuid primary key,
  name text not null,
  token_secret_key_id text not null,
  token_secret bytea not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
comment on table app is 'A tenant. token_secret signs its users'' tokens (HS256), sealed under the master keys.';

create table api_key (
  id uuid primary key,
  app_id uuid not null references app (id) on delete cascade,
  name text not null,
  key_hash bytea not null unique,
  scopes text[] not null default '{}',
  created_at timestamptz not null,
  revoked_at timestamptz
);
comment on table api_key is 'Credentials of an app''s servers, by SHA-256; the key itself is shown once.';
create index api_key_by_app on api_key (app_id);

create table app_user (
  app_id uuid not null references app (id) on delete cascade,
  id text not null,
  name text,
  image text,
  email text,
  custom jsonb not null default '{}',
  version bigint not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deactivated_at timestamptz,
  primary key (app_id, id)
);
comment on table app_user is 'Users of an app. version orders the events whose subject is the user.';

create table channel (
  id uuid primary key,
  app_id uuid not null references app (id) on delete cascade,
  type text not null,
  name text,
  description text,
  image text,
  custom jsonb not null default '{}',
  config jsonb not null default '{}',
  created_by text,
  dm_key text,
  member_count integer not null default 0,
  message_count bigint not null default 0,
  last_seq bigint not null default 0,
  cv bigint not null default 0,
  last_message_at timestamptz,
  frozen boolean not null default false,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz
) with (fillfactor = 70);
comment on table channel is
  'The row lock of a channel orders everything in it: seq numbers messages, cv every durable change, both dense.';
create unique index channel_direct on channel (app_id, dm_key) where dm_key is not null and deleted_at is null;
comment on index channel_direct is 'One direct channel per pair of users.';

create table channel_member (
  channel_id uuid not null references channel (id) on delete cascade,
  user_id text not null,
  app_id uuid not null,
  role text not null check (role in ('owner', 'admin', 'moderator', 'member')),
  joined_at timestamptz not null,
  primary key (channel_id, user_id)
);
create index channel_member_by_user on channel_member (app_id, user_id, channel_id);
comment on index channel_member_by_user is 'The channels of a user.';

create table message (
  id uuid primary key,
  channel_id uuid not null references channel (id) on delete cascade,
  app_id uuid not null,
  user_id text not null,
  type text not null default 'regular',
  text text not null,
  attachments jsonb not null default '[]',
  seq bigint,
  thread_seq bigint,
  last_thread_seq bigint not null default 0,
  cv bigint not null,
  version bigint not null default 1,
  client_msg_id text not null,
  request_hash bytea not null,
  parent_id uuid,
  reply_to_id uuid,
  silent boolean not null default false,
  custom jsonb not null default '{}',
  reply_count integer not null default 0,
  last_reply_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  edited_at timestamptz,
  deleted_at timestamptz,
  deleted_by text
);
comment on column message.client_msg_id is 'The sender''s own id, or one made by the server; the repeat finds the row by it, for ever.';
comment on column message.request_hash is 'What was asked at first: the same client id with other content is refused.';
create unique index message_by_seq on message (channel_id, seq) where seq is not null;
comment on index message_by_seq is 'The timeline, both ways; seq is dense per channel.';
create unique index message_by_client_id on message (channel_id, user_id, client_msg_id);
comment on index message_by_client_id is 'Idempotent sends.';
create unique index message_by_thread on message (parent_id, thread_seq) where parent_id is not null;
comment on index message_by_thread is 'The replies of a thread, in order.';

create table event (
  id uuid not null,
  app_id uuid not null,
  type text not null,
  subject text not null,
  version bigint,
  channel_id uuid,
  lane smallint not null,
  lane_pos bigint,
  copies text[],
  body bytea not null,
  primary key (id)
) partition by range (id);
comment on table event is
  'The event log, the outbox and the change feed in one. Written in the transaction of the change; lane_pos is given after commit.';
create index event_unnumbered on event (lane, subject, version, id) where lane_pos is null;
comment on index event_unnumbered is 'What the sequencer takes next, in (aggregate, version) order.';
create index event_by_position on event (lane, lane_pos) where lane_pos is not null;
comment on index event_by_position is 'Reading a lane by position: relay after a restart, reconciliation, sync.';

create table relay_lane (
  lane smallint primary key,
  next_pos bigint not null default 1,
  published_pos bigint not null default 0,
  leader uuid,
  leader_until timestamptz
) with (fillfactor = 50);
comment on table relay_lane is
  'One row a lane: its lock is the fence of its one sequencer; published_pos is the watermark of what the broker confirmed.';
insert into relay_lane (lane) select generate_series(0, 15);

create table relay_session (
  id uuid primary key,
  renewed_at timestamptz not null
);
comment on table relay_session is 'The chat replicas that relay now; lanes are shared evenly among them.';

create table idempotency_key (
  scope text not null,
  key text not null,
  fingerprint bytea not null,
  status_code smallint not null,
  key_id text not null,
  answer bytea not null,
  created_at timestamptz not null default now(),
  primary key (scope, key)
);
comment on table idempotency_key is 'Answers by Idempotency-Key, sealed, for seven days.';
create index idempotency_key_by_age on idempotency_key (created_at);
