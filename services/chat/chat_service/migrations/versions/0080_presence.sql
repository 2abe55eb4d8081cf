create table presence_session (
  id uuid primary key,
  renewed_at timestamptz not null
);
comment on table presence_session is 'Chat replicas that hold sockets; one that does not renew is dead by this server''s clock.';

create table presence_connection (
  id uuid primary key,
  session_id uuid not null references presence_session (id),
  app_id uuid not null references app (id) on delete cascade,
  user_id text not null,
  is_away boolean not null default false
);
comment on table presence_connection is 'A socket of a user, under its replica''s session; written in batches, never by a frame.';
create index presence_connection_by_user on presence_connection (app_id, user_id);
comment on index presence_connection_by_user is 'Whether a user has a socket anywhere.';
create index presence_connection_by_session on presence_connection (session_id);
comment on index presence_connection_by_session is 'What a dead replica held.';

create table user_presence (
  app_id uuid not null,
  user_id text not null,
  chosen text not null default 'online' check (chosen in ('online', 'away', 'invisible', 'offline')),
  shown text not null default 'offline' check (shown in ('online', 'away', 'offline')),
  heartbeat_until timestamptz,
  due_at timestamptz,
  last_seen_at timestamptz,
  primary key (app_id, user_id),
  foreign key (app_id, user_id) references app_user (app_id, id) on delete cascade
) with (fillfactor = 70);
comment on table user_presence is 'How a user is shown. The row''s lock orders all that changes it; what decides is read after it.';
comment on column user_presence.chosen is 'What the user wants to be seen as; offline lasts until the next sign of life.';
comment on column user_presence.shown is 'What others were told last, and what they get who ask.';
comment on column user_presence.heartbeat_until is 'Until when a client without a socket counts as there.';
comment on column user_presence.due_at is 'When the user is to be shown offline unless something happens before.';
comment on column user_presence.last_seen_at is 'To within a minute; it stands still while the user is invisible.';
create index user_presence_due on user_presence (due_at) where due_at is not null;
comment on index user_presence_due is 'Who is to be looked at now.';
