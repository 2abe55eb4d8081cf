alter table channel_member
  add column told_generation bigint,
  add column told_read_seq bigint;
comment on column channel_member.told_generation is
  'With told_read_seq the read marker at which the app''s server was last told: once for each place where the user stopped.';

create table notification_scan (
  app_id uuid primary key references app (id) on delete cascade,
  scanned_until timestamptz not null,
  looked_at timestamptz not null
);
comment on table notification_scan is
  'Up to which moment the messages of an app that wants to be told of unread ones are done with, and when a replica last began to look.';

create index channel_by_activity on channel (app_id, last_message_at) where deleted_at is null;
comment on index channel_by_activity is 'In which channels something was said since a moment.';
