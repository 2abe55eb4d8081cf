create table workspace (
  id uuid primary key,
  app_id uuid not null references app (id) on delete cascade,
  type text not null,
  name text not null,
  image text,
  config jsonb not null default '{}',
  member_count integer not null default 0,
  channel_count integer not null default 0,
  version bigint not null default 1,
  created_by text,
  expires_at timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  deleted_at timestamptz
) with (fillfactor = 80);
comment on table workspace is
  'A group of channels with members of its own. Its row lock orders its changes; version numbers its events, densely.';
create index workspace_by_app on workspace (app_id, id) where deleted_at is null;
create index workspace_emptying on workspace (id) where deleted_at is not null and channel_count > 0;
comment on index workspace_emptying is 'Deleted, with channels that the sweep has still to delete.';

create table workspace_member (
  workspace_id uuid not null references workspace (id) on delete cascade,
  user_id text not null,
  app_id uuid not null,
  role text not null check (role in ('owner', 'admin', 'member')),
  joined_at timestamptz not null,
  primary key (workspace_id, user_id)
);
create index workspace_member_by_user on workspace_member (app_id, user_id, workspace_id);
comment on index workspace_member_by_user is 'The workspaces of a user.';

create table workspace_leaver (
  workspace_id uuid not null references workspace (id) on delete cascade,
  user_id text not null,
  app_id uuid not null,
  actor_id text,
  left_at timestamptz not null,
  primary key (workspace_id, user_id)
);
comment on table workspace_leaver is
  'Who is out of a workspace and has still to be taken out of its channels, one channel in each transaction.';

create table workspace_invite (
  id uuid primary key,
  workspace_id uuid not null references workspace (id) on delete cascade,
  app_id uuid not null,
  token_hash bytea not null unique,
  role text not null check (role in ('owner', 'admin', 'member')),
  email text,
  user_id text,
  message text,
  invited_by text,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  accepted_at timestamptz,
  accepted_by text,
  revoked_at timestamptz
);
comment on table workspace_invite is
  'Invitations by the SHA-256 of their token, which is shown once. The address is told to nobody but who invited.';
create index workspace_invite_by_workspace on workspace_invite (workspace_id, id);

alter table channel
  add column workspace_id uuid,
  add column external_id text,
  add column truncated_seq bigint not null default 0,
  add column purge_seq bigint not null default 0,
  add column purged_seq bigint not null default 0;
comment on column channel.external_id is 'What the app''s servers call the channel: ensuring it twice makes one.';
comment on column channel.truncated_seq is 'Messages up to this seq, and the replies to them, are shown to nobody.';
comment on column channel.purge_seq is 'Messages up to this seq are to lose their content; purged_seq says how far that has come.';
create unique index channel_external on channel (app_id, external_id)
  where external_id is not null and deleted_at is null;
create index channel_by_workspace on channel (workspace_id, id) where workspace_id is not null and deleted_at is null;
create index channel_purging on channel (id) where purge_seq > purged_seq;
-- Nothing in it changes with a message, so that sends stay updates within their page.
create index channel_open_by_name on channel (app_id, (lower(coalesce(name, '')) collate "C"), id)
  where type in ('public', 'team', 'livestream') and deleted_at is null;
comment on index channel_open_by_name is 'Open channels in the order of their names: discovery.';

alter table channel_member
  add column hidden_seq bigint not null default 0,
  add column cleared_seq bigint not null default 0,
  add column last_sent_at timestamptz;
comment on column channel_member.hidden_seq is
  'The channel''s last_seq when it was hidden: it is hidden while there is no message behind it.';
comment on column channel_member.cleared_seq is 'The member sees no message up to this seq: history cleared while hiding.';
comment on column channel_member.last_sent_at is 'When the member last sent, kept while the channel is in slow mode.';
