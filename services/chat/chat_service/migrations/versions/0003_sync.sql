create index event_by_subject on event (subject, lane_pos) where lane_pos is not null and version is not null;
comment on index event_by_subject is 'What happened to one channel or user after a position: sync, gaps of a socket.';

alter table channel_member
  add column joined_cv bigint not null default 0,
  add column read_generation bigint not null default 0,
  add column last_read_seq bigint not null default 0,
  add column read_at timestamptz,
  add column muted_until timestamptz,
  add column starred boolean not null default false,
  add column hidden boolean not null default false,
  add column state_version bigint not null default 0,
  add column state_updated_at timestamptz;
alter table channel_member set (fillfactor = 80);
comment on column channel_member.joined_cv is 'The channel''s version at which the user came in: a cursor from before it has to start the channel anew.';
comment on column channel_member.last_read_seq is
  'The read marker is (read_generation, last_read_seq), the larger one wins; unread = channel.last_seq - last_read_seq.';
comment on column channel_member.state_version is 'The user''s state_version at the last change of what only they see.';

alter table app_user add column state_version bigint not null default 0;
comment on column app_user.state_version is
  'Counts the changes of what only the user sees; its row lock orders them, so that a reader at n has all up to n.';

create table departure (
  app_id uuid not null references app (id) on delete cascade,
  user_id text not null,
  channel_id uuid not null references channel (id) on delete cascade,
  cv bigint not null,
  reason text not null,
  left_at timestamptz not null,
  primary key (app_id, user_id, channel_id)
);
comment on table departure is 'Who is no longer in a channel, for the clients that still show it; gone when the user comes back.';
create index departure_by_age on departure (left_at);

create table op_lane (
  app_id uuid not null references app (id) on delete cascade,
  user_id text not null,
  client_id text not null,
  channel_id uuid not null,
  last_seq bigint not null,
  last_cv bigint not null,
  updated_at timestamptz not null,
  primary key (app_id, user_id, client_id, channel_id)
) with (fillfactor = 80);
comment on table op_lane is 'Per client and channel: the last operation applied, and the channel''s version after it.';

create table op_result (
  app_id uuid not null references app (id) on delete cascade,
  user_id text not null,
  op_id uuid not null,
  client_id text not null,
  channel_id uuid not null,
  lane_seq bigint not null,
  fingerprint bytea not null,
  status_code smallint not null,
  message_id uuid,
  result jsonb,
  cv bigint not null,
  created_at timestamptz not null,
  primary key (app_id, user_id, op_id)
);
comment on table op_result is
  'What an operation of a client came to, written with its effect. A message is kept by reference: its text is in one place.';
create unique index op_result_by_lane on op_result (app_id, user_id, client_id, channel_id, lane_seq);
create index op_result_by_age on op_result (created_at);
