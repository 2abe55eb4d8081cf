create unlogged table rate_limit_bucket (
  app_id uuid not null,
  key text not null check (length(key) between 1 and 300),
  per_second double precision not null check (per_second > 0),
  burst double precision not null check (burst > 0),
  wanted integer not null,
  given_back integer not null,
  granted integer not null,
  level double precision not null,
  filled_at timestamptz not null,
  primary key (app_id, key)
);
comment on table rate_limit_bucket is
  'Tokens of limits that somebody is near to; a bucket that is not here is full. wanted, given_back and granted are of the last asking.';

create unlogged table rate_limit_replica (
  id uuid primary key,
  seen_at timestamptz not null
);
comment on table rate_limit_replica is 'The replicas that share the buckets, each seen every second.';
