create index message_unsent_by_age on message (app_id, created_at, id) where status <> 'sent' and deleted_at is null;
comment on index message_unsent_by_age is
  'What is held or was rejected, and too old to be kept: it has no place in the timeline by which the rest goes.';
