create table ban (
  id uuid primary key,
  app_id uuid not null references app (id) on delete cascade,
  user_id text not null,
  channel_id uuid references channel (id) on delete cascade,
  shadow boolean not null,
  reason text,
  banned_by text,
  created_at timestamptz not null,
  expires_at timestamptz
);
comment on table ban is
  'Who may not write, in one channel or (channel_id null) anywhere in the app. Read by every send: only bans that hold, and those that ran out a moment ago.';
comment on column ban.shadow is 'The user is not refused: what they write is shown to nobody but themselves.';
create unique index ban_by_user on ban (app_id, user_id, channel_id) nulls not distinct;
comment on index ban_by_user is 'One ban for each user and place; what every send asks.';
create index ban_by_channel on ban (channel_id, id) where channel_id is not null;
create index ban_due on ban (expires_at) where expires_at is not null;
comment on index ban_due is 'Which ban runs out next.';

alter table message add column shadowed_after bigint;
comment on column message.shadowed_after is
  'Not null: only its author sees the message, which has no seq; it stands behind this one in the author''s timeline.';
create index message_shadowed on message (channel_id, user_id, shadowed_after) where shadowed_after is not null;
comment on index message_shadowed is 'What an author sees between the messages of all.';

alter table upload add column shadowed boolean not null default false;
comment on column upload.shadowed is 'Put into its channel by a shadow-banned user: the others find it there neither by list nor by id.';

create table message_report (
  id uuid primary key,
  app_id uuid not null references app (id) on delete cascade,
  channel_id uuid not null references channel (id) on delete cascade,
  message_id uuid not null references message (id) on delete cascade,
  author_id text not null,
  reporter_id text not null,
  reason text not null,
  details text,
  status text not null default 'pending' check (status in ('pending', 'reviewed', 'actioned', 'dismissed')),
  created_at timestamptz not null,
  reviewed_by text,
  reviewed_at timestamptz,
  action_taken text,
  admin_notes text
);
comment on table message_report is 'What users reported. What the message says is in the message alone. reviewed_by null: the app''s server.';
create unique index message_report_once on message_report (message_id, reporter_id);
comment on index message_report_once is 'A user reports a message once.';
create index message_report_by_app on message_report (app_id, status, id);
create index message_report_by_channel on message_report (channel_id, status, id);

create table user_mute (
  app_id uuid not null references app (id) on delete cascade,
  user_id text not null,
  muted_id text not null,
  state_version bigint not null,
  muted_at timestamptz not null,
  primary key (app_id, user_id, muted_id)
);
comment on table user_mute is 'Of whom a user wants no notifications. state_version is the user''s at the time.';

create table audit_entry (
  id uuid primary key,
  app_id uuid not null references app (id) on delete cascade,
  at timestamptz not null,
  action text not null,
  actor_kind text not null check (actor_kind in ('user', 'server', 'operator', 'system')),
  actor_id text,
  key_id uuid,
  target_kind text not null,
  target_id text not null,
  channel_id uuid,
  details jsonb not null default '{}',
  request_id text
);
comment on table audit_entry is 'Who did what to whom, written in the transaction that did it; nothing of what anybody said.';
create index audit_entry_by_app on audit_entry (app_id, id);
create index audit_entry_by_target on audit_entry (app_id, target_id, id);
comment on index audit_entry_by_target is 'What was done to one user, message, channel or key.';
