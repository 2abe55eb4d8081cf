create table pre_tombstone (
  message_id uuid primary key,
  app_id uuid not null references app (id) on delete cascade,
  channel_id uuid not null,
  user_id text not null,
  created_at timestamptz not null
);
comment on table pre_tombstone is
  'A message that its author deleted before it arrived: the late send writes nothing.';

alter table message add column hlc text;
comment on column message.hlc is
  'The hybrid logical clock of the client that wrote what the message says now; decides between two edits on one base.';
