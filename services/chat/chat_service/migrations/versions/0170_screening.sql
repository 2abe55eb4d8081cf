create table app_screening (
  app_id uuid primary key references app (id) on delete cascade,
  version bigint not null
);
comment on table app_screening is
  'Apps that ever had a word list or a hook. version rises with each change of either; the row''s lock orders the changes.';

create table word_list_entry (
  id uuid primary key,
  app_id uuid not null references app (id) on delete cascade,
  phrase text not null,
  folded text not null,
  match text not null,
  action text not null,
  channel_type text,
  created_at timestamptz not null
);
comment on column word_list_entry.folded is 'The phrase as wordlists/matching.py compares it: two that fold alike are one.';
comment on column word_list_entry.channel_type is 'Null: in channels of every type.';
create unique index word_list_entry_once
  on word_list_entry (app_id, folded, match, coalesce(channel_type, ''));

create table before_send_hook (
  app_id uuid primary key references app (id) on delete cascade,
  url text not null,
  timeout_ms integer not null,
  on_failure text not null,
  on_failure_by_type jsonb not null,
  enabled boolean not null,
  key_id text not null,
  secret bytea not null,
  previous_key_id text,
  previous_secret bytea,
  previous_until timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null
);
comment on column before_send_hook.secret is 'What calls are signed with, sealed. The previous one signs along until previous_until.';

create table screening_verdict (
  id uuid primary key,
  app_id uuid not null references app (id) on delete cascade,
  channel_id uuid not null,
  user_id text not null,
  message_id uuid not null,
  kind text not null,
  source text not null,
  outcome text not null,
  action text not null,
  reason text,
  duration_ms integer not null,
  created_at timestamptz not null
);
comment on table screening_verdict is
  'What a word list or a hook decided, without the words. A rejected message is not stored: its id stands only here.';
create index screening_verdict_by_app on screening_verdict (app_id, created_at, id);
create index screening_verdict_by_message on screening_verdict (message_id);
create index screening_verdict_by_user on screening_verdict (app_id, user_id);
comment on index screening_verdict_by_user is 'What was decided on a user''s words, for erasure.';
create index screening_verdict_by_age on screening_verdict (created_at);

alter table message
  add column status text not null default 'sent',
  add column link_previews jsonb not null default '[]';
comment on column message.status is 'held: waits for a moderator, without a place in the channel; rejected: never sent.';
create index message_held_by_app on message (app_id, created_at, id) where status = 'held';
comment on index message_held_by_app is 'The moderators'' queue.';
create index message_held_by_channel on message (channel_id, created_at, id) where status = 'held';

create table link_preview_job (
  message_id uuid primary key,
  app_id uuid not null references app (id) on delete cascade,
  channel_id uuid not null,
  version bigint not null,
  attempts smallint not null default 0,
  due_at timestamptz not null,
  finished_at timestamptz,
  outcome text
);
comment on table link_preview_job is
  'Messages whose links are to be looked at. No foreign key to message: its check would lock each message once more.';
comment on column link_preview_job.version is 'The message''s version that had these links; another one makes the job void.';
comment on column link_preview_job.due_at is 'When it is to be done; moved ahead by whoever takes it, so that it comes again if that process dies.';
create index link_preview_job_due on link_preview_job (due_at) where finished_at is null;
create index link_preview_job_finished on link_preview_job (finished_at) where finished_at is not null;
