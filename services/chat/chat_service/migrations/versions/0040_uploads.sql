create table upload (
  id uuid primary key,
  app_id uuid not null references app (id) on delete cascade,
  user_id text not null,
  channel_id uuid,
  state text not null check (state in ('pending', 'complete', 'removing')),
  kind text not null check (kind in ('image', 'video', 'file')),
  filename text not null,
  content_type text not null,
  size bigint not null,
  content_path text,
  thumbnail_path text,
  width integer,
  height integer,
  writable_until timestamptz,
  unlinked_since timestamptz,
  created_at timestamptz not null,
  completed_at timestamptz
);
comment on table upload is
  'A file in the object store, under a folder made of its id. The row is written before the first object and deleted after the last one.';
comment on column upload.state is 'pending until the file is there and checked; removing: its objects are being deleted.';
comment on column upload.content_path is 'The object that holds the file; null while pending. What it holds never changes.';
comment on column upload.writable_until is 'A signed address lets its holder write into the folder until then.';
comment on column upload.unlinked_since is 'Since when no message shows a complete file; null while one does.';
create index upload_by_channel on upload (channel_id, id) include (kind) where state = 'complete';
comment on index upload_by_channel is 'The files of a channel, newest first.';
create index upload_pending on upload (created_at) where state = 'pending';
comment on index upload_pending is 'Clean-up: files that were announced and never confirmed.';
create index upload_unlinked on upload (unlinked_since) where state = 'complete' and unlinked_since is not null;
comment on index upload_unlinked is 'Clean-up: files that no message shows.';
create index upload_removing on upload (id) where state = 'removing';
comment on index upload_removing is 'Clean-up: what is left to be deleted.';
create index upload_writable on upload (writable_until) where state = 'complete' and writable_until is not null;
comment on index upload_writable is 'Clean-up: what was written beside a complete file while its address was open.';

create table upload_link (
  message_id uuid not null references message (id) on delete cascade,
  upload_id uuid not null references upload (id) on delete cascade,
  channel_id uuid not null,
  kind text not null,
  primary key (message_id, upload_id)
);
comment on table upload_link is 'Which messages show a file: written with the message, gone with its text.';
create index upload_link_by_upload on upload_link (upload_id, channel_id);
comment on index upload_link_by_upload is 'Who may read a file: the members of the channels where it is shown.';
create index upload_link_by_channel on upload_link (channel_id, upload_id) include (kind);
comment on index upload_link_by_channel is 'The files of a channel, newest first.';
