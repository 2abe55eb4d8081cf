alter table channel_member
  add column receipt_seq bigint not null default 0,
  add column receipt_told_at timestamptz,
  add column receipt_due_at timestamptz;
comment on column channel_member.receipt_seq is
  'How far others know that the member has read: by message.read, or by what the member sent. It never goes back.';
comment on column channel_member.receipt_told_at is 'When message.read was last written for the member here: at most once a second.';
comment on column channel_member.receipt_due_at is 'When the last value is to be told that came within that second.';
create index channel_member_receipt_due on channel_member (receipt_due_at) where receipt_due_at is not null;
