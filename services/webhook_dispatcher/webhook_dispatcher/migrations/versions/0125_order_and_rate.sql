-- Whether a webhook's events come in order within each channel, and after how many attempts one that fails is passed over.
alter table webhook
  add column ordering text not null default 'none' check (ordering in ('none', 'channel')),
  add column park_after smallint check (park_after >= 1);

-- How many deliveries a second, and at once after a pause: tokens, as they were at that time.
alter table endpoint
  add column rate_per_s float8 check (rate_per_s > 0),
  add column rate_burst integer,
  add column tokens float8,
  add column tokens_at timestamptz;

-- Of the deliveries with one key the first is due; those behind it are due at 'infinity' until it is their turn.
alter table due_delivery add column order_key text;
create index due_delivery_in_order on due_delivery (webhook_id, order_key, order_no) where order_key is not null;
