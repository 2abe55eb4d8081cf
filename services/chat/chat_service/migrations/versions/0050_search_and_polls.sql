create table message_search (
  message_id uuid primary key,
  app_id uuid not null,
  channel_id uuid not null,
  user_id text not null,
  seq bigint,
  created_at timestamptz not null,
  has_attachment boolean not null,
  words tsvector not null,
  scope text[] not null
);
comment on table message_search is
  'The words of live messages, derived from message behind the event log. No foreign key: its check would write to each message once more.';
comment on column message_search.words is 'Made by chat_service/search/words.py, never by a text search configuration.';
comment on column message_search.scope is
  'App, channel, author and whether files are attached, as keys: one index narrows by them and by words at once.';
create index message_search_by_word on message_search using gin (words, scope) with (gin_pending_list_limit = 256);
comment on index message_search_by_word is 'The complete answer. Every search reads the pending list whole: kept short.';
create index message_search_by_app on message_search (app_id, created_at, message_id);
comment on index message_search_by_app is 'The newest messages first: where common words are found at once.';
create index message_search_by_channel on message_search (channel_id, created_at, message_id);
comment on index message_search_by_channel is 'The same in one channel, and all that a member of small channels may see.';

create table search_position (
  lane smallint primary key,
  pos bigint not null default 0
) with (fillfactor = 50);
comment on table search_position is 'How far each lane of the log is indexed; moved in the transaction that indexes.';
insert into search_position (lane) select generate_series(0, 15);

create table poll (
  id uuid primary key,
  app_id uuid not null references app (id) on delete cascade,
  channel_id uuid not null references channel (id) on delete cascade,
  message_id uuid not null unique references message (id) on delete cascade,
  question text not null,
  is_anonymous boolean not null,
  is_multi_choice boolean not null,
  total_votes integer not null default 0,
  ends_at timestamptz,
  closed_at timestamptz,
  created_by text not null,
  created_at timestamptz not null,
  updated_at timestamptz not null
) with (fillfactor = 70);
comment on table poll is 'A poll of a message, gone with it. total_votes counts voters; the channel''s row lock orders all votes.';
create index poll_by_channel on poll (channel_id);
create index poll_due on poll (ends_at) where closed_at is null and ends_at is not null;
comment on index poll_due is 'What closes by itself next.';

create table poll_option (
  poll_id uuid not null references poll (id) on delete cascade,
  id text not null,
  place smallint not null,
  text text not null,
  vote_count integer not null default 0,
  primary key (poll_id, id)
) with (fillfactor = 70);

create table poll_vote (
  poll_id uuid not null references poll (id) on delete cascade,
  user_id text not null,
  app_id uuid not null,
  option_ids text[] not null,
  voted_at timestamptz not null,
  primary key (poll_id, user_id)
);
comment on table poll_vote is
  'A voter''s whole choice. For an anonymous poll this is the one place that knows the voter, needed to change and withdraw.';
create index poll_vote_by_user on poll_vote (app_id, user_id);
comment on index poll_vote_by_user is 'What a user voted, for export and erasure.';

alter table message add column poll_id uuid;
comment on column message.poll_id is 'The poll that is shown with the message.';
