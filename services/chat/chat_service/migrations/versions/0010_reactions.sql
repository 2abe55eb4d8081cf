alter table message
  add column reaction_counts jsonb not null default '{}',
  add column pinned_at timestamptz,
  add column pinned_by text,
  add column purged_at timestamptz;
comment on column message.reaction_counts is
  'How many users reacted with each type: what the rows of reaction add up to, written with them. Empty while deleted.';
comment on column message.pinned_by is 'Null when the app''s server pinned it in nobody''s name.';
comment on column message.purged_at is 'From then on nothing of what was said is kept anywhere, and nothing can be restored.';
create index message_pinned on message (channel_id, pinned_at, id) where pinned_at is not null;
comment on index message_pinned is 'The pins of a channel.';

create table reaction (
  message_id uuid not null references message (id) on delete cascade,
  user_id text not null,
  type text not null,
  app_id uuid not null,
  channel_id uuid not null,
  created_at timestamptz not null,
  primary key (message_id, user_id, type)
);
comment on table reaction is 'Who reacted how; type is an emoji in its fully-qualified form or `:name:`.';
create index reaction_by_type on reaction (message_id, type, created_at, user_id);
comment on index reaction_by_type is 'The list of a message''s reactions, whole or of one type.';
create index reaction_by_user on reaction (app_id, user_id);
comment on index reaction_by_user is 'All of one user, for export and erasure.';

create table saved_message (
  app_id uuid not null references app (id) on delete cascade,
  user_id text not null,
  message_id uuid not null references message (id) on delete cascade,
  channel_id uuid not null,
  saved_at timestamptz not null,
  state_version bigint not null,
  primary key (app_id, user_id, message_id)
);
comment on table saved_message is
  'What users keep for themselves; state_version is the user''s at the time, and orders it among their private changes.';
create index saved_message_by_time on saved_message (app_id, user_id, saved_at desc, message_id desc);
comment on index saved_message_by_time is 'A user''s list, newest first.';
create index saved_message_by_message on saved_message (message_id);
comment on index saved_message_by_message is 'Who saved a message that is purged.';

create table message_history (
  message_id uuid not null references message (id) on delete cascade,
  version bigint not null,
  text text not null,
  edited_at timestamptz not null,
  edited_by text,
  primary key (message_id, version)
);
comment on table message_history is
  'The text that a message had at a version, and when and by whom it was replaced. Gone when the message is deleted.';

create table deleted_content (
  message_id uuid primary key references message (id) on delete cascade,
  key_id text not null,
  content bytea not null,
  expires_at timestamptz not null
);
comment on table deleted_content is
  'What a deleted message said, sealed under the master keys, for as long as it may be restored.';
create index deleted_content_by_expiry on deleted_content (expires_at);
