alter table app
  add column settings jsonb not null default '{}',
  add column tokens_valid_after timestamptz;
comment on column app.settings is 'What the app''s owner chose; what is not in it has its default. A later release may know more of it.';
comment on column app.tokens_valid_after is 'Tokens of the app''s users issued up to here are revoked, all of them.';

alter table api_key add column last_used_at timestamptz;
alter table api_key set (fillfactor = 80);
comment on column api_key.last_used_at is 'Written at most once a minute, some seconds late.';

alter table app_user add column tokens_valid_after timestamptz;
comment on column app_user.tokens_valid_after is 'The user''s tokens issued up to here are revoked.';
create index app_user_by_lower_id on app_user (app_id, (lower(id) collate "C"), id);
comment on index app_user_by_lower_id is 'Users by the beginning of their id, in the order of bytes, so that a prefix is a range.';
create index app_user_by_lower_name on app_user (app_id, (lower(name) collate "C"), id) where name is not null;
comment on index app_user_by_lower_name is 'The same by the beginning of their name.';

create table revoked_token (
  app_id uuid not null references app (id) on delete cascade,
  jti uuid not null,
  expires_at timestamptz not null,
  primary key (app_id, jti)
);
comment on table revoked_token is 'Single tokens that are not valid any more; forgotten when they would have expired anyway.';
create index revoked_token_by_age on revoked_token (expires_at);

create table user_block (
  app_id uuid not null references app (id) on delete cascade,
  user_id text not null,
  blocked_id text not null,
  state_version bigint not null,
  blocked_at timestamptz not null,
  primary key (app_id, user_id, blocked_id)
);
comment on table user_block is 'Whom a user does not want to hear of. state_version is the user''s at the time.';
