create table job (
  id uuid primary key,
  app_id uuid not null references app (id) on delete cascade,
  kind text not null check (kind in ('erase', 'export', 'import')),
  user_id text,
  channel_id uuid,
  requested_by text,
  options jsonb not null default '{}',
  state text not null default 'waiting' check (state in ('waiting', 'running', 'done', 'failed')),
  step text not null default '',
  cursor jsonb not null default '{}',
  counts jsonb not null default '{}',
  problems jsonb not null default '[]',
  file_path text,
  file_size bigint,
  created_at timestamptz not null,
  finished_at timestamptz,
  expires_at timestamptz,
  run_after timestamptz not null,
  lease_by uuid,
  lease_until timestamptz,
  failures integer not null default 0
) with (fillfactor = 70);
comment on table job is
  'Work in many small transactions, done by whichever replica holds its lease; cursor says where it goes on after a crash.';
comment on column job.lease_until is 'By the database''s clock. Nothing is written for a job but by who holds it.';
comment on column job.file_path is 'The object that an export wrote, or that an import reads.';
create unique index job_unfinished
  on job (app_id, kind, coalesce(user_id, ''), coalesce(channel_id::text, ''), coalesce(requested_by, ''))
  where state in ('waiting', 'running') and kind <> 'import';
comment on index job_unfinished is 'Asking for the same thing while it is being done makes no second job.';
create index job_due on job (run_after) where state in ('waiting', 'running');
create index job_expiring on job (expires_at) where file_path is not null and expires_at is not null;
comment on index job_expiring is 'Clean-up: files whose time is over.';
create index job_by_user on job (app_id, user_id) where user_id is not null;

alter table app_user add column erased_at timestamptz;
comment on column app_user.erased_at is
  'The person is gone for good. The row stays, empty: nobody may come back under the id, for what it wrote once.';

create table legal_hold (
  id uuid primary key,
  app_id uuid not null references app (id) on delete cascade,
  channel_id uuid,
  user_id text,
  reason text,
  created_at timestamptz not null,
  released_at timestamptz,
  check ((channel_id is null) <> (user_id is null))
);
comment on table legal_hold is 'What nobody may delete for now: all of a channel, or all that a user wrote.';
create unique index legal_hold_of_channel on legal_hold (app_id, channel_id) where released_at is null and channel_id is not null;
create unique index legal_hold_of_user on legal_hold (app_id, user_id) where released_at is null and user_id is not null;
create index legal_hold_by_app on legal_hold (app_id, id);

create sequence redacted_event_pos;
create table redacted_event (
  event_id uuid primary key,
  pos bigint,
  redacted_at timestamptz not null default now()
) with (fillfactor = 80);
comment on table redacted_event is
  'Which logged events lost what somebody said, for the services that keep copies of their bytes.';
comment on column redacted_event.pos is 'Given when a reader asks, so that no position is committed behind one that was read.';
create unique index redacted_event_by_pos on redacted_event (pos) where pos is not null;
create index redacted_event_without_pos on redacted_event (event_id) where pos is null;
create index redacted_event_by_age on redacted_event (redacted_at);

create index upload_by_user on upload (app_id, user_id, id);
comment on index upload_by_user is 'All of one user, for export and erasure.';

create table import_message (
  job_id uuid not null references job (id) on delete cascade,
  channel_id uuid not null,
  message_id uuid not null,
  created_at timestamptz not null,
  placed boolean not null default false,
  primary key (job_id, message_id)
);
comment on table import_message is
  'Imported messages on their way: placed in their channels in the order of time when all are read, then indexed.';
create index import_message_waiting on import_message (job_id, channel_id, created_at, message_id) where not placed;

create table import_channel (
  job_id uuid not null references job (id) on delete cascade,
  channel_id uuid not null,
  primary key (job_id, channel_id)
);
comment on table import_channel is 'What an import changed: its members load these channels anew when it is done.';
