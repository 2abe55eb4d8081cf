-- What the owner of a webhook decides.
create table webhook (
  id uuid primary key,
  app_id text not null,
  url text not null,
  events text[] not null,
  description text,
  metadata jsonb not null default '{}',
  created_by text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  deleted_at timestamptz
);
create index webhook_by_app on webhook (app_id, id) where deleted_at is null;

-- Several live ones during an overlap; sealed for exactly this row.
create table webhook_secret (
  id uuid primary key,
  webhook_id uuid not null references webhook (id),
  key_id text not null,
  ciphertext bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz
);
create index webhook_secret_by_webhook on webhook_secret (webhook_id, created_at desc) where revoked_at is null;

-- Raised with each change of an app's webhooks: the planner reloads an app whose version it does not hold.
create table app_registration (
  app_id text primary key,
  version bigint not null
);

-- One hot row per webhook: what is scheduled is the endpoint, not its million deliveries.
create table endpoint (
  webhook_id uuid primary key references webhook (id),
  app_id text not null,
  state text not null default 'active' check (state in ('active', 'failing', 'gone', 'off')),
  failure_count integer not null default 0,
  failed_attempts integer not null default 0,
  failing_since timestamptz,
  last_failure_at timestamptz,
  next_due_at timestamptz,
  blocked_until timestamptz,
  next_order_no bigint not null default 1
) with (fillfactor = 50);
create index endpoint_due on endpoint (next_due_at) where state = 'active' and next_due_at is not null;

-- Exactly the unfinished deliveries; due_at null is parked. Small, whatever the history holds.
create table due_delivery (
  delivery_id uuid primary key,
  webhook_id uuid not null,
  event_id uuid not null,
  event_type text not null,
  order_no bigint not null,
  attempt smallint not null default 0,
  replay boolean not null default false,
  -- What a delivery that was final before its replay is again when the replay fails.
  resume_status text,
  due_at timestamptz,
  session_id uuid,
  generation integer
) with (fillfactor = 70);
create index due_delivery_claim on due_delivery (webhook_id, due_at, order_no)
  where session_id is null and due_at is not null;
create index due_delivery_leased on due_delivery (session_id) where session_id is not null;
create index due_delivery_by_webhook on due_delivery (webhook_id) where due_at is null;

-- A worker process; a lease names one, and dies with it by this database's clock.
create table worker_session (
  id uuid primary key,
  generation integer not null,
  renewed_at timestamptz not null default now()
) with (fillfactor = 50);

-- The bytes as chat stored them, once per event.
create table event_body (
  event_id uuid primary key,
  app_id text not null,
  type text not null,
  channel_id text,
  body bytea not null
) partition by range (event_id);

-- The history: one row per (event, webhook); the id is derived from both.
create table delivery (
  id uuid primary key,
  webhook_id uuid not null,
  app_id text not null,
  event_id uuid not null,
  event_type text not null,
  order_no bigint,
  status text not null check (status in ('pending', 'succeeded', 'exhausted', 'failed', 'skipped')),
  attempts smallint not null default 0,
  status_code smallint,
  error_message text,
  created_at timestamptz not null default now(),
  attempted_at timestamptz,
  finished_at timestamptz
) partition by range (id);
create index delivery_by_webhook on delivery (webhook_id, id);

create table attempt (
  delivery_id uuid not null,
  number smallint not null,
  kind text not null check (kind in ('first', 'retry', 'replay', 'test')),
  result text not null,
  status_code smallint,
  error_message text,
  response_headers text,
  response_body bytea,
  duration_ms real not null,
  started_at timestamptz not null,
  primary key (delivery_id, number)
) partition by range (delivery_id);

-- Per lane of chat's log: everything up to here is planned.
create table lane_position (
  lane smallint primary key,
  pos bigint not null default 0
) with (fillfactor = 50);
insert into lane_position (lane) select generate_series(0, 15);

-- What could not be handled though it was decodable, with the reason.
create table parked_event (
  event_id text not null,
  queue text not null,
  reason text not null,
  lane smallint,
  lane_pos bigint,
  body bytea not null,
  parked_at timestamptz not null default now(),
  primary key (queue, event_id)
);

create table idempotency_key (
  scope text not null,
  key text not null,
  fingerprint bytea not null,
  status_code smallint not null,
  key_id text not null,
  answer bytea not null,
  created_at timestamptz not null default now(),
  primary key (scope, key)
);
create index idempotency_key_by_age on idempotency_key (created_at);
