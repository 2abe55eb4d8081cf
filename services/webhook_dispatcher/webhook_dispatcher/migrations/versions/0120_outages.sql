-- How a webhook's deliveries are repeated, and after how many seconds an event is of no use to it any more.
alter table webhook
  add column ladder text not null default 'quick' check (ladder in ('quick', 'standard', 'custom')),
  add column waits_s float8[],
  add column deadline_s integer,
  add constraint own_waits_are_of_an_own_ladder check (num_nonnulls(waits_s) = (ladder = 'custom')::integer);

-- When the endpoint is probed next, how many probes failed in a row, and from where on everything is held.
alter table endpoint
  add column probe_at timestamptz,
  add column probes integer not null default 0,
  add column held_from bigint;
create index endpoint_due_or_probed on endpoint (next_due_at)
  where state in ('active', 'failing') and next_due_at is not null;
drop index endpoint_due;

alter table due_delivery
  add column expires_at timestamptz,
  -- Attempts that were probes: they climb no ladder.
  add column probes smallint not null default 0;
create index due_delivery_expiring on due_delivery (expires_at) where expires_at is not null;
-- The oldest parked one is what an endpoint is probed with; a drain goes on from there.
create index due_delivery_parked on due_delivery (webhook_id, order_no) where due_at is null;
drop index due_delivery_by_webhook;

alter table delivery drop constraint delivery_status_check;
alter table delivery add constraint delivery_status_check
  check (status in ('pending', 'succeeded', 'exhausted', 'failed', 'skipped', 'expired'));
alter table attempt drop constraint attempt_kind_check;
alter table attempt add constraint attempt_kind_check
  check (kind in ('first', 'retry', 'drain', 'probe', 'replay', 'test'));

-- What was parked before there were probes, and what was held: probed soon, not all at once.
update endpoint e
set probe_at = now() + random() * interval '1 minute',
    next_due_at = case when e.state = 'failing' then now() + random() * interval '1 minute' else now() end,
    held_from = case when e.state = 'failing' then e.next_order_no end
where e.state = 'failing'
  or (e.state = 'active' and exists (select from due_delivery q where q.webhook_id = e.webhook_id and q.due_at is null));
