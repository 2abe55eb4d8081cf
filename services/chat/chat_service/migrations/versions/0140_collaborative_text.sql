alter table message add column text_mode text check (text_mode in ('ot', 'crdt'));
comment on column message.text_mode is
  'How several people write the text at once; null: one author edits it. A deleted message has none any more.';

create table collab_text (
  message_id uuid primary key references message (id) on delete cascade,
  app_id uuid not null,
  kept_after bigint not null,
  state bytea
);
comment on table collab_text is 'What a collaborative message has beside its text, from its first operation on.';
comment on column collab_text.kept_after is 'What operations up to this version did is not kept any more; the text has it.';
comment on column collab_text.state is 'The replicated document as a Yjs update; null in mode ot.';

create table collab_op (
  message_id uuid not null references message (id) on delete cascade,
  version bigint not null,
  app_id uuid not null,
  user_id text not null,
  client_op_id text not null,
  request_hash bytea not null,
  ops jsonb,
  created_at timestamptz not null,
  primary key (message_id, version),
  unique (message_id, user_id, client_op_id)
);
comment on table collab_op is 'Operations on the text of messages. A row outlives what it did, so that a repeat is known as one.';
comment on column collab_op.version is 'The version of the message that the operation made: its number.';
comment on column collab_op.ops is 'As they apply to the version before; null once they are not kept any more.';
create index collab_op_dropped on collab_op (created_at) where ops is null;
comment on index collab_op_dropped is 'Rows that are forgotten after a time.';
create index collab_op_by_user on collab_op (app_id, user_id);
comment on index collab_op_by_user is 'Erasing a user: what their client called its operations.';
