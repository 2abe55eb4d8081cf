alter table message
  add column mentions text[] not null default '{}',
  add column mention_groups text[] not null default '{}',
  add column participant_count integer not null default 0;
comment on column message.mentions is 'The members whom the text names, or whom the sender named beside it.';
comment on column message.mention_groups is 'channel: all members; here: those of them who are there.';

comment on column message.participant_count is 'Of a thread''s first message: how many users have replied, deleted replies aside.';

create table thread_place (
  parent_id uuid not null references message (id) on delete cascade,
  user_id text not null,
  app_id uuid not null,
  channel_id uuid not null references channel (id) on delete cascade,
  reply_count integer not null default 0,
  last_reply_seq bigint not null default 0,
  last_read_seq bigint not null default 0,
  followed boolean not null,
  is_choice boolean not null default false,
  primary key (parent_id, user_id)
) with (fillfactor = 80);
comment on table thread_place is
  'A user''s place in a thread: participants have replies, followers see it among their threads. Written with the reply.';
comment on column thread_place.reply_count is 'Replies of the user that are not deleted.';
comment on column thread_place.last_reply_seq is 'thread_seq of the user''s latest reply; it orders the participants.';
comment on column thread_place.last_read_seq is
  'How far the user has read; unread = the parent''s last_thread_seq - last_read_seq, whoever else follows.';
comment on column thread_place.is_choice is 'The user said so; replies and mentions do not change it any more.';
create index thread_place_by_user on thread_place (app_id, user_id);
comment on index thread_place_by_user is 'The threads of a user.';
create index thread_place_by_reply on thread_place (parent_id, last_reply_seq desc) where reply_count > 0;
comment on index thread_place_by_reply is 'The participants of a thread, the latest first.';

create table mention (
  id uuid primary key,
  app_id uuid not null references app (id) on delete cascade,
  channel_id uuid not null references channel (id) on delete cascade,
  message_id uuid not null references message (id) on delete cascade,
  user_id text,
  mentioned_by text not null,
  cv bigint not null,
  seq bigint,
  parent_id uuid,
  thread_seq bigint,
  created_at timestamptz not null,
  unique nulls not distinct (message_id, user_id)
);
comment on table mention is
  'Who was named in a message. user_id null: everybody (@channel), one row however many members; who that is, is judged on reading.';
comment on column mention.cv is 'The channel''s version then: who came in later, or again, was not meant.';
comment on column mention.seq is 'The message''s place in the timeline; a reply has parent_id and thread_seq instead.';
create index mention_of_user on mention (app_id, user_id, created_at desc, id desc) where user_id is not null;
comment on index mention_of_user is 'A user''s inbox, the newest first.';
create index mention_of_channel on mention (channel_id, created_at desc, id desc) where user_id is null;
comment on index mention_of_channel is 'What was said to all of a channel.';
create index mention_by_seq on mention (channel_id, user_id, seq) where seq is not null;
comment on index mention_by_seq is 'Counting what is unread: it lies behind the reader''s marker.';
create index mention_of_user_in_thread on mention (app_id, user_id, parent_id, thread_seq)
  where user_id is not null and parent_id is not null;
comment on index mention_of_user_in_thread is 'The same in threads.';
create index mention_of_channel_in_thread on mention (channel_id) where user_id is null and parent_id is not null;
comment on index mention_of_channel_in_thread is 'What was said to all of a channel in threads; seldom much.';

create table mention_read (
  app_id uuid not null references app (id) on delete cascade,
  user_id text not null,
  mention_id uuid not null references mention (id) on delete cascade,
  read_at timestamptz not null,
  primary key (mention_id, user_id)
);
comment on table mention_read is
  'Mentions that a user marked as read by themselves; the others are read with their channel or thread.';

insert into thread_place
  (parent_id, user_id, app_id, channel_id, reply_count, last_reply_seq, last_read_seq, followed)
select parent_id, user_id, app_id, channel_id, count(*) filter (where deleted_at is null), max(thread_seq),
  max(thread_seq), true
from message
where parent_id is not null
group by parent_id, user_id, app_id, channel_id;

update message as parent
set reply_count = counted.replies, participant_count = counted.participants
from (
  select parent_id, sum(reply_count) as replies, count(*) filter (where reply_count > 0) as participants
  from thread_place
  group by parent_id
) as counted
where parent.id = counted.parent_id;
