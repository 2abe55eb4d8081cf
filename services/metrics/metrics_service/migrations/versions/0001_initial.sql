-- That an event was counted. One partition per UTC day of the event's id; kept a day longer than the event log.
create table counted_event (
  event_id uuid primary key
) partition by range (event_id);

-- Apps in the order in which they were first seen: the first METRICS_MAX_APPS keep a label of their own.
create table app (
  app_id text primary key,
  ordinal bigint generated always as identity unique
);

-- The type of each channel, since an event about a message does not carry it. While it is not known (null), `unplaced`
-- messages of the channel are counted under the type "unknown".
create table channel (
  channel_id text primary key,
  app_id text not null,
  type text,
  unplaced bigint not null default 0
);

-- The exact totals. A gauge (channels, workspaces) is a total that is also taken from.
create table business_total (
  series text not null,
  app_id text not null,
  label text not null,
  value bigint not null,
  primary key (series, app_id, label)
) with (fillfactor = 70);

create table rollup_hour (
  app_id text not null,
  event_type text not null,
  hour timestamptz not null,
  count bigint not null,
  primary key (app_id, event_type, hour)
) with (fillfactor = 70);

-- Which positions of each lane are counted. Several replicas share the queue, so the positions come in any order;
-- everything is counted up to the end of the range that starts at 0.
create table lane_position (
  lane smallint primary key,
  covered int8multirange not null
);

-- Events that could not be counted, each with the reason.
create table parked_event (
  message_id text primary key,
  event_type text not null,
  reason text not null,
  body bytea not null,
  parked_at timestamptz not null default now()
);
